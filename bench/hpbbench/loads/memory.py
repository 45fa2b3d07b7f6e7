"""Memory: of idle connections, of idle channels in the relay, and while saturated."""

import math

from ..contenders.hpb import HpbManyChannels
from ..generator import Load
from ..recorder import Recorder
from ..stage import descriptor_limit, staged
from ..waiting import Failed, wait_until
from ..work_load import OURS_ONLY, WorkLoad

# Descriptors that a process needs for itself.
_SPARE = 200
# Connections from one address to one port, with the system's default range of ports.
_PORTS = 25000


def _per_each(before, held, count):
    return {role: (held[role] - before[role]) / count for role in held}


class Idle(WorkLoad):
    """Each connection has carried a byte there and back, so everybody has made what a connection needs."""

    once = True
    columns = (("open", "connections", "number"), ("failed", "failed", "number"),
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
                values = self._hold(stage, loads, each)
                held = stage.settled_memory()
                values |= {"still_open": self._release(loads), "before": before, "held": held,
                           "after": stage.settled_memory()}
            finally:
                for load in loads:
                    load.process.stop()
        return {"values": values, "notes": self._notes(each, places)}

    def _hold(self, stage, loads, each):
        for entry in stage.entries:
            loads.append(Load(stage.directory, "idle", [entry], "--count", each))
        results = [load.result(300)[1] for load in loads]
        values = {key: sum(r[key] for r in results) for key in ("open", "failed")}
        if not values["open"]:
            raise Failed(f"no connection was opened, {values['failed']} failed")
        return values

    def _release(self, loads):
        for load in loads:
            load.process.close_input()
        return sum(load.result(60, 1)[1]["still_open"] for load in loads)

    def _notes(self, each, places):
        if places > 1:
            return [f"{places} pairs of agents on one relay, each with a target and a load generator of its own and "
                    f"{each:,} connections: a process may have {descriptor_limit():,} descriptors here"]
        if each < self._count:
            return [f"{each:,} connections in place of {self._count:,}: a process may have {descriptor_limit():,} "
                    "descriptors here, and this contender needs two for each connection"]
        return []

    def metrics(self, sample):
        values = sample["values"]
        each = _per_each(values["before"], values["held"], values["open"])
        return ({"open": values["open"], "failed": values["failed"], "per_connection": sum(each.values()),
                 "still_open": values["still_open"]}
                | {f"per_connection: {role}": n for role, n in each.items()}
                | {f"held: {role}": n for role, n in values["held"].items()})


class Channels(WorkLoad):
    """Idle channels (rendezvous) in the relay. Each takes two of its descriptors."""

    name = "channels-10000"
    title = "10,000 idle channels, resident memory"
    once = True
    only = OURS_ONLY
    columns = (("channels", "channels", "number"), ("per_channel: relay", "a channel, relay", "bytes"))
    detail = ("per_channel", "a channel, each process", "bytes")

    def measure(self, settings, contender_class):
        names = HpbManyChannels.connections_of_a_pair
        channels = names * HpbManyChannels.channels
        if descriptor_limit() < 2 * channels + names + _SPARE // 4:
            raise Failed(f"needs {2 * channels + names} descriptors in the relay, {descriptor_limit()} are allowed")
        # Without a proof, which would make sessions and channels before the first measurement.
        with staged(settings, HpbManyChannels, proof=lambda *_: True) as stage:
            before = stage.settled_memory()
            fresh = stage.contender.descriptors()["relay"]
            load = Load(stage.directory, "idle", stage.entries, "--count", names)
            try:
                load.result(120)
                wait_until(lambda: stage.contender.descriptors()["relay"] - fresh >= 2 * channels,
                           120, lambda: f"{channels} channels; {stage.contender.descriptors()}")
                held = stage.settled_memory()
            finally:
                load.process.stop()
        return {"values": {"channels": channels, "before": before, "held": held},
                "notes": [f"{names} hybrid connections with {HpbManyChannels.channels} channels each, of one pair of "
                          f"agents: {channels:,} channels are what {descriptor_limit():,} descriptors of the relay "
                          f"allow"]}

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
