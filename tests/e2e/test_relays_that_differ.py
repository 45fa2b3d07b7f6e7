"""Relays, and proxies before a relay, that do less than they should: what the agents make of them, and say of it."""

import re
import socket
import threading

import pytest
from hpbtest import apps
from hpbtest.waiting import deadline, wait_until


class Between:
    """Stands between the agents and a relay without TLS, and changes the head of each request: change(head) gives
    the head to pass on, or the answer (bytes)."""

    def __init__(self, port, change):
        self._port, self._change = port, change
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._socket.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            head = b""
            while b"\r\n\r\n" not in head:
                piece = sock.recv(65536)
                if not piece:
                    return sock.close()
                head += piece
            changed = self._change(head.decode())
            if isinstance(changed, bytes):
                sock.sendall(changed)
                return sock.close()
            relay = socket.create_connection(("127.0.0.1", self._port))
            relay.sendall(changed.encode())
            threading.Thread(target=self._pump, args=(relay, sock), daemon=True).start()
            self._pump(sock, relay)
        except OSError:
            sock.close()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for sock in (source, sink):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._socket.close()


@pytest.fixture
def between(bench):
    """Makes a relay and what stands before it. @return url."""
    made = []

    def make(change):
        path = bench.write_json("relay.json", {"Relay": {**bench.relay_options()["Relay"], "Tls": {}, "Insecure": True}})
        (_, port), = bench.start("relay", "relay", "--config", path).wait_ready()
        made.append(Between(port, change))
        return f"http://127.0.0.1:{made[-1].port}/"

    yield make
    for each in made:
        each.close()


def agents(bench, url, target, *more):
    options = ["--relay", url, "--rule", "root", "--rule-key-file", bench.key_file, *more]
    return (bench.start("service", "service", *options, "-T", f"simple:5011/127.0.0.1:{target.address[1]}"),
            bench.start("client", "client", *options, "-L", "127.0.0.1:0/5011:simple"))


def without(name):
    return lambda head: re.sub(rf"(?im)^{name}:.*\r\n", "", head)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"\x00\x01\x02"],
                         ids=["404", "no description", "no HTTP"])
def test_a_relay_that_does_not_describe_its_entities(bench, between, answer):
    """I5: warned of, and channels work."""
    url = between(lambda head: answer if "$hc" not in head.split()[1] else head)
    with apps.echo_target() as target:
        service, client = agents(bench, url, target)
        service.wait_ready()
        (address,) = client.wait_ready()
        assert apps.exchange(address, b"x" * 1000) == b"x" * 1000
        assert re.search(r"WARN.*does not describe simple|WARN.*connections will be attempted", client.errors)


def test_a_relay_that_drops_sub_protocols(bench, between):
    """I6: one WARN on each side says that connections will not survive, and where the cause is."""
    with apps.echo_target() as target:
        service, client = agents(bench, between(without("Sec-WebSocket-Protocol")), target)
        service.wait_ready()
        (address,) = client.wait_ready()
        for _ in range(3):
            assert apps.exchange(address, b"x" * 1000) == b"x" * 1000
        (line,) = re.findall(r"WARN.*subprotocol.*", client.errors)
        assert "will not survive" in line
        (line,) = re.findall(r"WARN.*subprotocol.*", service.errors)
        assert "senders' requests" in line and "will not survive" in line


def test_a_relay_that_reads_tokens_in_the_query_only(bench, between):
    """I8: the token is sent there after a refusal that says so."""

    def change(head):
        target = head.split()[1]
        mine = "$hc" in target and re.search(r"sb-hc-action=(listen|connect)", target)
        if mine and "sb-hc-token=" not in target:
            return (b"HTTP/1.1 401 MissingToken: no token in sb-hc-token\r\nContent-Length: 0\r\n"
                    b"Connection: close\r\n\r\n")
        return without("ServiceBusAuthorization")(head)

    with apps.echo_target() as target:
        service, client = agents(bench, between(change), target)
        service.wait_ready()
        (address,) = client.wait_ready()
        assert apps.exchange(address, b"x" * 1000) == b"x" * 1000


def test_a_proxy_that_drops_the_port_of_the_host(bench, between):
    """F10: both agents say at once why a rendezvous fails, with the remedy."""

    def change(head):
        return re.sub(r"(?im)^Host: ([^:\r]+):\d+", r"Host: \1", head)

    with apps.echo_target() as target:
        service, client = agents(bench, between(change), target)
        service.wait_ready()
        (address,) = client.wait_ready()
        with socket.create_connection(address, timeout=deadline(10)) as sock:
            sock.sendall(b"x")
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        for agent in (service, client):
            agent.wait_error(r"WARN.*the relay announced 127\.0\.0\.1 .*PublicAddress.*Host header", 5)


def test_what_is_said_of_wrong_addresses_and_tokens(bench, relay):
    """N7: the remedy for what is wrong, the proxy named as such, no password echoed."""
    rule = ["--rule", "root", "--rule-key-file", bench.key_file]
    target = ["-L", "127.0.0.1:0/5011:simple"]

    def said(*arguments, env=None, pattern):
        process = bench.start("client", "client", *arguments, env=env)
        process.wait_error(pattern, 15)
        return process

    url = f"sb://127.0.0.1:{relay.port}/"
    said("--relay", "sb://u:pass-word@127.0.0.1/", *rule, *target, pattern="no user and password").check_clean(
        ["pass-word"])
    said("--relay", url, *rule, *target, "--proxy", "http://127.0.0.1:9", pattern=(
        r"cannot reach the proxy 127\.0\.0\.1:9 \(on the way to 127\.0\.0\.1:\d+\): connection refused"))
    said("--relay", f"http://127.0.0.1:{relay.port}/", *rule, *target, pattern="(?i)TLS")
    ca = ["--ca", bench.certificates.ca]
    said("--relay", url, *ca, *rule, "-L", "127.0.0.1:0/5011:simpel", pattern="check the hybrid connection's name")
    for token, remedy in ((relay.token(seconds=-100), "must be regenerated"), (relay.token("other"), "must be for this name")):
        endpoint = f"Endpoint={url};SharedAccessSignature={token}"
        said("-x", endpoint, *ca, *target, pattern=remedy)


def test_a_client_says_that_the_relay_is_not_there_yet(bench, relay):
    """N10: `ready` says so, and the log when it is there."""
    relay.process.kill()
    client = bench.start("client", "client", *bench.endpoint_options(relay), "-L", "127.0.0.1:0/5011:simple")
    client.wait_ready()
    assert "not" in client.output and "yet" in client.output
    relay.restart()
    client.wait_error(r"INFO.*relay .* reached", 15)
    again = bench.start("client", "client", *bench.endpoint_options(relay), "-L", "127.0.0.1:0/5011:simple")
    again.wait_ready()
    assert "yet" not in again.output
    again.wait_error(r"INFO.*relay .* reached", 5)


def test_a_refused_upload_can_read_why(bench, between):
    """D18: the answer to 10 MiB that nobody wants arrives, whatever the size of the pieces."""
    path = bench.write_json("plain.json", {"Relay": {**bench.relay_options()["Relay"], "Tls": {}, "Insecure": True}})
    (host, port), = bench.start("relay", "relay", "--config", path).wait_ready()
    size = 10 << 20
    for piece in (1000, 100_000):
        with socket.create_connection((host, port), timeout=deadline(10)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(f"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
            for _ in range(size // piece):
                sock.sendall(bytes(piece))
            assert sock.recv(9) == b"HTTP/1.1 "
