"""Both ends of mover.py as processes, their progress, and the comparison of what they saw."""

import json
import time

from . import mover
from .proc import Process
from .waiting import wait_until

PYTHON = "/usr/bin/python3"


class Transfer:
    """`count` connections that carry `size` bytes each way. First the target, then dial(address)."""

    def __init__(self, bench, count, size):
        self.bench, self.count, self.size = bench, count, size
        self.total = 2 * count * size
        self._acceptor = self._start("accept", "127.0.0.1", 0)
        ((_, port),) = self._acceptor.wait_ready()
        self.target = ("127.0.0.1", port)
        self._dialler = None

    def _start(self, command, host, port):
        process = Process([PYTHON, mover.__file__, command, host, port, self.count, self.size],
                          self.bench.directory / "logs", f"mover-{command}")
        self.bench.processes.append(process)
        return process

    def dial(self, address):
        self._dialler = self._start("dial", *address)
        self.started = time.monotonic()
        return self

    def moved(self):
        """Bytes that have arrived so far, both ways together."""
        return sum(self._last(process) for process in (self._acceptor, self._dialler))

    @staticmethod
    def _last(process):
        for line in reversed(process.lines):
            if line.startswith("moved "):
                return int(line.split()[1])
        return 0

    def over(self):
        return not self._acceptor.running() or not self._dialler.running()

    def wait_moved(self, amount, seconds, what="bytes flow"):
        """Until at least so much has been moved, or everything is over."""
        wait_until(lambda: self.moved() >= amount or self.over(), seconds,
                   f"{what}: {self.moved()} of {self.total} bytes moved, {amount} wanted")

    def finish(self, seconds):
        """Waits for the end; every byte must have arrived once and in order, and every connection ended in order.
        @return seconds since dial()."""
        wait_until(lambda: not self._dialler.running() and not self._acceptor.running(), seconds,
                   f"all is moved: {self.moved()} of {self.total}")
        elapsed = time.monotonic() - self.started
        ends = []
        for process in (self._dialler, self._acceptor):
            assert process.wait_exit(5) == 0, f"{process.name}: {process.errors}"
            ends.append({c["number"]: c for c in json.loads(process.lines[-1])})
        dialled, accepted = ends
        problems = [] if set(dialled) == set(accepted) else [f"other connections: {set(dialled) ^ set(accepted)}"]
        for number in sorted(set(dialled) & set(accepted)):
            for way, source, sink in (("to the target", dialled[number], accepted[number]),
                                      ("from the target", accepted[number], dialled[number])):
                problems += self._compare(f"connection {number} {way}", source, sink)
        assert not problems, "\n".join(problems[:20])
        return elapsed

    def _compare(self, what, source, sink):
        if sink["end"] != "eof":
            return [f"{what}: ended by {sink['end']} after {sink['got_bytes']} of {self.size} bytes"]
        if sink["got_bytes"] != self.size or source["sent_bytes"] != self.size:
            return [f"{what}: {source['sent_bytes']} sent, {sink['got_bytes']} received, {self.size} wanted"]
        if sink["got"] != source["sent"]:
            wrong = [i for i, (a, b) in enumerate(zip(source["sent_marks"], sink["got_marks"])) if a != b]
            return [f"{what}: other bytes, first in MiB {wrong[0] if wrong else len(sink['got_marks'])}"]
        return []
