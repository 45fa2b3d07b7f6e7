"""Two networks that cannot reach each other, and a third one that both reach: network namespaces.

    left  10.77.1.2 ---- 10.77.1.1  middle  10.77.2.1 ---- 10.77.2.2  right

No forwarding in the middle and no default routes: only what runs in the middle is reachable from both sides.
"""

import os
import subprocess

import pytest

MIDDLE_FROM_LEFT, MIDDLE_FROM_RIGHT = "10.77.1.1", "10.77.2.1"
LEFT, RIGHT = "10.77.1.2", "10.77.2.2"


def command(*arguments, check=True):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise OSError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done


class Networks:
    """Makes the three namespaces; close() removes them with everything in them."""

    def __init__(self):
        tag = f"hpb{os.getpid()}"
        self.left, self.middle, self.right = (f"{tag}{part}" for part in ("l", "m", "r"))
        try:
            for name in (self.left, self.middle, self.right):
                command("ip", "netns", "add", name)
                command("ip", "-n", name, "link", "set", "lo", "up")
            self._join(self.left, LEFT, MIDDLE_FROM_LEFT, f"{tag}a")
            self._join(self.right, RIGHT, MIDDLE_FROM_RIGHT, f"{tag}b")
            self.run(self.middle, "sysctl", "-qw", "net.ipv4.ip_forward=0")
        except BaseException:
            self.close()
            raise

    def _join(self, side, address, middle_address, device):
        command("ip", "-n", side, "link", "add", "to-relay", "type", "veth", "peer", "name", device, "netns", self.middle)
        for name, link, own in ((side, "to-relay", address), (self.middle, device, middle_address)):
            command("ip", "-n", name, "addr", "add", f"{own}/24", "dev", link)
            command("ip", "-n", name, "link", "set", link, "up")

    @staticmethod
    def run(name, *arguments, check=True):
        """Runs a command within a namespace, to its end."""
        return command("ip", "netns", "exec", name, *arguments, check=check)

    def reaches(self, name, address):
        """True if the address answers at all: a refusal is an answer, too."""
        code = ("import socket,sys\ns=socket.socket(); s.settimeout(1)\n"
                "try: s.connect((sys.argv[1], 9)); sys.exit(0)\n"
                "except ConnectionRefusedError: sys.exit(0)\nexcept OSError: sys.exit(1)")
        return self.run(name, "/usr/bin/python3", "-c", code, address, check=False).returncode == 0

    def close(self):
        for name in (self.left, self.middle, self.right):
            pids = command("ip", "netns", "pids", name, check=False).stdout.split()
            for pid in pids:
                command("kill", "-9", pid, check=False)
            command("ip", "netns", "del", name, check=False)


def networks_or_skip():
    """Networks, or a skipped test where they cannot be made. CI must have them: there it is a failure."""
    try:
        if os.geteuid() != 0:
            raise OSError("network namespaces need root")
        return Networks()
    except (OSError, FileNotFoundError) as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must be able to make network namespaces: {error}")
        pytest.skip(f"no network namespaces here: {error}")
