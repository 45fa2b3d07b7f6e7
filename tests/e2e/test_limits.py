"""Every limit that somebody outside can reach is counted, and an operator can ask for the count: a handful of them,
made small, reached, and seen in the lines that SIGUSR1 asks for (docs/architecture.md, "Limits")."""

import asyncio
import contextlib
import select
import signal
import socket
import threading

import pytest
from hpbtest import apps, relayclient, v2, ws
from hpbtest.bridge import flags, limits
from hpbtest.waiting import deadline, until, wait_until

KEY = 5011


def relay_with(bench, **options):
    return bench.relay(options=bench.relay_options(**options))


def seen(process, name, at_least=1):
    """Waits until the counter `name` of a process is there."""
    wait_until(lambda: limits(process)[name] >= at_least, 10, f"{process.name} counts {name}: {limits(process)}")


@contextlib.contextmanager
def connections(relay, count):
    """TCP connections that begin with a word and say no more."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection((relay.host, relay.port)))
            connection.settimeout(deadline(10))
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"\x16")
        yield


def test_nothing_reached(relay):
    relay.process.popen.send_signal(signal.SIGUSR1)
    relay.process.wait_error("process  limits: none reached", 10)


def test_connections_of_a_relay(bench):
    """One source has at most four fifths of them: the rest is refused though there is room."""
    relay = relay_with(bench, MaxConnections=10, Threads=1)
    with connections(relay, 12):
        seen(relay.process, "refused_connections", 4)
        now = limits(relay.process)
        assert now["refused_by_share"] == now["refused_connections"], now


def test_handshakes_of_a_relay(bench):
    """Those above the limit go at once, the others when their time is over."""
    relay = relay_with(bench, MaxHandshakes=2, HandshakeTimeoutSeconds=1, Threads=1)
    with connections(relay, 5):
        seen(relay.process, "evicted_handshakes", 3)
        seen(relay.process, "late_handshakes", 2)


def test_the_head_of_a_request(bench):
    relay = relay_with(bench, MaxHeadBytes=4096)

    async def run():
        head = await ws.http(relay.host, relay.port, relay.ca, b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n")
        assert head[0].status == 431

    asyncio.run(run())
    assert limits(relay.process)["large_heads"] == 1


def test_what_a_sender_passes_on(bench):
    """More headers than an announcement may have, and more ids than an affinity header may name."""
    relay = relay_with(bench, MaxHeadBytes=100_000)

    async def run():
        listener = await relayclient.Listener.open(relay)
        await relayclient.refused(relayclient.send(relay, headers=[("X-Much", "x" * 40_000)]), 431)
        ids = ",".join(map(str, range(65)))
        await relayclient.refused(
            relayclient.send(relay, headers=[("Microsoft-Relay-AllowedListeners", ids)]), 404, "criteria")
        await listener.close()

    asyncio.run(run())
    now = limits(relay.process)
    assert (now["large_announcements"], now["cut_affinity_lists"]) == (1, 1), now


def test_listeners_and_senders_of_a_relay(bench):
    """One listener more than there may be; one sender more than may wait, and one that waits in vain."""
    relay = relay_with(bench, MaxListeners=1, MaxPendingSenders=1, RendezvousTimeoutSeconds=2)

    async def run():
        listener = await relayclient.Listener.open(relay)
        await relayclient.refused(relayclient.Listener.open(relay), 403, "MaximumListenersPerEndpoint")
        waits = asyncio.create_task(relayclient.send(relay))
        await relayclient.within(listener.next_accept())
        await relayclient.refused(relayclient.send(relay), 503)
        await relayclient.refused(waits, 404)
        await listener.close()

    asyncio.run(run())
    now = limits(relay.process)
    assert (now["refused_listeners"], now["refused_senders"], now["unaccepted_senders"]) == (1, 1, 1), now


def test_lines_that_a_peer_provokes(relay):
    for _ in range(20):
        with socket.create_connection((relay.host, relay.port)) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                while connection.recv(1000):
                    pass
    seen(relay.process, "held_back_lines", 15)
    assert limits(relay.process)["failed_handshakes"] == 20


def agents(bench, target, *, client=None, service=None):
    relay = bench.relay()
    serves = bench.service(relay, {KEY: target.address}, more=flags(service or {}))
    asks, (address,) = bench.client(relay, [f"127.0.0.1:0/{KEY}:simple"], more=flags(client or {}))
    return relay, serves, asks, address


def is_reset(address):
    """True for a connection that ends at once."""
    with socket.create_connection(address) as connection:
        connection.settimeout(deadline(10))
        try:
            connection.sendall(b"anybody?")
            return connection.recv(100) == b""
        except ConnectionError:
            return True


@pytest.mark.parametrize("limited, name", [("client", "refused_applications"), ("service", "refused_targets")])
def test_connections_of_an_agent(bench, limited, name):
    with apps.echo_target() as target:
        _, service, client, address = agents(bench, target, **{limited: {"MaxConnections": 1}})
        with socket.create_connection(address) as first:
            assert apps.exchange(address, b"first", sock=first) == b"first"
            assert is_reset(address)
            seen({"client": client, "service": service}[limited], name)


def test_channels_of_a_service_agent(bench):
    with apps.echo_target() as target:
        relay, service, _, address = agents(bench, target, service={"MaxChannels": 1})
        assert apps.exchange(address, b"one channel") == b"one channel"
        with pytest.raises(ws.HandshakeError) as refused:
            asyncio.run(relayclient.within(relayclient.send(relay, protocols="hpb.v2")))
        assert refused.value.status == 503
        assert limits(service)["refused_channels"] == 1


def test_sessions_of_a_service_agent(bench):
    """One that is used stays, and one that nobody has used gives way."""
    with apps.echo_target() as target:
        relay = bench.relay()
        service = bench.service(relay, {KEY: target.address}, more=flags({"MaxSessions": 1}))

        async def run():
            left, used = await v2.Channel.dial(relay), v2.Session()
            await left.begin(v2.Session(), 1)
            left.vanish()
            await asyncio.to_thread(service.wait_error, "channel 1 lost", 10)
            holds = await v2.Channel.dial(relay)
            await holds.begin(used, 1)
            late = await v2.Channel.dial(relay)
            with pytest.raises(v2.Refused) as refused:
                await late.begin(v2.Session(), 1)
            assert refused.value.code == v2.TOO_MANY_SESSIONS
            await holds.close()

        asyncio.run(run())
        now = limits(service)
        assert (now["shed_sessions"], now["refused_sessions"]) == (1, 1), now


def test_a_message_that_is_too_large(relay):
    """A listener's, on its control channel."""
    async def run():
        listener = await relayclient.Listener.open(relay)
        await listener.control.send("x" * ((1 << 20) + 1))
        await until(lambda: listener.closed is not None, 10, "the end of the control channel")

    asyncio.run(run())
    assert limits(relay.process)["large_messages"] == 1


def test_connections_and_sessions_without_traffic(bench):
    with apps.echo_target() as target:
        client = agents(bench, target, client={"ConnectionIdleSeconds": 1, "SessionIdleSeconds": 1})
        with socket.create_connection(client[-1]) as connection:
            assert apps.exchange(None, b"and no more", sock=connection) == b"and no more"
            seen(client[2], "idle_connections")
        seen(client[2], "idle_sessions")


def send_until_full(address):
    connection = socket.create_connection(address)
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while select.select([], [connection], [], 0.5)[1]:
            connection.send(bytes(1 << 16))
    return connection


@pytest.mark.parametrize("settings, name", [
    ({"Protocol": "v1"}, "paused_channels"),
    ({"StreamWindowKilobytes": 32768, "MemoryBudgetMegabytes": 16}, "memory_waits")], ids=["v1", "v2"])
def test_memory_for_a_target_that_does_not_read(bench, settings, name):
    go_on = threading.Event()

    def stalled(sock):
        go_on.wait(deadline(30))
        while sock.recv(1 << 20):
            pass

    with apps.TcpTarget(stalled) as target:
        _, service, _, address = agents(bench, target, service=settings)
        with send_until_full(address):
            seen(service, name)
            go_on.set()
