// A service's session whose peer, the fuzzer, has proved itself and then says anything: structured
// operations choose frames with likely fields, raw bytes, losses and the owner's calls. Whatever
// comes, the limits hold, and a stream that ends does so once.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "session/memory_budget.hpp"
#include "session/session_table.hpp"

namespace {

using namespace hpb;
using namespace hpb::session;

void require(bool condition) {
    if (!condition) std::abort();
}

/// The input, taken apart; zeros behind its end.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] bool is_empty() const { return size_ == 0; }
    std::uint8_t byte() {
        if (size_ == 0) return 0;
        --size_;
        return *data_++;
    }
    std::uint64_t number() {
        // Small ones mostly; now and then near the ends of the range.
        const std::uint8_t kind = byte();
        if (kind < 200) return kind;
        if (kind < 250) return (std::uint64_t{byte()} << 8 | byte()) * (kind - 199U);
        return ~std::uint64_t{0} - byte();
    }
    ByteSpan bytes(std::size_t most) {
        const std::size_t n = std::min(most, size_);
        const ByteSpan out{reinterpret_cast<const std::byte*>(data_), n};
        data_ += n;
        size_ -= n;
        return out;
    }

private:
    const std::uint8_t* data_;
    std::size_t size_;
};

Limits small_limits(MemoryBudget* shared = nullptr) {
    Limits limits;
    limits.shared = shared;
    limits.max_stream_window = 1024;
    limits.max_streams = 4;
    limits.initial_credit = 64;
    limits.stream_window = 256;
    limits.receive_budget = 2048;
    limits.send_budget = 2048;
    limits.max_channels = 3;
    limits.max_frame = 4096;
    return limits;
}

class Target {
public:
    explicit Target(Input& in) : in_(in), table_(small_limits(&shared_), {}, "id", pool_) {}

    void run() {
        if (!connect(false)) return;
        while (!in_.is_empty() && !session_->is_ended()) {
            operate();
            drain_events();
            check();
        }
        table_.remove({});
        require(shared_.used() == 0);
    }

private:
    bool connect(bool resume) {
        HelloFrame hello;
        hello.channel = {next_channel_++};
        hello.parameters = {5000, 60'000, 3, 128, 65535};
        hello.resume = resume;
        if (resume) {
            hello.secret_or_proof =
                client_proof(Secret{}, hello.session, hello.channel, hello.nonce);
        }
        const auto answer = table_.admit(hello, {}, now_);
        const auto* admitted = std::get_if<SessionTable::Admission>(&answer);
        if (admitted == nullptr) return false;
        session_ = admitted->session;
        channels_.push_back(hello.channel);
        return true;
    }

    void feed(ByteSpan wire) {
        if (channels_.empty()) return;
        const std::size_t which = in_.byte() % channels_.size();
        const ChannelId channel = channels_[which];
        if (session_->on_bytes(channel, wire, now_)) return;
        if (session_->is_ended()) return;
        static_cast<void>(session_->pending_output(channel, 100));
        session_->on_channel_lost(channel, now_);
        std::erase(channels_, channel);
    }

    StreamId stream() { return {in_.byte() % 16U}; }

    void frame() {
        const StreamId id = stream();
        switch (in_.byte() % 10) {
            case 0:
                return feed(encode(id, OpenFrame{{}, in_.number()}).finish());
            case 1:
                return feed(encode(id, AckFrame{in_.number(), in_.number()}).finish());
            case 2:
                return feed(ControlFrame{FrameType::opened, id}.u64(in_.number()).finish());
            case 3:
                return feed(encode(FrameType::refused, id, in_.byte(), "text").finish());
            case 4:
                return feed(ControlFrame{FrameType::reset, id}.u16(in_.byte()).finish());
            case 5:
                return feed(ControlFrame{FrameType::closed, id}.finish());
            case 6:
                return feed(ControlFrame{FrameType::streams, {}}
                                .u32(static_cast<std::uint32_t>(in_.number()))
                                .finish());
            case 7:
                return feed(ControlFrame{FrameType::ping, {}}.u64(in_.number()).finish());
            case 8:
                return feed(ControlFrame{FrameType::channel_lost, {}}.u64(in_.byte()).finish());
            default: {
                std::array<std::byte, kDataHeaderSize + 255> wire{};
                const std::uint8_t size = in_.byte();
                encode_data_header(wire.data(), id, in_.number(), size, in_.byte() % 4 == 0);
                return feed(ByteSpan{wire}.first(kDataHeaderSize + size));
            }
        }
    }

    void own_call() {
        const StreamId id = stream();
        std::array<std::byte, 300> data{};
        switch (in_.byte() % 9) {
            case 8: {
                const std::uint64_t room = session_->write_room(id);
                const std::size_t size = in_.byte();
                const auto taken = session_->write(id, ByteSpan{data}.first(size));
                require(!taken || *taken == std::min<std::uint64_t>(size, room));
                static_cast<void>(session_->all_acknowledged(id));
                static_cast<void>(session_->stalled_streams());
                break;
            }
            case 0:
                static_cast<void>(session_->accept(id));
                break;
            case 1:
                static_cast<void>(session_->refuse(id, OpenRefusal::timed_out, ""));
                break;
            case 2:
                static_cast<void>(session_->write(id, ByteSpan{data}.first(in_.byte())));
                break;
            case 3:
                static_cast<void>(session_->finish(id));
                break;
            case 4: {
                const bool known = session_->find_stream(id) != nullptr;
                session_->reset(id);
                if (known) ended_.insert_or_assign(id.value, true);
                break;
            }
            case 5: {
                std::array<HeldBytes, 4> pieces;
                const std::size_t n = session_->read(id, pieces);
                session_->consumed(id, n == 0 ? 0 : pieces[0].bytes.size(), now_);
                break;
            }
            case 6:
                static_cast<void>(session_->open({}));
                break;
            default:
                session_->set_window(id, in_.number() % 4096);
                break;
        }
    }

    void operate() {
        switch (in_.byte() % 16) {
            case 0:
                feed(in_.bytes(in_.byte()));
                break;
            case 1:
                if (!channels_.empty()) {
                    session_->on_channel_lost(channels_.back(), now_);
                    channels_.pop_back();
                }
                break;
            case 2:
                if (channels_.size() < 6) connect(true);
                break;
            case 3:
                now_ += milliseconds{in_.byte() * 20};
                session_->on_timeout(now_);
                break;
            case 4:
                if (!channels_.empty()) session_->close_channel(channels_.front());
                break;
            case 5:
            case 6:
            case 7:
                for (const ChannelId channel : channels_) {
                    std::size_t size = 0;
                    for (const ByteSpan span : session_->pending_output(channel, in_.byte())) {
                        size += span.size();
                    }
                    session_->output_sent(channel, size);
                }
                break;
            case 8:
            case 9:
            case 10:
                own_call();
                break;
            default:
                frame();
                break;
        }
    }

    void drain_events() {
        using Kind = Event::Kind;
        while (const auto event = session_->next_event()) {
            if (event->kind == Kind::channel_dead || event->kind == Kind::channel_drained) {
                session_->on_channel_lost(event->channel, now_);
                std::erase(channels_, event->channel);
            }
            if (event->kind == Kind::reset || event->kind == Kind::refused ||
                event->kind == Kind::closed) {
                require(session_->find_stream(event->stream) == nullptr ||
                        ended_.contains(event->stream.value));
                const bool first = ended_.insert_or_assign(event->stream.value, true).second;
                require(first || event->kind == Kind::reset);
            }
        }
    }

    void check() const {
        const Limits limits = small_limits().normalised();
        require(session_->stream_count() <= std::size_t{2} * limits.max_streams);
        require(session_->channel_count() <= limits.max_channels);
        require(session_->send_budget_used() <= limits.send_budget);
        require(session_->receive_budget_used() <= limits.receive_budget);
        require(shared_.used() <= shared_.limit());
        require(shared_.used() == session_->send_budget_used() + session_->receive_budget_used());
        require(pool_.in_use() * pool_.slab_size() <=
                limits.send_budget + limits.receive_budget +
                    pool_.slab_size() * (8 * limits.max_streams + 3 * Outbox::kPieces));
    }

    Input& in_;
    Clock::time_point now_{};
    MemoryBudget shared_{700};
    SlabPool pool_{64, 16};
    SessionTable table_;
    Session* session_ = nullptr;
    std::vector<ChannelId> channels_;
    std::uint64_t next_channel_ = 1;
    std::map<std::uint32_t, bool> ended_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input in{data, size};
    Target{in}.run();
    return 0;
}
