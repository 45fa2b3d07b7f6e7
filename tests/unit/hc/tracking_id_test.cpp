#include "hc/tracking_id.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hpb::hc {
namespace {

constexpr std::string_view kGuid = "7f0c9a52-1f3b-4c55-9a0e-2d6a1c7be001";

TEST(Guid, IsARandomVersion4) {
    const auto guid = make_guid();
    ASSERT_EQ(guid.size(), 36u);
    EXPECT_TRUE(starts_with_guid(guid));
    EXPECT_EQ(guid[14], '4');
    EXPECT_THAT(std::string(1, guid[19]), testing::MatchesRegex("[89ab]"));
    EXPECT_NE(guid, make_guid());
}

TEST(Guid, IsRecognisedAtTheStart) {
    EXPECT_TRUE(starts_with_guid(kGuid));
    EXPECT_TRUE(starts_with_guid(std::string(kGuid) + "_G0"));
    EXPECT_TRUE(starts_with_guid("7F0C9A52-1F3B-4C55-9A0E-2D6A1C7BE001"));
    EXPECT_FALSE(starts_with_guid(kGuid.substr(1)));
    EXPECT_FALSE(starts_with_guid("7f0c9a52+1f3b-4c55-9a0e-2d6a1c7be001"));
    EXPECT_FALSE(starts_with_guid("7f0c9a52-1f3b-4c55-9a0e-2d6a1c7be00g"));
    EXPECT_FALSE(starts_with_guid(""));
}

TEST(TrackingId, KeepsAClientsGuidAndReplacesTheRest) {
    const auto expected = std::string(kGuid) + "_G0";
    EXPECT_EQ(make_tracking_id(kGuid), expected);
    EXPECT_EQ(make_tracking_id(std::string(kGuid) + "_G0_G1"), expected);
    const auto made = make_tracking_id("my own id");
    EXPECT_TRUE(starts_with_guid(made));
    EXPECT_THAT(made, testing::EndsWith("_G0"));
}

TEST(TrackedMessage, HasTheServicesForm) {
    EXPECT_EQ(
        tracked_message("Endpoint does not exist", "id_G0", "sb://relay.example/hyco", 1769853600),
        "Endpoint does not exist. TrackingId:id_G0, SystemTracker:sb://relay.example/hyco, "
        "Timestamp:2026-01-31T10:00:00");
    EXPECT_EQ(tracked_message("Ended.", "i", "t", 0),
              "Ended. TrackingId:i, SystemTracker:t, Timestamp:1970-01-01T00:00:00");
}

TEST(TrackedMessage, IsOneLineOfBoundedSize) {
    const auto text =
        tracked_message(std::string(5000, 'a') + "\r\n", "a\r\nb" + std::string(500, 'i'),
                        "h\xc3\xb8" + std::string(5000, 't'), 0);
    EXPECT_EQ(text.size(), 1024u);
    for (const char c : text) EXPECT_TRUE(c >= ' ' && c <= '~');
    EXPECT_THAT(text, testing::HasSubstr("TrackingId:a??b"));
    EXPECT_THAT(text, testing::EndsWith("Timestamp:1970-01-01T00:00:00"));
}

}  // namespace
}  // namespace hpb::hc
