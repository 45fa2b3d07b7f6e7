"""Memory: of idle connections, of idle channels in the relay, and while saturated."""

import contextlib
import math
import socket

from ..contenders.hpb import with_many_channels
from ..generator import Load
from ..recorder import Recorder
from ..stage import descriptor_limit, staged
from ..waiting import Failed, wait_until
from ..work_load import OURS_ONLY, WorkLoad

# Descriptors that a process needs for itself.
_SPARE = 200
# Connections from one address to one port. The system's default range has twice as many, but it tries every other
# port first and, once those are in use, all of them one by one for each further connection.
_PORTS = 12500


def _per_each(before, held, count):
    return {role: (held[role] - before[role]) / count for role in held}


class Idle(WorkLoad):
    """Each connection has carried a byte there and back, so everybody has made what a connection needs."""

    once = True
    columns = (("open", "connections", "number"), ("still_open", "still open at the end", "number"),
               ("per_connection", "a connection, all processes", "bytes"))
    detail = ("per_connection", "a connection, each process", "bytes")

    def __init__(self, count, pairs_for_hpb=False):
        self._count, self._side_by_side = count, pairs_for_hpb
        self.name = f"idle-{count}"
        self.title = f"{count:,} idle connections, resident memory"
        if pairs_for_hpb:
            self.only = OURS_ONLY

    def measure(self, settings, contender_class):
        # Nobody may have more descriptors than the limit; the load generator and the target have one for each.
        most = (descriptor_limit() - _SPARE) // contender_class.descriptors_per_connection
        places = math.ceil(self._count / min(most, _PORTS)) if self._side_by_side else 1
        each = min(most, math.ceil(self._count / places))
        with staged(settings, contender_class, targets=places, connections=each * places) as stage:
            before = stage.settled_memory()
            loads = []
            try:
                values = {"open": 0, "failed": 0, "before": before}
                if self._side_by_side:
                    # A first part, after which all buffers exist: what comes on top is due to connections alone.
                    self._hold(stage, loads, each // 4, values)
                    values |= {"open_first": values["open"], "held_first": stage.settled_memory()}
                self._hold(stage, loads, each - each // 4 if loads else each, values)
                values["held"] = stage.settled_memory()
                values["still_open"] = self._release(loads)
                values["after"] = stage.settled_memory()
            finally:
                for load in loads:
                    load.process.stop()
        return {"values": values, "notes": self._notes(each, places, values["failed"])}

    def _hold(self, stage, loads, each, values):
        started = [Load(stage.directory, "idle", [entry], "--count", each) for entry in stage.entries]
        loads += started
        for load in started:
            result = load.result(300)[1]
            for key in ("open", "failed"):
                values[key] += result[key]
        if not values["open"]:
            raise Failed(f"no connection was opened, {values['failed']} failed")

    def _release(self, loads):
        for load in loads:
            load.process.close_input()
        return sum(load.result(60, 1)[1]["still_open"] for load in loads)

    def _notes(self, each, places, failed):
        limit = f"a process may have {descriptor_limit():,} descriptors here"
        notes = []
        if places > 1:
            notes.append(f"{places} pairs of agents on one relay, each with a target and a load generator of its own "
                         f"and {each:,} connections: {limit}")
        elif each < self._count:
            notes.append(f"{each:,} connections in place of {self._count:,}: {limit}, and this contender needs two for "
                         "each connection")
        if failed:
            notes.append(f"{failed:,} connections failed")
        return notes

    def metrics(self, sample):
        values = sample["values"]
        each = _per_each(values["before"], values["held"], values["open"])
        return ({"open": values["open"], "failed": values["failed"], "per_connection": sum(each.values()),
                 "still_open": values["still_open"]}
                | {f"per_connection: {role}": n for role, n in each.items()}
                | {f"held: {role}": n for role, n in values["held"].items()}
                | self._slope(values))

    def _slope(self, values):
        if "held_first" not in values:
            return {}
        more = _per_each(values["held_first"], values["held"], values["open"] - values["open_first"])
        return {f"per_further_connection: {role}": n for role, n in more.items()}


class Channels(WorkLoad):
    """Idle channels (rendezvous) in the relay. Each takes two of its descriptors."""

    name = "channels-10000"
    title = "10,000 idle channels, resident memory"
    once = True
    only = OURS_ONLY
    columns = (("channels", "channels", "number"), ("per_channel: relay", "a channel, relay", "bytes"))
    detail = ("per_channel", "a channel, each process", "bytes")

    def measure(self, settings, contender_class):
        many = with_many_channels(10000, descriptor_limit())
        names, channels = many.connections_of_a_pair, many.connections_of_a_pair * many.channels
        # Without a proof, which would make sessions and channels before the first measurement.
        with staged(settings, many, proof=lambda *_: True) as stage:
            before = stage.settled_memory()
            with contextlib.ExitStack() as connections:
                self._fill(stage, connections, 2 * many.channels)
                held = stage.settled_memory()
        return {"values": {"channels": channels, "before": before, "held": held},
                "notes": [f"{names} hybrid connections with {many.channels} channels each, of one pair of agents; a "
                          f"process may have {descriptor_limit():,} descriptors here, and the relay needs two for "
                          "each channel"]}

    def _fill(self, stage, connections, descriptors_of_each):
        """One connection for each hybrid connection makes its session and all of the channels. One after the other:
        thousands of TLS handshakes at once would run into time limits."""
        def reached():
            return stage.contender.descriptors()["relay"] >= wanted

        wanted = stage.contender.descriptors()["relay"]
        for entry in stage.entries:
            host, port = entry.split(":")
            connections.enter_context(socket.create_connection((host, int(port)), timeout=10))
            wanted += descriptors_of_each
            wait_until(reached, 30, lambda: f"{wanted} descriptors in the relay; {stage.contender.descriptors()}")

    def metrics(self, sample):
        values = sample["values"]
        each = _per_each(values["before"], values["held"], values["channels"])
        return {"channels": values["channels"]} | {f"per_channel: {role}": n for role, n in each.items()}


class Saturated(WorkLoad):
    """Eight streams, both directions. --saturate-minutes makes it long enough to see growth."""

    name = "saturated"
    title = "memory while saturated (8 streams, both directions)"
    once = True
    only = OURS_ONLY
    columns = (("peak", "highest, of any process", "bytes"), ("drift", "last quarter − second quarter", "bytes"))
    detail = ("peak", "highest of each process", "bytes")

    def measure(self, settings, contender_class):
        seconds = settings.saturate_minutes * 60 or max(settings.seconds * 3, 3)
        with staged(settings, contender_class) as stage:
            load = Load(stage.directory, "throughput", stage.entries, "--streams", 8, "--direction", "both",
                        "--seconds", seconds, "--warm-up", settings.warm_up)
            try:
                with Recorder(stage.contender.resident_bytes, interval=max(0.1, seconds / 1200)) as recorder:
                    values = load.result(seconds + 60)[1]
                load.finish()
            finally:
                load.process.stop()
        start = recorder.readings[0][0]
        return {"values": {**values, "minutes": seconds / 60,
                           "resident_bytes": [[round(t - start, 2), r] for t, r in recorder.readings]}}

    def metrics(self, sample):
        readings = sample["values"]["resident_bytes"]
        peaks = {role: max(r[role] for _, r in readings) for role in readings[-1][1]}
        drift = {role: _drift([r[role] for _, r in readings]) for role in peaks}
        return ({"peak": max(peaks.values()), "drift": max(drift.values()), "minutes": sample["values"]["minutes"],
                 "bytes_per_second": sample["values"]["bytes_per_second"]}
                | {f"peak: {role}": n for role, n in peaks.items()})


def _drift(values):
    """The second quarter against the last one: the first belongs to the start."""
    quarter = max(1, len(values) // 4)
    return max(values[-quarter:]) - max(values[quarter:2 * quarter] or values[:1])
