"""Each of the three processes is killed (-9) and started again; traffic recovers by itself, nothing leaks."""

import socket
import time

import pytest
from hpbtest import apps
from hpbtest.bridge import flags
from hpbtest.waiting import deadline, sized, wait_until

WITHIN = 5


class Path:
    """Relay, service agent and client agent with an echo target, each of which can be killed and started."""

    def __init__(self, bench, target, protocol, ttl):
        self.bench, self.target, self.protocol = bench, target, protocol
        # Long enough for a relay's restart, short enough to see what is left of sessions without a peer.
        self._settings = flags({"Protocol": protocol, "SessionGraceSeconds": 3})
        self.relay = bench.relay()
        self.start("service")
        self.client, (self.address,) = bench.client_with(self.relay, [{"RelayConnectionTtlSeconds": ttl}],
                                                         more=self._settings)
        self._client_arguments = self.client.arguments

    def process(self, role):
        return self.relay.process if role == "relay" else getattr(self, role)

    def start(self, role):
        """Without waiting for more than `ready`."""
        if role == "relay":
            self.relay.restart()
        elif role == "service":
            self.service = self.bench.service(self.relay, {5011: self.target.address}, more=self._settings)
        else:
            self.client = self.bench.start("client", *self._client_arguments[1:])
            self.client.wait_ready()


@pytest.fixture(params=[("v1", 300), ("v1", 0), ("v2", 300)],
                ids=["v1, shared channel", "v1, channel per connection", "v2"])
def path(request, bench):
    with apps.echo_target() as target:
        yield Path(bench, target, *request.param)


def end(sock):
    """A connection that cannot be saved ends rather than hangs."""
    sock.settimeout(deadline(20))
    try:
        sock.sendall(b"into the void")
        while sock.recv(1000):
            pass
    except ConnectionError:
        pass


@pytest.mark.parametrize("victim", ["relay", "service", "client"])
def test_traffic_recovers_within_five_seconds_and_no_descriptor_leaks(path, victim):
    others = [role for role in ("relay", "service", "client") if role != victim]
    assert apps.exchange(path.address, b"warm") == b"warm"
    before = {role: path.process(role).descriptors() for role in others}
    for turn in range(sized(3, 1)):
        lasting = [socket.create_connection(path.address, timeout=deadline(10)) for _ in range(8)]
        for sock in lasting:
            assert apps.exchange(None, b"before", sock=sock) == b"before"
        path.process(victim).kill()
        survives = victim == "relay" and path.protocol == "v2"
        if not survives:
            for sock in lasting:
                end(sock)
        path.start(victim)
        started = time.monotonic()
        wait_until(lambda: apps.answers(path.address), WITHIN, f"traffic after the {victim}'s restart, turn {turn}")
        print(f"{victim}: traffic again {time.monotonic() - started:.2f} s after the restart")
        for sock in lasting:
            assert not survives or apps.exchange(None, b"after", sock=sock) == b"after"
            sock.close()
    assert apps.exchange(path.address, b"x" * 100_000) == b"x" * 100_000
    for role in others:
        wait_until(lambda: path.process(role).descriptors() <= before[role], 30,
                   f"{role}: as many descriptors as before ({before[role]}); "
                   f"now {path.process(role).descriptors()}")


def test_agents_started_before_the_relay_wait_for_it(bench):
    """An unreachable relay is retried for ever, and announced once."""
    with apps.echo_target() as target:
        relay = bench.relay()
        relay.process.kill()
        service = bench.service(relay, {5011: target.address}, ready=False)
        client, _ = bench.client(relay, ["127.0.0.1:0/5011:simple"], ready=False)
        for agent in (service, client):
            agent.wait_error(r"(?i)refused|unreachable|cannot (reach|connect)", 15)
        relay.restart()
        service.wait_ready(WITHIN + 5)
        (address,) = client.wait_ready(WITHIN + 5)
        wait_until(lambda: apps.answers(address), WITHIN, "traffic")
        for agent in (service, client):
            assert agent.running()
            lines = [line for line in agent.errors.splitlines() if "refused" in line.lower()]
            assert len(lines) <= 3, f"one line per change of state, not per attempt: {lines}"


def test_everything_stops_on_sigterm(bench):
    with apps.echo_target() as target:
        relay = bench.relay()
        service = bench.service(relay, {5011: target.address})
        client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"])
        sock = socket.create_connection(address, timeout=deadline(10))
        assert apps.exchange(None, b"busy", sock=sock) == b"busy"
        for process in (client, service, relay.process):
            assert process.stop(10) == 0, f"{process.name}: exit code of a stop; {process.errors[-1000:]}"
        sock.close()
