#pragma once

#include "session/stream.hpp"

namespace hpb::session {

/// Decides which stream sends next on one channel: deficit round robin over the streams that have
/// data, in two
/// lists as in FQ-CoDel (RFC 8290, section 4.2). A stream that becomes active is served before
/// the bulk ones until it has used its first quantum, so that a keystroke overtakes a copy.
class Scheduler {
public:
    explicit Scheduler(std::size_t quantum) : quantum_(static_cast<std::int64_t>(quantum)) {}

    /// The stream has data. Does nothing if it is already in a list.
    void activate(Stream& stream);
    static void remove(Stream& stream);

    /// Removes streams without data. @return the stream to send from; null if none.
    [[nodiscard]] Stream* next();
    /// @return true if more than one stream waits.
    [[nodiscard]] bool contended() const;
    /// The stream returned by next() has sent `size` bytes.
    void charge(Stream& stream, std::size_t size);

    /// A stream whose unsent bytes exceed `above`, for another channel that is idle.
    [[nodiscard]] Stream* heavy(std::uint64_t above);

private:
    using List = StreamList<&Stream::data_hook>;
    std::int64_t quantum_;
    List fresh_;
    List bulk_;
};

}  // namespace hpb::session
