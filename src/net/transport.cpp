#include "net/transport.hpp"

#include <sys/socket.h>

#include "net/system_error.hpp"

namespace hpb::net {
namespace {

class PlainTransport final : public Transport {
public:
    void release() override {}
    Result<std::size_t> try_read(int descriptor, MutableByteSpan into) override {
        const auto n = ::recv(descriptor, into.data(), into.size(), MSG_DONTWAIT);
        if (n >= 0) return static_cast<std::size_t>(n);
        return would_block() ? kWouldBlock : system_error_now();
    }
    Result<std::size_t> try_write(int descriptor, ByteSpan data) override {
        const auto n = ::send(descriptor, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) return static_cast<std::size_t>(n);
        if (would_block()) return std::size_t{0};
        return system_error_now();
    }
    [[nodiscard]] bool has_unsent() const override { return false; }
    void send_end(int) override {}
    [[nodiscard]] bool secure() const override { return false; }
};

class FailedTransport final : public Transport {
public:
    explicit FailedTransport(Error failure) : failure_(std::move(failure)) {}

    Result<std::size_t> try_read(int, MutableByteSpan) override { return failure_; }
    Result<std::size_t> try_write(int, ByteSpan) override { return failure_; }
    [[nodiscard]] bool has_unsent() const override { return false; }
    void send_end(int) override {}
    [[nodiscard]] bool secure() const override { return true; }

private:
    Error failure_;
};

}  // namespace

TransportPtr plain_transport() {
    static PlainTransport shared;
    return TransportPtr(&shared);
}

TransportPtr make_failed_transport(Error failure) {
    return TransportPtr(new FailedTransport(std::move(failure)));
}

}  // namespace hpb::net
