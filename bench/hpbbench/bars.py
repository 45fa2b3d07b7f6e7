"""What hpb is to reach, and whether it does. Each bar compares medians of one run."""

import dataclasses

from .contender import PEER
from .contenders import ALL as CONTENDERS
from .units import show

_HAPROXY3 = ("haproxy-3", "haproxy-3-large")
_TUNNEL_PEERS = tuple(n for n, c in CONTENDERS.items() if c.role == PEER)
_MULTIPLEXING = tuple(n for n, c in CONTENDERS.items() if c.role == PEER and c.multiplexes)
_DIRECTIONS = ("up", "down", "both")
_PATHS = (("up", "far-1-up"), ("down", "far-1-down"))
# The smallest block of the heap: with less than that for each connection, nothing is kept for each. The rest is pages
# that the relay touches for itself.
_NOTHING_PER_CONNECTION = 32
# Allocators do not give every page back; a leak of 64 bytes a connection would be more.
_MEMORY_IS_BACK = 1 << 20
_MINUTES = 10


@dataclasses.dataclass
class Verdict:
    """One row of the table."""

    bar: str
    wanted: str
    measured: str
    verdict: str
    ratio: float | None = None

    def to_json(self):
        return dataclasses.asdict(self)


class _Judge:
    def __init__(self, results):
        self._results = results
        self.verdicts = []

    def best(self, work_load, metric, peers, better):
        """(value, name) of the best of the peers that were measured."""
        values = [(v, p) for p in peers if (v := self._results.median(work_load, p, metric)) is not None]
        return better(values, default=(None, None))

    def compare(self, bar, work_load, metric, unit, peers, wanted, more_is_better=True, what="the best of them",
                is_bar=True):
        """hpb's median over the best peer's: at least, or at most, `wanted`."""
        text = f"{'≥' if more_is_better else '≤'} {wanted:g} × {what}"
        ours = self._results.median(work_load, "hpb", metric)
        theirs, name = self.best(work_load, metric, peers, max if more_is_better else min)
        if ours is None or not theirs:
            missing = "hpb" if ours is None else " or ".join(peers)
            self._add(bar, text, f"{missing} not measured", None, is_bar=is_bar)
            return
        ratio = ours / theirs
        self._add(bar, text, f"{ratio:.2f} ×: {show(ours, unit)}, {name} {show(theirs, unit)}",
                  ratio >= wanted if more_is_better else ratio <= wanted, ratio, is_bar)

    def limit(self, bar, work_load, metric, unit, most, note=""):
        """hpb's median is at most `most`."""
        ours = self._results.median(work_load, "hpb", metric)
        self._add(bar, f"≤ {show(most, unit)}", "not measured" if ours is None else show(ours, unit) + note,
                  None if ours is None else ours <= most)

    def unmeasured(self, bar, wanted, why):
        self._add(bar, wanted, why, None)

    def _add(self, bar, wanted, measured, met, ratio=None, is_bar=True):
        verdict = "not measured" if met is None else "met" if met else "**not met**"
        self.verdicts.append(Verdict(bar, wanted, measured, verdict if is_bar else "for information", ratio))


def judge(results):
    """All bars, in the order in which they were set."""
    j = _Judge(results)
    _bulk(j)
    _latency(j)
    _connections(j)
    _memory(j, results)
    _far(j)
    j.limit("after 20,000 short connections: descriptors", "leaks", "descriptors_left", "number", 0)
    j.limit("after 20,000 short connections: memory of any process", "leaks", "bytes_left", "bytes", _MEMORY_IS_BACK)
    return j.verdicts


def _bulk(j):
    for direction in _DIRECTIONS:
        for peers, wanted in ((_HAPROXY3, 1.2), (("openssh",), 1.0), (("chisel",), 2), (("wstunnel",), 1.3),
                              (("wstunnel-masked",), 1.3)):
            what = "HAProxy, 3 hops" if peers is _HAPROXY3 else peers[0]
            j.compare(f"1 bulk stream, {direction}", f"bulk-1-{direction}", "bytes_per_second", "bytes/s", peers,
                      wanted, what=what)
    for direction in _DIRECTIONS:
        j.compare(f"8 bulk streams, {direction}", f"bulk-8-{direction}", "bytes_per_second", "bytes/s", _HAPROXY3,
                  1.2, what="HAProxy, 3 hops")


def _latency(j):
    # The bar is for p50 against HAProxy and for p99 against the peers.
    for metric, against in (("p50", _HAPROXY3), ("p99", _TUNNEL_PEERS)):
        for peers, wanted, what in ((_HAPROXY3, 1.2, "HAProxy, 3 hops"), (_TUNNEL_PEERS, 1, "the best tunnel peer")):
            j.compare(f"ping-pong {metric}, otherwise idle", "latency", f"{metric}_us", "µs", peers, wanted,
                      more_is_better=False, what=what, is_bar=peers is against)
    for direction in ("up", "down"):
        load = f"latency-bulk-{direction}"
        j.limit(f"ping-pong p99 beside bulk {direction}", load, "p99_us", "µs", 5000)
        j.compare(f"ping-pong p99 beside bulk {direction}", load, "p99_us", "µs", _MULTIPLEXING, 0.2,
                  more_is_better=False, what="the best multiplexing peer")


def _connections(j):
    j.compare("connections per second, 64 in flight", "rate-64", "per_second", "number", _TUNNEL_PEERS, 3,
              what="the best tunnel peer")
    for limit, what in (("haproxy-plain", "one plain forwarder"), ("direct", "nothing between")):
        j.compare("connections per second, 64 in flight", "rate-64", "per_second", "number", (limit,), 1, what=what,
                  is_bar=False)
    j.limit("CPU µs per connection of both agents, 64 in flight", "rate-64", "cpu_us_agents", "number", 50)


def _memory(j, results):
    held, left = (results.median("idle-100000", "hpb", metric) for metric in ("open", "still_open"))
    note = f" ({held:,.0f} connections, {left:,.0f} still open at the end)" if held else ""
    for role in ("client agent", "service agent"):
        j.limit(f"100,000 idle connections, each in the {role}", "idle-100000", f"per_connection: {role}", "bytes",
                4096, note)
    j.limit("100,000 idle connections, each of the last three quarters in the relay", "idle-100000",
            "per_further_connection: relay", "bytes", _NOTHING_PER_CONNECTION, note)
    channels = results.median("channels-10000", "hpb", "channels")
    j.limit("10,000 idle channels, each in the relay", "channels-10000", "per_channel: relay", "bytes", 40 << 10,
            f" ({channels:,.0f} channels)" if channels else "")
    minutes = results.median("saturated", "hpb", "minutes")
    for role in ("client agent", "relay", "service agent"):
        j.limit(f"memory while saturated, {role}", "saturated", f"peak: {role}", "bytes", 64 << 20,
                f" ({minutes:.2g} minutes)" if minutes else "")
    if minutes and minutes >= _MINUTES:
        j.limit("memory while saturated, growth", "saturated", "drift", "bytes", _MEMORY_IS_BACK)
    else:
        j.unmeasured("memory while saturated, growth", f"flat over {_MINUTES} minutes",
                     f"needs --saturate-minutes {_MINUTES}")


def _far(j):
    for direction, load in _PATHS:
        for peer, wanted in (("direct", 0.9), ("openssh", 5), ("chisel", 5)):
            j.compare(f"100 ms path, 1 stream, {direction}", load, "bytes_per_second", "bytes/s", (peer,), wanted,
                      what="plain TCP on the same path" if peer == "direct" else peer)
