"""Bytes and round trips: throughput, latency, latency beside bulk, and the same over a long path."""

from ..generator import Load
from ..recorder import Recorder
from ..stage import staged
from ..work_load import WorkLoad

_GIB = 1 << 30
#: 50 ms each way: a round trip takes 100 ms.
_FAR = "delay=50ms,rate=1gbit"
# The first seconds of such a path are about how fast windows grow; that is not what is compared.
_FAR_WARM_UP = 3.0


def _run(settings, stage, work_load, flags, warm_up):
    """One generator run. @return (values, {role: CPU seconds within the measured time})"""
    load = Load(stage.directory, work_load, stage.entries, *flags,
                "--seconds", settings.seconds, "--warm-up", warm_up)
    try:
        with Recorder(lambda: stage.cpu_seconds(load.process)) as recorder:
            end, values = load.result(settings.seconds + warm_up + 30)
        cpu = recorder.growth(end, settings.seconds)
        load.finish()
        return values, cpu
    finally:
        load.process.stop()


class Throughput(WorkLoad):
    columns = (("bytes_per_second", "throughput", "bytes/s"), ("cpu_per_gib", "CPU s/GiB, contender", "s"))
    detail = ("cpu_per_gib", "CPU s/GiB of each process", "s")

    def __init__(self, streams, direction, far=False):
        self._flags = ("--streams", streams, "--direction", direction)
        self._far = far
        kind, title = ("far", "100 ms path, 1 Gbit/s") if far else ("bulk", "bulk")
        self.name = f"{kind}-{streams}-{direction}"
        self.title = f"{title}, {streams} stream{'s' if streams > 1 else ''}, {direction}"
        if far:
            self.only = ("direct", "hpb", "openssh", "chisel")

    def measure(self, settings, contender_class):
        path, warm_up = (_FAR, _FAR_WARM_UP) if self._far else (None, settings.warm_up)
        with staged(settings, contender_class, path=path) as stage:
            values, cpu = _run(settings, stage, "throughput", self._flags, warm_up)
        return {"values": values, "cpu_seconds": cpu}

    def metrics(self, sample):
        values, cpu = sample["values"], sample["cpu_seconds"]
        result = {"bytes_per_second": values["bytes_per_second"]}
        if values["bytes"]:
            gib = values["bytes"] / _GIB
            own = {role: s for role, s in cpu.items() if role not in ("target", "load generator")}
            result["cpu_per_gib"] = sum(own.values()) / gib
            result |= {f"cpu_per_gib: {role}": seconds / gib for role, seconds in cpu.items()}
        return result


class Latency(WorkLoad):
    columns = (("p50_us", "p50", "µs"), ("p99_us", "p99", "µs"), ("p999_us", "p99.9", "µs"),
               ("bulk_bytes_per_second", "bulk beside it", "bytes/s"))

    def __init__(self, bulk_direction=None):
        self._flags = ("--bulk", 1, "--direction", bulk_direction) if bulk_direction else ()
        self.name = f"latency-bulk-{bulk_direction}" if bulk_direction else "latency"
        self.title = "ping-pong of 1 byte, " + (
            f"beside a bulk stream {bulk_direction}" if bulk_direction else "idle otherwise")
        if not bulk_direction:
            self.columns = self.columns[:3]

    def measure(self, settings, contender_class):
        with staged(settings, contender_class) as stage:
            values, cpu = _run(settings, stage, "latency", self._flags, settings.warm_up)
        return {"values": values, "cpu_seconds": cpu}

    def metrics(self, sample):
        keys = ("p50_us", "p99_us", "p999_us", "max_us", "bulk_bytes_per_second")
        return {key: sample["values"][key] for key in keys if key in sample["values"]}
