#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace hpb::bench {

/// Times of single events, all of them kept. Microseconds.
class Samples {
public:
    void add(std::chrono::steady_clock::duration time) {
        values_.push_back(std::chrono::duration<float, std::micro>(time).count());
        sorted_ = false;
    }
    void clear() { values_.clear(); }
    [[nodiscard]] std::size_t count() const { return values_.size(); }

    /// @param part  0 to 1. @return the value that this part of all does not exceed; 0 of none.
    [[nodiscard]] double quantile(double part);
    /// Upper bounds, 5 % apart, and how many lie below each and above the one before; none empty.
    [[nodiscard]] std::vector<std::pair<double, std::uint64_t>> histogram();

private:
    void sort();

    std::vector<float> values_;
    bool sorted_ = false;
};

}  // namespace hpb::bench
