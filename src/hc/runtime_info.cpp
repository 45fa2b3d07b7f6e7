#include "hc/runtime_info.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <pugixml.hpp>

#include "base/text.hpp"
#include "hc/iso_time.hpp"
#include "hc/relay_uri.hpp"
#include "hc/sas_token.hpp"
#include "hc/utf8.hpp"

namespace hpb::hc {
namespace {

constexpr std::size_t kMaxDocumentSize = 1024 * 1024;
constexpr std::size_t kMaxDetailSize = 1024;

Error malformed(std::string_view why) {
    return {errc::malformed_runtime_information, fmt::format("runtime information: {}", why)};
}

/// For element content. XML 1.0 cannot hold control characters at all; line ends and tabs it can,
/// but a reader turns a plain CR into LF.
std::string escape(std::string_view text) {
    std::string out;
    for (std::size_t start = 0; start <= text.size();) {
        const auto end = std::min(text.find_first_of("&<>\t\n\r", start), text.size());
        out += to_clean_utf8(text.substr(start, end - start));
        if (end == text.size()) break;
        switch (text[end]) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '\r':
                out += "&#13;";
                break;
            default:
                out += text[end];
        }
        start = end + 1;
    }
    return out;
}

std::string_view local_name(const pugi::xml_node& node) {
    const std::string_view name = node.name();
    return name.substr(name.find(':') + 1);  // npos + 1 is 0: the whole name
}

pugi::xml_node child_of(const pugi::xml_node& parent, std::string_view name) {
    return parent.find_child([&](const pugi::xml_node& node) { return local_name(node) == name; });
}

/// All character data of an element: pugixml's own accessors stop at the first piece, such as a
/// CDATA section.
std::string text_of(const pugi::xml_node& node) {
    std::string text;
    for (const auto& child : node.children()) {
        if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) {
            text += child.value();
        }
    }
    return text;
}

/// @return what is wrong, or "". Only the five predefined entities and character references are
/// known to pugixml, so nothing can expand or be fetched; documents that want more are refused all
/// the same.
std::string load(pugi::xml_document& document, std::string_view xml) {
    if (xml.size() > kMaxDocumentSize) {
        return fmt::format("the document is larger than {} bytes", kMaxDocumentSize);
    }
    constexpr unsigned kOptions = pugi::parse_default | pugi::parse_doctype;
    const auto result = document.load_buffer(xml.data(), xml.size(), kOptions, pugi::encoding_utf8);
    if (!result) return fmt::format("not valid XML: {}", result.description());
    for (const auto& node : document.children()) {
        if (node.type() == pugi::node_doctype) return "a document type is not allowed";
    }
    return {};
}

bool is_nil(const pugi::xml_node& node) {
    for (const auto& attribute : node.attributes()) {
        const std::string_view name = attribute.name();
        if (name.substr(name.find(':') + 1) == "nil") return attribute.as_bool();
    }
    return false;
}

std::int64_t time_of(const pugi::xml_node& node) {
    return parse_iso_time(trim(text_of(node))).value_or(0);
}

}  // namespace

std::string to_atom_entry(const RuntimeInformation& info, std::string_view host,
                          std::string_view entity) {
    const auto created = format_iso_time(info.created_at);
    const auto updated = format_iso_time(info.updated_at);
    const auto metadata =
        info.has_user_metadata
            ? fmt::format("      <UserMetadata>{}</UserMetadata>\n", escape(info.user_metadata))
            : std::string{};
    return fmt::format(
        R"(<?xml version="1.0" encoding="utf-8"?>
<entry xmlns="http://www.w3.org/2005/Atom">
  <id>https://{host}/{path}?api-version=2016-07</id>
  <title type="text">{title}</title>
  <published>{created}Z</published>
  <updated>{updated}Z</updated>
  <author><name>hpb</name></author>
  <content type="application/xml">
    <HybridConnectionDescription xmlns="{schema}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
      <CreatedAt>{created}.0000000Z</CreatedAt>
      <UpdatedAt>{updated}.0000000Z</UpdatedAt>
      <RequiresClientAuthorization>{authorization}</RequiresClientAuthorization>
{metadata}      <ListenerCount>{listeners}</ListenerCount>
    </HybridConnectionDescription>
  </content>
</entry>
)",
        fmt::arg("host", escape(host)), fmt::arg("path", escape(escape_path(entity))),
        fmt::arg("title", escape(entity)), fmt::arg("created", created),
        fmt::arg("updated", updated),
        fmt::arg("schema", "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"),
        fmt::arg("authorization", info.requires_client_authorization),
        fmt::arg("metadata", metadata), fmt::arg("listeners", info.listener_count));
}

std::string to_error_document(unsigned status, std::string_view detail) {
    return fmt::format("<Error><Code>{}</Code><Detail>{}</Detail></Error>", status, escape(detail));
}

Result<RuntimeInformation> parse_atom_entry(std::string_view xml) {
    pugi::xml_document document;
    if (const auto why = load(document, xml); !why.empty()) return malformed(why);
    const auto root = document.document_element();
    if (local_name(root) == "feed") {
        return malformed("the relay has no hybrid connection of this name");
    }
    if (local_name(root) != "entry") return malformed("the document is not an ATOM entry");
    const auto description = child_of(child_of(root, "content"), "HybridConnectionDescription");
    if (!description) return malformed("the ATOM entry contains no HybridConnectionDescription");

    RuntimeInformation info;
    info.created_at = time_of(child_of(description, "CreatedAt"));
    info.updated_at = time_of(child_of(description, "UpdatedAt"));
    const auto authorization = text_of(child_of(description, "RequiresClientAuthorization"));
    info.requires_client_authorization =
        trim(authorization) != "false" && trim(authorization) != "0";
    const auto metadata = child_of(description, "UserMetadata");
    info.has_user_metadata = metadata && !is_nil(metadata);
    if (info.has_user_metadata) info.user_metadata = text_of(metadata);
    const auto listeners = parse_int(trim(text_of(child_of(description, "ListenerCount"))));
    if (listeners && *listeners >= 0 && *listeners <= std::numeric_limits<int>::max()) {
        info.listener_count = static_cast<int>(*listeners);
    }
    return info;
}

std::string parse_error_document(std::string_view xml) {
    pugi::xml_document document;
    if (!load(document, xml).empty()) return {};
    const auto detail =
        document.find_node([](const pugi::xml_node& node) { return local_name(node) == "Detail"; });
    return printable(trim(text_of(detail)), kMaxDetailSize);
}

}  // namespace hpb::hc
