"""Starts programs, hears what they print, and ends them however the run ends."""

import atexit
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

from . import usage
from .waiting import Failed, wait_until

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_running = set()
# Proxies of the environment would send loopback connections elsewhere.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}


class Process:
    """One program in a process group of its own. Standard output is kept as (time, line); errors go to a file."""

    def __init__(self, role, arguments, directory, *, forks=False, environment=None):
        self.role, self.forks = role, forks
        self._directory = pathlib.Path(directory)
        self._errors = self._directory / f"{role.replace(' ', '-')}-{time.monotonic_ns()}.log"
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        with open(self._errors, "wb") as errors:
            self._popen = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=errors, cwd=directory,
                                           env={**_ENVIRONMENT, **(environment or {})},
                                           start_new_session=True, preexec_fn=_die_with_parent)
        _running.add(self)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for raw in self._popen.stdout:
            with self._changed:
                self.lines.append((time.monotonic(), raw.decode(errors="replace").rstrip("\n")))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def pid(self):
        return self._popen.pid

    def alive(self):
        return self._popen.poll() is None

    def said(self):
        """The end of its error output in one line, without names of this machine's folders."""
        text = self._errors.read_text(errors="replace").replace(str(self._directory), "…")
        return " | ".join(line.strip() for line in text.splitlines()[-4:] if line.strip())[-400:]

    def wait_line(self, seconds, beginning="", after=0):
        """(time, line) of the first line from index `after` on that begins so."""
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                for stamped in self.lines[after:]:
                    if stamped[1].startswith(beginning):
                        return stamped
                if self._ended or time.monotonic() > end:
                    break
                self._changed.wait(max(0.0, end - time.monotonic()))
        why = "it ended" if self._ended else f"nothing within {seconds} s"
        raise Failed(f"{self.role}: {why}: {self.said()}")

    def wait_exit(self, seconds):
        """Its exit code."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.role} does not end: {self.said()}") from None

    def write(self, text):
        self._popen.stdin.write(text.encode())
        self._popen.stdin.flush()

    def close_input(self):
        self._popen.stdin.close()

    def stop(self):
        """Ends the whole group: in order, and by force if that takes longer than two seconds."""
        _running.discard(self)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                pass
            try:
                self._popen.wait(2)
                if number == signal.SIGKILL or not _group_exists(self.pid):
                    break
            except subprocess.TimeoutExpired:
                continue

    def _members(self):
        return usage.family(self.pid) if self.forks else [self.pid]

    def cpu_seconds(self):
        return sum(map(usage.cpu_seconds, self._members()))

    def resident_bytes(self):
        return sum(map(usage.resident_bytes, self._members()))

    def descriptors(self):
        return sum(map(usage.descriptors, self._members()))


def stop_all():
    """Ends everything that was started, newest first: clients before their servers."""
    for process in sorted(_running, key=lambda p: -p.pid):
        process.stop()


atexit.register(stop_all)


def free_port(_next=[20000 + os.getpid() % 5000]):
    """A port that nobody listens on, below the range from which outgoing connections take theirs."""
    while True:
        _next[0] = _next[0] + 1 if _next[0] < 32000 else 20000
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", _next[0]))
                return _next[0]
            except OSError:
                continue


def wait_for_port(process, address, seconds=15):
    """Waits until `process` accepts connections at "ADDRESS:PORT"."""
    host, port = address.rsplit(":", 1)

    def accepts():
        if not process.alive():
            raise Failed(f"{process.role} ended: {process.said()}")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return True
        except OSError:
            return False

    wait_until(accepts, seconds, lambda: f"{process.role} listens: {process.said()}")


def _group_exists(group):
    try:
        os.killpg(group, 0)
        return True
    except (ProcessLookupError, PermissionError):
        return False


def _die_with_parent():
    # Even a SIGKILL of the run leaves nothing behind that would disturb the next one.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
