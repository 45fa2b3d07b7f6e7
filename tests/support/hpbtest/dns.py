"""A name server of the tests' own, and programs that ask nobody else: a mount namespace with its own
/etc/resolv.conf, /etc/hosts and /etc/nsswitch.conf."""

import os
import pathlib
import socket
import struct
import subprocess
import threading

import pytest

ADDRESS = "127.0.0.53"
_A, _AAAA, _NXDOMAIN = 1, 28, 3


class NameServer:
    """Answers for `names` {name: [IPv4 addresses]} over UDP; never for those in `silent`; for others that they do
    not exist. asked: every name that was asked for, in order."""

    def __init__(self, names):
        self.names, self.silent, self.asked = dict(names), set(), []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ADDRESS, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            query, peer = self._socket.recvfrom(4096)
            if len(query) < 17:
                return
            name, kind, question = self._parse(query)
            self.asked.append(name)
            if name not in self.silent:
                self._socket.sendto(self._answer(query, name, kind, question), peer)

    @staticmethod
    def _parse(query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        return ".".join(labels), struct.unpack_from("!H", query, at + 1)[0], query[12:at + 5]

    def _answer(self, query, name, kind, question):
        known = name in self.names
        addresses = self.names[name] if known and kind == _A else []
        flags = 0x8180 | (0 if known else _NXDOMAIN)
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", _A, 1, 0, 4) + socket.inet_aton(address)
                           for address in addresses)
        return query[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0) + question + records

    def close(self):
        self._socket.sendto(b"end", (ADDRESS, 53))
        self._thread.join(5)
        self._socket.close()


def private_names(directory, *, timeout=2, attempts=2):
    """What comes before a command so that it asks the NameServer and nobody else; skips where that cannot be."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        message = "a private /etc/resolv.conf needs root and mount namespaces"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    etc = pathlib.Path(directory) / "etc"
    etc.mkdir(exist_ok=True)
    files = {"resolv.conf": f"nameserver {ADDRESS}\noptions timeout:{timeout} attempts:{attempts}\n",
             "hosts": "127.0.0.1 localhost\n", "nsswitch.conf": "hosts: files dns\n"}
    mounts = []
    for name, text in files.items():
        (etc / name).write_text(text)
        mounts.append(f"mount --bind {etc / name} $(readlink -f /etc/{name})")
    return ["unshare", "--mount", "sh", "-ec", "; ".join([*mounts, 'exec "$@"']), "sh"]
