"""Whose a request is that comes through a proxy: the client's that a trusted proxy names, and nobody else's."""

import asyncio

import pytest
from hpbtest import relayclient
from hpbtest.relayclient import within
from hpbtest.waiting import asynctest

PROXY = "127.0.0.9"
STRANGER, HONEST = "203.0.113.66", "198.51.100.7"


def trusting(bench, **more):
    return bench.relay(options=bench.relay_options(TrustedProxies=[PROXY], **more))


def named(client):
    return [("X-Forwarded-For", client)]


async def open_listener(relay, client, number, *, source=PROXY):
    return await relayclient.ws.connect(
        relay.host, relay.port, relayclient.target("simple", "listen", identity=f"l{number}"), relay.ca,
        [*relayclient.authorization(relay.token()), *named(client)], source=source)


@pytest.mark.parametrize("source, client", [(PROXY, HONEST), ("127.0.0.8", "127.0.0.8")], ids=["trusted", "not trusted"])
@asynctest()
async def test_the_client_that_a_trusted_proxy_names(bench, source, client):
    """S2: listeners are told of it, and the log names it."""
    relay = trusting(bench)
    listener = await within(relayclient.Listener.open(relay))
    sender, accepted, request = await relayclient.pair(relay, listener, headers=named(HONEST), source=source)
    assert request["remoteEndpoint"]["address"] == client
    assert (request["remoteEndpoint"]["port"] == 0) == (source == PROXY)
    relay.process.wait_error(rf"sender {client}\S* connected to simple", 5)
    sender.abort()
    accepted.abort()
    await relayclient.refused(relayclient.send(relay, "simple", token="nonsense", headers=named(HONEST), source=source), 401)
    relay.process.wait_error(rf"refused a sender to simple from {client}[: ]", 5)
    await listener.close()


@asynctest()
async def test_clients_behind_a_proxy_have_shares_of_their_own(bench):
    """S2: one of them takes its share of the connections, and the next one still gets in; so does the proxy itself."""
    relay = trusting(bench, MaxConnections=20)
    held = []
    for number in range(20):
        try:
            held.append(await within(open_listener(relay, STRANGER, number)))
        except relayclient.ws.HandshakeError as error:
            assert error.status == 503, error
            assert "Too many connections from this address" in error.reason
            break
    assert 10 <= len(held) < 18, len(held)
    held.append(await within(open_listener(relay, HONEST, "honest")))
    held.append(await within(open_listener(relay, f"{STRANGER}, nonsense", "malformed")))
    relay.process.wait_error(rf"refused a listener on simple from {STRANGER}: 503 Too many connections", 5)
    for control in held:
        control.abort()


@asynctest()
async def test_waiting_senders_behind_a_proxy_have_shares_of_their_own(bench):
    """S2: a client that has many senders wait for a listener leaves room for another one's."""
    relay = trusting(bench, MaxPendingSenders=10)
    listener = await within(relayclient.Listener.open(relay))  # accepts nobody
    waiting = [asyncio.create_task(relayclient.send(relay, headers=named(STRANGER), source=PROXY)) for _ in range(10)]
    done, _ = await within(asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))
    assert all(task.exception().status == 503 for task in done)
    honest = asyncio.create_task(relayclient.send(relay, headers=named(HONEST), source=PROXY))
    seen = []
    while HONEST not in seen:
        seen.append((await within(listener.next_accept()))["remoteEndpoint"]["address"])
    assert set(seen) <= {STRANGER, HONEST}
    for task in [*waiting, honest]:
        task.cancel()
    await asyncio.gather(*waiting, honest, return_exceptions=True)
    await listener.close()
