"""A machine that vanishes while something is on its way to it, and one that only does not read."""

import contextlib
import select
import socket
import time

import pytest
from hpbtest import netns
from hpbtest.bridge import limits
from hpbtest.proc import Process
from hpbtest.waiting import deadline

SERVER = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
print("ready", "%s:%d" % listener.getsockname()[:2], flush=True)
kept = []
while True:
    kept.append(listener.accept()[0])
    if kept[-1].recv(1): kept[-1].sendall(b"y")
"""


@pytest.fixture
def networks():
    made = netns.networks_or_skip()
    yield made
    made.close()


def send_until_full(sock):
    sock.setblocking(False)
    while select.select([], [sock], [], 1)[1]:
        with contextlib.suppress(BlockingIOError):
            sock.send(bytes(65536))


@pytest.mark.parametrize("protocol", ["auto", "v1"])
def test_a_target_that_vanishes_resets_its_application(bench, relay, networks, protocol):
    """F9: a target whose machine vanishes with unacknowledged data resets its application; one that only does not
    read does not."""
    # The target's network hangs on this one: the agents stay where the test is.
    device = "vanishing"
    networks.run(networks.right, "ip", "link", "set", "to-relay", "down")
    netns.command("ip", "link", "add", device, "type", "veth", "peer", "name", "eth1", "netns", networks.right)
    for words in (("ip", "addr", "add", "10.77.3.1/24", "dev", device), ("ip", "link", "set", device, "up")):
        netns.command(*words)
    for words in (("addr", "add", "10.77.3.2/24", "dev", "eth1"), ("link", "set", "eth1", "up")):
        networks.run(networks.right, "ip", *words)
    logs = bench.directory / "logs"
    far = Process(["/usr/bin/python3", "-c", SERVER, "10.77.3.2"], logs, "far", namespace=networks.right)
    near = Process(["/usr/bin/python3", "-c", SERVER, "127.0.0.1"], logs, "near")
    try:
        (far_address,), (near_address,) = far.wait_ready(), near.wait_ready()
        service = bench.service(relay, {1: far_address, 2: near_address},
                                more=["--protocol", protocol, "PortBridge:UnacknowledgedSeconds=4"])
        _, (to_far, to_near) = bench.client(relay, ["127.0.0.1:0/1:simple", "127.0.0.1:0/2:simple"],
                                            more=["--ttl", "0", "PortBridge:UnacknowledgedSeconds=4"])
        socks = [socket.create_connection(address, timeout=deadline(10)) for address in (to_far, to_near)]
        for sock in socks:
            sock.sendall(b"x")
            assert sock.recv(1) == b"y"
        send_until_full(socks[1])
        networks.run(networks.right, "ip", "addr", "flush", "dev", "eth1")
        socks[0].sendall(b"anybody there?")
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            assert socks[0].recv(1) == b"" and protocol == "v1"
            raise ConnectionResetError
        assert 3 < time.monotonic() - began < deadline(12)
        service.wait_error(r"WARN.*acknowledged nothing for 4 s", 5)
        assert limits(service)["vanished_peers"] == 1
        with pytest.raises(BlockingIOError):
            socks[1].recv(1)
        for sock in socks:
            sock.close()
    finally:
        far.kill()
        near.kill()
        netns.command("ip", "link", "del", device, check=False)
