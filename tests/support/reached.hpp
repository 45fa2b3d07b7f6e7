#pragma once

#include <cstdint>

#include "ops/limits.hpp"

namespace hpb::test {

/// How often a limit has been reached since this was made: the counters are the process's.
class Reached {
public:
    explicit Reached(ops::Limit limit) : limit_(limit), before_(ops::count(limit)) {}
    [[nodiscard]] std::uint64_t times() const { return ops::count(limit_) - before_; }

private:
    ops::Limit limit_;
    std::uint64_t before_;
};

}  // namespace hpb::test
