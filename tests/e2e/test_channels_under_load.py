"""A session whose bulk fills a channel gets a second one for as long."""

import json
import os
import pathlib

import pytest
from hpbtest.bridge import Bridge, counters
from hpbtest.proc import Process, binary
from hpbtest.waiting import SLOW, wait_until

#: What makes a session busy, with some room: BulkWatch::kStep per kStepTime is 134 MB/s.
FAST = 200e6


def throughput(bench, settings=None):
    """Four bulk streams through a bridge. @return (bytes per second, the most channels, the bridge)"""
    relay = bench.relay()
    own = (relay.host, relay.port)
    target = Process([binary(), "bench", "serve", "--listen", "127.0.0.1:0"], bench.directory / "logs", "target")
    bench.processes.append(target)
    wait_until(lambda: target.lines, 10, "the target listens")
    host, port = target.lines[0].split()[-1].rsplit(":", 1)
    bridge = Bridge(bench, {5011: (host, int(port))}, client=settings, relay=relay,
                    legs={"client": own, "service": own})
    load = Process([binary(), "bench", "throughput", "%s:%d" % bridge.address, "--streams", "4", "--seconds", "3",
                    "--warm-up", "0.5", "--json"], bench.directory / "logs", "load")
    bench.processes.append(load)
    most = 0
    while load.running():
        most = max(most, counters(bridge.client)["channels"])
    assert load.wait_exit(10) == 0, load.errors
    return json.loads(load.lines[-1])["bytes_per_second"], most, bridge


def busiest_threads(process):
    """Processor time of the two threads that have used most, in seconds."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sorted((int(task.read_text().split()[0]) / 1e9 for task in tasks), reverse=True)[:2]


@pytest.mark.skipif(SLOW, reason="sanitizer builds do not move so much")
def test_bulk_gets_a_second_channel_which_is_no_loss(bench):
    rate, most, bridge = throughput(bench)
    print(f"{rate / 1e6:.0f} MB/s over {most} channels; {counters(bridge.client)}")
    if rate < FAST:
        pytest.skip(f"this machine moves {rate / 1e6:.0f} MB/s, too little to be busy")
    assert most == 2
    assert counters(bridge.service)["channels"] == 2
    for agent in (bridge.client, bridge.service):
        assert counters(agent)["losses"] == 0, bridge.said()
    if os.cpu_count() > 1:
        first, second = busiest_threads(bridge.relay.process)
        print(f"relay: {first:.2f} and {second:.2f} s")
        assert second > first / 10, "each channel has a thread of the relay for itself"


@pytest.mark.skipif(SLOW, reason="sanitizer builds do not move so much")
def test_no_second_channel_where_one_is_asked_for(bench):
    _, most, _ = throughput(bench, {"ChannelsUnderLoad": 1})
    assert most == 1
