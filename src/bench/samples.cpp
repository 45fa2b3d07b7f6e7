#include "bench/samples.hpp"

#include <algorithm>
#include <cmath>

namespace hpb::bench {
namespace {

constexpr double kStep = 1.05;

}  // namespace

void Samples::sort() {
    if (!sorted_) std::sort(values_.begin(), values_.end());
    sorted_ = true;
}

double Samples::quantile(double part) {
    if (values_.empty()) return 0;
    sort();
    const auto last = static_cast<double>(values_.size() - 1);
    return static_cast<double>(values_[static_cast<std::size_t>(std::ceil(part * last))]);
}

std::vector<std::pair<double, std::uint64_t>> Samples::histogram() {
    sort();
    std::vector<std::pair<double, std::uint64_t>> buckets;
    double bound = 1;
    for (const float value : values_) {
        const auto v = static_cast<double>(value);
        if (buckets.empty() || v > bound) {
            while (v > bound) bound *= kStep;
            buckets.emplace_back(bound, 0);
        }
        ++buckets.back().second;
    }
    return buckets;
}

}  // namespace hpb::bench
