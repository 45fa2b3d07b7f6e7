#include "agent/service/rendezvous.hpp"

#include "net/source.hpp"
#include "ops/limits.hpp"
#include "ops/log.hpp"

namespace hpb::agent::service {
namespace {

constexpr const char* kComponent = "service";
constexpr std::size_t kMaxRequestMessage = 256 * 1024;
constexpr std::chrono::milliseconds kRequestLimit{10000};

// Who agrees to hpb.v1 is an hpb client: it would rather see an end than a connection that begins
// anew. The original, which offers nothing, has always had its targets dialled again.
ServiceChannel::Reopen reopen_rule(std::optional<bool> configured, const std::string& subprotocol) {
    using Reopen = ServiceChannel::Reopen;
    if (configured) return *configured ? Reopen::always : Reopen::never;
    return subprotocol == kProtocolV1 ? Reopen::never : Reopen::after_idle;
}

}  // namespace

net::awaitable<void> accept_rendezvous(std::shared_ptr<const ServiceContext> context,
                                       std::shared_ptr<const ServedEntity> entity,
                                       hc::AcceptMessage accept, std::string subprotocol,
                                       Place place) {
    auto websocket = co_await context->dialer->open_rendezvous(accept.address, subprotocol);
    if (!websocket) {
        co_return co_await on_rendezvous_failed(context, entity, std::move(accept),
                                                websocket.error());
    }
    const auto& options = context->options;
    ServiceChannel::Options channel_options{
        .close_linger = options.close_linger,
        .channel_idle = options.channel_idle,
        .connection_idle = options.connection_idle,
        .unacknowledged = options.unacknowledged,
        .reopen = reopen_rule(options.reopen_after_target_close, subprotocol),
        .connect_timeout = options.connect_timeout,
    };
    const auto channel = std::make_shared<ServiceChannel>(
        std::move(*websocket), channel_options, entity,
        entity->places->sender(net::source_key(accept.remote_address)), context->registry,
        std::move(place));
    (void)tunnel_v1::Channel::start(channel);
}

net::awaitable<void> on_rendezvous_failed(std::shared_ptr<const ServiceContext> context,
                                          std::shared_ptr<const ServedEntity> entity,
                                          hc::AcceptMessage accept, Error why) {
    constexpr int kBadGateway = 502;
    const std::string text = why.message() + context->dialer->explain_address(accept.address);
    std::uint64_t suppressed = 0;
    if (entity->notes->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: a rendezvous failed: {}{}", entity->path, text,
                      ops::more_since(suppressed));
    }
    const auto ticket = Quota::try_take(context->rejections);
    if (!ticket) ops::reached(ops::Limit::unanswered_refusals);
    if (!ticket) co_return;
    const auto told = co_await context->dialer->reject_at_home(
        accept.address, kBadGateway, "The service agent cannot open the rendezvous: " + text);
    if (!told) ops::log_debug(kComponent, "{}: {}", entity->path, told.error().message());
}

net::awaitable<void> reject_rendezvous(std::shared_ptr<const ServiceContext> context,
                                       std::shared_ptr<const ServedEntity> entity,
                                       hc::AcceptMessage accept, int status, std::string why,
                                       Quota::Ticket ticket) {
    std::uint64_t suppressed = 0;
    if (entity->notes->admit_line(suppressed)) {
        ops::log_warn(kComponent, "{}: a channel was rejected: {}{}", entity->path, why,
                      ops::more_since(suppressed));
    }
    const auto rejected = co_await context->dialer->reject(accept.address, status, why);
    if (!rejected) ops::log_debug(kComponent, "{}: {}", entity->path, rejected.error().message());
    (void)ticket;  // counted until here
}

hc::ResponseMessage refuse_request(const std::string& request_id) {
    hc::ResponseMessage response;
    response.request_id = request_id;
    response.status_code = 501;
    response.status_description =
        "This listener bridges TCP ports and does not answer HTTP requests";
    return response;
}

net::awaitable<void> refuse_request_at(std::shared_ptr<const ServiceContext> context,
                                       std::string address, Quota::Ticket ticket) {
    auto websocket = co_await context->dialer->open_rendezvous(address, "");
    if (!websocket) co_return;
    net::Deadline deadline(websocket->stream(), kRequestLimit);
    const auto message = co_await websocket->receive_message(kMaxRequestMessage);
    if (!message || !*message) co_return;
    const auto parsed = hc::parse_control_message((*message)->data);
    const auto* request = parsed ? std::get_if<hc::RequestMessage>(&*parsed) : nullptr;
    if (request == nullptr) co_return;
    const std::string answer = hc::serialize(refuse_request(request->id));
    const auto sent = co_await websocket->send(websocket::Opcode::text, as_bytes(answer));
    if (sent) co_await websocket->close(1000, "", kRequestLimit);
    (void)ticket;  // counted until here
}

}  // namespace hpb::agent::service
