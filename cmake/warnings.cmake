# Warnings for our own targets; third-party headers come in as SYSTEM.
add_library(hpb_warnings INTERFACE)
target_compile_options(hpb_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast
  -Wnon-virtual-dtor -Wimplicit-fallthrough
  $<$<BOOL:${HPB_WERROR}>:-Werror>)
