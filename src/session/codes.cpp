#include "session/codes.hpp"

#include "base/error_category.hpp"

namespace hpb::session {

const char* describe(errc e) {
    switch (e) {
        case errc::none:
            return "no error";
        case errc::malformed_frame:
            return "a frame has an invalid length or value";
        case errc::unknown_frame:
            return "a frame has an unknown type";
        case errc::frame_too_large:
            return "a frame is longer than agreed";
        case errc::unexpected_frame:
            return "an unexpected frame";
        case errc::welcome_rejected:
            return "the service did not prove that it knows this session";
        case errc::frame_after_close:
            return "a frame after the channel was closed";
        case errc::flow_control:
            return "the peer sent more than its credit allows";
        case errc::final_size:
            return "the peer changed where a stream ends";
        case errc::wrong_stream:
            return "a frame for a stream that was never opened";
        case errc::stream_limit:
            return "the peer opened more streams than it is allowed to";
        case errc::ack_beyond_sent:
            return "the peer acknowledged data that was never sent";
        case errc::too_fragmented:
            return "the peer sent a stream in too many separate pieces";
        case errc::flood:
            return "the peer keeps sending frames for streams that have ended";
        case errc::session_ended:
            return "the peer ended the session";
        case errc::session_expired:
            return "no new channel within the grace period";
        case errc::stream_forgotten:
            return "the peer no longer knows the stream";
        case errc::application_reset:
            return "the application's connection was reset";
        case errc::shutting_down:
            return "the peer is shutting down";
        case errc::no_such_stream:
            return "no such stream";
        case errc::no_such_channel:
            return "no such channel";
        case errc::too_many_streams:
            return "too many streams in this session";
        case errc::ids_exhausted:
            return "this session has used up its stream ids";
        case errc::too_many_channels:
            return "too many channels in this session";
        case errc::closed:
            return "already closed";
        case errc::refused:
            return "the service refused the channel";
    }
    return "unknown error";
}

const char* describe(HelloRefusal code) {
    switch (code) {
        case HelloRefusal::malformed:
            return "the HELLO could not be parsed";
        case HelloRefusal::version:
            return "no protocol version in common";
        case HelloRefusal::unknown_session:
            return "not a session of this service agent";
        case HelloRefusal::bad_proof:
            return "the proof of the session's secret is wrong";
        case HelloRefusal::replayed:
            return "this channel number was used before";
        case HelloRefusal::too_many_sessions:
            return "too many sessions at this service agent";
        case HelloRefusal::shutting_down:
            return "the service agent is shutting down";
    }
    return "an unknown reason";
}

const char* describe(OpenRefusal code) {
    switch (code) {
        case OpenRefusal::unspecified:
            return "no reason given";
        case OpenRefusal::connection_refused:
            return "connection refused";
        case OpenRefusal::unreachable:
            return "host or network unreachable";
        case OpenRefusal::name_not_resolved:
            return "name not resolved";
        case OpenRefusal::timed_out:
            return "timed out";
        case OpenRefusal::not_allowed:
            return "not allowed";
        case OpenRefusal::no_such_key:
            return "no target with this key";
        case OpenRefusal::limit_reached:
            return "a limit of the service agent has been reached";
    }
    return "an unknown reason";
}

boost::system::error_code make_error_code(errc e) {
    static const ErrorCategory category{
        "hpb.session", [](int value) { return describe(static_cast<errc>(value)); }};
    return {static_cast<int>(e), category};
}

}  // namespace hpb::session
