"""The load generator and the target: `hpb bench`, the same for every contender."""

import json

from .processes import Process, free_port
from .programs import HPB
from .waiting import Failed


class Target:
    """The far end, behind the contender."""

    def __init__(self, directory):
        self.address = f"127.0.0.1:{free_port()}"
        self.process = Process("target", [HPB, "bench", "serve", "--listen", self.address], directory)
        self.process.wait_line(10, "listening on ")


class Load:
    """One `hpb bench WORK-LOAD` at the given addresses."""

    def __init__(self, directory, work_load, addresses, *flags):
        self.process = Process("load generator", [HPB, "bench", work_load, *addresses, *flags, "--json"], directory)

    def result(self, seconds, index=0):
        """(time, values) of the line with this index on its output."""
        stamp, line = self.process.wait_line(seconds, after=index)
        try:
            return stamp, json.loads(line)
        except ValueError:
            raise Failed(f"load generator said {line!r}") from None

    def finish(self):
        """Waits for its end and insists on a good one."""
        code = self.process.wait_exit(30)
        self.process.stop()
        if code != 0:
            raise Failed(f"load generator: exit code {code}: {self.process.said()}")


def once(directory, work_load, addresses, *flags, seconds=60):
    """The values of one whole run."""
    load = Load(directory, work_load, addresses, *flags)
    try:
        values = load.result(seconds)[1]
        load.finish()
        return values
    finally:
        load.process.stop()
