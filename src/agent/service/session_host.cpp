#include "agent/service/session_host.hpp"

#include <utility>
#include <vector>

#include "agent/service/rendezvous.hpp"
#include "agent/session_limits.hpp"
#include "base/text.hpp"
#include "crypto/crypto.hpp"
#include "net/source.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::service {
namespace {

constexpr const char* kComponent = "service";
constexpr std::chrono::milliseconds kCloseLimit{3000};
constexpr std::uint16_t kPolicyViolation = 1008;  // RFC 6455 section 7.4.1

}  // namespace

/// A HELLO and what has come behind it.
struct SessionHost::Greeting {
    session::HelloFrame hello;
    std::vector<std::byte> early;
};

SessionHost::SessionHost(const net::asio::any_io_executor& executor,
                         std::shared_ptr<const ServiceContext> context,
                         const std::string& listener_id)
    : executor_(executor),
      context_(std::move(context)),
      table_(session_limits(context_->options.session, *context_->memory),
             {.max_sessions = context_->options.session.max_sessions}, listener_id, pool_) {}

net::awaitable<void> SessionHost::accept(std::shared_ptr<SessionHost> self,
                                         std::shared_ptr<const ServedEntity> entity,
                                         hc::AcceptMessage accept, Place place) {
    auto websocket = co_await self->context_->dialer->open_rendezvous(accept.address, kProtocolV2);
    if (!websocket) {
        co_return co_await on_rendezvous_failed(self->context_, entity, std::move(accept),
                                                websocket.error());
    }
    auto greeting = co_await read_hello(*websocket);
    if (greeting) {
        self->admit(*websocket, entity, net::source_key(accept.remote_address),
                    std::move(*greeting), std::move(place));
        co_return;
    }
    if (greeting.error().code().category() == make_error_code(session::errc::none).category()) {
        const auto refusal = session::SessionTable::malformed();
        self->note_refusal(*entity, "of a client agent", refusal);
        co_await refuse(std::move(*websocket), refusal);
        co_return;
    }
    if (greeting.error().code() == make_error_code(errc::timed_out))
        ops::reached(ops::Limit::late_hellos);
    ops::log_debug(kComponent, "{}: a channel ended before its HELLO: {}", entity->path,
                   greeting.error().message());
}

net::awaitable<Result<SessionHost::Greeting>> SessionHost::read_hello(net::WebSocket& websocket) {
    net::Deadline deadline(websocket.stream(), kHelloLimit);
    session::HelloReader reader;
    for (;;) {
        const auto piece = co_await websocket.receive();
        if (!piece && deadline.expired()) co_return Error(errc::timed_out, "it took too long");
        if (!piece) co_return piece.error();
        if (!*piece) co_return Error(errc::closed, "closed by the relay");
        ByteSpan bytes = (*piece)->payload;
        auto hello = reader.next(bytes);
        if (!hello) co_return hello.error();
        if (*hello) co_return Greeting{**hello, {bytes.begin(), bytes.end()}};
    }
}

void SessionHost::admit(net::WebSocket& websocket,
                        const std::shared_ptr<const ServedEntity>& entity,
                        const std::string& source, Greeting greeting, Place place) {
    session::Nonce nonce;
    crypto::random_bytes(nonce);
    const auto answer = table_.admit(greeting.hello, nonce, net::Clock::now(), source);
    const auto& id = greeting.hello.session;
    if (const auto* refusal = std::get_if<session::RefusedHelloFrame>(&answer)) {
        if (refusal->code == session::HelloRefusal::too_many_sessions)
            ops::reached(ops::Limit::refused_sessions);
        note_refusal(*entity, crypto::hex(id.bytes).substr(0, 8), *refusal);
        net::spawn(executor_, refuse(std::move(websocket), *refusal));
        return;
    }
    const auto& admission = std::get<session::SessionTable::Admission>(answer);
    if (admission.given_up != nullptr) {
        ops::reached(ops::Limit::shed_sessions);
        const auto given_up = sessions_.find(admission.given_up->id());
        if (given_up != sessions_.end()) {
            const auto kept = given_up->second;
            kept->pump();
        }
    }
    auto& session = sessions_[id];
    if (!session) {
        session = std::make_shared<ServiceSession>(
            executor_, context_, entity, source, entity->places->sender(source), *admission.session,
            [weak = weak_from_this()](const session::SessionId& over) {
                const auto self = weak.lock();
                if (!self) return;
                self->sessions_.erase(over);
                self->table_.remove(over);
            });
        if (!context_->registry->add(session)) {
            sessions_.erase(id);
            table_.remove(id);
            return;
        }
        ops::log_debug(kComponent, "{}: session {} begins", entity->path, session->short_id());
    }
    const auto held = session;
    held->begin_channel(std::move(websocket), admission.channel, std::move(place), greeting.early);
}

net::awaitable<void> SessionHost::refuse(net::WebSocket websocket,
                                         session::RefusedHelloFrame refusal) {
    auto frame = session::encode(refusal);
    const auto sent = co_await websocket.send(websocket::Opcode::binary, frame.finish());
    if (sent) co_await websocket.close(kPolicyViolation, refusal.text, kCloseLimit);
}

void SessionHost::note_refusal(const ServedEntity& entity, const std::string& session,
                               const session::RefusedHelloFrame& refusal) {
    std::uint64_t suppressed = 0;
    if (!entity.notes->admit_line(suppressed)) return;
    ops::log_warn(kComponent, "{}: session {} refused: {}{}", entity.path, session,
                  printable(refusal.text), ops::more_since(suppressed));
}

}  // namespace hpb::agent::service
