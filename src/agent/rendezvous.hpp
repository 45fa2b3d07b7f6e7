#pragma once

#include <memory>

#include "agent/service_channel.hpp"
#include "agent/service_context.hpp"
#include "hc/control_message.hpp"
#include "net/coro.hpp"

namespace hpb::agent {

/// Opens the rendezvous of a sender that waits, and begins its v1 channel on the calling
/// coroutine's thread. 20 s at most.
[[nodiscard]] net::awaitable<void> accept_rendezvous(std::shared_ptr<const ServiceContext> context,
                                                     std::shared_ptr<const ServedEntity> entity,
                                                     hc::AcceptMessage accept,
                                                     std::string subprotocol, Place place);

/// A rendezvous could not be opened: says so, and tells the relay, so that the client agent hears
/// of it now and with the reason.
[[nodiscard]] net::awaitable<void> on_rendezvous_failed(
    std::shared_ptr<const ServiceContext> context, std::shared_ptr<const ServedEntity> entity,
    hc::AcceptMessage accept, Error why);

/// Turns a sender away: too many channels, or none of its protocols is ours.
[[nodiscard]] net::awaitable<void> reject_rendezvous(std::shared_ptr<const ServiceContext> context,
                                                     std::shared_ptr<const ServedEntity> entity,
                                                     hc::AcceptMessage accept, int status,
                                                     std::string why, Quota::Ticket ticket);

/// The answer to an HTTP request: this is no HTTP handler.
[[nodiscard]] hc::ResponseMessage refuse_request(const std::string& request_id);

/// Answers an HTTP request that the relay only announced: it waits behind an address of its own.
[[nodiscard]] net::awaitable<void> refuse_request_at(std::shared_ptr<const ServiceContext> context,
                                                     std::string address, Quota::Ticket ticket);

}  // namespace hpb::agent
