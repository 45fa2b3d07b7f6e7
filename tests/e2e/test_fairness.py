"""A reader that has stopped and a bulk transfer that takes all there is do not slow a keystroke down."""

import json
import socket

import pytest
from hpbtest import apps, pingpong
from hpbtest.bridge import Bridge, peak_bytes
from hpbtest.proc import Process
from hpbtest.waiting import SLOW, wait_until

PYTHON = "/usr/bin/python3"
MIB = 1 << 20
SECONDS = 3
ECHO, SINK, DEAF = 1, 2, 3


class Programs:
    """pingpong.py's, each as a process: threads of one Python would wait for each other."""

    def __init__(self, bench):
        self.bench = bench

    def start(self, *arguments):
        process = Process([PYTHON, pingpong.__file__, *arguments], self.bench.directory / "logs", arguments[0])
        self.bench.processes.append(process)
        return process, process.wait_ready()

    def target(self, name):
        return self.start(name, "127.0.0.1", 0)[1][0]

    def ping(self, address):
        process, _ = self.start("ping", *address, SECONDS)
        return process

    @staticmethod
    def result(process):
        assert process.wait_exit(30) == 0, process.errors
        return json.loads(process.lines[-1])


def fill(address):
    """A connection to which is written until nobody takes any more. @return the socket, how much that was."""
    sock = socket.create_connection(address)
    sock.settimeout(0.5)
    sent, data = 0, bytes(1 << 16)
    try:
        while sent < 512 * MIB:
            sent += sock.send(data)
    except TimeoutError:
        return sock, sent
    raise AssertionError("everything is taken although nobody reads: it must be somewhere")


@pytest.mark.skipif(SLOW, reason="times of a sanitizer build say nothing")
def test_a_stopped_reader_and_a_bulk_stream_leave_a_ping_alone(bench):
    programs = Programs(bench)
    echo, sink = programs.target("echo"), programs.target("sink")
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections and never reads
        bridge = Bridge(bench, {ECHO: echo, SINK: sink, DEAF: deaf.getsockname()})
        assert apps.exchange(bridge.at[ECHO], b"x") == b"x"
        alone = programs.result(programs.ping(bridge.at[ECHO]))
        stopped, taken = fill(bridge.at[DEAF])
        bulk, _ = programs.start("source", *bridge.at[SINK], SECONDS + 2)
        busy = programs.result(programs.ping(bridge.at[ECHO]))
        rate = programs.result(bulk)["rate"] / MIB
        peaks = [peak_bytes(process) / MIB for process in (bridge.client, bridge.service)]
        for what, times in (("alone", alone), ("busy", busy)):
            print(f"{what}: " + ", ".join(f"{k} {times[k] * 1000:.2f} ms" for k in ("median", "p99", "most")))
        print(f"bulk {rate:.0f} MiB/s, the stopped reader's connection took {taken / MIB:.1f} MiB, "
              f"agents {peaks[0]:.1f} and {peaks[1]:.1f} MiB")
        assert busy["p99"] <= alone["p99"] + 0.005
        assert max(peaks) < 64
        stopped.close()
        wait_until(bridge.client.running, 1, "the client agent runs")
