"""Connections outlive the path: cut in a hundred ways, silent, expired, and with an agent gone.

The long form of the first test is the same test with other numbers:
    HPB_KILLS=1000 HPB_KILL_BYTES=10737418240 HPB_KILL_CONNECTIONS=100 \
        /usr/bin/python3 -m pytest -s tests/e2e/test_survival.py -k kills
HPB_KILL_SEED repeats the choices of an earlier run (it is printed); their moments depend on the machine.
"""

import os
import random
import socket
import threading
import time

import pytest
from hpbtest import apps, faults
from hpbtest.bridge import Bridge, counters, limits, peak_bytes
from hpbtest.transfer import Transfer
from hpbtest.waiting import SLOW, deadline, sized, wait_until

MIB = 1 << 20
KILLS = int(os.environ.get("HPB_KILLS") or sized(100, 10))
BYTES = int(os.environ.get("HPB_KILL_BYTES") or sized(1024 * MIB, 32 * MIB))
CONNECTIONS = int(os.environ.get("HPB_KILL_CONNECTIONS") or sized(20, 4))
SEED = int(os.environ.get("HPB_KILL_SEED") or random.randrange(1 << 32))
BUDGET_MIB = 64
#: Of each agent: its budget for payload, and as much again for everything else.
CAP_MIB = 2 * BUDGET_MIB


def lull(seconds):
    """For how long something lasts."""
    threading.Event().wait(seconds)


class Killer:
    """Cuts a bridge's path in seeded random ways."""

    KINDS = {"reset": 30, "cut": 10, "truncate": 30, "black hole": 12, "long black hole": 3, "relay": 15}

    def __init__(self, bridge, seed):
        self.bridge, self.choice = bridge, random.Random(seed)
        self.done = dict.fromkeys(self.KINDS, 0)
        self.last = "nothing yet"

    def cut(self):
        """Does one thing, to either leg or to both."""
        kind = self.choice.choices(list(self.KINDS), self.KINDS.values())[0]
        leg = self.choice.choice(("client", "service", "*"))
        self.done[kind] += 1
        if kind in ("reset", "cut"):
            command = f"{kind} {leg}"
        elif kind == "truncate":
            way = self.choice.choice(("to-target", "to-client"))
            size = self.choice.choice((1, 10, 1000, 100_000, 1_000_000)) + self.choice.randrange(1000)
            command = f"truncate {leg} {size} {way}"
        elif kind == "black hole":  # over before the agents notice: what was swallowed is lost, and reset then
            command = f"blackhole {leg} {self.choice.randrange(20, 500)}ms"
        elif kind == "long black hole":
            command = f"blackhole {leg} 3s"
        else:
            command = None
        self.last = command or "relay killed"
        if command:
            self.bridge.faults.do(command)
        else:
            self.bridge.relay.process.kill()
            lull(self.choice.random() * 0.2)
            self.bridge.relay.restart()


def into_recovery(transfer, seconds, most):
    """Lasts so long, but on a fast machine not until the bytes move that are meant for later cuts."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and transfer.moved() < most:
        lull(0.005)


def test_kills_lose_no_byte_and_no_connection(bench):
    print(f"seed {SEED}: {KILLS} cuts, {CONNECTIONS} connections, {BYTES / MIB:.0f} MiB")
    transfer = Transfer(bench, CONNECTIONS, BYTES // CONNECTIONS // 2)
    # The few bytes of a slow build would be through between two cuts.
    links = {"client": "rate=20mbit"} if SLOW else {}
    bridge = Bridge(bench, {5011: transfer.target}, links=links,
                    settings={"KeepAliveSeconds": 1, "MemoryBudgetMegabytes": BUDGET_MIB})
    transfer.dial(bridge.address)
    killer = Killer(bridge, SEED)
    try:
        for number in range(KILLS):
            # Most cuts come when bytes flow again, a quarter of them into the recovery from the one before.
            part = sized(0.9, 0.6) / KILLS
            if killer.choice.random() < 0.25 and number:
                into_recovery(transfer, killer.choice.random() * 0.3, (number + 1) * part * transfer.total)
            else:
                share = (number + killer.choice.random()) * part
                transfer.wait_moved(share * transfer.total, 60, f"bytes flow after cut {number} ({killer.last})")
            if transfer.over():
                transfer.finish(60)
                raise AssertionError("everything was moved before the last cut")
            killer.cut()
        elapsed = transfer.finish(60 + BYTES / (10 * MIB))
    except AssertionError as failure:
        raise AssertionError(f"seed {SEED}, {killer.done}, last: {killer.last}: {failure}\n{bridge.said()}") from None
    ours, theirs = counters(bridge.client), counters(bridge.service)
    peaks = [peak_bytes(process) / MIB for process in (bridge.client, bridge.service)]
    print(f"{killer.done} in {elapsed:.1f} s; client {ours}, service {theirs}; "
          f"peaks {peaks[0]:.0f} and {peaks[1]:.0f} MiB of {CAP_MIB}")
    assert ours["sessions"] == theirs["sessions"] == 1, "one session outlived it all"
    assert ours["resumes"] >= KILLS / 4, "the cuts have hit something"
    if not SLOW:
        assert max(peaks) < CAP_MIB


def resumption(bridge, sock, fault, seconds):
    """Breaks something and waits for an answer on a connection that was there before. @return seconds."""
    assert apps.exchange(None, b"before", sock=sock) == b"before"
    lull(0.25)  # agents do not hurry back to where they are thrown out at once, again and again
    before = counters(bridge.client)["resumes"]
    start = time.monotonic()
    fault()
    try:
        assert apps.exchange(None, b"after" * 1000, seconds, sock) == b"after" * 1000
    except OSError as error:
        raise AssertionError(f"the application's connection: {error!r}\n{bridge.said()}") from None
    taken = time.monotonic() - start
    assert counters(bridge.client)["resumes"] > before, "nothing was broken"
    return taken


def test_bytes_flow_again_within_a_second_of_a_reset_and_the_logs_say_so(bench):
    with apps.echo_target() as target:
        bridge = Bridge(bench, {5011: target.address})
        with socket.create_connection(bridge.address) as sock:
            for leg in ("client", "service", "*"):
                times = [resumption(bridge, sock, lambda: bridge.faults.do(f"reset {leg}"), 20)
                         for _ in range(sized(4, 2))]
                print(f"after a reset of leg {leg}: " + ", ".join(f"{t:.3f} s" for t in times))
                assert max(times) <= deadline(1), bridge.said()
        for agent in (bridge.client, bridge.service):
            agent.wait_error(r"channel \d+ lost", 5)
            agent.wait_error(r"resumed session [0-9a-f]{8}… on .*simple.* after \d+\.\d s, resent \d+ (KiB|MiB)", 5)


@pytest.mark.parametrize("leg, keep_alive", [("client", None), ("service", 1)],
                         ids=["client leg, default", "service leg, 1 s"])
def test_bytes_flow_again_within_three_keep_alives_of_silence(bench, leg, keep_alive):
    """What the relay's side forgets without a word: connections stay open and carry nothing, new ones work."""
    with apps.echo_target() as target:
        relay = bench.relay()
        with faults.Forwarder((relay.host, relay.port)) as router:
            settings = {"KeepAliveSeconds": keep_alive} if keep_alive else {}
            bridge = Bridge(bench, {5011: target.address}, relay=relay, legs={leg: router.address}, settings=settings)
            with socket.create_connection(bridge.address) as sock:
                taken = resumption(bridge, sock, router.silence, 60)
                print(f"after silence of leg {leg}: {taken:.2f} s")
                assert taken <= deadline(3 * (keep_alive or 5)), bridge.said()
                assert limits(bridge.client)["silent_channels"] + limits(bridge.service)["silent_channels"] > 0
            assert target.accepted == 1


def ending(sock, seconds):
    """How a connection ends that nobody writes to. @return "eof", "reset"."""
    sock.settimeout(deadline(seconds))
    try:
        while sock.recv(1 << 16):
            pass
        return "eof"
    except ConnectionResetError:
        return "reset"


class Keeper:
    """A target that says how its connections ended."""

    def __init__(self):
        self.ends, self.holding = [], 0
        self.target = apps.TcpTarget(self._serve)
        self.address = self.target.address

    def _serve(self, sock):
        sock.sendall(sock.recv(100))
        self.holding += 1
        try:
            while sock.recv(1 << 16):
                pass
            self.ends.append("eof")
        except ConnectionResetError:
            self.ends.append("reset")


def test_an_expired_session_resets_its_applications_and_both_logs_say_why(bench):
    keeper = Keeper()
    bridge = Bridge(bench, {5011: keeper.address}, settings={"SessionGraceSeconds": 1})
    socks = [socket.create_connection(bridge.address) for _ in range(3)]
    for sock in socks:
        assert apps.exchange(None, b"hello", sock=sock) == b"hello"
    bridge.faults.do("refuse *")
    bridge.faults.do("reset *")
    start = time.monotonic()
    assert [ending(sock, 10) for sock in socks] == ["reset"] * 3, "never a clean end of file"
    print(f"applications were reset {time.monotonic() - start:.2f} s after the cut, with a grace time of 1 s")
    wait_until(lambda: len(keeper.ends) == 3, 10, "the targets' connections end")
    assert keeper.ends == ["reset"] * 3
    for agent in (bridge.client, bridge.service):
        agent.wait_error(r"session [0-9a-f]{8}… expired", 5)
    assert counters(bridge.client)["expired"] == counters(bridge.service)["expired"] == 1
    bridge.faults.do("accept *")
    wait_until(lambda: apps.answers(bridge.address, b"again"), 10, "new connections in a new session")
    for sock in socks:
        sock.close()
    keeper.target.close()


def test_a_killed_service_agent_resets_old_connections_and_serves_new_ones(bench):
    with apps.echo_target() as target:
        bridge = Bridge(bench, {5011: target.address})
        old = [socket.create_connection(bridge.address) for _ in range(3)]
        for sock in old:
            assert apps.exchange(None, b"hello", sock=sock) == b"hello"
        bridge.service.kill()
        killed = time.monotonic()
        bridge.start_service()
        started = time.monotonic()
        wait_until(lambda: apps.answers(bridge.address), 5, f"new connections; {bridge.said()}")
        served = time.monotonic() - started
        assert [ending(sock, 45) for sock in old] == ["reset"] * 3
        print(f"new connections {served:.2f} s after the start, old ones reset {time.monotonic() - killed:.2f} s "
              "after the kill")
        assert served <= deadline(5)
        assert limits(bridge.client)["gone_service_agents"] == 1
        for sock in old:
            sock.close()


def test_a_killed_client_agents_targets_are_reset_and_its_successor_works(bench):
    keeper = Keeper()
    bridge = Bridge(bench, {5011: keeper.address}, settings={"SessionGraceSeconds": 2})
    old = [socket.create_connection(bridge.address) for _ in range(3)]
    for sock in old:
        assert apps.exchange(None, b"hello", sock=sock) == b"hello"
    wait_until(lambda: keeper.holding == 3, 10, "the targets wait")
    bridge.client.kill()
    bridge.start_client()
    wait_until(lambda: apps.answers(bridge.address), 5, "new connections")
    wait_until(lambda: keeper.ends.count("reset") == 3, 15, f"the targets' old connections: {keeper.ends}")
    bridge.service.wait_error(r"session [0-9a-f]{8}… expired", 5)
    for sock in old:
        sock.close()
    keeper.target.close()
