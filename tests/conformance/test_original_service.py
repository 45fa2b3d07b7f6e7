"""hpb client before an original service agent, or before a listener that is no bridge at all. Each row of "Limits of
v1" that concerns the client agent has its test here or in test_v1.py."""

import asyncio

import pytest
import v1_peer
from hpbtest import apps, relayclient
from hpbtest.bridge import limits
from hpbtest.original import ServiceAgent
from hpbtest.waiting import asynctest, deadline, sized, stays, until


async def end_of(reader, seconds=5):
    """Waits for the end. @return "reset" or what came before an orderly end."""
    try:
        return await asyncio.wait_for(reader.read(), deadline(seconds))
    except ConnectionResetError:
        return "reset"


async def opened(address, data):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    return reader, writer


@asynctest()
async def test_before_the_original_and_a_refusal_ends_its_channel(bench, relay):
    """D6: that v1 was chosen is said once. The original ends a channel whose target refuses."""
    with apps.echo_target() as target:
        refused, keep = apps.refused_address()
        service = await ServiceAgent.open(relay, {5011: target.address, 5012: refused})
        client, (good, bad) = bench.client_with(relay, [{}, {"RemoteConfigurationKey": 5012}])
        for _ in range(3):
            reader, writer = await opened(good, b"ping")
            assert await asyncio.wait_for(reader.readexactly(4), deadline(10)) == b"ping"
            writer.close()
        assert client.errors.count("has not chosen hpb.v2") == 1
        for _ in range(2):
            reader, _ = await opened(bad, b"ping")
            assert await end_of(reader) in (b"", "reset")
        await until(lambda: "closes channels as soon as they begin" in client.errors, 5, "the likely reasons")
        keep.close()
        await service.close()


@pytest.mark.parametrize("last", [b"\0" * 10, "head", "payload"], ids=["10 bytes", "head", "payload"])
@asynctest()
async def test_a_channel_that_ends_inside_a_frame_resets_the_application(bench, relay, last):
    """D3: however orderly its Close, a truncated stream does not pass for a whole one."""
    async def serve(channel):
        await channel.read_preamble()
        identity, _ = await channel.read_frame()
        await channel.write_frame(identity, b"whole")
        rest = v1_peer.frame(identity, b"truncated")
        await channel.write({"head": rest[:17], "payload": rest[:20]}.get(last, identity[:10]))
        await channel.close()

    service = await v1_peer.Service.open(relay, {}, serve=serve)
    client, (address,) = bench.client_with(relay, [{}])
    reader, _ = await opened(address, b"ask")
    assert await asyncio.wait_for(reader.readexactly(5), deadline(5)) == b"whole"
    try:
        data = await asyncio.wait_for(reader.read(), deadline(5))
        while data:
            data = await asyncio.wait_for(reader.read(), deadline(5))
        raise AssertionError("an orderly end")
    except ConnectionResetError:
        pass
    await until(lambda: "it ended inside a frame" in client.errors, 5, "the reason")
    await service.close()


@pytest.mark.parametrize("answer", [b"\0\0\0", b"\0\0\1", b"\0\0\xff"])
@asynctest()
async def test_an_azbridge_listener_is_named(bench, relay, answer):
    """D3: three bytes and an orderly end are azbridge's refusal."""
    async def serve(channel):
        await channel.read_preamble()
        await channel.write(answer)
        await channel.close()

    service = await v1_peer.Service.open(relay, {}, serve=serve)
    client, (address,) = bench.client_with(relay, [{}])
    reader, _ = await opened(address, b"ask")
    assert await end_of(reader) == "reset"
    await until(lambda: "speaks azbridge's protocol" in client.errors, 5, "the reason")
    await service.close()


@pytest.mark.parametrize("words, answer", [("it echoes what it receives", "echo"),
                                           ("what it sends is not v1", b"HTTP/1.1 400 Bad Request\r\n\r\n")])
@asynctest()
async def test_a_listener_that_is_no_bridge_is_named_and_the_application_reset(bench, relay, words, answer):
    """D6: every listener of an SDK agrees to the first subprotocol that is offered."""
    async def serve(channel):
        while await channel._more():
            data = bytes(channel._buffer)
            channel._buffer.clear()
            await channel.write(data if answer == "echo" else answer)

    service = await v1_peer.Service.open(relay, {}, serve=serve)
    client, (address,) = bench.client_with(relay, [{}])
    reader, _ = await opened(address, b"ask")
    assert await end_of(reader) == "reset"
    await until(lambda: words in client.errors, 5, "the reason")
    await service.close()


@asynctest()
async def test_a_listener_that_says_nothing_is_told_of(bench, relay):
    """D6: after 10 s, once."""
    async def serve(channel):
        while await channel._more():
            pass

    service = await v1_peer.Service.open(relay, {}, serve=serve)
    client, (address,) = bench.client_with(relay, [{}])
    _, writer = await opened(address, b"ask")
    await until(lambda: "nothing valid has come back on a channel for 10 s" in client.errors, 15, "the line")
    writer.close()
    await service.close()


@asynctest()
async def test_a_burst_of_channels_is_dialled_sixteen_at_once(bench, relay):
    """D17: an original service agent takes each on a thread of its pool, which grows slowly."""
    with apps.echo_target() as target:
        listener = await relayclient.Listener.open(relay)
        client, (address,) = bench.client_with(relay, [{"RelayConnectionTtlSeconds": 0}])
        streams = [await opened(address, b"first")]
        service = v1_peer.Service(listener, {5011: target.address})
        assert await asyncio.wait_for(streams[0][0].readexactly(5), deadline(10)) == b"first"
        for task in list(service._tasks):
            if task.get_coro().__name__ == "_run":
                task.cancel()
        count = sized(40, 30)
        streams += [await opened(address, b"ping") for _ in range(count)]
        await until(lambda: listener._accepts.qsize() >= 8, 10, "channels are asked for")
        await stays(lambda: listener._accepts.qsize() <= 16, 1, "sixteen wait at most")
        assert limits(client)["delayed_channels"] > 0
        service._spawn(service._run())
        for reader, _ in streams[1:]:
            assert await asyncio.wait_for(reader.readexactly(4), deadline(20)) == b"ping"
        for _, writer in streams:
            writer.close()
        await service.close()
