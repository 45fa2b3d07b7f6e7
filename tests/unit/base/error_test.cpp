#include "base/error.hpp"

#include <gtest/gtest.h>

#include <boost/system/system_error.hpp>

namespace hpb {
namespace {

TEST(Error, SpeaksWithItsDetailOrElseWithItsCode) {
    EXPECT_EQ(Error(errc::timed_out).message(), "timed out");
    EXPECT_EQ(Error(errc::timed_out, "no answer within 5 s").message(), "no answer within 5 s");
}

TEST(Error, ContextGoesInFrontAndTheCodeStays) {
    const Error error = Error(errc::not_found).with_context("hybrid connection 'simple'");
    EXPECT_EQ(error.message(), "hybrid connection 'simple': not found");
    EXPECT_EQ(error.code(), errc::not_found);
    EXPECT_EQ(error.with_context("relay").message(),
              "relay: hybrid connection 'simple': not found");
}

TEST(Error, EveryCodeHasWordsOfItsOwn) {
    for (int value = 1; value <= static_cast<int>(errc::not_permitted); ++value) {
        EXPECT_NE(make_error_code(static_cast<errc>(value)).message(), "unknown error") << value;
    }
    EXPECT_EQ(make_error_code(static_cast<errc>(99)).message(), "unknown error");
    EXPECT_STREQ(make_error_code(errc::closed).category().name(), "hpb");
}

TEST(Error, ResultTakesACodeAnErrorOrAValue) {
    EXPECT_EQ(Result<int>(7).value(), 7);
    const Result<int> from_code = errc::closed;
    ASSERT_TRUE(from_code.has_error());
    EXPECT_EQ(from_code.error().code(), errc::closed);
    const Result<void> from_error = Error{errc::closed, "gone"};
    EXPECT_EQ(from_error.error().message(), "gone");
}

TEST(Error, UsingTheValueOfAFailureThrowsItsWords) {
    const Result<int> failed = Error{errc::closed, "gone"};
    try {
        static_cast<void>(failed.value());
        FAIL() << "value() of a failed result returned";
    } catch (const boost::system::system_error& thrown) {
        EXPECT_EQ(thrown.code(), errc::closed);
        EXPECT_NE(std::string(thrown.what()).find("gone"), std::string::npos);
    }
}

}  // namespace
}  // namespace hpb
