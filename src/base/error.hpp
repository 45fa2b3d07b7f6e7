// base: types shared by every layer (errors, bytes, strong ids, limits' plain types).
// No I/O, no clock, no protocol; safe from any thread.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace hpb {

/// What went wrong, for a program (`code`) and for a person (`detail`). The detail is one line,
/// names the thing concerned, and says what to do where that is known. It never holds a secret.
class Error {
public:
    Error() = default;
    Error(boost::system::error_code code) : code_(code) {}  // NOLINT: implicit on purpose
    /// A layer's own errc, so that `return errc::x;` makes a failed Result.
    template <class Enum>
        requires boost::system::is_error_code_enum<Enum>::value
    Error(Enum code) : code_(make_error_code(code)) {}  // NOLINT: implicit on purpose
    Error(boost::system::error_code code, std::string detail)
        : code_(code), detail_(std::move(detail)) {}

    [[nodiscard]] const boost::system::error_code& code() const { return code_; }
    [[nodiscard]] const std::string& detail() const { return detail_; }

    /// @return the detail, or the code's own message if there is none.
    [[nodiscard]] std::string message() const {
        return detail_.empty() ? code_.message() : detail_;
    }

    /// @return the same error with `context + ": "` before its message.
    [[nodiscard]] Error with_context(std::string_view context) const {
        return {code_, std::string(context) + ": " + message()};
    }

private:
    boost::system::error_code code_;
    std::string detail_;
};

/// Outcome of an operation whose failure is expected (bad bytes, I/O, limits). See Error.
template <class T>
using Result = boost::system::result<T, Error>;

/// Boost.System calls this when value() is used on a failed Result; reaching it is a bug.
[[noreturn]] void throw_exception_from_error(const Error& error,
                                             const boost::source_location& where);

/// Generic failures that belong to no protocol layer.
enum class errc {
    invalid_argument = 1,
    limit_exceeded,
    timed_out,
    closed,
    not_found,
    not_permitted,
};
[[nodiscard]] boost::system::error_code make_error_code(errc e);

}  // namespace hpb

template <>
struct boost::system::is_error_code_enum<hpb::errc> : std::true_type {};
