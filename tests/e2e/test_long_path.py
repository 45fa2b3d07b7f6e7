"""A path of 200 ms and 1 Gbit/s: what one connection reaches of a plain copy, and what opening one costs.

Both measurements go through links of the same settings: the plain copy straight to the target, the bridged one
between client agent and relay. No setting of the agents is touched."""

import contextlib
import socket
import threading
import time

import pytest
from hpbtest import apps
from hpbtest.bridge import Bridge
from hpbtest.faults import Faults
from hpbtest.waiting import SLOW, wait_until

pytestmark = pytest.mark.skipif(SLOW, reason="a sanitizer build is slower than the path")

MIB = 1 << 20
ROUND_TRIP = 0.2
LINK = "delay=100ms,rate=1gbit"
#: The copy runs for so long, and the rate is that of its last part: both start slowly, in ways of their own.
SECONDS, MEASURED = 4.5, 2.5


def pump(sock, until):
    data = memoryview(bytes(MIB))
    with contextlib.suppress(OSError):
        while time.monotonic() < until:
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)


def drain(sock, until):
    """Reads until then. @return rate of the last MEASURED seconds, and of everything, in MiB/s."""
    sock.settimeout(5)
    space, total, early, begin = bytearray(MIB), 0, 0, time.monotonic()
    while (now := time.monotonic()) < until:
        total += sock.recv_into(space)
        if now < until - MEASURED:
            early = total
    return (total - early) / MEASURED / MIB, total / (until - begin) / MIB


def copy(server, address, direction):
    """One connection that is busy in one direction."""
    with socket.create_connection(address) as client:
        client.sendall(b"!")
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(1) == b"!"
            source, sink = (client, accepted) if direction == "to the target" else (accepted, client)
            until = time.monotonic() + SECONDS
            thread = threading.Thread(target=pump, args=(source, until), daemon=True)
            thread.start()
            try:
                return drain(sink, until)
            finally:
                for sock in (client, accepted):
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                thread.join(5)


@pytest.mark.parametrize("direction", ["to the target", "from the target"])
def test_one_stream_reaches_nine_tenths_of_a_plain_copy(bench, direction):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        host, port = server.getsockname()
        plain = Faults(bench, {"plain": f"{host}:{port},{LINK}"})
        steady, whole = copy(server, plain.address["plain"], direction)
        plain.process.stop()
        bridge = Bridge(bench, {5011: (host, port)}, links={"client": LINK})
        ours, ours_whole = copy(server, bridge.address, direction)
    print(f"{direction}: bridged {ours:.1f} of {steady:.1f} MiB/s, {ours / steady:.1%} "
          f"(with the beginning: {ours_whole:.1f} of {whole:.1f})")
    assert ours >= 0.9 * steady


def refusal(address, speaks):
    """A connection to a target that refuses. @return seconds until the application's reset."""
    start = time.monotonic()
    with socket.create_connection(address) as sock:
        if speaks:
            sock.sendall(b"request")
        with pytest.raises(ConnectionResetError):
            assert sock.recv(100) != b"", "a clean end of file"
    return time.monotonic() - start


def test_a_connection_costs_one_round_trip_and_so_does_a_refusal(bench):
    refused, keep = apps.refused_address()
    with keep, apps.echo_target() as target:
        bridge = Bridge(bench, {5011: target.address, 1: refused}, links={"client": LINK})
        assert apps.exchange(bridge.address, b"warm") == b"warm"
        refusal(bridge.at[1], False)
        wait_until(lambda: target.live == 0, 5, "the first connection is over")
        times = []
        for _ in range(5):
            start = time.monotonic()
            assert apps.exchange(bridge.address, b"request") == b"request"
            times.append(time.monotonic() - start)
        refusals = [refusal(bridge.at[1], speaks) for speaks in (True, False, True)]
    for what, seen in (("connect, request, response", times), ("refusal", refusals)):
        print(f"{what}: " + ", ".join(f"{t / ROUND_TRIP:.3f}" for t in seen) + " round trips")
        assert max(seen) <= 1.1 * ROUND_TRIP
