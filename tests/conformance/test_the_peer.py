"""The independent peer against itself, over the stand-in relay: what it reports about the product is worth
as much as this. Needs nothing of the product."""

import asyncio
import os

import v1_peer
from hpbtest import apps, relayclient, sas, ws
from hpbtest.standin import StandIn
from hpbtest.waiting import asynctest


def test_tokens_equal_the_published_vectors():
    assert sas.token("http://contoso.servicebus.windows.net/hyco/", "RootManageSharedAccessKey", "vector-key-0001",
                     expiry=1700000000) == (
        "SharedAccessSignature sr=http%3A%2F%2Fcontoso.servicebus.windows.net%2Fhyco%2F&sig="
        "O05Wt1wFOBWO84f4NYM5rU7kfkCCwq6gBR20mc%2BG0KQ%3D&se=1700000000&skn=RootManageSharedAccessKey")


def test_vectors():
    assert v1_peer.preamble(5011) == bytes.fromhex("0000931300000000")
    assert v1_peer.preamble(-1) == bytes.fromhex("0000ffffffff0000")
    identity = v1_peer.guid("00112233-4455-6677-8899-aabbccddeeff")
    assert v1_peer.frame(identity, b"hello") == bytes.fromhex(
        "33221100554477668899aabbccddeeff0500") + b"hello"


def test_masking_is_its_own_inverse_and_agrees_with_the_plain_loop():
    for size in (0, 1, 3, 4, 5, 126, 65536):
        data, key = os.urandom(size), os.urandom(4)
        assert ws.mask(data, key) == bytes(b ^ key[i % 4] for i, b in enumerate(data))
        assert ws.mask(ws.mask(data, key), key) == data


@asynctest(120)
async def test_a_hundred_connections_of_a_mebibyte(certificates):
    with apps.echo_target() as target:
        async with StandIn(certificates) as relay:
            service = await v1_peer.Service.open(relay, {5011: target.address})
            client = await v1_peer.Client.dial(relay, 5011)

            async def one():
                data, connection = os.urandom(1 << 20), client.connection()
                _, got = await asyncio.gather(connection.send(data), connection.receive(len(data)))
                return got == data

            assert all(await asyncio.gather(*(one() for _ in range(100))))
            await client.close()
            await service.close()


@asynctest()
async def test_close_passes_and_a_reset_is_no_close(certificates):
    async with StandIn(certificates) as relay:
        listener = await relayclient.Listener.open(relay)
        sender, accepted, _ = await relayclient.pair(relay, listener)
        await sender.send_close(1000, "x")
        assert await accepted.receive() == ws.Message(ws.CLOSE, "x", 1000)
        sender, accepted, _ = await relayclient.pair(relay, listener)
        sender.reset()
        try:
            raise AssertionError(await accepted.receive())
        except ws.ConnectionLost:
            pass
        await listener.close()
