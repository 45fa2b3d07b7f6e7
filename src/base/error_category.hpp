#pragma once

#include <boost/system/error_category.hpp>
#include <string>

namespace hpb {

/// An error category with a name and a function from value to message. Each layer keeps one in a
/// function-local static, so a layer's errors cost a switch and nothing else.
class ErrorCategory final : public boost::system::error_category {
public:
    using Describe = const char* (*)(int value);
    ErrorCategory(const char* name, Describe describe) : name_(name), describe_(describe) {}

    const char* name() const noexcept override { return name_; }
    std::string message(int value) const override { return describe_(value); }

private:
    const char* name_;
    Describe describe_;
};

}  // namespace hpb
