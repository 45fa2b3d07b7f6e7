// Precompiled for the unit tests of what has no sockets.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/system/result.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>
