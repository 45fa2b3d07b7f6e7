"""Which protocol is spoken: v2 between our own agents, v1 with whoever speaks only that, and clear words for
everybody else. The peers are independent: v1_peer.py, and a v2 client written from the document (hpbtest.v2)."""

import asyncio
import contextlib
import os
import socket

import pytest
import v1_peer
from hpbtest import apps, relayclient, v2, ws
from hpbtest.bridge import counters, flags
from hpbtest.waiting import asynctest, deadline, sized, stays, until, wait_until

PROTOCOLS = ("auto", "v1", "v2")


@pytest.fixture(scope="module")
def echo():
    with apps.echo_target() as target:
        yield target


class V1Service(v1_peer.Service):
    """A v1-only listener with a rule for subprotocols: "first" of those offered, as .NET's, or "none"."""

    def __init__(self, *arguments, rule="none", **how):
        self.rule, self.offers = rule, []
        super().__init__(*arguments, **how)

    async def _one(self, request):
        offer = next((v for n, v in request.get("connectHeaders", {}).items()
                      if n.lower() == "sec-websocket-protocol"), None)
        self.offers.append(offer)
        first = offer.split(",")[0].strip() if offer and self.rule == "first" else None
        channel = v1_peer.Channel(await self.listener.rendezvous(request, protocols=first), self.record)
        self.channels.append(channel)
        try:
            await self._serve(channel)
        except ws.ConnectionLost as error:
            channel.closed = channel.closed or error
        finally:
            channel.abort()


def pinned(protocol):
    return flags({"Protocol": protocol}) if protocol else []


def speaks_v2(agent):
    return counters(agent)["sessions"] > 0


def reset_at_once(address, seconds=10):
    """An application that speaks and is answered by nothing but the connection's end. @return "reset", "eof"."""
    with socket.create_connection(address, timeout=deadline(seconds)) as sock:
        try:
            sock.sendall(b"hello?")
            return "eof" if sock.recv(100) == b"" else "bytes"
        except (ConnectionResetError, BrokenPipeError):
            return "reset"


# ---------------------------------------------------------------- our own agents


def test_our_agents_speak_v2_by_themselves(bench, relay, echo):
    service = bench.service(relay, {5011: echo.address})
    client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"])
    with socket.create_connection(address) as sock:
        assert apps.exchange(None, b"hello" * 1000, sock=sock) == b"hello" * 1000
        for agent in (client, service):
            said = counters(agent)
            assert (said["sessions"], said["streams"], said["channels"]) == (1, 1, 1), said


@pytest.mark.parametrize("client_protocol", PROTOCOLS)
@pytest.mark.parametrize("service_protocol", PROTOCOLS)
def test_pinning(bench, relay, echo, client_protocol, service_protocol):
    service = bench.service(relay, {5011: echo.address}, more=pinned(service_protocol))
    client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=pinned(client_protocol))
    pins = {client_protocol, service_protocol}
    if pins == {"v1", "v2"}:
        assert reset_at_once(address) == "reset", "no common protocol is a reset, not an end of file"
        client.wait_error(r"speaks only v1, and this agent's Protocol is v2|offers no subprotocol, which means hpb\.v1", 5)
        if service_protocol == "v2":
            service.wait_error(r"offers no subprotocol, which means hpb\.v1, and this agent's Protocol is v2", 5)
        assert echo.live == 0
    else:
        with socket.create_connection(address) as sock:
            data = os.urandom(200_000)
            assert apps.exchange(None, data, sock=sock) == data
            assert speaks_v2(client) == speaks_v2(service) == ("v1" not in pins)
        if "v1" not in pins:  # v2's mark: an end of sending passes through, and the answer comes back
            wait_until(lambda: echo.live == 0, 10, "the target saw the end")


# ---------------------------------------------------------------- v1-only peers, and no wrong byte


@pytest.mark.parametrize("protocol", [None, "v1"], ids=["auto", "pinned to v1"])
@pytest.mark.parametrize("rule", ["first", "none"])
@asynctest()
async def test_client_agent_and_a_v1_listener(bench, relay, echo, rule, protocol):
    listener = await relayclient.Listener.open(relay)
    service = V1Service(listener, {5011: echo.address}, rule=rule, record=True)
    client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=pinned(protocol))
    reader, writer = await asyncio.open_connection(*address)
    data = os.urandom(sized(2 << 20, 1 << 18))
    writer.write(data)
    assert await asyncio.wait_for(reader.readexactly(len(data)), deadline(20)) == data
    assert len(service.channels) == 1, "without a second attempt"
    channel = service.channels[0]
    assert channel.messages[0] == v1_peer.preamble(5011), "the first bytes are v1's"
    assert len({message[:16] for message in channel.messages[1:]}) == 1, "and then frames of one connection"
    if protocol is None:
        assert service.offers == ["hpb.v1, hpb.v2"], "in this order: .NET takes the first"
    else:
        assert service.offers[0] in (None, "hpb.v1"), "a pinned protocol offers no other"
    assert counters(client)["sessions"] == 0
    writer.close()
    # The way there is known by now: other connections go the same way.
    assert await asyncio.to_thread(apps.answers, address)
    await service.close()


@pytest.mark.parametrize("protocol", [None, "v1"], ids=["auto", "pinned to v1"])
@pytest.mark.parametrize("offer", [None, "hpb.v1", "hpb.v9, hpb.v1"])
@asynctest()
async def test_service_agent_and_a_v1_sender(bench, relay, echo, offer, protocol):
    service = bench.service(relay, {5011: echo.address}, more=pinned(protocol))
    client = await v1_peer.Client.dial(relay, 5011, protocols=offer, record=True)
    assert client.channel.socket.protocol in ((None,) if offer is None else (None, "hpb.v1"))
    connection = client.connection()
    data = os.urandom(sized(2 << 20, 1 << 18))
    _, got = await asyncio.gather(connection.send(data), asyncio.wait_for(connection.receive(len(data)), deadline(20)))
    assert got == data and not client.strangers
    assert all(message[:16] == connection.id for message in client.channel.messages)
    assert counters(service)["sessions"] == 0
    await client.close()


@asynctest()
async def test_a_v1_listener_is_reset_by_a_client_that_insists_on_v2(bench, relay, echo):
    """.NET's rule takes the first offer whatever it is; one that answers none is refused by its silence."""
    listener = await relayclient.Listener.open(relay)
    service = V1Service(listener, {5011: echo.address}, rule="none", record=True)
    client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=pinned("v2"))
    assert await asyncio.to_thread(reset_at_once, address) == "reset"
    client.wait_error(r"v1.*v2|v2.*v1|hpb\.v2", 5)
    assert all(channel.bytes_received == 0 for channel in service.channels), "not a byte that v1 would misread"
    await service.close()


# ---------------------------------------------------------------- the future, and strangers


@pytest.mark.parametrize("protocol", PROTOCOLS)
@asynctest()
async def test_a_sender_that_offers_only_what_is_not_known_is_refused_in_words(bench, relay, echo, protocol):
    service = bench.service(relay, {5011: echo.address}, more=pinned(protocol))
    with pytest.raises(ws.HandshakeError) as refusal:
        await relayclient.send(relay, protocols="hpb.v9")
    print(f"refused: {refusal.value}")
    assert 400 <= refusal.value.status < 600
    spoken = {"auto": "speaks hpb.v1 and hpb.v2", "v1": "speaks hpb.v1", "v2": "hpb.v2"}[protocol]
    assert spoken in refusal.value.reason, "the reason names what is spoken"
    await until(lambda: spoken in service.errors, 5, f"and so does the log: {service.errors[-1000:]}")


@asynctest()
async def test_a_hello_of_a_future_version_is_refused_with_our_own(bench, relay, echo):
    service = bench.service(relay, {5011: echo.address})
    channel = await v2.Channel.dial(relay)
    with pytest.raises(v2.Refused) as refusal:
        await channel.begin(v2.Session(), 1, versions=(9, 9))
    assert (refusal.value.code, refusal.value.highest, refusal.value.lowest) == (v2.VERSION, 2, 2)
    assert refusal.value.text and refusal.value.text.isprintable()
    assert await channel.read() is None, "the only frame of its channel"
    await until(lambda: "version" in service.errors.lower(), 5, f"the log says so: {service.errors[-1000:]}")
    channel = await v2.Channel.dial(relay)
    welcome = await channel.begin(v2.Session(), 1, versions=(9, 2))
    assert welcome[:2] == b"\0\2", "the highest in common"
    await channel.close()


@pytest.mark.parametrize("fault", ["a proof of zeroes", "a proof with another secret", "new, with another secret",
                                   "a HELLO that was overheard"])
@asynctest()
async def test_a_wrong_or_repeated_resume_is_refused_and_logged_and_harms_nobody(bench, relay, echo, fault):
    service = bench.service(relay, {5011: echo.address})
    session, first = v2.Session(), await v2.Channel.dial(relay)
    overheard = session.hello(1)
    await first.begin_with(session, 1, overheard)
    await first.open(1, 5011, b"hello")
    assert await first.receive(1, 0, 5) == b"hello"
    hello, code = {
        "a proof of zeroes": (session.hello(2, resume=True, proof=bytes(32)), v2.BAD_PROOF),
        "a proof with another secret": (session.hello(3, resume=True, secret=os.urandom(32)), v2.BAD_PROOF),
        "new, with another secret": (session.hello(4, secret=os.urandom(32)), v2.BAD_PROOF),
        "a HELLO that was overheard": (overheard, v2.REPLAYED)}[fault]
    stranger = await v2.Channel.dial(relay)
    with pytest.raises(v2.Refused) as refusal:
        await stranger.begin_with(session, 1, hello)
    assert refusal.value.code == code, refusal.value
    assert await stranger.read() is None
    name = session.id.hex()[:8]
    await until(lambda: name in service.errors, 5, f"a line that names the session: {service.errors}")
    line = next(line for line in service.errors.splitlines() if name in line)
    assert "refused" in line and refusal.value.text in line, line
    await first.send_data(1, 5, b"on and on")
    assert await first.receive(1, 5, 9) == b"on and on", "the session that was named goes on"
    # And its owner may resume it: another channel takes over when the first is gone.
    second = await v2.Channel.dial(relay)
    await second.begin(session, 5, resume=True)
    first.vanish()
    await second.send_data(1, 14, b"elsewhere")
    assert await second.receive(1, 14, 9) == b"elsewhere"
    await second.close()


@asynctest()
async def test_a_session_of_another_agent_is_refused_as_not_known(bench, relay, echo):
    bench.service(relay, {5011: echo.address})
    channel = await v2.Channel.dial(relay)
    with pytest.raises(v2.Refused) as refusal:
        await channel.begin(v2.Session(), 1, resume=True)
    assert refusal.value.code == v2.UNKNOWN_SESSION


@pytest.mark.parametrize("garbage", [b"\0" * 64, b"GET / HTTP/1.1\r\n\r\n" * 4, v2.frame(v2.PING, 0, bytes(8)),
                                     v2.frame(v2.HELLO, 0, b"hpb2"), v2.frame(v2.HELLO, 0, b"hpb7" + bytes(100))],
                         ids=["zeroes", "http", "a ping first", "a short hello", "another magic"])
@asynctest()
async def test_what_is_no_hello_ends_the_channel_and_nothing_else(bench, relay, echo, garbage):
    bench.service(relay, {5011: echo.address})
    session, good = v2.Session(), await v2.Channel.dial(relay)
    await good.begin(session, 1)
    bad = await v2.Channel.dial(relay)
    await bad.send(garbage)
    answer = await bad.read()
    assert answer is None or answer[0] in (v2.REFUSED_HELLO, v2.CHANNEL_CLOSE)
    while answer is not None:
        answer = await bad.read()
    await good.open(1, 5011, b"fine")
    assert await good.receive(1, 0, 4) == b"fine"
    await good.close()


# ---------------------------------------------------------------- one side is replaced


def test_a_service_agent_is_replaced_by_a_v1_one_and_back(bench, relay, echo):
    client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"])
    for protocol, sessions in (("auto", 1), ("v1", 0), ("auto", 1)):
        service = bench.service(relay, {5011: echo.address}, more=pinned(protocol))
        wait_until(lambda: apps.answers(address), 10, f"new connections with a service agent of {protocol}")
        assert apps.exchange(address, b"x" * 100_000) == b"x" * 100_000
        assert counters(service)["sessions"] == sessions
        service.kill()
    assert client.running()


@asynctest(90)
async def test_a_service_agent_is_replaced_by_a_foreign_v1_listener_and_back(bench, relay, echo):
    client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"])
    service = bench.service(relay, {5011: echo.address})
    assert await asyncio.to_thread(apps.answers, address)
    service.kill()
    foreign = V1Service(await relayclient.Listener.open(relay), {5011: echo.address}, rule="first", record=True)

    async def answered(what):
        for _ in range(20):
            if await asyncio.to_thread(apps.answers, address):
                return
        raise AssertionError(f"no answer from {what}: {client.errors[-2000:]}")

    await answered("the foreign listener")
    for channel in foreign.channels:  # attempts to resume with it may not have written anything that v1 misreads
        assert not channel.messages or channel.messages[0] == v1_peer.preamble(5011), channel.messages[0][:40]
    await foreign.close()
    back = bench.service(relay, {5011: echo.address})
    await answered("our service agent")
    with contextlib.suppress(asyncio.TimeoutError):
        await stays(client.running, 0.2, "the client agent runs")
    assert counters(back)["sessions"] == 1
