"""What peers can make the relay hold: a stalled reader, and a thousand idle channels."""

import asyncio
import os

import pytest
from hpbtest import relayclient, ws
from hpbtest.waiting import SLOW, asynctest, sized, until, until_steady

MIB = 1 << 20


@pytest.mark.parametrize("direction", ["to the listener", "to the sender"])
@pytest.mark.parametrize("message", [16 << 10, 64 * MIB], ids=["many messages", "one message of 64 MiB"])
@asynctest(120)
async def test_a_stalled_reader_stops_its_sender_and_does_not_grow_the_relay(relay, direction, message):
    listener = await relayclient.Listener.open(relay)
    dialling = asyncio.create_task(relayclient.send(relay, limit=4096, receive_buffer=65536))
    request = await listener.next_accept()
    accepted = await listener.rendezvous(request, limit=4096, receive_buffer=65536)
    sender = await dialling
    source, sink = (sender, accepted) if direction == "to the listener" else (accepted, sender)
    await source.send(b"warm")
    assert (await sink.receive()).payload == b"warm"
    before = relay.process.resident_bytes()
    total, sent = 64 * MIB, 0
    chunk = os.urandom(min(message, MIB))

    async def push():
        nonlocal sent
        while sent < total:
            if message <= MIB:
                source.write_frame(ws.BINARY, chunk)
            elif sent == 0:  # the head of one long frame; the rest follows as bare payload, masked with zeroes
                source.writer.write(b"\x82\xff" + message.to_bytes(8, "big") + bytes(4) + chunk)
            else:
                source.writer.write(chunk)
            await source.flush()
            sent += len(chunk)

    pushing = asyncio.create_task(push())
    stopped_at = await until_steady(lambda: sent, 1.0, 60, "the sender is stopped by back-pressure")
    assert stopped_at < total, "everything was taken although nobody reads: it must be somewhere"
    grown = relay.process.resident_bytes() - before
    print(f"sender stopped after {stopped_at / MIB:.1f} MiB, relay grew by {grown / MIB:.2f} MiB")
    if not SLOW:
        assert grown < 8 * MIB
    # Other traffic is not held up by the stalled one.
    other, its_end, _ = await relayclient.pair(relay, listener)
    await other.send(b"lively")
    assert (await asyncio.wait_for(its_end.receive(), 10)).payload == b"lively"
    got = 0
    while got < total:  # and nothing is lost when the reader goes on
        frame = await sink.receive_frame()
        if frame.opcode in (ws.BINARY, ws.CONTINUATION):
            got += len(frame.payload)
    await pushing
    if not SLOW:
        assert relay.process.resident_bytes() - before < 12 * MIB
    await listener.close()


@pytest.mark.skipif(SLOW, reason="memory of a sanitizer build says nothing")
@asynctest(180)
async def test_a_thousand_idle_channels_cost_at_most_160_mib(relay):
    listeners = [await relayclient.Listener.open(relay) for _ in range(2)]
    count = sized(1000, 100)
    ends = []

    async def serve(listener):
        while True:
            request = await listener.next_accept()
            ends.append(await listener.rendezvous(request))

    serving = [asyncio.create_task(serve(listener)) for listener in listeners]
    first = await relayclient.send(relay)
    before, before_descriptors = relay.process.resident_bytes(), relay.process.descriptors()
    gate = asyncio.Semaphore(40)

    async def one():
        async with gate:
            sender = await relayclient.send(relay)
            await sender.send(b"x")
            return sender

    senders = await asyncio.gather(*(one() for _ in range(count)))
    await until(lambda: len(ends) == count + 1, 30, "every rendezvous")
    grown = await until_steady(relay.process.resident_bytes, 0.5, 30, "the memory is steady") - before
    print(f"{count} idle channels: {grown / MIB:.1f} MiB, {grown / count / 1024:.1f} KiB each")
    assert grown <= 160 * MIB
    for sender in senders:
        sender.abort()
    await until(lambda: relay.process.descriptors() <= before_descriptors, 30, "their descriptors are closed")
    for task in serving:
        task.cancel()
    first.abort()
    for listener in listeners:
        await listener.close()


@asynctest(180)
async def test_senders_that_wait_for_a_listener_are_let_go_when_they_leave(relay):
    listener = await relayclient.Listener.open(relay)  # accepts nobody
    before = relay.process.descriptors()
    writers = []
    for _ in range(sized(300, 50)):
        _, writer = await ws.open_stream(relay.host, relay.port, relay.ca)
        writer.write(ws.upgrade_request(relay.host, relay.port, relayclient.target("simple", "connect"),
                                        relayclient.authorization(relay.token())))
        await writer.drain()
        writers.append(writer)
    await until(lambda: listener._accepts.qsize() == len(writers), 30, "every accept message")
    for writer in writers:
        writer.transport.abort()
    try:
        await until(lambda: relay.process.descriptors() <= before, 30, "their descriptors are closed")
    except AssertionError as late:
        raise AssertionError(f"{late}: {before} before, {relay.process.descriptors()} now; "
                             f"relay: {relay.process.errors[-2000:]}") from None
    assert listener.closed is None
    await listener.close()
