# Third-party packages; docs/dependencies.md says why each one.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(pugixml REQUIRED)

# Boost.JSON, compiled once in src/base/boost_json.cpp.
add_library(hpb_json INTERFACE)
target_link_libraries(hpb_json INTERFACE Boost::headers)

# Boost.Asio, compiled once in src/net/boost_asio.cpp.
add_library(hpb_asio INTERFACE)
target_link_libraries(hpb_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(hpb_asio INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_DATE_TIME
  # Coroutine frames and operations per thread that are kept for reuse (the default is 2 per purpose).
  BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=8)
