"""The work loads in the order of the tables."""

from .connections import Leaks, Rate
from .http import Http
from .memory import Channels, Idle, Saturated
from .traffic import Latency, Throughput

_LOADS = (*(Throughput(streams, direction) for streams in (1, 8) for direction in ("up", "down", "both")),
          Latency(), Latency("up"), Latency("down"), Rate(1), Rate(64), Http(),
          Throughput(1, "up", far=True), Throughput(1, "down", far=True),
          Idle(1000), Idle(10000), Idle(100000, pairs_for_hpb=True), Channels(), Saturated(), Leaks())
ALL = {load.name: load for load in _LOADS}
