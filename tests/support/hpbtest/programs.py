"""OpenSSH and PostgreSQL servers on loopback with throw-away configurations, and a program to talk to."""

import contextlib
import getpass
import glob
import os
import pathlib
import shutil
import subprocess
import tempfile

from .proc import Process
from .product import free_port
from .waiting import wait_until


def _run(*arguments):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, f"{arguments[0]}: {done.stderr}{done.stdout}"


@contextlib.contextmanager
def postgres():
    """A PostgreSQL server that trusts everybody on loopback. Yields its port; the user is postgres."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb")]
    assert found[-1], "PostgreSQL is needed (scripts/setup.sh test)"
    programs = pathlib.Path(found[-1]).parent
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hpb-pg-"))
    as_user = []
    if os.geteuid() == 0:  # which it refuses to be
        shutil.chown(directory, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    process = None
    try:
        _run(*as_user, programs / "initdb", "-D", directory / "data", "-A", "trust", "-U", "postgres", "--no-sync")
        port = free_port()
        process = Process([*as_user, programs / "postgres", "-D", directory / "data", "-c", "fsync=off",
                           "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}",
                           "-c", f"unix_socket_directories={directory}"], directory / "logs", "postgres", cwd="/")
        wait_until(lambda: subprocess.run([str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)],
                                          check=False).returncode == 0, 30, "PostgreSQL is ready")
        yield port
    finally:
        if process:
            process.popen.terminate()
            try:
                process.popen.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(directory, ignore_errors=True)


def sshd():
    """The path of OpenSSH's server, None if there is none. CI must have it."""
    daemon = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
    assert daemon or os.environ.get("CI") != "true", "CI must have OpenSSH's server"
    return daemon


class Ssh:
    """A throw-away sshd, and how to call it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory) / "ssh"
        self.directory.mkdir(mode=0o700)
        daemon = sshd()
        for name in ("host", "user"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / name)
        self.port = free_port()
        config = self.directory / "sshd_config"
        config.write_text(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.directory}/host\n"
                          f"AuthorizedKeysFile {self.directory}/user.pub\nStrictModes no\nUsePAM no\n"
                          "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                          f"PermitRootLogin prohibit-password\nPidFile none\nClientAliveInterval 0\n")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # as its service would
        self._process = Process([daemon, "-D", "-e", "-f", config], self.directory, "sshd")
        self._process.wait_error("Server listening", 10)

    def command(self, host, port, *remote):
        """The command line of a client that runs `remote` through host:port."""
        return ["ssh", "-F", "none", "-p", port, "-i", self.directory / "user", "-o", "IdentitiesOnly=yes",
                "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.directory}/known",
                "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-T", f"{getpass.getuser()}@{host}", *remote]

    def close(self):
        self._process.kill()


class Dialogue:
    """A program with which the test talks in lines."""

    def __init__(self, arguments, directory, name):
        self.process = Process(arguments, directory, name, pipe_input=True)
        self._read = 0

    def say(self, text):
        try:
            self.process.popen.stdin.write(text.encode() + b"\n")
            self.process.popen.stdin.flush()
        except BrokenPipeError:
            self.process.popen.wait(10)
            raise AssertionError(f"{self.process.name} has ended: {self.process.errors[-2000:]}") from None

    def hear(self, seconds, what):
        """The next line of its output."""
        def line():
            assert self.process.running() or len(self.process.lines) > self._read, (
                f"{self.process.name} has ended, waiting for {what}: {self.process.errors[-2000:]}")
            return len(self.process.lines) > self._read

        wait_until(line, seconds, f"{self.process.name}: {what}; it says {self.process.errors[-500:]}")
        self._read += 1
        return self.process.lines[self._read - 1]

    def end(self, seconds=10):
        """Ends its input. @return its exit code."""
        self.process.popen.stdin.close()
        return self.process.wait_exit(seconds)
