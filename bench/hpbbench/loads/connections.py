"""Connections that come and go: their rate and what each costs; whether they leave anything behind."""

from .. import generator
from ..generator import Load
from ..recorder import Recorder
from ..stage import staged
from ..waiting import wait_until_steady
from ..work_load import OURS_ONLY, WorkLoad, agents_cpu

_WARM_UP_SECONDS = 0.5
# A connection's port is not to be had again for a second or two after its end, and there are 28,000: a sample that
# needs more of them measures how fast they come free, about 14,000 a second.
_WARM_UP, _MOST = 2000, 24000


class Rate(WorkLoad):
    columns = (("per_second", "connections/s", "number"), ("p50_us", "p50", "µs"), ("p99_us", "p99", "µs"),
               ("failed", "failed", "number"), ("cpu_us", "CPU µs/connection, contender", "number"))
    detail = ("cpu_us", "CPU µs/connection of each process", "number")

    def __init__(self, in_flight):
        self._flags = ("--in-flight", in_flight)
        self.name = f"rate-{in_flight}"
        self.title = f"connections (open, 1 byte there and back, close), {in_flight} in flight"

    def measure(self, settings, contender_class):
        with staged(settings, contender_class) as stage:
            generator.once(stage.directory, "rate", stage.entries, *self._flags, "--count", _WARM_UP,
                           "--seconds", _WARM_UP_SECONDS)
            load = Load(stage.directory, "rate", stage.entries, *self._flags, "--count", _MOST,
                        "--seconds", settings.seconds)
            try:
                with Recorder(lambda: stage.cpu_seconds(load.process)) as recorder:
                    end, values = load.result(settings.seconds + 60)
                cpu = recorder.growth(end, values["seconds"])
                load.finish()
            finally:
                load.process.stop()
        return {"values": values, "cpu_seconds": cpu}

    def metrics(self, sample):
        values, cpu = sample["values"], sample["cpu_seconds"]
        result = {key: values[key] for key in ("per_second", "p50_us", "p99_us", "failed")}
        if values["connections"]:
            each = {role: s * 1e6 / values["connections"] for role, s in cpu.items()}
            result["cpu_us"] = sum(v for role, v in each.items() if role not in ("target", "load generator"))
            result |= {f"cpu_us: {role}": value for role, value in each.items()}
            if agents_cpu(sample):
                result["cpu_us_agents"] = agents_cpu(sample) * 1e6 / values["connections"]
        return result


class Leaks(WorkLoad):
    """Descriptors and memory at rest: new, after 2,000 connections, after 20,000 more."""

    name = "leaks"
    title = "20,000 short connections, what they leave behind"
    once = True
    only = OURS_ONLY
    columns = (("descriptors_left", "descriptors left", "number"), ("bytes_left", "memory left", "bytes"))
    detail = ("resident_bytes left", "memory left in each process", "bytes")

    def measure(self, settings, contender_class):
        with staged(settings, contender_class) as stage:
            rests = {"new": self._at_rest(stage)}
            for name, count in (("after 2000", 2000), ("after 20000 more", 20000)):
                values = generator.once(stage.directory, "rate", stage.entries, "--in-flight", 64,
                                        "--count", count, seconds=300)
                rests[name] = self._at_rest(stage)
        return {"values": {**rests, "failed": values["failed"]}}

    def _at_rest(self, stage):
        descriptors = wait_until_steady(stage.contender.descriptors, 2.0, 30)
        return {"descriptors": descriptors, "resident_bytes": stage.settled_memory()}

    def metrics(self, sample):
        before, after = (sample["values"][k] for k in ("after 2000", "after 20000 more"))
        grown = {what: {role: after[what][role] - before[what][role] for role in after[what]} for what in after}
        result = {"descriptors_left": max(grown["descriptors"].values()),
                  "bytes_left": max(grown["resident_bytes"].values())}
        return result | {f"{what} left: {role}": n for what, roles in grown.items() for role, n in roles.items()}
