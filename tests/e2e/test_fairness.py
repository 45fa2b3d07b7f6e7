"""A reader that has stopped and a bulk transfer that takes all there is do not slow a keystroke down."""

import json
import socket

import pytest
from hpbtest import apps, pingpong
from hpbtest.bridge import Bridge, peak_bytes
from hpbtest.proc import Process
from hpbtest.waiting import SLOW

PYTHON = "/usr/bin/python3"
MIB = 1 << 20
SECONDS = 2
#: The 99th percentile may be so much later than alone, in seconds.
EXCESS = 0.005
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
    """Eight processes share the machine's cores here, so a single measurement may tell more of the system's
    scheduler, or of what else runs, than of the bridge's: it takes three in a row to fail."""
    programs = Programs(bench)
    echo, sink = programs.target("echo"), programs.target("sink")
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections and never reads
        relay = bench.relay()
        straight = dict.fromkeys(("client", "service"), (relay.host, relay.port))  # what is measured is the agents
        bridge = Bridge(bench, {ECHO: echo, SINK: sink, DEAF: deaf.getsockname()}, relay=relay, legs=straight)
        assert apps.exchange(bridge.at[ECHO], b"x") == b"x"
        stopped, taken = fill(bridge.at[DEAF])
        with stopped:
            excess = []
            while len(excess) < 3 and (not excess or min(excess) > EXCESS):
                alone = programs.result(programs.ping(bridge.at[ECHO]))
                bulk, _ = programs.start("source", *bridge.at[SINK], SECONDS + 1)
                busy = programs.result(programs.ping(bridge.at[ECHO]))
                rate = programs.result(bulk)["rate"] / MIB
                excess.append(busy["p99"] - alone["p99"])
                print(f"bulk {rate:.0f} MiB/s; " + "; ".join(
                    f"{what}: " + ", ".join(f"{k} {times[k] * 1000:.2f} ms" for k in ("median", "p99", "most"))
                    for what, times in (("alone", alone), ("busy", busy))))
        peaks = [peak_bytes(process) / MIB for process in (bridge.client, bridge.service)]
        print(f"the stopped reader's connection took {taken / MIB:.1f} MiB, agents {peaks[0]:.1f} and {peaks[1]:.1f} MiB")
        assert min(excess) <= EXCESS, [f"{e * 1000:.2f} ms" for e in excess]
        assert max(peaks) < 64
