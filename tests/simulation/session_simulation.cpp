// Two ends of a v2 session against each other, thousands of times, each time with other sizes,
// applications and faults. A run that breaks an invariant prints its seed; --seed repeats it.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>

#include "simulation/world.hpp"

namespace {

using namespace hpb::session::simulation;

bool number(std::string_view text, std::uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

void add(Outcome& sum, const Outcome& one) {
    sum.streams += one.streams;
    sum.bytes += one.bytes;
    sum.losses += one.losses;
    sum.resent += one.resent;
    sum.repeated += one.repeated;
    sum.closed += one.closed;
    sum.reset += one.reset;
    sum.refused += one.refused;
    sum.expired += one.expired;
    sum.replays += one.replays;
    sum.grown += one.grown;
    sum.shared += one.shared;
}

void print(const Outcome& o, std::uint64_t runs) {
    const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "%llu runs: %llu streams (%llu ends closed, %llu reset by the peer, %llu refused), "
        "%llu bytes read,\n%llu channels lost, %llu bytes resent and %llu received twice by the "
        "client, %llu sessions expired, %llu replays refused,\n%llu runs with a shared budget, "
        "windows grown %llu "
        "times\n",
        n(runs), n(o.streams), n(o.closed), n(o.reset), n(o.refused), n(o.bytes), n(o.losses),
        n(o.resent), n(o.repeated), n(o.expired), n(o.replays), n(o.shared), n(o.grown));
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t first = 1;
    std::uint64_t runs = 10'000;
    const char* slow = std::getenv("HPB_SLOW");
    if (slow != nullptr && *slow != '\0' && std::strcmp(slow, "0") != 0) runs = 500;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        std::uint64_t value = 0;
        if (i + 1 == argc || !number(argv[i + 1], value) ||
            (name != "--seed" && name != "--first" && name != "--runs")) {
            std::fprintf(stderr, "usage: %s [--seed N | --first SEED --runs COUNT]\n", argv[0]);
            return 2;
        }
        if (name == "--runs") {
            runs = value;
        } else {
            first = value;
            if (name == "--seed") runs = 1;
        }
    }
    Outcome sum;
    for (std::uint64_t seed = first; seed < first + runs; ++seed) {
        try {
            add(sum, World{seed}.run());
        } catch (const std::exception& broken) {
            std::printf("seed %llu: %s\nrepeat with: %s --seed %llu\n",
                        static_cast<unsigned long long>(seed), broken.what(), argv[0],
                        static_cast<unsigned long long>(seed));
            return 1;
        }
    }
    print(sum, runs);
    if (runs >= 1000 && sum.grown == 0) {
        std::printf("no window has grown in all of them\n");
        return 1;
    }
    return 0;
}
