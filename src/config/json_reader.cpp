#include "config/json_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <functional>
#include <set>

#include "base/text.hpp"
#include "config/layered_source.hpp"

namespace hpb::config {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

/// True for Relay:HybridConnections:<path>:UserMetadata, which a relay hands on as JSON text.
bool is_kept_whole(const std::vector<std::string>& parts) {
    return parts.size() == 4 && iequals(parts[0], "Relay") &&
           iequals(parts[1], "HybridConnections") && iequals(parts[3], "UserMetadata");
}

/// Receives the parser's events; the parser checks syntax, depth and UTF-8.
class Handler {
public:
    static constexpr std::size_t max_object_size = kMaxFileKeys;
    static constexpr std::size_t max_array_size = kMaxFileKeys;
    static constexpr std::size_t max_string_size = kMaxFileSize;
    static constexpr std::size_t max_key_size = 512;

    explicit Handler(std::string_view text) : text_(text), counted_to_(text.data()) {}

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }

    bool on_object_begin(error_code&) { return open('{', false); }
    bool on_object_end(std::size_t n, error_code& ec) { return close('}', n, ec); }
    bool on_array_begin(error_code& ec) {
        if (levels_.empty()) {
            file_.problems.push_back(
                {line_, "", "a configuration file contains one object: { … }"});
            ec = json::error::extra_data;
            return false;
        }
        return open('[', true);
    }
    bool on_array_end(std::size_t n, error_code& ec) { return close(']', n, ec); }

    bool on_key_part(string_view s, std::size_t, error_code&) { return hold(s); }
    bool on_key(string_view s, std::size_t, error_code&) {
        (void)hold(s);
        if (keeping()) {
            comma();
            kept_ += json::serialize(string_view(held_.data(), held_.size())) + ":";
            comma_due_ = false;
        }
        levels_.back().name = std::move(held_);
        held_.clear();
        return true;
    }
    bool on_string_part(string_view s, std::size_t, error_code&) { return hold(s); }
    bool on_string(string_view s, std::size_t, error_code& ec) {
        (void)hold(s);
        const std::string value = std::exchange(held_, {});
        return scalar(
            value, keeping() ? json::serialize(string_view(value.data(), value.size())) : "", ec);
    }
    bool on_number_part(string_view s, error_code&) { return hold(s); }
    bool on_int64(std::int64_t, string_view s, error_code& ec) { return number(s, ec); }
    bool on_uint64(std::uint64_t, string_view s, error_code& ec) { return number(s, ec); }
    bool on_double(double, string_view s, error_code& ec) { return number(s, ec); }
    bool on_bool(bool value, error_code& ec) {
        return scalar(value ? "True" : "False", value ? "true" : "false", ec);
    }
    bool on_null(error_code& ec) { return scalar("", "null", ec); }
    bool on_comment_part(string_view, error_code&) { return true; }
    bool on_comment(string_view, error_code&) { return true; }

    JsonFile take() { return std::move(file_); }
    [[nodiscard]] std::size_t line_at(std::size_t offset) {
        count_lines_to(text_.data() + std::min(offset, text_.size()));
        return line_;
    }
    [[nodiscard]] std::string path() const {
        std::string out;
        for (const auto& part : parts()) out += (out.empty() ? "" : ":") + part;
        return out;
    }
    void problem(JsonProblem problem) { file_.problems.push_back(std::move(problem)); }

private:
    struct Level {
        bool is_array = false;
        std::size_t next_item = 0;
        std::string name;  // of the member that comes or came last
    };

    [[nodiscard]] std::vector<std::string> parts() const {
        std::vector<std::string> out;
        out.reserve(levels_.size());
        for (const auto& level : levels_) {
            out.push_back(level.is_array ? std::to_string(level.next_item) : level.name);
        }
        return out;
    }
    [[nodiscard]] bool keeping() const { return kept_depth_ != 0; }

    // Views of plain text point into the input, which tells the line at no cost; views of text with
    // escapes point into the parser's buffer, and then the line before is near enough.
    bool hold(string_view s) {
        count_lines_to(s.data());
        held_.append(s.data(), s.size());
        return true;
    }
    void count_lines_to(const char* to) {
        const std::less<> before;
        if (before(to, counted_to_) || before(text_.data() + text_.size(), to)) return;
        line_ += static_cast<std::size_t>(std::count(counted_to_, to, '\n'));
        counted_to_ = to;
    }

    void comma() {
        if (comma_due_) kept_ += ',';
        comma_due_ = true;
    }

    bool open(char bracket, bool is_array) {
        if (!keeping() && !levels_.empty() && is_kept_whole(parts())) {
            kept_depth_ = levels_.size() + 1;
            comma_due_ = false;
            kept_.clear();
        }
        if (keeping()) {
            comma();
            kept_ += bracket;
            comma_due_ = false;
        }
        levels_.push_back({is_array, 0, {}});
        return true;
    }

    bool close(char bracket, std::size_t members, error_code& ec) {
        levels_.pop_back();
        if (keeping()) {
            kept_ += bracket;
            comma_due_ = true;
            if (levels_.size() + 1 == kept_depth_) {
                file_.settings.push_back({path(), std::exchange(kept_, {}), line_, true});
                kept_depth_ = 0;
            }
        }
        if (levels_.empty()) return true;
        // An empty section is there all the same: "HybridConnections": { "simple": {} }.
        if (members == 0 && !add("", ec)) return false;
        ++levels_.back().next_item;
        return true;
    }

    bool number(string_view s, error_code& ec) {
        (void)hold(s);
        const std::string value = std::exchange(held_, {});
        return scalar(value, value, ec);
    }

    bool scalar(const std::string& value, const std::string& as_json, error_code& ec) {
        if (levels_.empty()) {
            file_.problems.push_back(
                {line_, "", "a configuration file contains one object: { … }"});
            ec = json::error::extra_data;
            return false;
        }
        if (keeping()) {
            comma();
            kept_ += as_json;
        }
        if (!add(value, ec)) return false;
        ++levels_.back().next_item;
        return true;
    }

    bool add(const std::string& value, error_code& ec) {
        const std::string key = path();
        if (key.size() > kMaxPathSize) {
            ec = json::error::key_too_large;
            return false;
        }
        if (!seen_.insert(to_lower(key)).second) {
            file_.problems.push_back({line_, key, "the key occurs twice in this file"});
        } else if (seen_.size() > kMaxFileKeys) {
            ec = json::error::object_too_large;
            return false;
        } else {
            file_.settings.push_back({key, value, line_, false});
        }
        return true;
    }

    std::string_view text_;
    const char* counted_to_;
    std::size_t line_ = 1;
    std::vector<Level> levels_;
    std::string held_;
    std::string kept_;
    std::size_t kept_depth_ = 0;
    bool comma_due_ = false;
    std::set<std::string> seen_;
    JsonFile file_;
};

JsonFile refused(std::string what) {
    return {{}, {{1, "", std::move(what)}}};
}

/// Of the character at `offset`, counted from 1.
std::size_t column_at(std::string_view text, std::size_t offset) {
    const auto before = text.substr(0, offset);
    const auto line_begin = before.rfind('\n');
    const auto line = before.substr(line_begin == std::string_view::npos ? 0 : line_begin + 1);
    // Bytes that continue a character do not count.
    return 1 + static_cast<std::size_t>(std::count_if(
                   line.begin(), line.end(), [](char c) { return (c & '\xc0') != '\x80'; }));
}

std::string plain_words(const error_code& error) {
    if (error == json::error::incomplete) return "the text ends too early; a bracket is missing";
    if (error == json::error::syntax)
        return "unexpected character; look for a missing comma, quote or bracket";
    return error.message();
}

}  // namespace

JsonFile read_json_file(std::string_view text) {
    if (text.size() > kMaxFileSize) {
        return refused(fmt::format("the file is larger than {} MiB", kMaxFileSize >> 20));
    }
    text = without_byte_order_mark(text);
    if (is_utf16(text)) return refused(fmt::format("the file is UTF-16; {}", kUtf16Remedy));
    if (trim(text).empty()) return refused("the file is empty; {} is the shortest valid file");

    json::parse_options options;
    options.allow_comments = true;
    options.allow_trailing_commas = true;
    options.max_depth = kMaxFileDepth;
    json::basic_parser<Handler> parser(options, text);
    error_code error;
    const std::size_t consumed = parser.write_some(false, text.data(), text.size(), error);
    Handler& handler = parser.handler();
    if (!error && !trim(text.substr(consumed)).empty()) error = json::error::extra_data;
    if (error) {
        JsonFile file = handler.take();
        file.is_json = false;
        if (file.problems.empty() || error != json::error::extra_data) {
            file.problems.push_back({handler.line_at(consumed), handler.path(),
                                     fmt::format("not JSON at column {}: {}",
                                                 column_at(text, consumed), plain_words(error))});
        }
        return file;
    }
    return handler.take();
}

}  // namespace hpb::config
