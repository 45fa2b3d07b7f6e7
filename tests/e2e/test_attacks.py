"""One stranger at full rate, and what everybody else notices: nothing. Attackers come from 127.0.0.2 and the next ones.

HPB_ATTACK_SECONDS=30 HPB_ATTACK_IDS=10100 is the long form."""

import asyncio
import contextlib
import json
import os
import time

import pytest
from hpbtest import apps, attackers, pingpong, relayclient, ws
from hpbtest.bridge import Bridge, counters, flags, limits
from hpbtest.faults import Faults
from hpbtest.product import ROOT_KEY
from hpbtest.proc import Process, binary
from hpbtest.waiting import SLOW, deadline, sized, wait_until

PYTHON = "/usr/bin/python3"
SECONDS = float(os.environ.get("HPB_ATTACK_SECONDS") or 4)
#: Of a v1 channel. The agent's MaxConnections are a hundred fewer: the long form is the default limit.
IDS = int(os.environ.get("HPB_ATTACK_IDS") or sized(1500, 400))
STRANGER = "127.0.0.2"
CONNECTIONS = sized(100, 20)
KEY = 5011
#: Of an established ping-pong meanwhile, its 99th percentile: in builds whose times mean something.
MOST = 0.020
#: Of memory, by each process, ten seconds after.
KEPT = 24 << 20
#: The same after 10,000 connections at once: asio keeps 176 bytes for each of them for good, all over the heap.
KEPT_OF_A_CROWD = 32 << 20
MEASURES = not SLOW and "release" in str(binary())


class Scene:
    """Two hybrid connections with an echo target behind each, and a ping-pong that has been there for some time."""

    def __init__(self, bench, target, *, tls=True, more_targets=None, **how):
        self.bench = bench
        self.relay = bench.relay() if tls else bench.relay_without_tls()
        targets = {KEY: ("127.0.0.1", target.address[1]), **(more_targets or {})}
        self.attacked = Bridge(bench, targets, relay=self.relay, **how)
        self.other = Bridge(bench, targets, relay=self.relay, entity="other", **how)
        self.users = {}  # where everybody else connects to
        self.add_user("the attacked hybrid connection", self.attacked.address)
        self.add_user("the other hybrid connection", self.other.address)

    def add_user(self, name, address):
        assert apps.exchange(address, b"warm") == b"warm"
        self.users[name] = address

    def start(self, script, *arguments):
        process = Process([PYTHON, script, *arguments], self.bench.directory / "logs", arguments[0])
        self.bench.processes.append(process)
        process.wait_ready()
        return process

    def attack(self, name, rate, seconds=SECONDS):
        return self.start(attackers.__file__, name, self.relay.host, self.relay.port, STRANGER, rate, seconds)

    def attack_with_key(self, name, rate, seconds=SECONDS, source=STRANGER):
        return self.start(attackers.__file__, name, self.relay.host, self.relay.port, source, rate, seconds,
                          self.relay.ca or "", ROOT_KEY)

    @property
    def processes(self):
        """The relay and the agents of both hybrid connections, by what they are."""
        return {"relay": self.relay.process, "service": self.attacked.service, "client": self.attacked.client,
                "other service": self.other.service, "other client": self.other.client}

    def held(self):
        return {name: process.descriptors() for name, process in self.processes.items()}

    def memory(self):
        return {name: process.resident_bytes() for name, process in self.processes.items()}


def settle(scene, descriptors, memory, kept):
    """Descriptors are back within ten seconds; so is memory, all but what an allocator keeps of a thousand handshakes.
    @return MiB by which each process has grown."""
    def more(now, before):
        return {name: now[name] - before[name] for name in before}

    wait_until(lambda: max(more(scene.held(), descriptors).values()) <= 2, 10, f"descriptors are back: {descriptors} "
               f"before, {scene.held()} now")
    if MEASURES:
        wait_until(lambda: max(more(scene.memory(), memory).values()) < kept, 10,
                   f"memory is back: {more(scene.memory(), memory)}")
    return {name: round(grown / (1 << 20), 1) for name, grown in more(scene.memory(), memory).items()}


def crowd_target(bench):
    """Echoes to thousands. @return its address."""
    process = Process([PYTHON, pingpong.__file__, "crowd", "127.0.0.1", "0"], bench.directory / "logs", "crowd")
    bench.processes.append(process)
    return process.wait_ready()[0]


@contextlib.contextmanager
def unharmed(scene, record, attack, kept=KEPT):
    """Everything that everybody else does while attacks run that the body begins and adds to the list. What is measured is told to `record` and
    printed (pytest -rP or -s)."""
    descriptors, memory = scene.held(), scene.memory()
    pings = [scene.start(pingpong.__file__, "ping", *address, SECONDS) for address in scene.users.values()]
    attacks = []
    yield attacks
    for address in scene.users.values():
        for number in range(CONNECTIONS):
            assert apps.exchange(address, b"%d" % number) == b"%d" % number
    for ping, whose in zip(pings, scene.users):
        assert ping.wait_exit(SECONDS + 30) == 0, ping.errors
        times = json.loads(ping.lines[-1])
        tell(record, f"{attack}: p99 of {whose}", f"{times['p99'] * 1000:.1f} ms")
        if MEASURES:
            assert times["p99"] < MOST, times
    for each in attacks:
        assert each.wait_exit(SECONDS + 20) == 0, each.errors
        print(each.lines[-1])
    tell(record, f"{attack}: MiB more than before", settle(scene, descriptors, memory, kept))


def tell(record, what, figure):
    record(what, figure)
    print(f"{what}: {figure}")


async def distant_handshakes(scene, entity, count):
    """Listeners' handshakes over a path with a round trip of half a second: TCP, TLS, request."""
    faults = Faults(scene.bench, {"far": f"{scene.relay.host}:{scene.relay.port},delay=250ms"})
    host, port = faults.address["far"]

    async def one():
        control = await ws.connect(host, port, relayclient.target(entity, "listen"), scene.relay.ca,
                                   relayclient.authorization(scene.relay.token(entity)))
        control.abort()

    await asyncio.wait_for(asyncio.gather(*(one() for _ in range(count))), deadline(8))


@pytest.mark.parametrize("name, rate", [("connect", 1000), ("connect", 2500), ("hello", 2500)])
def test_handshakes_of_a_stranger_cost_the_stranger(bench, record_property, name, rate):
    """S2 and S5: bare connections and ClientHellos of one address; established connections, new ones and a handshake
    over half a second of round trip go on as if nothing was."""
    with apps.echo_target() as target:
        scene = Scene(bench, target)
        with unharmed(scene, record_property, f"{'S5' if name == 'hello' else 'S2'} {name} {rate}/s") as attacks:
            attacks.append(scene.attack(name, sized(rate, rate / 4), SECONDS + 2))
            asyncio.run(distant_handshakes(scene, "other", 5))
            asyncio.run(distant_handshakes(scene, "simple", 5))


@pytest.mark.parametrize("fault, name, most_dialled, counter", [
    ("S3", "resets", 8000, "delayed_dials"), ("S4", "lonely", 0, None), ("S11", "lost", 0, "flooded_sessions")])
def test_a_session_of_a_stranger_costs_the_stranger(bench, record_property, fault, name, most_dialled, counter):
    """S3, S4 and S11: streams that are reset at once, sessions that are left alone, and channels that are lost without
    end, by somebody with a key."""
    with apps.echo_target() as target:
        scene = Scene(bench, target)
        before = target.accepted
        with unharmed(scene, record_property, f"{fault} {name}") as attacks:
            attacks.append(scene.attack_with_key(name, 10_000))
        print("dialled", target.accepted - before)
        if counter:
            assert limits(scene.attacked.service)[counter] > 0
        if most_dialled:
            assert target.accepted - before < most_dialled
        # One line for many: a stranger does not fill the log.
        for process in (scene.attacked.service, scene.relay.process):
            assert len(process.errors.splitlines()) < 130 + 5 * SECONDS, process.errors[-3000:]


@pytest.mark.parametrize("sessions, strangers", [(20, 1), (None, 4)], ids=["20", "the default of 1024"])
def test_many_lonely_sessions_keep_nobody_out(bench, record_property, sessions, strangers):
    """S4 and S13: a table full of sessions that were begun and left alone; a new client gets in, and the log says so in a
    few lines. One address alone does not fill it."""
    with apps.echo_target() as target:
        scene = Scene(bench, target, tls=False, service={"MaxSessions": sessions} if sessions else {})
        # They are given up after 30 s: a longer attack would find the table emptying already.
        attacks = [scene.attack_with_key("lonely", 1000, min(SECONDS, 15), source=f"127.0.0.{2 + n}")
                   for n in range(strangers)]
        made = 0
        for attack in attacks:
            assert attack.wait_exit(SECONDS + 20) == 0, attack.errors
            made += int(attack.lines[-1].split()[1])
        held = counters(scene.attacked.service)["sessions"]
        tell(record_property, f"S4 lonely sessions begun, and held of {sessions or 1024}", (made, held))
        assert made > (sessions or sized(1000, 100)) and held > (sessions or sized(1024, 100)) * 3 / 4
        before = time.monotonic()
        client, (address,) = bench.client(scene.attacked.legs["client"], [f"127.0.0.1:0/{KEY}:simple"])
        assert apps.exchange(address, b"new") == b"new"
        if made > (sessions or 1024):
            assert limits(scene.attacked.service)["shed_sessions"] > 0
        tell(record_property, "S4 a new client is served after", f"{time.monotonic() - before:.2f} s")
        assert len(scene.attacked.service.errors.splitlines()) < 50 + 3 * SECONDS


def test_very_many_ids_of_one_v1_channel_cost_the_stranger(bench, record_property):
    """S1: a Send right and 25 bytes for each target connection. Others, v1 and v2, on the same hybrid connection and on
    another one, open their connections meanwhile and keep those that they have."""
    with apps.echo_target() as target:
        scene = Scene(bench, target, more_targets={attackers.CROWD_KEY: crowd_target(bench)},
                      service={"MaxConnections": IDS - 100})
        for entity in ("simple", "other"):
            _, (address,) = bench.client(scene.relay, [f"127.0.0.1:0/{KEY}:{entity}"], more=flags({"Protocol": "v1"}))
            scene.add_user(f"{entity}, v1", address)
        kept = KEPT_OF_A_CROWD if IDS > 5000 else KEPT
        with unharmed(scene, record_property, f"S1 {IDS} ids", kept) as attacks:
            attacks.append(scene.attack_with_key("ids", IDS, SECONDS + 2))
            wait_until(lambda: counters(scene.attacked.service)["made_room"] > 0, 20, "it has had its share")
