"""Something that agents need is missing for a while: answers of DNS, descriptors, threads. What does not need it goes
on untouched; what does fails soon with a line that names it; all heals by itself, with connections kept open."""

import concurrent.futures
import os
import re
import signal
import socket
import ssl
import threading
import time

import pytest
from hpbtest import apps, dns
from hpbtest.bridge import limits
from hpbtest.waiting import SLOW, deadline, wait_until


@pytest.fixture
def names(tmp_path):
    """A name server that knows this host by some names."""
    try:
        server = dns.NameServer({name: ["127.0.0.1"] for name in ("relay.test", "fast.test", "slow.test")})
    except OSError as error:
        pytest.skip(f"port 53 of {dns.ADDRESS} cannot be had here: {error}")
    yield server
    server.close()


def ends_without_data(address, seconds):
    """Connects and sends. @return seconds until the connection was reset or ended."""
    began = time.monotonic()
    with socket.create_connection(address, timeout=deadline(seconds)) as sock:
        try:
            sock.sendall(b"x")
            assert sock.recv(1) == b""
        except ConnectionResetError:
            pass
    return time.monotonic() - began


def test_a_name_that_dns_does_not_answer_for_harms_no_other(names, bench):
    """F4: others are unharmed, with the agent's own dials among them; the line names the right name; it heals."""
    prefix = dns.private_names(bench.directory)
    names.silent.add("slow.test")
    relay = bench.relay()
    relay.host = "relay.test"
    with apps.echo_target() as target:
        port = target.address[1]
        service = bench.start("service", "service", *bench.endpoint_options(relay), "-T", f"simple:1/fast.test:{port}",
                              "-T", f"simple:2/slow.test:{port}", prefix=prefix)
        client = bench.start("client", "client", *bench.endpoint_options(relay), "-L", "127.0.0.1:0/1:simple",
                             "-L", "127.0.0.1:0/2:simple", prefix=prefix)
        service.wait_ready()
        fast, slow = client.wait_ready()
        kept = apps.Traffic(fast)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(ends_without_data, slow, 12) for _ in range(6)]
            wait_until(lambda: "slow.test" in names.asked, 5, "the slow name is asked for")
            for _ in range(8):
                assert apps.exchange(fast, b"y" * 1000, seconds=1) == b"y" * 1000
            relay.process.kill()
            relay.restart()
            wait_until(lambda: apps.answers(fast), 10, "the relay's own name is looked up meanwhile")
            for each in waiting:
                each.result()
        # By now it is known that nobody answers for that name.
        assert ends_without_data(slow, 5) < deadline(1.5)
        lines = [line for line in service.errors.splitlines() if "WARN" in line and "cannot reach" in line or
                 "resolved" in line]
        assert any("slow.test" in line for line in lines), service.errors
        assert not any("fast.test" in line for line in lines), service.errors
        assert limits(service)["unanswered_look_ups"] >= 7
        names.silent.clear()
        wait_until(lambda: apps.answers(slow), 10, "it heals")
        kept.stop()
        assert kept.failure is None


class Unfit:
    """Listens on `address` and takes connections, but does not do its part: is silent, hangs up, or does TLS and is
    silent then. taken: how many it took."""

    def __init__(self, address, how, certificate):
        self.taken, self._how, self._kept = 0, how, []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*map(str, certificate))
        self._socket = socket.create_server(address)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                sock, _ = self._socket.accept()
                self.taken += 1
                if self._how == "hangs up":
                    sock.close()
                    continue
                if self._how == "silent after TLS":
                    sock.settimeout(5)
                    sock = self._context.wrap_socket(sock, server_side=True)
                self._kept.append(sock)
            except OSError:
                if self._socket.fileno() < 0:
                    return

    def close(self):
        self._socket.close()


@pytest.mark.parametrize("how", ["silent", "hangs up", "silent after TLS"])
def test_an_address_that_does_not_do_its_part_gives_way_to_the_next(names, bench, how):
    """F5: the first address of the relay's name takes connections and no more; also after an outage."""
    prefix = dns.private_names(bench.directory)
    # The order in which the system's resolver puts them.
    names.names["relay.test"] = ["127.0.0.1", "127.0.0.2"]
    relay = bench.relay(options=bench.relay_options(Listen=["127.0.0.2:0"]))
    unfit = Unfit(("127.0.0.1", relay.port), how, bench.certificates.server)
    relay.host = "relay.test"
    with apps.echo_target() as target:
        service = bench.start("service", "service", *bench.endpoint_options(relay), "-T",
                              f"simple:1/127.0.0.1:{target.address[1]}", prefix=prefix)
        client = bench.start("client", "client", *bench.endpoint_options(relay), "-L", "127.0.0.1:0/1:simple",
                             prefix=prefix)
        service.wait_ready(20)
        (address,) = client.wait_ready(20)
        assert apps.exchange(address, b"x" * 1000, 20) == b"x" * 1000
        kept = socket.create_connection(address)
        assert apps.exchange(None, b"kept", 10, kept) == b"kept"
        tries = unfit.taken
        assert tries > 0
        assert limits(service)["bad_addresses"] + limits(client)["bad_addresses"] > 0
        relay.process.kill()
        relay.restart()
        assert apps.exchange(None, b"kept", 20, kept) == b"kept"
        if how != "hangs up":
            assert unfit.taken <= tries + 4, "the bad address comes last"
    unfit.close()


@pytest.mark.parametrize("how", ["silent", "hangs up", "silent after TLS"])
def test_a_rendezvous_gives_such_an_address_up_for_the_next(names, bench, how):
    """F5: the service agent has its control channel when the relay's name gets another address, which is unfit."""
    prefix = dns.private_names(bench.directory)
    names.names["relay.test"] = ["127.0.0.2"]
    relay = bench.relay(options=bench.relay_options(Listen=["127.0.0.2:0"]))
    relay.host = "relay.test"
    with apps.echo_target() as target:
        service = bench.start("service", "service", *bench.endpoint_options(relay), "-T",
                              f"simple:1/127.0.0.1:{target.address[1]}", prefix=prefix)
        client = bench.start("client", "client", *bench.endpoint_options(relay), "-L", "127.0.0.1:0/1:simple",
                             "--ttl", "0", "--PortBridge:Protocol=v1", prefix=prefix)
        service.wait_ready(20)
        (address,) = client.wait_ready(20)
        unfit = Unfit(("127.0.0.1", relay.port), how, bench.certificates.server)
        names.names["relay.test"] = ["127.0.0.1", "127.0.0.2"]

        def met():
            assert apps.exchange(address, b"x", 20) == b"x"  # a rendezvous for each
            return limits(service)["bad_addresses"] > 0

        wait_until(met, 30, "the service agent has met that address")
    unfit.close()


def fill(address, most):
    """Connections that answer, until one does not. @return them, and that one."""
    held = []
    for _ in range(most):
        sock = socket.create_connection(address, timeout=deadline(5))
        held.append(sock)
        sock.sendall(b"a")
        sock.settimeout(1)
        try:
            assert sock.recv(1) == b"a"
        except TimeoutError:
            return held[:-1], held[-1]
    raise AssertionError(f"{most} connections fit")


def test_descriptors_are_kept_for_the_way_to_the_relay(bench, relay):
    """F3: at its limit of descriptors the client agent leaves new connections waiting, says so, and comes back to
    the relay after an outage with all its connections; the one that waited is served when there is room."""
    with apps.echo_target() as target:
        bench.service(relay, {5011: target.address})
        client = bench.start("client", "client", *bench.endpoint_options(relay), "-L", "127.0.0.1:0/5011:simple",
                             prefix=["prlimit", "--nofile=128:128"])
        (address,) = client.wait_ready()
        held, waiting = fill(address, 128)
        more = [socket.create_connection(address, timeout=deadline(5)) for _ in range(40)]
        (line,) = re.findall(r".*new connections wait.*", client.errors)
        assert "128" in line and "ERROR" in line
        assert limits(client)["descriptor_shortages"] > 0
        relay.process.kill()
        relay.restart()
        for sock in held:
            assert apps.exchange(None, b"still there", 20, sock) == b"still there"
        for sock in (*more, *held[:50]):
            sock.close()
        waiting.settimeout(deadline(10))
        assert waiting.recv(1) == b"a"
        assert apps.exchange(address, b"new") == b"new"


def test_a_relay_at_its_limit_of_descriptors_goes_on(bench):
    """F3: the relay's accept loop stops short of the last descriptors, and says that new connections wait."""
    path = bench.write_json("relay.json", bench.relay_options())
    process = bench.start("relay", "relay", "--config", path, prefix=["prlimit", "--nofile=96:96"])
    (host, port), = process.wait_ready()
    crowd = [socket.create_connection((host, port), timeout=deadline(5)) for _ in range(120)]
    process.wait_error(r"ERROR.*new connections wait", 10)
    assert limits(process)["descriptor_shortages"] > 0
    for sock in crowd:
        sock.close()
    wait_until(lambda: process.descriptors() < 60, 15, "the crowd is gone")


def test_an_agent_that_cannot_start_its_threads_says_so(bench, relay):
    """F3's sibling: out of threads at the start is one line, and the exit code for a failure."""
    if os.geteuid() != 0:
        pytest.skip("the limit is set for a user that has no other process")
    if SLOW:
        pytest.skip("the sanitizers need a thread of their own")
    env = {"HPB_CONNECTION_STRING": f"Endpoint=sb://127.0.0.1:{relay.port}/;SharedAccessKeyName=a;SharedAccessKey=b"}
    process = bench.start("service", "service", "-T", "simple:1/127.0.0.1:9", env=env, cwd="/",
                          prefix=["prlimit", "--nproc=1:1", "setpriv", "--reuid=54321", "--clear-groups"])
    assert process.wait_exit(10) == 1
    (line,) = process.errors.splitlines()
    assert re.search(r"thread.*(TasksMax|ulimit -u)", line), line


def test_a_new_connection_waits_for_a_listener_that_is_not_back_yet(bench, relay):
    """F12: just after a restart the relay knows no listener; the session that is there takes new connections when
    its service agent is back."""
    with apps.echo_target() as target:
        service = bench.service(relay, {5011: target.address})
        client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=["--log-level", "debug"])
        kept = apps.Traffic(address, seconds=10)
        wait_until(lambda: kept.rounds > 0, 5, "a session is there")
        relay.process.kill()
        service.popen.send_signal(signal.SIGSTOP)
        relay.restart()
        with socket.create_connection(address, timeout=deadline(10)) as sock:
            sock.sendall(b"new")
            client.wait_error(r"404 There are no listeners", 10)
            service.popen.send_signal(signal.SIGCONT)
            assert sock.recv(3) == b"new"
        kept.stop()
        assert kept.failure is None
