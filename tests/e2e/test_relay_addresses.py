"""Where a relay listens, and which address it gives to listeners when a proxy before it ends TLS."""

import asyncio
import socket
import ssl
import threading
from types import SimpleNamespace

import pytest
from hpbtest import apps, relayclient
from hpbtest.product import free_port
from hpbtest.relayclient import within
from hpbtest.waiting import asynctest, wait_until


class TlsProxy:
    """Ends TLS and passes everything on to a relay without, as nginx does: one header is added, and Host is kept.
    heads: those of the requests, as the relay gets them. Runs to the end of the process."""

    def __init__(self, certificates, port, *, proto="https"):
        self.heads = []
        self._to, self._proto = port, proto
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificates.server)
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        assert ready.wait(10)

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context))
        self.host, self.port = server.sockets[0].getsockname()[:2]
        ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if self._proto:
                head = head[:-2] + f"X-Forwarded-Proto: {self._proto}\r\n\r\n".encode()
            self.heads.append(head.decode("latin-1"))
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._to)
            to_writer.write(head)
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


def behind(bench, **more):
    """A relay without TLS, a proxy with, and where clients find it."""
    options = bench.relay_options(Insecure=True, **more)
    del options["Relay"]["Tls"]
    relay = bench.relay(options=options)
    proxy = TlsProxy(bench.certificates, relay.port)
    public = SimpleNamespace(host=proxy.host, port=proxy.port, ca=bench.certificates.ca, token=relay.token)
    return relay, proxy, public


@pytest.mark.parametrize("more", [{}, {"TrustedProxies": ["127.0.0.0/8"]}, {"PublicAddress": "https"}],
                         ids=["unknown", "trusted", "public address"])
def test_agents_work_through_a_proxy_that_ends_tls(bench, more):
    """F2: with nothing configured the agent's own TLS decides."""
    if "PublicAddress" in more:
        port = free_port()  # unused: a rendezvous must not go there before the proxy is known
        options = bench.relay_options(Insecure=True)
        del options["Relay"]["Tls"]
        options["Relay"]["Listen"] = [f"127.0.0.1:{port}"]
        proxy = TlsProxy(bench.certificates, port)
        options["Relay"]["PublicAddress"] = f"https://127.0.0.1:{proxy.port}"
        bench.relay(options=options)
        public = SimpleNamespace(host=proxy.host, port=proxy.port)
    else:
        _, proxy, public = behind(bench, **more)
    with apps.TcpTarget(apps.echo) as target:
        bench.service(public, {5011: target.address})
        _, [address] = bench.client(public, ["127.0.0.1:0/5011:simple"])
        with socket.create_connection(address, 10) as sock:
            sock.settimeout(10)
            sock.sendall(b"through the proxy")
            assert sock.recv(100) == b"through the proxy"
    assert any("sb-hc-action=accept" in head for head in proxy.heads), "the rendezvous, too"


@pytest.mark.parametrize("trusted, scheme", [(["127.0.0.1"], "wss"), (["192.0.2.0/24"], "ws")])
@asynctest()
async def test_x_forwarded_proto_counts_from_trusted_proxies_only(bench, trusted, scheme):
    """F2: what listeners of other kinds are told."""
    relay, proxy, public = behind(bench, TrustedProxies=trusted)
    listener = await within(relayclient.Listener.open(public))
    dialling = asyncio.create_task(relayclient.send(public))
    request = await within(listener.next_accept())
    assert request["address"].startswith(f"{scheme}://127.0.0.1:{proxy.port}/$hc/simple")
    dialling.cancel()
    await listener.close()
    if scheme == "ws":
        wait_until(lambda: "TrustedProxies" in relay.process.errors, 5, "one warning that names the remedy")


def test_ipv4_and_ipv6_wildcards_share_a_port(bench):
    """F1: the example of docs/configuration.md."""
    port = free_port()
    for order in (["0.0.0.0:{}", "[::]:{}"], ["[::]:{}", "0.0.0.0:{}"]):
        relay = bench.relay(options=bench.relay_options(Listen=[text.format(port) for text in order]))
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), 5).close()
        relay.process.stop()


def test_an_ipv6_wildcard_alone_takes_ipv4_as_well(bench):
    """F1: as before."""
    port = free_port()
    bench.relay(options=bench.relay_options(Listen=[f"[::]:{port}"]))
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port), 5).close()
