// Precompiled for the unit tests of what has sockets.
#pragma once

#include "net/pch.hpp"
#include "unit/cores_pch.hpp"
