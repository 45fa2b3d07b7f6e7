"""Sets one sample up: a folder, targets, one contender; and takes it down again."""

import contextlib
import dataclasses
import pathlib
import resource
import tempfile

from .contender import Place
from .generator import Target
from .processes import Process
from .programs import FAULTS
from .waiting import wait_until_steady


@dataclasses.dataclass
class Settings:
    """What holds for the whole run."""

    directory: pathlib.Path
    certificates: object
    seconds: float
    warm_up: float
    saturate_minutes: float = 0


class Stage:
    """One contender with its targets, running."""

    def __init__(self, settings, place, contender, targets):
        self.settings, self.directory = settings, place.directory
        self.contender, self.targets = contender, targets
        self.entries = contender.entries

    def cpu_seconds(self, generator=None):
        """Of the contender's processes, and of the two that share the cores with it."""
        values = self.contender.cpu_seconds()
        values["target"] = sum(t.process.cpu_seconds() for t in self.targets)
        if generator:
            values["load generator"] = generator.cpu_seconds()
        return values

    def settled_memory(self):
        """Resident memory of the contender when it has come to rest (within 64 KiB for a second)."""
        def same(a, b):
            return all(abs(a[role] - b[role]) < 65536 for role in a)

        return wait_until_steady(self.contender.resident_bytes, 1.0, 20, same)


@contextlib.contextmanager
def staged(settings, contender_class, *, targets=1, connections=0, path=None, serve=Target, **more):
    """`path` are settings of the fault proxy between the client's side and what it dials; serve(directory) starts
    a target; `more` goes to Contender.start()."""
    with tempfile.TemporaryDirectory(dir=settings.directory) as folder, contextlib.ExitStack() as stack:
        directory = pathlib.Path(folder)
        place = Place(directory, settings.certificates)
        if path:
            place.via = lambda address: _fault_proxy(stack, directory, address, path)
        served = []
        for _ in range(targets):
            served.append(serve(directory))
            stack.callback(served[-1].process.stop)
        contender = stack.enter_context(contender_class(place))
        contender.start([t.address for t in served], connections, **more)
        yield Stage(settings, place, contender, served)


def _fault_proxy(stack, directory, address, path):
    proxy = Process("fault proxy", [FAULTS, "--link", f"path=127.0.0.1:0,{address},{path}"], directory)
    stack.callback(proxy.stop)
    return proxy.wait_line(10, "ready")[1].split()[-1]


def descriptor_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
