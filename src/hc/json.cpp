#include "hc/json.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace hpb::hc {

Result<boost::json::value> parse_json(std::string_view text, std::size_t max_size,
                                      boost::system::error_code code, std::string_view what) {
    if (text.size() > max_size) {
        return Error{hpb::errc::limit_exceeded,
                     fmt::format("{} is larger than {} bytes", what, max_size)};
    }
    boost::json::parse_options options;
    options.max_depth = 8;
    boost::system::error_code error;
    auto value =
        boost::json::parse({text.data(), text.size()}, error, boost::json::storage_ptr{}, options);
    if (error) return Error{code, fmt::format("{} is not valid JSON: {}", what, error.message())};
    return value;
}

std::optional<std::string> scalar_text(const boost::json::value& value) {
    switch (value.kind()) {
        case boost::json::kind::array:
        case boost::json::kind::object:
            return std::nullopt;
        case boost::json::kind::null:
            return std::string{};
        case boost::json::kind::string:
            return std::string(value.get_string());
        default:
            return boost::json::serialize(value);
    }
}

}  // namespace hpb::hc
