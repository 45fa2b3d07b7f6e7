"""WebSocket clients that know nothing of this project, each from its registry and unmodified, as listener and as
sender: ws and hyco-https for Node, websockets and aiohttp for Python. Also the requests of aztunnel and of Microsoft's
library for Java, byte by byte, because neither can be installed from a registry everywhere."""

import asyncio
import base64
import fcntl
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import sys
import time
import uuid
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hpbtest import product, relayclient, ws
from hpbtest.proc import Process
from hpbtest.relayclient import within
from hpbtest.waiting import asynctest, until
from test_hyco_ws import NODE, npm, run

HERE = pathlib.Path(__file__).resolve().parent
LISTENERS = ["ws", "hyco-https", "websockets", "aiohttp"]
SENDERS = ["ws", "websockets", "aiohttp"]


@pytest.fixture(scope="session")
def node_clients():
    """Installs the packages once; several runs at a time wait for each other."""
    assert shutil.which("node") and shutil.which("npm"), "node and npm are needed (scripts/setup.sh test)"
    folder = NODE / "clients"
    with open(folder / "package.json") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "node_modules/hyco-https/package.json").is_file():
            run(*npm(), "ci", "--no-audit", "--no-fund", cwd=folder)
    return folder


@pytest.fixture(scope="session")
def python_clients():
    """A virtual environment below build/, made anew when the requirements change. @return its interpreter."""
    requirements = HERE / "python/requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder = HERE.parents[1] / "build" / f"conformance-python-{sys.version_info[0]}{sys.version_info[1]}-{digest}"
    folder.parent.mkdir(exist_ok=True)
    with open(requirements) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            run(sys.executable, "-m", "venv", folder, cwd=HERE)
            run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements, cwd=HERE)
            (folder / "complete").touch()
    return folder / "bin/python"


class Peers:
    """Starts peers of the libraries at one relay, and ends them."""

    def __init__(self, relay, node, python, logs):
        self._relay, self._node, self._python, self._logs = relay, node, python, logs
        self._running = []

    def start(self, library, role, *, token=None):
        token = token or self._relay.token("hyco")
        settings = json.dumps({
            "base": f"wss://{self._relay.host}:{self._relay.port}/$hc/hyco", "ca": str(self._relay.ca), "token": token,
            "query": urlencode({"sb-hc-id": str(uuid.uuid4()), "sb-hc-token": token})})
        if library in ("ws", "hyco-https"):
            command = ["node", self._node / "peer.js", library, role, settings]
        else:
            command = [self._python, HERE / "python/peer.py", library, role, settings]
        process = Process(command, self._logs, f"{library}-{role}", pipe_input=True,
                          env={"NODE_EXTRA_CA_CERTS": str(self._relay.ca)})
        self._running.append(process)
        return process

    async def event(self, process, seconds=20):
        """The first thing that it says."""
        lines = await until(lambda: list(process.lines)[:1], seconds, f"a word of a client; {process.errors}")
        return json.loads(lines[0])

    def end(self):
        for process in self._running:
            process.kill()


@pytest.fixture
def peers(relay, node_clients, python_clients, tmp_path):
    it = Peers(relay, node_clients, python_clients, tmp_path / "peers")
    yield it
    it.end()


@pytest.mark.parametrize("library", LISTENERS)
@asynctest(120)
async def test_every_sender_reaches_every_listener(peers, relay, library):
    """I1: all but hyco-https put a token into the query as urlencode writes it."""
    listener = peers.start(library, "listen")
    assert (await peers.event(listener))["event"] == "listening", listener.errors
    await until(lambda: re.search(r"listener \S+ .*connected to hyco", relay.process.errors), 10, "its registration")  # hyco-https says it beforehand
    senders = [peers.start(name, "send") for name in SENDERS]
    for name, sender in zip(SENDERS, senders):
        assert await peers.event(sender) == {"event": "echoed", "code": 1000}, f"{name}: {sender.errors} {list(listener.lines)}"


@asynctest(120)
async def test_every_client_shows_why_it_was_refused(peers, relay):
    """I2, I3: status and reason phrase arrive; aiohttp tells the status only."""
    wrong = relay.token("hyco", key="wrong")
    refused = [peers.start(name, "send", token=wrong) for name in SENDERS]
    for name, sender in zip(SENDERS, refused):
        answer = await peers.event(sender)
        assert answer["status"] == 401 and (name == "aiohttp" or "InvalidSignature" in answer["text"]), answer
    listener = await within(relayclient.Listener.open(relay, "hyco"))
    for name in SENDERS:
        sender = peers.start(name, "send")
        request = await within(listener.next_accept(), 20)
        with pytest.raises(ws.HandshakeError):
            await within(listener.rendezvous(
                request, more="&sb-hc-statusCode=400&sb-hc-statusDescription=Rejected+by+user+code"))
        answer = await peers.event(sender)
        assert answer["status"] == 400 and (name == "aiohttp" or answer["text"] == "Rejected by user code"), answer
    await listener.close()


# ---------------------------------------------------------------- requests of clients that are not installed


def go_query_escape(text):
    return quote(text, safe="-._~ ").replace(" ", "+")


def upper_level_token(resource, escape):
    """A token as clients other than .NET write it, for `resource` in lower case."""
    encoded, expiry = escape(resource.lower()), int(time.time()) + 3600
    digest = hmac.new(product.ROOT_KEY.encode(), f"{encoded}\n{expiry}".encode(), hashlib.sha256).digest()
    return f"SharedAccessSignature sr={encoded}&sig={escape(base64.b64encode(digest).decode())}&se={expiry}&skn=root"


async def through(relay, target, lines):
    """Opens a WebSocket with exactly these header lines behind Host."""
    reader, writer = await ws.open_stream(relay.host, relay.port, relay.ca)
    head = [f"GET {target} HTTP/1.1", f"Host: {relay.host}:{relay.port}", *lines]
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    answer = await within(ws.read_head(reader))
    assert answer.status == 101, answer.first
    return ws.WebSocket(reader, writer, answer)


def key():
    return base64.b64encode(os.urandom(16)).decode()


@asynctest()
async def test_the_requests_of_aztunnel(relay):
    """I1: Go; no sb-hc-id, the token by url.QueryEscape, the audience https with the port."""
    token = upper_level_token(f"https://{relay.host}:{relay.port}/simple", go_query_escape)

    def opened(action):
        return through(relay, f"/$hc/simple?sb-hc-action={action}&sb-hc-token={go_query_escape(token)}", [
            "User-Agent: Go-http-client/1.1", "Connection: Upgrade", f"Sec-WebSocket-Key: {key()}",
            "Sec-WebSocket-Version: 13", "Upgrade: websocket"])

    listener = relayclient.Listener(relay, await opened("listen"))
    await listener.control.send(json.dumps({"renewToken": {"token": token}}))
    dialling = asyncio.create_task(opened("connect"))
    accepted, _ = await within(listener.accept())
    sender = await within(dialling)
    await sender.send(b"\x00through")
    assert (await within(accepted.receive())).payload == b"\x00through"
    assert listener.closed is None, "the renewal was taken"
    await listener.close()


@asynctest()
async def test_the_requests_of_microsofts_library_for_java(relay):
    """I2: Jetty's headers; a sender signs the namespace alone; the accept message has all that Java demands."""
    listening = upper_level_token(f"http://{relay.host}/simple", quote_plus)
    sending = upper_level_token(f"sb://{relay.host}", quote_plus)

    def opened(action, token):
        return through(relay, f"/$hc/simple?sb-hc-action={action}&sb-hc-id={uuid.uuid4()}", [
            "Accept-Encoding: gzip", "User-Agent: Jetty/9.4.7.v20170914", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key()}", "Sec-WebSocket-Version: 13", "Pragma: no-cache", "Cache-Control: no-cache",
            f"ServiceBusAuthorization: {token}"])

    listener = relayclient.Listener(relay, await opened("listen", listening))
    dialling = asyncio.create_task(opened("connect", sending))
    accepted, request = await within(listener.accept())
    uuid.UUID(request["id"][:36])
    assert request["remoteEndpoint"]["address"] and isinstance(request["remoteEndpoint"]["port"], int)
    assert all(isinstance(value, str) for value in request["connectHeaders"].values())
    sender = await within(dialling)
    await accepted.send("from the listener")
    assert (await within(sender.receive())).payload == b"from the listener"
    await listener.close()
