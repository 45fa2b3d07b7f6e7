#include "http/page_text.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hpb::http {
namespace {

constexpr std::size_t kMaxText = 120;

/// Behind the tag that `page` begins with, and behind what it holds where that is no text.
std::string_view skip_tag(std::string_view page) {
    if (page.starts_with("<!--")) {
        const auto end = page.find("-->");
        return end == std::string_view::npos ? std::string_view() : page.substr(end + 3);
    }
    const std::string begin = to_lower(page.substr(0, 8));
    for (const char* const name : {"script", "style"}) {
        if (!begin.starts_with(std::string("<") + name)) continue;
        const std::string end = std::string("</") + name;
        const auto found = to_lower(page).find(end);
        if (found == std::string::npos) return {};
        page.remove_prefix(found);
    }
    const auto close = page.find('>');
    return close == std::string_view::npos ? std::string_view() : page.substr(close + 1);
}

bool begins_tag(std::string_view page) {
    if (page.size() < 2 || page[0] != '<') return false;
    const char next = page[1];
    return next == '!' || next == '/' || next == '?' || (next >= 'a' && next <= 'z') ||
           (next >= 'A' && next <= 'Z');
}

}  // namespace

std::string page_text(std::string_view page) {
    std::string text;
    bool space = false;
    while (!page.empty() && text.size() < kMaxText) {
        if (begins_tag(page)) {
            page = skip_tag(page);
            space = true;
            continue;
        }
        const char c = page.front();
        page.remove_prefix(1);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            space = true;
            continue;
        }
        if (space && !text.empty()) text += ' ';
        space = false;
        text += c;
    }
    return printable(text.substr(0, kMaxText));
}

}  // namespace hpb::http
