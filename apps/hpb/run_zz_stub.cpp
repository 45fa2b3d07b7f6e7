#include "hpb/commands.hpp"
namespace hpb::app {
__attribute__((weak)) int run_service(const config::ServiceOptions&) {
    return 9;
}
__attribute__((weak)) int run_client(const config::ClientOptions&) {
    return 9;
}
__attribute__((weak)) int run_demo(const DemoOptions&) {
    return 9;
}
}  // namespace hpb::app
