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

# clang's own linker, and ThinLTO for what ships.
function(hpb_link_options)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_link_options(-fuse-ld=lld)
    if(CMAKE_BUILD_TYPE STREQUAL "Release")
      add_compile_options(-flto=thin)
      add_link_options(-flto=thin -Wl,--thinlto-cache-dir=${CMAKE_BINARY_DIR}/thinlto-cache)
    endif()
  endif()
endfunction()
