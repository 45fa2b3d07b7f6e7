"""What every contender is: programs between an entry port and the target."""

import dataclasses
import pathlib
from collections import Counter
from collections.abc import Callable

from . import generator, programs
from .certificates import Certificates
from .processes import Process
from .waiting import Failed, wait_until

CEILING, OURS, YARDSTICK, PEER = "ceiling", "ours", "yardstick", "tunnel peer"


@dataclasses.dataclass
class Place:
    """Where one sample is taken. `via` turns the address that the client's side dials into the one it shall
    dial: for a path with delay, the fault proxy stands between."""

    directory: pathlib.Path
    certificates: Certificates
    via: Callable[[str], str] = lambda address: address

    def file(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path


class Contender:
    """A context manager: started by start(), ended with the block."""

    name = ""
    hops = ""
    role = PEER
    multiplexes = False
    programs = ()
    #: of the process with the most: two where each connection has a second one towards the next hop
    descriptors_per_connection = 2

    def __init__(self, place):
        self.place = place
        self.entries = []
        self.processes = []

    @classmethod
    def missing(cls):
        """Why it cannot be measured here, or None."""
        absent = [p for p in cls.programs if not programs.find(p)]
        return f"{', '.join(absent)} not installed" if absent else None

    def start(self, targets, connections=0, proof=None):
        """Starts everything between `entries` and the targets, and proves it: by proof(directory, entry), which
        is a byte there and back if none is given. `connections` is what it has to hold if that is more than a
        default might allow."""
        self.launch(targets, connections)
        self._prove(proof or _byte_and_back)

    def launch(self, targets, connections):
        raise NotImplementedError

    def run(self, role, arguments, **more):
        """Starts one of its programs. Processes of the same role are counted together."""
        process = Process(role, arguments, self.place.directory, **more)
        self.processes.append(process)
        return process

    def program(self, name):
        return programs.find(name)

    def _prove(self, proof):
        def answers():
            dead = next((p for p in self.processes if not p.alive()), None)
            if dead:
                raise Failed(f"{dead.role} ended: {dead.said()}")
            return all(proof(self.place.directory, entry) for entry in self.entries)

        wait_until(answers, 20, lambda: "an answer through it; " + "; ".join(
            f"{p.role}: {p.said()}" for p in self.processes))

    def cpu_seconds(self):
        return self._by_role(Process.cpu_seconds)

    def resident_bytes(self):
        return self._by_role(Process.resident_bytes)

    def descriptors(self):
        return self._by_role(Process.descriptors)

    def _by_role(self, measure):
        total = Counter()
        for process in self.processes:
            total[process.role] += measure(process)
        return dict(total)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()


def _byte_and_back(directory, entry):
    try:
        values = generator.once(directory, "rate", [entry], "--count", "1", "--in-flight", "1", seconds=10)
        return values["connections"] == 1 and not values["failed"]
    except Failed:
        return False
