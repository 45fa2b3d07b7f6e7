#include "base/error.hpp"

#include <boost/system/system_error.hpp>

#include "base/error_category.hpp"

namespace hpb {

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
    throw boost::system::system_error(error.code(),
                                      error.message() + " (" + where.file_name() + ")");
}

boost::system::error_code make_error_code(errc e) {
    static const ErrorCategory category{"hpb", [](int value) -> const char* {
                                            switch (static_cast<errc>(value)) {
                                                case errc::invalid_argument:
                                                    return "invalid argument";
                                                case errc::limit_exceeded:
                                                    return "limit exceeded";
                                                case errc::timed_out:
                                                    return "timed out";
                                                case errc::closed:
                                                    return "closed";
                                                case errc::not_found:
                                                    return "not found";
                                                case errc::not_permitted:
                                                    return "not permitted";
                                            }
                                            return "unknown error";
                                        }};
    return {static_cast<int>(e), category};
}

}  // namespace hpb
