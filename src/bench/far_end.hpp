#pragma once

#include <functional>
#include <vector>

#include "bench/socket.hpp"

namespace hpb::bench {

/// The far end of all measurements: accepts connections and does what each asks for (Ask). Bulk
/// traffic has a thread of its own, so that echoes measure the path and not this program.
/// @param started  told each address, with its port, once connections are taken there.
/// @return never: it runs until the process is told to end.
[[noreturn]] void serve_far_end(const std::vector<Address>& at,
                                const std::function<void(const Address&)>& started);

}  // namespace hpb::bench
