#include "hpb/demo_check.hpp"

#include <algorithm>
#include <array>

#include "net/dial/dial.hpp"
#include "net/signal.hpp"
#include "net/slab.hpp"
#include "net/stream.hpp"

namespace hpb::app {
namespace {

constexpr int kRoundTrips = 101;
constexpr std::chrono::seconds kStallLimit{30};

/// The same sequence at both ends; a lost, doubled or moved byte cannot go unnoticed.
class Pattern {
public:
    void fill(MutableByteSpan out) {
        for (std::size_t i = 0; i < out.size(); i += 8) {
            state_ ^= state_ << 13;
            state_ ^= state_ >> 7;
            state_ ^= state_ << 17;
            std::memcpy(out.data() + i, &state_, std::min<std::size_t>(8, out.size() - i));
        }
    }

private:
    std::uint64_t state_ = 0x9e3779b97f4a7c15ULL;
};

/// The pattern is made and compared in blocks of this size, however the network cuts it.
constexpr std::size_t kBlock = net::Slab::kSize;

double ms_since(net::Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(net::Clock::now() - start).count();
}

struct Transfer {
    explicit Transfer(net::Stream s) : stream(std::move(s)), finished(stream.executor()) {}
    net::Stream stream;
    net::Signal finished;
    bool sender_done = false;
    bool send_failed = false;
};

net::awaitable<void> send_pattern(std::shared_ptr<Transfer> transfer, std::uint64_t bytes) {
    Pattern pattern;
    const net::Slab slab = net::Slab::take();
    for (std::uint64_t sent = 0; sent < bytes;) {
        const auto block = slab.span().first(
            static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, bytes - sent)));
        pattern.fill(block);
        const auto written = co_await transfer->stream.write(block);
        if (!written) {
            transfer->send_failed = true;
            break;
        }
        sent += block.size();
    }
    transfer->sender_done = true;
    transfer->finished.notify_all();
}

net::awaitable<Result<void>> receive_exactly(net::Stream& stream, MutableByteSpan into) {
    while (!into.empty()) {
        const auto read = co_await stream.read_some(into);
        if (!read) co_return read.error();
        if (*read == 0) co_return Error(net::asio::error::eof, "the connection ended early");
        into = into.subspan(*read);
    }
    co_return Result<void>();
}

net::awaitable<Result<void>> receive_pattern(Transfer& transfer, std::uint64_t bytes,
                                             const Progress& progress) {
    Pattern pattern;
    const net::Slab expected = net::Slab::take();
    const net::Slab received = net::Slab::take();
    for (std::uint64_t done = 0; done < bytes;) {
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, bytes - done));
        pattern.fill(expected.span().first(size));
        const MutableByteSpan into = received.span().first(size);
        const net::Deadline stall(transfer.stream, kStallLimit);
        const auto read = co_await receive_exactly(transfer.stream, into);
        if (!read) co_return read.error();
        if (std::memcmp(expected.data(), received.data(), size) != 0) {
            co_return Error(
                errc::invalid_argument,
                "what came back differs from what was sent, near byte " + std::to_string(done));
        }
        done += size;
        progress(done, bytes);
    }
    co_return Result<void>();
}

/// One byte there and back. @return milliseconds.
net::awaitable<Result<double>> round_trip(net::Stream& stream) {
    std::array<std::byte, 1> byte{std::byte{0x55}};
    const auto start = net::Clock::now();
    const net::Deadline stall(stream, kStallLimit);
    const auto sent = co_await stream.write(byte);
    if (!sent) co_return sent.error();
    const auto received = co_await receive_exactly(stream, byte);
    if (!received) co_return received.error();
    co_return ms_since(start);
}

}  // namespace

net::awaitable<Result<DemoFigures>> check_path(std::uint16_t port, std::uint64_t bytes,
                                               Progress progress) {
    DemoFigures figures;
    const auto start = net::Clock::now();
    const net::DialOptions plain;
    auto dialled = co_await net::dial("127.0.0.1", port, plain);
    if (!dialled) co_return dialled.error();
    auto transfer = std::make_shared<Transfer>(std::move(*dialled));
    const auto first = co_await round_trip(transfer->stream);
    if (!first) co_return first.error();
    figures.connect_ms = ms_since(start);

    std::array<double, kRoundTrips> times{};
    for (auto& time : times) {
        const auto took = co_await round_trip(transfer->stream);
        if (!took) co_return took.error();
        time = *took;
    }
    std::nth_element(times.begin(), times.begin() + kRoundTrips / 2, times.end());
    figures.round_trip_ms = times[kRoundTrips / 2];

    const auto bulk_start = net::Clock::now();
    net::spawn(transfer->stream.executor(), send_pattern(transfer, bytes));
    const auto received = co_await receive_pattern(*transfer, bytes, progress);
    if (!received) transfer->stream.interrupt();
    while (!transfer->sender_done) co_await transfer->finished.wait();
    if (!received) co_return received.error();
    figures.bytes = bytes;
    figures.seconds = ms_since(bulk_start) / 1000;
    co_return figures;
}

}  // namespace hpb::app
