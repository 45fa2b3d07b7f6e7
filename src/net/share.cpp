#include "net/share.hpp"

namespace hpb::net {

Share::Share(Private, std::shared_ptr<Share> parent, std::size_t factor, std::size_t limit,
             std::string name)
    : parent_(std::move(parent)),
      root_(parent_ ? parent_->root_ : this),
      factor_(factor),
      limit_(limit),
      name_(std::move(name)) {}

Share::~Share() {
    if (parent_ && !name_.empty()) parent_->forget(name_);
}

std::shared_ptr<Share> Share::root(std::size_t limit) {
    return std::make_shared<Share>(Private{}, nullptr, 0, limit, "");
}

std::shared_ptr<Share> Share::child(std::size_t factor) {
    return std::make_shared<Share>(Private{}, shared_from_this(), factor, limit_, "");
}

std::shared_ptr<Share> Share::child(const std::string& name, std::size_t factor) {
    // Names that are empty are one holder too: "any" is a name that no source or entity has.
    const std::string& key = name.empty() ? "any" : name;
    const std::scoped_lock lock(mutex_);
    auto& known = named_[key];
    if (auto there = known.lock()) return there;
    auto made = std::make_shared<Share>(Private{}, shared_from_this(), factor, limit_, key);
    known = made;
    return made;
}

// The last one of a name may go on one thread while another makes a new one of that name.
void Share::forget(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    const auto found = named_.find(name);
    if (found != named_.end() && found->second.expired()) named_.erase(found);
}

std::size_t Share::free() const {
    const std::size_t used = root_->held();
    return used < root_->limit_ ? root_->limit_ - used : 0;
}

Share::Ticket Share::try_take() {
    const std::size_t left = free();
    for (const Share* holder = this; holder != root_; holder = holder->parent_.get())
        if (holder->held() >= holder->factor_ * left) return {};
    // Shares may be off by as many as take at the same moment; the limit is exact.
    if (root_->held_.fetch_add(1, std::memory_order_relaxed) >= root_->limit_) {
        root_->held_.fetch_sub(1, std::memory_order_relaxed);
        return {};
    }
    for (Share* holder = this; holder != root_; holder = holder->parent_.get())
        holder->held_.fetch_add(1, std::memory_order_relaxed);
    return Ticket(shared_from_this());
}

void Share::give_back() {
    for (Share* holder = this; holder != nullptr; holder = holder->parent_.get())
        holder->held_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace hpb::net
