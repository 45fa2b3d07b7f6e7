#include "net/slab.hpp"

#include <vector>

namespace hpb::net {
namespace {

struct FreeList {
    std::vector<std::byte*> slabs;
    ~FreeList() {
        for (auto* slab : slabs) delete[] slab;
    }
};

FreeList& free_list() {
    thread_local FreeList list;
    return list;
}

}  // namespace

Slab Slab::take() {
    auto& slabs = free_list().slabs;
    if (slabs.empty()) return Slab(new std::byte[kHeadRoom + kSize]);
    auto* memory = slabs.back();
    slabs.pop_back();
    return Slab(memory);
}

void Slab::release() {
    if (memory_ == nullptr) return;
    auto& slabs = free_list().slabs;
    if (slabs.size() < kMaxFreeSlabs) {
        slabs.push_back(memory_);
    } else {
        delete[] memory_;
    }
    memory_ = nullptr;
}

}  // namespace hpb::net
