"""Agents that reach the relay through an HTTP CONNECT proxy only."""

import asyncio
import base64
import threading

import pytest
from hpbtest import apps
from hpbtest.waiting import wait_until


class ConnectProxy:
    """Serves CONNECT on a thread of its own; wants `user:password` if given. It alone knows the way to the
    relay: every name leads to `port` of this host. targets: what was asked for."""

    def __init__(self, credentials=None):
        self.targets, self.refused = [], 0
        self._wanted = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split("\r\n")[0].split(" ")
            offered = [line.split(":", 1)[1].strip() for line in head.split("\r\n")
                       if line.lower().startswith("proxy-authorization:")]
            if method != "CONNECT" or (self._wanted and self._wanted not in offered):
                self.refused += 1
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
                             b"Content-Length: 0\r\nConnection: close\r\n\r\n")
                return writer.close()
            self.targets.append(target)
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", int(target.rsplit(":", 1)[1]))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(self._pump(reader, to_writer), self._pump(to_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    @staticmethod
    async def _pump(reader, writer):
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    def close(self):
        def stop():
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.call_soon(self._loop.call_soon, self._loop.stop)

        self._loop.call_soon_threadsafe(stop)
        self._thread.join(10)


@pytest.fixture
def proxies():
    """Makes proxies that outlive the agents; named before `bench` in a test's parameters."""
    made = []

    def make(credentials=None):
        made.append(ConnectProxy(credentials))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


class Named:
    """A relay by a name that only the proxy can resolve, and that its certificate has."""

    host = "relay.test"

    def __init__(self, relay):
        self.port = relay.port


def agents(bench, relay, target, env, *more):
    """Both agents, started. @return the processes."""
    options = [*bench.endpoint_options(relay), *more]
    return (bench.start("service", "service", *options, "-T", f"simple:5011/127.0.0.1:{target.address[1]}", env=env),
            bench.start("client", "client", *options, "-L", "127.0.0.1:0/5011:simple", env=env))


@pytest.mark.parametrize("credentials", ["", "user:pass-word@"], ids=["open", "with a password"])
@pytest.mark.parametrize("way", ["environment", "option"])
def test_both_agents_go_through_the_proxy(proxies, bench, credentials, way):
    proxy = proxies(credentials.rstrip("@"))
    url = f"http://{credentials}127.0.0.1:{proxy.port}"
    env = {"NO_PROXY": "", "HTTPS_PROXY": url if way == "environment" else "http://127.0.0.1:9"}
    with apps.echo_target() as target:
        relay = Named(bench.relay())
        service, client = agents(bench, relay, target, env, *(["--proxy", url] if way == "option" else []))
        service.wait_ready()
        (address,) = client.wait_ready()
        assert apps.exchange(address, b"x" * 100_000) == b"x" * 100_000
        # Control channel, rendezvous and the client's channel at the least, all of them to the relay.
        wait_until(lambda: len(proxy.targets) >= 3, 5, "everything through the proxy")
        assert set(proxy.targets) == {f"{relay.host}:{relay.port}"}
        for process in (service, client):
            process.check_clean(["pass-word"])


def test_no_proxy_exempts_the_relay(proxies, bench):
    proxy = proxies()
    env = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": "example.com,.test"}
    with apps.echo_target() as target:
        for process in agents(bench, Named(bench.relay()), target, env):
            process.wait_error(r"relay\.test", 15)  # a name that nobody but the proxy can resolve
            assert proxy.targets == []


def test_a_proxy_that_wants_a_password_is_told_clearly(proxies, bench):
    proxy = proxies("user:secret-of-the-proxy")
    env = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": ""}
    with apps.echo_target() as target:
        for process in agents(bench, Named(bench.relay()), target, env):
            process.wait_error(r"(?i)proxy.*407|407.*proxy|proxy.*(password|authenti)", 15)


def answers(data, *more):
    """A peer that answers each request with the next of these, and hangs up."""
    def serve(sock):
        for piece in (data, *more):
            sock.recv(4096)
            sock.sendall(piece)
    return serve


GRANTED = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("role", ["service", "client"])
@pytest.mark.parametrize("serve, pattern", [
    (answers(b"\x15\x03\x03\0\x02\x02\x46"), r"proxy {proxy}: speaks TLS on this port, .*; use the port on which it takes plain HTTP"),
    (answers(b"\x05\xff"), r"proxy {proxy}: is a SOCKS proxy, and hpb uses HTTP proxies \(CONNECT\)"),
    (answers(b"220 mail.test ESMTP\r\n"), r"proxy {proxy}: does not answer as an HTTP proxy \('220 mail"),
    (answers(b""), r"proxy {proxy}: closed the connection without an answer; check that it is an HTTP proxy"),
    (answers(GRANTED, b""), r"relay\.test:443 \(through the proxy {proxy}\) ended the connection during the TLS handshake; check"),
    (answers(GRANTED, b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
     r"relay\.test:443 \(through the proxy {proxy}\) does not speak TLS on this port; check"),
    (answers(GRANTED, b"\x15\x03\x03\0\x02\x02\x50"),
     r"relay\.test:443 \(through the proxy {proxy}\) ended the TLS handshake with the alert 'internal error'")],
    ids=["TLS", "SOCKS", "SMTP", "end", "end behind it", "HTTP behind it", "alert behind it"])
def test_the_hop_that_fails_is_named_in_one_line(bench, role, serve, pattern):
    """N7: the proxy, or what is behind it, and what to do."""
    with apps.TcpTarget(serve) as peer:
        proxy = f"127.0.0.1:{peer.address[1]}"
        what = ["-T", "simple:1/127.0.0.1:9"] if role == "service" else ["-L", "127.0.0.1:0/1:simple"]
        agent = bench.start(role, role, "--relay", "sb://relay.test/", "--proxy", f"http://{proxy}", "--rule", "root",
                            "--rule-key-file", bench.key_file, *what)
        agent.wait_error("WARN .*" + pattern.replace("{proxy}", proxy.replace(".", r"\.")), 15)
        assert agent.errors.count("WARN") == 1, agent.errors
