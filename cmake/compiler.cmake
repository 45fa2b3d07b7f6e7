# Chooses clang when the caller has not chosen a compiler, and refuses compilers that
# miscompile coroutines.

if(NOT DEFINED CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX})
  find_program(HPB_CLANGXX NAMES clang++-19 clang++-18 clang++-17 clang++-16 clang++-20 clang++-21 clang++)
  if(HPB_CLANGXX)
    set(CMAKE_CXX_COMPILER "${HPB_CLANGXX}" CACHE FILEPATH "C++ compiler")
  endif()
endif()

function(hpb_refuse_old_compilers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    message(FATAL_ERROR
      "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines (use after free in common co_await "
      "expressions; fixed in g++ 13). Use clang 16 or later: run 'make setup', then "
      "'cmake --preset release', or pass -DCMAKE_CXX_COMPILER=clang++-19.")
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 16)
    message(FATAL_ERROR
      "clang ${CMAKE_CXX_COMPILER_VERSION} is too old: 16 or later is needed. Run 'make setup'.")
  endif()
endfunction()

# clang's own linker, and ThinLTO for what ships. Where the compiler can (clang 17), objects hold machine code beside
# the bitcode, so that tests link in a second what the program is optimised from in a minute.
function(hpb_link_options)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_link_options(-fuse-ld=lld)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
      if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 17)
        set(lto -flto=thin -ffat-lto-objects)
      else()
        set(lto -flto=thin)
      endif()
      add_compile_options(${lto})
      add_link_options(${lto} -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/thinlto-cache)
    endif()
  endif()
endfunction()

# Control-flow protection in what ships, where the processor has it: targets of indirect jumps are marked (IBT), and the
# stack of return addresses is kept twice (SHSTK). The linker marks the program for the first only if the system's start
# files are marked too (Ubuntu's are, Debian 12's are not); the second asks nothing of them.
function(hpb_protect_control_flow)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    return()
  endif()
  include(CheckCXXCompilerFlag)
  check_cxx_compiler_flag(-fcf-protection=full HPB_HAS_CF_PROTECTION)
  if(HPB_HAS_CF_PROTECTION)
    add_compile_options(-fcf-protection=full)
    add_link_options(-Wl,-z,shstk)
  endif()
endfunction()

# For tests and tools: from the machine code.
function(hpb_no_lto target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 17)
    target_compile_options(${target} PRIVATE -fno-lto -fno-fat-lto-objects)
    target_link_options(${target} PRIVATE -fno-lto -fno-fat-lto-objects)
  endif()
endfunction()
