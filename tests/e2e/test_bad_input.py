"""Hostile and broken peers against the relay: existing traffic keeps flowing, each offender is cut off in time."""

import os
import select
import socket
import ssl
import struct
import time

import pytest
from hpbtest import apps, relayclient, ws
from hpbtest.waiting import deadline, sized, wait_until

#: The relay's limit for a handshake, and what scheduling may add.
LIMIT, SLACK = 10, 5

#: The start of a TLS ClientHello record that announces 508 bytes of which few follow.
HALF_HELLO = bytes.fromhex("16030101fc010001f80303") + bytes(range(32))


@pytest.fixture
def scene(bench):
    """A relay with traffic through both agents. At the end the traffic must have flowed all the time."""
    with apps.echo_target() as target:
        relay = bench.relay()
        bench.service(relay, {5011: target.address})
        _, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"])
        relay.address = address
        traffic = apps.Traffic(address)
        wait_until(lambda: traffic.rounds > 3 or traffic.failure, 10, "traffic")
        at_start = traffic.rounds
        yield relay
        assert traffic.failure is None, f"existing traffic failed: {traffic.failure!r}"
        wait_until(lambda: traffic.rounds > at_start + 5 or traffic.failure, 10, "traffic goes on")
        traffic.stop()
        assert relay.process.running()
        assert apps.exchange(address, b"a new connection, too") == b"a new connection, too"


def plain(relay):
    sock = socket.create_connection((relay.host, relay.port), timeout=deadline(LIMIT + SLACK))
    return sock


def secure(relay):
    return ws.tls_context(relay.ca).wrap_socket(plain(relay), server_hostname=relay.host)


def wait_end(sock, seconds=LIMIT + SLACK):
    """Reads until the other side ends the connection. @return what it said and the seconds that it took."""
    start, said = time.monotonic(), b""
    sock.settimeout(deadline(seconds))
    try:
        while piece := sock.recv(65536):
            said += piece
    except socket.timeout:
        raise AssertionError(f"not cut off within {deadline(seconds)} s; it said {said[:200]!r}") from None
    except OSError:  # a reset, or TLS ended without a word
        pass
    finally:
        sock.close()
    return said, time.monotonic() - start


def push(sock, data):
    """Sends; being cut off meanwhile is what the test is about."""
    try:
        sock.sendall(data)
    except OSError:
        pass


def test_random_bytes_instead_of_tls(scene):
    for size in (1, 5, 100, 100_000):
        for _ in range(5):
            sock = plain(scene)
            push(sock, os.urandom(size))
            if size > 5:
                wait_end(sock)
            sock.close()  # a few bytes may still become a handshake: the time limit's test has those


def test_random_bytes_within_tls(scene):
    for size in (100, 10_000, 1_000_000):
        offenders = [secure(scene) for _ in range(3)]
        for sock in offenders:
            push(sock, os.urandom(size).replace(b"\r", b"x").replace(b"\n", b"\r\n"))
        for sock in offenders:
            said, _ = wait_end(sock)
            assert not said or said.startswith(b"HTTP/1.1 4"), said[:100]


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\n\r\n", b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /$hc/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"\x00\x00\x00\r\n\r\n", b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET /$hc/simple HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"GET /$hc/simple HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : x\r\nA\x00B: c\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_broken_requests_are_answered_or_cut(scene, head):
    sock = secure(scene)
    push(sock, head)
    sock.settimeout(deadline(LIMIT + SLACK))
    try:
        said = sock.recv(4096)
    except ssl.SSLError:
        said = b""
    except ConnectionError:
        said = b""
    assert said == b"" or int(said.split(b" ")[1]) >= 400, said[:200]
    sock.close()


def test_half_a_tls_handshake_and_half_a_request_are_cut_off_in_time(scene):
    offenders = []
    for data in (b"", HALF_HELLO[:3], HALF_HELLO):
        sock = plain(scene)
        sock.sendall(data)
        offenders.append(sock)
    request = ws.upgrade_request(scene.host, scene.port, relayclient.target("simple", "connect"))
    for length in (0, 10, len(request) - 2):
        sock = secure(scene)
        sock.sendall(request[:length])
        offenders.append(sock)
    start = time.monotonic()
    for sock in offenders:
        wait_end(sock)
    assert time.monotonic() - start < deadline(LIMIT + SLACK)


@pytest.mark.parametrize("shape", ["one header", "many headers", "the request line"])
def test_a_header_of_a_mebibyte_is_refused_early(scene, shape):
    data = {"one header": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (1 << 20),
            "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * (1 << 18),
            "the request line": b"GET /" + b"a" * (1 << 20)}[shape]
    sock = secure(scene)
    push(sock, data)
    said, taken = wait_end(sock)
    assert not said or said.split(b" ")[1] in (b"400", b"414", b"431"), said[:200]
    assert taken < deadline(LIMIT)


def test_slow_loris_is_cut_off_in_time(scene):
    request = ws.upgrade_request(scene.host, scene.port, relayclient.target("simple", "connect"),
                                 [(f"X-{i}", "a" * 50) for i in range(100)])
    offenders = {secure(scene): 0 for _ in range(sized(50, 10))}
    start = time.monotonic()
    while offenders:
        assert time.monotonic() - start < deadline(LIMIT + SLACK), f"{len(offenders)} still drip"
        # The pace of a loris: a byte each for whoever has not been cut off within a quarter of a second.
        cut, _, _ = select.select(list(offenders), [], [], 0.25)
        for sock in list(offenders):
            at = offenders[sock]
            try:
                if sock in cut and not sock.recv(4096):
                    raise ConnectionError
                sock.sendall(request[at:at + 1])
                offenders[sock] = at + 1
            except OSError:
                sock.close()
                del offenders[sock]


def test_two_thousand_half_open_tls_handshakes(scene):
    descriptors = scene.process.descriptors()
    offenders = []
    for _ in range(sized(2000, 300)):
        sock = plain(scene)
        push(sock, HALF_HELLO)
        offenders.append(sock)
    assert apps.exchange(scene.address, b"in the middle of it") == b"in the middle of it"
    start = time.monotonic()
    for sock in offenders:
        wait_end(sock)
    assert time.monotonic() - start < deadline(LIMIT + SLACK)
    wait_until(lambda: scene.process.descriptors() <= descriptors + 4, 20, "their descriptors are closed")


def test_connections_reset_at_every_stage(scene):
    """A stranger's reset at any point harms nobody."""
    stages = [b"", HALF_HELLO]
    for turn in range(sized(200, 40)):
        sock = plain(scene)
        push(sock, stages[turn % 2])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    request = ws.upgrade_request(scene.host, scene.port, relayclient.target("simple", "connect"),
                                 relayclient.authorization(scene.token()))
    for length in range(0, len(request) + 1, sized(16, 64)):
        sock = secure(scene)
        push(sock, request[:length])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


@pytest.mark.parametrize("role", ["listener", "sender"])
def test_random_bytes_after_the_upgrade(scene, role):
    entity, action = ("other", "listen") if role == "listener" else ("simple", "connect")
    for _ in range(sized(20, 5)):
        sock = secure(scene)
        sock.sendall(ws.upgrade_request(scene.host, scene.port, relayclient.target(entity, action),
                                        relayclient.authorization(scene.token(entity))))
        sock.settimeout(deadline(10))
        assert sock.recv(4096).startswith(b"HTTP/1.1 101")
        push(sock, b"\x82" + os.urandom(2000))  # a data frame of some size, probably unmasked
        push(sock, os.urandom(100_000))
        sock.close()
