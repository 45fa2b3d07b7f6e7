#include "net/acceptor.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <fstream>

#include "ops/limits.hpp"
#include "support/loopback.hpp"

namespace hpb::test {
namespace {

using net::Acceptor;
using net::Endpoint;
using testing::HasSubstr;

const Endpoint kAnyPort{net::tcp::endpoint(net::asio::ip::address_v4::loopback(), 0)};

class AcceptorTest : public Loopback {
protected:
    std::shared_ptr<Acceptor> listens(const Endpoint& where, Acceptor::Options options = {}) {
        auto acceptor = Acceptor::listen(context.get_executor(), where, std::move(options));
        EXPECT_TRUE(acceptor) << (acceptor ? "" : acceptor.error().message());
        return acceptor ? *acceptor : nullptr;
    }

    /// Accepts and keeps.
    Acceptor::OnConnection keep() {
        return [this](net::Stream stream, const net::tcp::endpoint& peer) {
            streams.push_back(std::move(stream));
            peers.push_back(peer);
        };
    }

    /// A connection of any protocol that says hello and hears it from the one that was accepted.
    template <class Protocol>
    awaitable<void> greets(typename Protocol::endpoint to) {
        typename Protocol::socket socket(context);
        net::error_code error;
        socket.connect(to, error);
        EXPECT_FALSE(error) << error.message();
        net::Stream ours{net::Stream::Socket(std::move(socket))};
        EXPECT_TRUE(co_await write(ours, "hello"));
        const std::size_t number = streams.size();
        co_await until([&] { return streams.size() > number; });
        EXPECT_EQ(co_await read(streams.back(), 5), "hello");
    }

    awaitable<void> serves_tcp() {
        const auto acceptor = listens(kAnyPort);
        acceptor->start(keep());
        for (int i = 0; i < 3; ++i) co_await greets<net::tcp>(acceptor->local_endpoint());
        EXPECT_TRUE(peers.back().address().is_loopback());
        EXPECT_NE(peers.back().port(), 0);
        acceptor->close();
        EXPECT_FALSE(acceptor->is_open());
    }

    awaitable<void> serves_a_path(std::string path) {
        using Local = net::asio::local::stream_protocol;
        const auto acceptor = listens(Endpoint::UnixPath{path});
        struct stat status{};
        EXPECT_EQ(::stat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0600U) << "nobody but the owner may connect";
        acceptor->start(keep());
        co_await greets<Local>(Local::endpoint(path));
        EXPECT_EQ(peers.back(), net::tcp::endpoint());
        acceptor->close();
        EXPECT_FALSE(std::filesystem::exists(path));
    }

    awaitable<void> hands_over() {
        auto first = listens(kAnyPort);
        const auto where = first->local_endpoint();
        first->start(keep());
        const int descriptor = first->release();
        EXPECT_GE(descriptor, 0);
        EXPECT_FALSE(first->is_open());
        EXPECT_EQ(first->release(), -1);
        const auto second = listens(Endpoint::Inherited{descriptor});
        EXPECT_EQ(second->local_endpoint(), where);
        second->start(keep());
        co_await greets<net::tcp>(where);
        second->close();
    }

    std::vector<net::Stream> streams;
    std::vector<net::tcp::endpoint> peers;
};

TEST_F(AcceptorTest, ServesAPortUntilItIsClosed) {
    run(serves_tcp());
}

TEST_F(AcceptorTest, ServesAPathThatOnlyItsOwnerMayUse) {
    const auto folder =
        std::filesystem::temp_directory_path() / ("hpb-acceptor-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    run(serves_a_path(folder / "socket"));
    std::filesystem::remove_all(folder);
}

TEST_F(AcceptorTest, AListeningSocketCanBeHandedOver) {
    run(hands_over());
}

TEST_F(AcceptorTest, SaysWhatCannotBeBoundAndWhatToDo) {
    const auto acceptor = listens(kAnyPort);
    Acceptor::Options options;
    options.setting = "Relay:Listen";
    const auto again =
        Acceptor::listen(context.get_executor(), Endpoint(acceptor->local_endpoint()), options);
    ASSERT_FALSE(again);
    EXPECT_THAT(again.error().message(), HasSubstr(net::to_text(acceptor->local_endpoint())));
    EXPECT_THAT(again.error().message(), HasSubstr("another program is listening there"));
    const auto elsewhere = Acceptor::listen(
        context.get_executor(),
        Endpoint(net::tcp::endpoint(net::asio::ip::make_address("192.0.2.1"), 1)), options);
    ASSERT_FALSE(elsewhere);
    EXPECT_THAT(elsewhere.error().message(), HasSubstr("Relay:Listen"));
    const auto path = Acceptor::listen(context.get_executor(),
                                       Endpoint::UnixPath{std::string(200, 'x')}, options);
    EXPECT_FALSE(path);
    EXPECT_THAT(Endpoint::parse("localhost", 80).error().message(),
                HasSubstr("localhost:80: not an IP address"));
}

}  // namespace
}  // namespace hpb::test
