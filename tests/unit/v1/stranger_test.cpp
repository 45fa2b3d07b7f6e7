#include "v1/stranger.hpp"

#include <gmock/gmock.h>

#include "support/bytes_text.hpp"

namespace hpb::v1 {
namespace {

using test::from_hex;
using ::testing::HasSubstr;

struct Case {
    std::string_view hex;
    std::string_view words;
};

// D5: who it is and what it asked for, not "configuration key 842690659".
TEST(Stranger, IsNamedWithWhatItAskedFor) {
    const Case cases[] = {
        {"0100000433333839", "azbridge, which asked for its port '3389'"},
        {"01000003726470", "azbridge, which asked for its port 'rdp'"},
        {"010001057465737475", "azbridge, which asked for its port 'testu'"},
        {"01000000", "azbridge"},
        {"087463703a33333839", "Microsoft's Port Bridge, which asked for 'tcp:3389'"},
        {"065443503a3830", "Microsoft's Port Bridge, which asked for 'TCP:80'"},
        {"0c6e703a73716c2f7175657279", "Microsoft's Port Bridge, which asked for 'np:sql/query'"},
        {"0000931300000000", "an agent of the .NET bridge"},
        {"474554202f204854", "not a known bridge (its first bytes: 474554202f204854"},
    };
    for (const auto& [hex, words] : cases) {
        const auto bytes = from_hex(hex);
        const auto it = recognise(bytes);
        ASSERT_TRUE(it) << hex;
        EXPECT_TRUE(it->complete) << hex;
        EXPECT_THAT(describe(*it, bytes), HasSubstr(words));
    }
}

TEST(Stranger, IsKnownAsSoonAsItsBytesTell) {
    const auto bytes = from_hex("0100000433333839");
    for (std::size_t n = 1; n < bytes.size(); ++n) {
        const auto it = recognise(ByteSpan(bytes).first(n));
        ASSERT_TRUE(it);
        EXPECT_EQ(it->program, Stranger::Program::azbridge);
        EXPECT_FALSE(it->complete);
    }
    const auto other = from_hex("474554202f2048");
    EXPECT_FALSE(recognise(other));
    EXPECT_FALSE(recognise({}));
}

TEST(Stranger, NamesAreBoundedAndPrintable) {
    std::string bytes("\x01\x00\x00\xff", 4);
    bytes += std::string(300, '\n');
    const auto it = recognise(as_bytes(bytes));
    ASSERT_TRUE(it);
    EXPECT_TRUE(it->complete);
    EXPECT_EQ(it->asked_for.size(), kMaxName);
    const std::string words = describe(*it, as_bytes(bytes));
    EXPECT_LT(words.size(), 500u);
    EXPECT_EQ(words.find('\n'), std::string::npos);
    EXPECT_LE(4 + kMaxName, kMaxStrangerBytes);
}

TEST(Stranger, AnAzbridgeListenersRefusalIsThreeBytes) {
    for (const auto* hex : {"000000", "000001", "0000ff"})
        EXPECT_TRUE(is_azbridge_refusal(from_hex(hex)));
    for (const auto* hex : {"", "0000", "00000000", "010000", "000002"})
        EXPECT_FALSE(is_azbridge_refusal(from_hex(hex)));
}

}  // namespace
}  // namespace hpb::v1
