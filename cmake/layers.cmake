# hpb_library(<folder> DEPS ...): the static library hpb_<folder> of src/<folder>/*.cpp, with "_" in place of "/".
function(hpb_library folder)
  string(REPLACE "/" "_" name ${folder})
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.cpp)
  if(NOT HPB_NATIVE_TLS)
    list(FILTER sources EXCLUDE REGEX
      "/(tls/(aead|openssl_aead|post_handshake|record|self_test|traffic_keys|vaes_gcm)|net/tls/records)\\.cpp$")
  endif()
  if(NOT sources)  # a folder of headers is still a layer
    set(sources ${CMAKE_CURRENT_BINARY_DIR}/${name}_empty.cpp)
    file(WRITE ${sources} "")
  endif()
  add_library(hpb_${name} STATIC ${sources})
  target_include_directories(hpb_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_compile_definitions(hpb_${name} PUBLIC HPB_NATIVE_TLS=$<BOOL:${HPB_NATIVE_TLS}>)
  target_link_libraries(hpb_${name} PUBLIC fmt::fmt ${arg_DEPS} PRIVATE hpb_warnings)
  if(folder MATCHES "^(net|relay|agent)")
    hpb_use_asio_pch(hpb_${name})
  elseif(folder STREQUAL "base")
    target_precompile_headers(hpb_base PRIVATE ${PROJECT_SOURCE_DIR}/src/base/pch.hpp)
  else()
    target_precompile_headers(hpb_${name} REUSE_FROM hpb_base)
  endif()
endfunction()

# One precompiled header for everything that includes Asio, and one for what does not: hpb_net and
# hpb_base make them, the others use them.
function(hpb_use_asio_pch target)
  if(target STREQUAL "hpb_net")
    target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/net/pch.hpp)
  else()
    target_precompile_headers(${target} REUSE_FROM hpb_net)
  endif()
endfunction()

# One precompiled header for the unit tests of the cores, one for those of the shells: the first that
# asks makes it, the others use it.
function(hpb_use_test_pch target kind)
  get_property(owner GLOBAL PROPERTY hpb_test_pch_${kind})
  if(owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  else()
    set_property(GLOBAL PROPERTY hpb_test_pch_${kind} ${target})
    target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/unit/${kind}_pch.hpp)
  endif()
endfunction()

# hpb_unit_tests(<folder>): the GoogleTest program of tests/unit/<folder>/*_test.cpp.
function(hpb_unit_tests folder)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/${folder}/*_test.cpp)
  if(HPB_SANITIZE)
    # A comparison with another library needs no sanitizer, and takes minutes to compile with one.
    list(FILTER sources EXCLUDE REGEX "_oracle_test\\.cpp$")
  endif()
  if(NOT HPB_NATIVE_TLS)
    list(FILTER sources EXCLUDE REGEX "/tls_records_test\\.cpp$")
  endif()
  if(NOT sources)
    return()
  endif()
  add_executable(unit_${folder} ${sources})
  target_include_directories(unit_${folder} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(unit_${folder} PRIVATE
    hpb_${folder} ${arg_DEPS} hpb_warnings GTest::gmock GTest::gtest_main)
  hpb_no_lto(unit_${folder})
  target_compile_options(unit_${folder} PRIVATE -O0 -U_FORTIFY_SOURCE)  # compiling takes longer than running
  if(folder MATCHES "^(net|relay|agent|faults)$")
    hpb_use_test_pch(unit_${folder} shells)
  else()
    hpb_use_test_pch(unit_${folder} cores)
  endif()
  add_test(NAME unit.${folder} COMMAND unit_${folder} --gtest_brief=1)
  set_tests_properties(unit.${folder} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# hpb_fuzz_target(<name> <library>...): tests/fuzz/<name>_fuzz.cpp with tests/fuzz/corpus/<name>/.
# Built with libFuzzer under HPB_FUZZ (all of them by the target `fuzzers`); otherwise the corpus is
# replayed as a plain test.
function(hpb_fuzz_target name)
  add_executable(fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/${name}_fuzz.cpp)
  target_link_libraries(fuzz_${name} PRIVATE ${ARGN} hpb_warnings)
  hpb_no_lto(fuzz_${name})
  if(HPB_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers fuzz_${name})
  else()
    target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay_main.cpp)
    add_test(NAME fuzz-corpus.${name}
      COMMAND fuzz_${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(fuzz-corpus.${name} PROPERTIES LABELS unit TIMEOUT 120)
  endif()
endfunction()
