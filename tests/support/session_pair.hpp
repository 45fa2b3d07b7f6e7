// Two ends of a session joined by memory, for tests that want to decide everything themselves. The
// random variant of it is tests/simulation.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "session/session_table.hpp"

namespace hpb::test {

using namespace hpb::session;

class SessionPair {
public:
    explicit SessionPair(const Limits& limits = {})
        : table(limits, {}, "listener-1", service_pool),
          client(std::make_unique<Session>(Role::client, identity(), limits, client_pool, now)) {}

    static Identity identity() {
        Identity id;
        id.id.bytes.fill(std::byte{7});
        id.secret.fill(std::byte{9});
        return id;
    }
    static Nonce nonce(int n) {
        Nonce out{};
        out.fill(static_cast<std::byte>(n));
        return out;
    }

    /// The service's end; null before the first channel.
    [[nodiscard]] Session* service() { return table.find(identity().id); }

    /// A new channel, both ends attached and greeted.
    ChannelId connect() {
        const ChannelId channel = client->attach(nonce(1), now).value();
        const std::string hello = output(*client, channel);
        HelloReader reader;
        ByteSpan in = as_bytes(hello);
        const auto frame = reader.next(in).value();
        const auto answer = table.admit(frame.value(), nonce(2), now);
        static_cast<void>(std::get<SessionTable::Admission>(answer));
        run(channel);
        return channel;
    }

    /// Takes everything that `from` has to say on `channel`.
    static std::string output(Session& from, ChannelId channel) {
        std::string out;
        for (const ByteSpan span : from.pending_output(channel, std::size_t{1} << 20)) {
            out += as_text(span);
        }
        from.output_sent(channel, out.size());
        return out;
    }

    /// Moves bytes on `channel` until both are silent.
    void run(ChannelId channel) {
        for (bool moved = true; moved;) {
            const std::string to_service = output(*client, channel);
            if (service() != nullptr)
                from_client = service()->on_bytes(channel, as_bytes(to_service), now);
            const std::string to_client =
                service() != nullptr ? output(*service(), channel) : std::string{};
            from_service = client->on_bytes(channel, as_bytes(to_client), now);
            moved = !to_service.empty() || !to_client.empty();
        }
    }

    void lose(ChannelId channel) {
        client->on_channel_lost(channel, now);
        service()->on_channel_lost(channel, now);
    }

    static std::vector<Event> events(Session& of) {
        std::vector<Event> out;
        while (auto event = of.next_event()) out.push_back(std::move(*event));
        return out;
    }
    static std::vector<Event::Kind> kinds(Session& of) {
        std::vector<Event::Kind> out;
        for (const Event& event : events(of)) out.push_back(event.kind);
        return out;
    }

    /// Reads and consumes all that is there.
    static std::string read(Session& of, StreamId stream, Clock::time_point at = {}) {
        std::string out;
        std::array<HeldBytes, 4> pieces;
        while (const std::size_t n = of.read(stream, pieces)) {
            std::size_t size = 0;
            for (std::size_t i = 0; i < n; ++i) {
                out += as_text(pieces[i].bytes);
                size += pieces[i].bytes.size();
            }
            of.consumed(stream, size, at);
        }
        return out;
    }

    Clock::time_point now{};
    SlabPool client_pool;
    SlabPool service_pool;
    SessionTable table;
    std::unique_ptr<Session> client;
    Result<void> from_client;   // what the service thought of the last bytes
    Result<void> from_service;  // what the client thought of them
};

}  // namespace hpb::test
