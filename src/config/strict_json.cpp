#include "config/strict_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace hpb::config {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// Of a name without quotes, a number or a literal.
bool is_word_part(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || c == '.' || c == '+' || c == '-';
}

/// @return the decimal form of a number in another base, or nullopt for everything else.
std::optional<std::string> decimal_of(std::string_view word) {
    if (word.size() < 2 || word[0] != '0') return std::nullopt;
    const bool is_hex = word[1] == 'x' || word[1] == 'X';
    const std::string_view digits = word.substr(is_hex ? 2 : 1);
    std::int64_t number = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number, is_hex ? 16 : 8);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return std::to_string(number);
}

/// One pass over the text.
class Rewriter {
public:
    explicit Rewriter(std::string_view text) : text_(text) { out_.reserve(text.size() + 64); }

    std::string run() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"' || c == '\'') {
                quoted(c);
            } else if (rest().starts_with("//")) {
                copy_to(text_.find('\n', at_));
            } else if (rest().starts_with("/*")) {
                const auto end = text_.find("*/", at_ + 2);
                copy_to(end == std::string_view::npos ? end : end + 2);
            } else if (is_word_part(c)) {
                word();
            } else {
                out_ += c;
                ++at_;
            }
        }
        return std::move(out_);
    }

private:
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

    void copy_to(std::size_t end) {
        end = std::min(end, text_.size());
        out_ += text_.substr(at_, end - at_);
        at_ = end;
    }

    void quoted(char quote) {
        out_ += '"';
        ++at_;
        while (at_ < text_.size() && text_[at_] != quote) {
            const char c = text_[at_++];
            if (c == '\\' && at_ < text_.size()) {
                const char escaped = text_[at_++];
                if (escaped != '\'') out_ += c;
                out_ += escaped;
            } else if (c == '"') {
                out_ += "\\\"";
            } else if (static_cast<unsigned char>(c) < 0x20) {
                out_ += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
            } else {
                out_ += c;
            }
        }
        if (at_ >= text_.size()) return;  // no end: nor has what comes out
        out_ += '"';
        ++at_;
    }

    void word() {
        const auto begin = at_;
        while (at_ < text_.size() && is_word_part(text_[at_])) ++at_;
        const std::string_view word = text_.substr(begin, at_ - begin);
        const auto next = text_.find_first_not_of(" \t\r\n", at_);
        const bool is_name = word.find_first_of(".+-") == std::string_view::npos;
        if (is_name && next != std::string_view::npos && text_[next] == ':') {
            out_ += '"';
            out_ += word;
            out_ += '"';
        } else if (word == "undefined") {
            out_ += "null";
        } else {
            out_ += decimal_of(word).value_or(std::string(word));
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::string out_;
};

}  // namespace

std::string to_strict_json(std::string_view text) {
    return Rewriter(text).run();
}

}  // namespace hpb::config
