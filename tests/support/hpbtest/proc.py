"""Runs programs: waits for their `ready` line, keeps what they say, looks at them through /proc, ends them."""

import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from .waiting import deadline, wait_until

_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|(\d+\.\d+\.\d+\.\d+)):(\d+)")
#: What no run may ever print, whatever its fate.
FORBIDDEN = ("terminate called", "Sanitizer", "runtime error:", "Assertion", "Segmentation fault", "std::exception")
REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def binary():
    """The product: environment HPB, or the release build."""
    return pathlib.Path(os.environ.get("HPB") or REPOSITORY / "build/release/hpb").resolve()


class Process:
    """One running program. stdout is kept as lines, stderr goes to a file. prefix: a command that replaces
    itself by the program."""

    def __init__(self, arguments, log_directory, name, *, namespace=None, env=None, cwd=None,
                 pipe_input=False, prefix=()):
        self.name = name
        log_directory = pathlib.Path(log_directory)
        log_directory.mkdir(parents=True, exist_ok=True)
        number = len(list(log_directory.glob(f"{name}*.err")))
        self.error_file = log_directory / f"{name}-{number}.err"
        self.arguments = [str(a) for a in arguments]
        within = ["ip", "netns", "exec", namespace] if namespace else []
        environment = {k: v for k, v in os.environ.items() if k.lower() not in ("https_proxy", "http_proxy")}
        environment.update(env or {})
        self.lines = []
        self._changed = threading.Condition()
        self._closed = False
        with open(self.error_file, "wb") as errors:
            self.popen = subprocess.Popen([*within, *prefix, *self.arguments], stdout=subprocess.PIPE, stderr=errors,
                                          stdin=subprocess.PIPE if pipe_input else subprocess.DEVNULL,
                                          env=environment, cwd=cwd)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for raw in self.popen.stdout:
            with self._changed:
                self.lines.append(raw.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def pid(self):
        return self.popen.pid  # `ip netns exec` replaces itself by the program

    @property
    def errors(self):
        return self.error_file.read_text(errors="replace")

    @property
    def output(self):
        return "\n".join(self.lines)

    def wait_line(self, predicate, seconds, what):
        """The first line of standard output that satisfies predicate."""
        end = time.monotonic() + deadline(seconds)
        with self._changed:
            while True:
                for line in self.lines:
                    if predicate(line):
                        return line
                if self._closed or time.monotonic() > end:
                    break
                self._changed.wait(max(0.0, end - time.monotonic()))
        if self._closed:
            try:
                self.popen.wait(2)
            except subprocess.TimeoutExpired:
                pass
        state = "it ended" if self._closed else f"not within {deadline(seconds)} s"
        raise AssertionError(f"{self.name}: no {what}: {state}, exit code {self.popen.poll()}\n"
                             f"stdout: {self.output[-1500:]}\nstderr: {self.errors[-3000:]}")

    def wait_ready(self, seconds=15):
        """Waits for the `ready` line. @return [(address, port)] that it names."""
        line = self.wait_line(lambda text: text.startswith("ready"), seconds, "`ready` line")
        return [(v6 or v4, int(port)) for v6, v4, port in _ADDRESS.findall(line)]

    def wait_error(self, pattern, seconds):
        """Waits until stderr matches the regular expression. @return the match."""
        return wait_until(lambda: re.search(pattern, self.errors), seconds,
                          f"{self.name} says /{pattern}/; it says: {self.errors[-2000:]}")

    def wait_exit(self, seconds):
        """Waits for the end. @return the exit code."""
        try:
            code = self.popen.wait(deadline(seconds))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {deadline(seconds)} s\n"
                                 f"stderr: {self.errors[-3000:]}") from None
        self._thread.join(5)
        return code

    def running(self):
        return self.popen.poll() is None

    def kill(self):
        """kill -9."""
        if self.running():
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, seconds=10):
        """SIGTERM; kill -9 if that takes too long. @return the exit code, None if it had to be killed."""
        if self.running():
            self.popen.send_signal(signal.SIGTERM)
        try:
            code = self.popen.wait(deadline(seconds))
            self._thread.join(5)
            return code
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def check_clean(self, secrets=()):
        """Nothing forbidden and no secret in what it said."""
        said = self.output + self.errors
        for text in FORBIDDEN:
            assert text not in said, f"{self.name} printed {text!r}:\n{said[-4000:]}"
        for secret in secrets:
            assert secret not in said, f"{self.name} printed key material:\n{said[-4000:]}"

    def descriptors(self):
        """Open descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M).group(1)) * 1024
