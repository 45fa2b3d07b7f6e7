// A transport whose faults a test chooses: the socket below it is real, so that waiting works.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>

#include "net/system_error.hpp"
#include "net/transport.hpp"

namespace hpb::test {

/// What happens to the bytes of a stream, until the test changes it. Shared by test and transport.
struct Faults {
    static constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

    std::size_t most_per_write = kNever;  ///< the socket takes no more at a time
    std::size_t most_per_read = kNever;
    std::size_t writes_left = kNever;  ///< bytes until writing fails
    std::size_t reads_left = kNever;   ///< bytes until reading fails
    bool full = false;                 ///< writing takes nothing for now
    std::size_t written = 0;
};

class FaultyTransport final : public net::Transport {
public:
    explicit FaultyTransport(std::shared_ptr<Faults> faults)
        : faults_(std::move(faults)), below_(net::plain_transport()) {}

    Result<std::size_t> try_read(int descriptor, MutableByteSpan into) override {
        if (faults_->reads_left == 0) return broken();
        const std::size_t most =
            std::min({into.size(), faults_->most_per_read, faults_->reads_left});
        auto read = below_->try_read(descriptor, into.first(most));
        if (read && faults_->reads_left != Faults::kNever) faults_->reads_left -= *read;
        return read;
    }
    Result<std::size_t> try_write(int descriptor, ByteSpan data) override {
        if (faults_->writes_left == 0) return broken();
        if (faults_->full) return std::size_t{0};
        const std::size_t most =
            std::min({data.size(), faults_->most_per_write, faults_->writes_left});
        auto sent = below_->try_write(descriptor, data.first(most));
        if (sent) faults_->written += *sent;
        if (sent && faults_->writes_left != Faults::kNever) faults_->writes_left -= *sent;
        return sent;
    }
    [[nodiscard]] bool has_unsent() const override { return false; }
    void send_end(int) override {}
    [[nodiscard]] bool secure() const override { return false; }

private:
    static Error broken() { return Error(boost::asio::error::connection_reset, "injected"); }

    std::shared_ptr<Faults> faults_;
    net::TransportPtr below_;
};

}  // namespace hpb::test
