#include "relay/registry.hpp"

#include <gtest/gtest.h>

#include "relay/control_channel.hpp"
#include "relay/pending_sender.hpp"

namespace hpb::relay {
namespace {

class RegistryTest : public testing::Test {
protected:
    RegistryTest() {
        for (const auto* path : {"hyco", "team/app", "team/app/deep"}) {
            options_.hybrid_connections.emplace_back();
            options_.hybrid_connections.back().path = path;
        }
        options_.max_listeners = 2;
        options_.max_pending_senders = 2;
        registry_.emplace(options_);
    }

    std::shared_ptr<ControlChannel> listener(const std::string& id,
                                             const std::string& instance = "") {
        const auto entity = registry_->find("hyco")->entity;
        net::WebSocket socket(net::Stream(net::tcp::socket(context_)), websocket::Role::server, {});
        return std::make_shared<ControlChannel>(std::move(socket), *registry_, entity, options_, id,
                                                instance, "ws://host", Grant{}, nullptr,
                                                std::chrono::seconds(0), ListenerLog{});
    }

    std::string found(std::string_view path) {
        const auto match = registry_->find(path);
        return match ? match->entity->options.path + "|" + match->suffix : "none";
    }

    net::asio::io_context context_;
    config::RelayOptions options_;
    std::optional<Registry> registry_;
};

TEST_F(RegistryTest, TheLongestPathWinsAndTheRestIsTheSuffix) {
    EXPECT_EQ(found("hyco"), "hyco|");
    EXPECT_EQ(found("HYCO/a/b"), "hyco|a/b");
    EXPECT_EQ(found("team/app/deeper"), "team/app|deeper");
    EXPECT_EQ(found("team/app/deep/er"), "team/app/deep|er");
    EXPECT_EQ(found("hycoxyz"), "none");
    EXPECT_EQ(found("team"), "none");
    EXPECT_EQ(found(""), "none");
}

TEST_F(RegistryTest, NoMoreListenersThanAllowedUntilOneLeaves) {
    auto& entity = *registry_->find("hyco")->entity;
    const auto first = listener("a");
    EXPECT_TRUE(registry_->add_listener(entity, first));
    EXPECT_TRUE(registry_->add_listener(entity, listener("b")));
    EXPECT_FALSE(registry_->add_listener(entity, listener("c")));
    registry_->remove_listener(entity, *first);
    EXPECT_TRUE(registry_->add_listener(entity, listener("c")));
    EXPECT_EQ(registry_->listener_count(entity), 2);
}

TEST_F(RegistryTest, ListenersShareTheWorkAndAffinityIsObeyed) {
    auto& entity = *registry_->find("hyco")->entity;
    EXPECT_EQ(registry_->pick_listener(entity, {}, {}).error().status, 404u);
    ASSERT_TRUE(registry_->add_listener(entity, listener("a")));
    ASSERT_TRUE(registry_->add_listener(entity, listener("b")));
    std::map<std::string, int> picked;
    for (int i = 0; i < 200; ++i) ++picked[registry_->pick_listener(entity, {}, {}).value()->id()];
    EXPECT_GT(picked["a"], 40);
    EXPECT_GT(picked["b"], 40);
    EXPECT_EQ(registry_->pick_listener(entity, {{"B"}, {}}, {}).value()->id(), "b");
    EXPECT_EQ(registry_->pick_listener(entity, {{}, {"b"}}, {}).value()->id(), "a");
    EXPECT_NE(
        registry_->pick_listener(entity, {{"x"}, {}}, {}).error().sentence.find("AllowedListeners"),
        std::string::npos);
}

TEST_F(RegistryTest, ARendezvousKeyIsGoodOnceAndPendingSendersAreBounded) {
    const auto one = listener("a");
    const auto sender = std::make_shared<PendingSender>(context_.get_executor());
    const auto key =
        registry_->add_pending(sender, *one, *registry_->find("hyco")->entity, "192.0.2.1");
    ASSERT_TRUE(key);
    ASSERT_TRUE(
        registry_->add_pending(sender, *one, *registry_->find("hyco")->entity, "192.0.2.1"));
    EXPECT_FALSE(
        registry_->add_pending(sender, *one, *registry_->find("hyco")->entity, "192.0.2.1"));
    EXPECT_EQ(registry_->take_pending(*key), sender);
    EXPECT_EQ(registry_->take_pending(*key), nullptr);
    EXPECT_EQ(registry_->take_pending("made up"), nullptr);
}

TEST_F(RegistryTest, AListenerThatRegistersAgainTakesItsOwnPlace) {
    auto& entity = *registry_->find("hyco")->entity;
    const auto old = listener("abc", "secret");
    ASSERT_TRUE(registry_->add_listener(entity, old));
    ASSERT_TRUE(registry_->add_listener(entity, listener("b")));
    const auto waiting = std::make_shared<PendingSender>(context_.get_executor());
    const auto key =
        registry_->add_pending(waiting, *old, *registry_->find("hyco")->entity, "192.0.2.1");
    const auto again = listener("ABC", "secret");
    EXPECT_TRUE(registry_->add_listener(entity, again)) << "not one more";
    EXPECT_EQ(registry_->listener_count(entity), 2);
    EXPECT_EQ(registry_->pick_listener(entity, {{"abc"}, {}}, {}).value(), again);
    EXPECT_EQ(registry_->take_pending(*key), nullptr);

    // Had chosen the old one before, and announces itself only now.
    const auto late = std::make_shared<PendingSender>(context_.get_executor());
    ASSERT_TRUE(registry_->add_pending(late, *old, *registry_->find("hyco")->entity, "192.0.2.1"));
    const auto later = std::make_shared<PendingSender>(context_.get_executor());
    context_.poll();
    EXPECT_TRUE(std::holds_alternative<ListenerLost>(waiting->outcome()));
    EXPECT_TRUE(std::holds_alternative<ListenerLost>(late->outcome()));
    old->announce("{}", later);
    context_.restart();
    context_.poll();
    EXPECT_TRUE(std::holds_alternative<ListenerLost>(later->outcome()));
    registry_->remove_listener(entity, *old);
    EXPECT_EQ(registry_->listener_count(entity), 2) << "the old one's end is not the new one's";
}

TEST_F(RegistryTest, I4ListenersWithOneIdStayUnlessTheyAreOne) {
    options_.max_listeners = 3;
    auto& entity = *registry_->find("hyco")->entity;
    for (const char* instance : {"", "", "one"}) {
        ASSERT_TRUE(registry_->add_listener(entity, listener("a", instance)));
    }
    EXPECT_EQ(registry_->listener_count(entity), 3);
    EXPECT_FALSE(registry_->add_listener(entity, listener("a")))
        << "none of them is known to be dead";
    EXPECT_FALSE(registry_->add_listener(entity, listener("a", "two")));
    EXPECT_TRUE(registry_->add_listener(entity, listener("a", "one"))) << "takes its own place";
    EXPECT_EQ(registry_->listener_count(entity), 3);
    EXPECT_TRUE(registry_->pick_listener(entity, {{"a"}, {}}, {}));
}

TEST_F(RegistryTest, AnotherEntitysListenerOfThatIdIsSomebodyElse) {
    ASSERT_TRUE(registry_->add_listener(*registry_->find("hyco")->entity, listener("a")));
    ASSERT_TRUE(registry_->add_listener(*registry_->find("team/app")->entity, listener("a")));
    EXPECT_EQ(registry_->listener_count(*registry_->find("hyco")->entity), 1);
    EXPECT_EQ(registry_->listener_count(*registry_->find("team/app")->entity), 1);
}

TEST_F(RegistryTest, WhoWasPassedOverIsNotPickedAgain) {
    auto& entity = *registry_->find("hyco")->entity;
    const auto full = listener("a");
    const auto other = listener("b");
    ASSERT_TRUE(registry_->add_listener(entity, full));
    ASSERT_TRUE(registry_->add_listener(entity, other));
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(registry_->pick_listener(entity, {}, {full}).value(), other);
    EXPECT_EQ(registry_->pick_listener(entity, {}, {full, other}).error().status, 503u);
    EXPECT_EQ(registry_->pick_listener(entity, {{"x"}, {}}, {full}).error().status, 404u);
    registry_->remove_listener(entity, *full);
    registry_->remove_listener(entity, *other);
    EXPECT_EQ(registry_->pick_listener(entity, {}, {full, other}).error().status, 404u);
}

TEST_F(RegistryTest, SendersThatWaitForALostListenerAreTold) {
    auto& entity = *registry_->find("hyco")->entity;
    const auto lost = listener("a");
    ASSERT_TRUE(registry_->add_listener(entity, lost));
    const auto sender = std::make_shared<PendingSender>(context_.get_executor());
    const auto key =
        registry_->add_pending(sender, *lost, *registry_->find("hyco")->entity, "192.0.2.1");
    registry_->remove_listener(entity, *lost);
    context_.run();
    EXPECT_TRUE(std::holds_alternative<ListenerLost>(sender->outcome()));
    EXPECT_EQ(registry_->take_pending(*key), nullptr);
}

}  // namespace
}  // namespace hpb::relay
