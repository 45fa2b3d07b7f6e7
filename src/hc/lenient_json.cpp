#include "hc/lenient_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/text.hpp"

namespace hpb::hc {
namespace {

namespace json = boost::json;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_number_part(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == 'x' ||
           c == 'X' || c == '-' || c == '+' || c == '.';
}

void append_utf8(std::string& out, char32_t c) {
    const auto byte = [&](char32_t value) { out += static_cast<char>(value); };
    if (c < 0x80) {
        byte(c);
    } else if (c < 0x800) {
        byte(0xc0 | (c >> 6));
        byte(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        byte(0xe0 | (c >> 12));
        byte(0x80 | ((c >> 6) & 0x3f));
        byte(0x80 | (c & 0x3f));
    } else {
        byte(0xf0 | (c >> 18));
        byte(0x80 | ((c >> 12) & 0x3f));
        byte(0x80 | ((c >> 6) & 0x3f));
        byte(0x80 | (c & 0x3f));
    }
}

/// Whole numbers become integers, so that 5011 is the same key in every notation.
std::optional<json::value> parse_decimal(std::string_view text) {
    if (const auto whole = parse_int(text)) return json::value(std::int64_t{*whole});
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    constexpr double kMaxExact = 9'007'199'254'740'992.0;  // 2^53
    if (std::trunc(number) == number && std::abs(number) <= kMaxExact) {
        return json::value(static_cast<std::int64_t>(number));
    }
    return json::value(number);
}

/// A leading zero is octal and 0x hexadecimal, as Newtonsoft.Json has it.
std::optional<json::value> parse_number(std::string_view text) {
    const bool is_other_base =
        text.size() > 1 && text[0] == '0' && text[1] != '.' && text[1] != 'e' && text[1] != 'E';
    if (!is_other_base) return parse_decimal(text);
    const bool is_hex = text[1] == 'x' || text[1] == 'X';
    text.remove_prefix(is_hex ? 2 : 1);
    std::int64_t number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, is_hex ? 16 : 8);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return json::value(number);
}

/// Recursive descent over one text. The first error stops it: `why_` is then not empty, and at_ is
/// the place.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    std::optional<json::value> document() {
        if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
        auto root = value(0);
        if (root && skip_blanks() && at_ < text_.size()) fail("there is more after the end");
        return ok() ? std::move(root) : std::nullopt;
    }

    [[nodiscard]] std::string error() const {
        const auto before = text_.substr(0, std::min(at_, text_.size()));
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const auto column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
        return fmt::format("line {}, column {}: {}", line, column, why_);
    }

private:
    [[nodiscard]] bool ok() const { return why_.empty(); }
    std::nullopt_t fail(std::string why) {
        if (ok()) why_ = std::move(why);
        return std::nullopt;
    }
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
    [[nodiscard]] bool is_next(char c) const { return at_ < text_.size() && text_[at_] == c; }
    [[nodiscard]] bool is_curly_quote() const {
        return rest().starts_with("\xe2\x80\x98") || rest().starts_with("\xe2\x80\x99") ||
               rest().starts_with("\xe2\x80\x9c") || rest().starts_with("\xe2\x80\x9d");
    }
    [[nodiscard]] std::string found() const {
        if (at_ >= text_.size()) return "the text ends here";
        if (is_curly_quote()) return "typographic quotes: write ' or \" instead";
        return fmt::format("not '{}'", printable(rest(), 1));
    }

    /// Blanks and comments. False (with an error) when a comment has no end.
    bool skip_blanks() {
        static constexpr std::string_view kWideBlanks[] = {"\xc2\xa0", "\xe2\x80\xa8",
                                                           "\xe2\x80\xa9", "\xe3\x80\x80"};
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == ' ' || (c >= '\t' && c <= '\r')) {
                ++at_;
            } else if (const auto* wide = std::ranges::find_if(
                           kWideBlanks, [&](auto blank) { return rest().starts_with(blank); });
                       wide != std::end(kWideBlanks)) {
                at_ += wide->size();
            } else if (rest().starts_with("//")) {
                at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
            } else if (rest().starts_with("/*")) {
                const auto end = text_.find("*/", at_ + 2);
                if (end == std::string_view::npos) {
                    fail("a comment has no end");
                    return false;
                }
                at_ = end + 2;
            } else {
                break;
            }
        }
        return true;
    }

    std::optional<json::value> value(std::size_t depth) {
        if (!skip_blanks()) return std::nullopt;
        if (depth >= kMaxLenientDepth) return fail("nested too deeply");
        if (is_next('[')) return array(depth);
        if (is_next('{')) return object(depth);
        if (is_next('"') || is_next('\'')) {
            auto read = text();
            if (!read) return std::nullopt;
            return json::value(std::string_view(*read));
        }
        if (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '-' || text_[at_] == '.'))
            return number();
        return literal();
    }

    std::optional<json::value> literal() {
        const std::string_view here = rest();
        const std::string_view word(here.begin(), std::ranges::find_if_not(here, is_letter));
        std::optional<json::value> known;
        if (word == "true") known = json::value(true);
        if (word == "false") known = json::value(false);
        if (word == "null" || word == "undefined") known = json::value(nullptr);
        if (word == "NaN" || word == "Infinity") known = json::value(std::string_view(word));
        const auto next = at_ + word.size();
        const bool is_whole =
            next >= text_.size() ||
            std::string_view(" \t\r\n,]}/").find(text_[next]) != std::string_view::npos;
        if (known && is_whole) {
            at_ = next;
            return known;
        }
        if (!word.empty()) return fail("text needs quotes around it");
        return fail("expected a value; " + found());
    }

    std::optional<json::value> number() {
        const auto start = at_;
        while (at_ < text_.size() && is_number_part(text_[at_])) ++at_;
        const auto written = text_.substr(start, at_ - start);
        auto parsed = parse_number(written);
        if (parsed) return parsed;
        if (written == "-" && rest().starts_with("Infinity")) {
            at_ += std::string_view("Infinity").size();
            return json::value("-Infinity");
        }
        at_ = start;
        return fail(fmt::format("'{}' is not a number", printable(written, 40)));
    }

    std::optional<json::value> array(std::size_t depth) {
        json::array items;
        ++at_;
        for (;;) {
            if (!skip_blanks()) return std::nullopt;
            if (is_next(']')) break;
            auto item = value(depth + 1);
            if (!item) return std::nullopt;
            items.push_back(std::move(*item));
            if (!comma(']')) return std::nullopt;
        }
        ++at_;
        return json::value(std::move(items));
    }

    std::optional<json::value> object(std::size_t depth) {
        json::object members;
        ++at_;
        for (;;) {
            if (!skip_blanks()) return std::nullopt;
            if (is_next('}')) break;
            const auto key = name();
            if (!key || !skip_blanks()) return std::nullopt;
            if (!is_next(':')) {
                return fail(
                    fmt::format("expected ':' after '{}'; {}", printable(*key, 40), found()));
            }
            ++at_;
            auto member = value(depth + 1);
            if (!member) return std::nullopt;
            members.insert_or_assign(std::string_view(*key), std::move(*member));
            if (!comma('}')) return std::nullopt;
        }
        ++at_;
        return json::value(std::move(members));
    }

    /// After a value: a comma, or the closing bracket, which stays where it is.
    bool comma(char closing) {
        if (!skip_blanks()) return false;
        if (is_next(closing)) return true;
        if (!is_next(',')) {
            fail(fmt::format("expected ',' or '{}'; {}", closing, found()));
            return false;
        }
        ++at_;
        return true;
    }

    std::optional<std::string> name() {
        if (is_next('"') || is_next('\'')) return text();
        const auto start = at_;
        while (at_ < text_.size() && is_name_part()) ++at_;
        if (at_ == start) return fail("expected a name; " + found());
        return std::string(text_.substr(start, at_ - start));
    }
    [[nodiscard]] bool is_name_part() const {
        const char c = text_[at_];
        if (is_letter(c) || is_digit(c) || c == '_' || c == '$') return true;
        return static_cast<unsigned char>(c) >= 0x80 && !is_curly_quote() &&
               !rest().starts_with("\xc2\xa0");
    }

    std::optional<std::string> text() {
        const auto start = at_;
        const char quote = text_[at_++];
        std::string out;
        while (at_ < text_.size() && text_[at_] != quote) {
            if (text_[at_] != '\\') {
                out += text_[at_++];
                continue;
            }
            ++at_;
            if (!escape(out)) return std::nullopt;
        }
        if (at_ >= text_.size()) {
            at_ = start;
            return fail(fmt::format("a text that begins with {} has no end", quote));
        }
        ++at_;
        return out;
    }

    /// What follows a backslash.
    bool escape(std::string& out) {
        static constexpr std::string_view kNames = "btnfr\\\"'/";
        static constexpr std::string_view kMeanings = "\b\t\n\f\r\\\"'/";
        const char c = at_ < text_.size() ? text_[at_] : '\0';
        if (c == 'u') {
            ++at_;
            return unicode(out);
        }
        const auto known = kNames.find(c);
        if (c == '\0' || known == std::string_view::npos) {
            fail("a backslash in text is written twice");
            return false;
        }
        out += kMeanings[known];
        ++at_;
        return true;
    }

    std::optional<char32_t> four_digits() {
        std::uint32_t code = 0;
        const auto digits = rest().substr(0, 4);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        if (digits.size() != 4 || error != std::errc{} || end != digits.data() + 4) {
            return fail("\\u needs four hexadecimal digits");
        }
        at_ += 4;
        return char32_t{code};
    }

    /// Half of a surrogate pair alone becomes the replacement character.
    bool unicode(std::string& out) {
        constexpr char32_t kReplacement = 0xfffd;
        auto code = four_digits();
        if (!code) return false;
        while (*code >= 0xd800 && *code < 0xdc00 && rest().starts_with("\\u")) {
            at_ += 2;
            const auto low = four_digits();
            if (!low) return false;
            if (*low >= 0xdc00 && *low < 0xe000) {
                code = 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00);
                break;
            }
            append_utf8(out, kReplacement);
            code = low;
        }
        append_utf8(out, *code >= 0xd800 && *code < 0xe000 ? kReplacement : *code);
        return true;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string why_;
};

}  // namespace

Result<json::value> parse_lenient_json(std::string_view text, boost::system::error_code code,
                                       std::string_view what) {
    if (!is_utf8(text)) return Error{code, fmt::format("{} is not UTF-8", what)};
    Reader reader(text);
    auto value = reader.document();
    if (!value) return Error{code, fmt::format("{}: {}", what, reader.error())};
    return std::move(*value);
}

}  // namespace hpb::hc
