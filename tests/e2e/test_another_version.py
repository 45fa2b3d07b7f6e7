"""Relay and agents of two builds together: what an installation is while it is being updated.

HPB_OTHER names the other program; without it the program under test plays both parts, which tests the test."""

import itertools
import os
import socket
import threading

import pytest
from hpbtest import apps
from hpbtest.bridge import Bridge, counters
from hpbtest.proc import binary
from hpbtest.waiting import deadline, wait_until

OTHER = os.environ.get("HPB_OTHER") or str(binary())
DATA = bytes(range(256)) * 16384
PARTS = ("relay", "service", "client")


class Mixed(Bridge):
    """A bridge some of whose parts are the other program."""

    def __init__(self, bench, monkeypatch, others, targets, **how):
        self._monkeypatch, self._others, self._ours = monkeypatch, others, str(binary())
        self._use("relay")
        relay = bench.relay()
        self._use("")
        super().__init__(bench, targets, relay=relay, **how)

    def _use(self, part):
        self._monkeypatch.setenv("HPB", OTHER if part in self._others else self._ours)

    def start_service(self):
        self._use("service")
        super().start_service()

    def start_client(self):
        self._use("client")
        super().start_client()


MIXTURES = [parts for size in (1, 2) for parts in itertools.combinations(PARTS, size)]


@pytest.mark.parametrize("protocol", ["v2", "v1"])
@pytest.mark.parametrize("others", MIXTURES, ids="+".join)
def test_parts_of_two_versions_work_together(bench, monkeypatch, others, protocol):
    """4 MiB there and back; with v2 over the loss of every channel in the middle of it."""
    with apps.echo_target() as target:
        bridge = Mixed(bench, monkeypatch, others, {5011: target.address}, settings={"Protocol": protocol})
        assert apps.exchange(bridge.address, DATA) == DATA
        if protocol == "v1":
            return
        with socket.create_connection(bridge.address, timeout=deadline(20)) as sock:
            assert apps.exchange(None, b"begun", sock=sock) == b"begun"
            cutter = threading.Thread(target=lambda: bridge.faults.do("reset *"))
            cutter.start()
            assert apps.exchange(None, DATA, 30, sock=sock) == DATA
            cutter.join()
            assert apps.exchange(None, b"still", 30, sock=sock) == b"still"
        wait_until(lambda: counters(bridge.client)["resumes"] >= 1, 20, "the session was resumed")
