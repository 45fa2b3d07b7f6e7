"""Version 1 on the wire: hpb client and hpb service, each against the independent peer, through hpb relay."""

import asyncio
import os
import socket
import struct
import threading

import pytest
import v1_peer
from hpbtest import apps, relayclient, ws
from hpbtest.waiting import asynctest, deadline, sized, stays, until

#: The service's wait between its last target's end and the channel's.
LINGER = 1.0


@pytest.fixture(scope="module")
def echo():
    with apps.echo_target() as target:
        yield target


async def opened(address):
    """An application's connection to the client agent."""
    return await asyncio.open_connection(*address)


async def round_trip(reader, writer, data=b"ping", seconds=10):
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), deadline(seconds)) == data


async def finished(channel):
    """Reads a channel to its end."""
    while await channel.read_frame() is not None:
        pass
    return channel.closed


class Recorder:
    """A service's role that keeps each channel's first bytes and echoes frames."""

    def __init__(self):
        self.channels = []
        self.live = 0

    async def __call__(self, channel):
        self.channels.append(channel)
        self.live += 1
        channel.frames = []
        try:
            channel.key = await channel.read_preamble()
            while (item := await channel.read_frame()) is not None:
                channel.frames.append(item)
                await channel.write_frame(*item)
        finally:
            self.live -= 1


# ---------------------------------------------------------------- the client agent's bytes


@pytest.mark.parametrize("key, vector", [
    (5011, "0000931300000000"), (5111, "0000f71300000000"), (14333, "0000fd3700000000"),
    (1, "0000010000000000"), (-1, "0000ffffffff0000"), (2147483647, "0000ffffff7f0000")],
    ids=["H1", "H2", "H3", "H4", "H5", "H6"])
@asynctest()
async def test_client_sends_the_preamble_as_one_message_and_then_frames(bench, relay, key, vector):
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder, record=True)
    _, (address,) = bench.client_with(relay, [{"RemoteConfigurationKey": key}])
    reader, writer = await opened(address)
    assert await round_trip(reader, writer, b"hello")
    channel = recorder.channels[0]
    assert channel.messages[0] == bytes.fromhex(vector)
    # One frame, one message: 16 bytes of id, the size, the payload (H9 but for the id).
    assert len(channel.messages[1]) == 23 and channel.messages[1][16:] == b"\x05\x00hello"
    writer.close()
    await service.close()


@asynctest()
async def test_client_splits_long_data_into_frames_of_at_most_65518_and_makes_version_4_ids(bench, relay):
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder, record=True)
    _, (address,) = bench.client_with(relay, [{}])
    data = os.urandom(3 << 20)
    reader, writer = await opened(address)
    writer.write(data)
    assert await asyncio.wait_for(reader.readexactly(len(data)), deadline(30)) == data
    for message in recorder.channels[0].messages[1:]:
        (size,) = struct.unpack_from("<H", message, 16)
        assert 1 <= size <= v1_peer.MAX_SENT and len(message) == 18 + size
    identity = recorder.channels[0].frames[0][0]
    assert identity[7] >> 4 == 4 and identity[8] >> 6 == 2  # .NET order: the version is in byte 7
    writer.close()
    await service.close()


@asynctest(180)
async def test_a_hundred_connections_of_a_mebibyte_from_hpb_client_to_the_peer(bench, relay, echo):
    service = await v1_peer.Service.open(relay, {5011: echo.address})
    _, (address,) = bench.client_with(relay, [{"RelayChannelCount": 4}])
    size = sized(1 << 20, 1 << 17)

    async def one():
        data = os.urandom(size)
        reader, writer = await opened(address)
        writer.write(data)
        got = await reader.readexactly(size)
        writer.close()
        return got == data

    assert all(await asyncio.gather(*(one() for _ in range(100))))
    await service.close()


@asynctest(180)
async def test_a_hundred_connections_of_a_mebibyte_from_the_peer_to_hpb_service(bench, relay, echo):
    bench.service(relay, {5011: echo.address})
    clients = [await v1_peer.Client.dial(relay, 5011) for _ in range(4)]
    size = sized(1 << 20, 1 << 17)

    async def one(number):
        data, connection = os.urandom(size), clients[number % 4].connection()
        _, got = await asyncio.gather(connection.send(data), connection.receive(size))
        return got == data

    assert all(await asyncio.gather(*(one(i) for i in range(100))))
    for client in clients:
        await client.close()


# ---------------------------------------------------------------- the client agent's conduct


@asynctest()
async def test_client_drops_frames_of_unknown_ids_and_keeps_the_channel(bench, relay):
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder)
    _, (address,) = bench.client_with(relay, [{}])
    first, second = await opened(address), await opened(address)
    assert await round_trip(*first) and await round_trip(*second)
    channel = recorder.channels[0]
    await channel.write_frame(v1_peer.new_id(), b"nobody asked for this")
    await channel.write(v1_peer.new_id() + b"\x00\x00")  # an empty frame, too
    first[1].transport.abort()
    await channel.write_frame(channel.frames[0][0], b"too late")
    assert await round_trip(*second, b"still here")
    assert len(recorder.channels) == 1 and channel.closed is None
    second[1].close()
    await service.close()


@asynctest()
async def test_client_reads_frames_at_every_split_and_coalesced(bench, relay):
    async def serve(channel):
        await channel.read_preamble()
        identity, payload = await channel.read_frame()
        data = v1_peer.frame(identity, payload) + v1_peer.frame(v1_peer.new_id(), b"?" * 5)
        data += v1_peer.frame(identity, b"HI")
        for split in range(1, len(data)):
            await channel.write(data[:split])
            await channel.write(data[split:])
        for at in range(len(data)):
            await channel.write(data[at:at + 1])
        await channel.write(data * 3)
        await channel.write(v1_peer.frame(identity, b"z" * 65535))
        await finished(channel)

    service = await v1_peer.Service.open(relay, {}, serve=serve)
    _, (address,) = bench.client_with(relay, [{}])
    reader, writer = await opened(address)
    writer.write(b"hello")
    splits = 2 * 18 + 18 + 5 + 5 + 2 - 1
    expected = b"helloHI" * (splits + 1 + 3) + b"z" * 65535
    assert await asyncio.wait_for(reader.readexactly(len(expected)), deadline(20)) == expected
    writer.close()
    await service.close()


@asynctest()
async def test_client_round_robin_starts_at_index_1_and_keeps_to_its_channels(bench, relay):
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder)
    _, (address,) = bench.client_with(relay, [{"RelayChannelCount": 3}])
    streams = []
    for number in range(7):
        streams.append(await opened(address))
        assert await round_trip(*streams[-1], b"%d" % number)
    assert len(recorder.channels) == 3
    # Channels are dialled lazily in the order of first use: 1, 2, 0, and then the same round again.
    order = [sorted(int(p) for _, p in channel.frames) for channel in recorder.channels]
    assert order == [[0, 3, 6], [1, 4], [2, 5]]
    for _, writer in streams:
        writer.close()
    await service.close()


@asynctest()
async def test_client_with_ttl_0_has_a_channel_for_each_connection_and_its_close_closes_it(bench, relay):
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder)
    _, (address,) = bench.client_with(relay, [{"RelayConnectionTtlSeconds": 0}])
    streams = [await opened(address) for _ in range(5)]
    for stream in streams:
        assert await round_trip(*stream)
    assert len(recorder.channels) == 5
    assert all(len({identity for identity, _ in c.frames}) == 1 for c in recorder.channels)
    streams[0][1].close()
    await until(lambda: recorder.live == 4, 10, "one channel closed with its connection")
    closed = [c for c in recorder.channels if c.closed is not None]
    assert len(closed) == 1 and isinstance(closed[0].closed, ws.Message), "ended by a Close, not by a cut"
    for stream in streams[1:]:
        assert await round_trip(*stream)
        stream[1].close()
    await until(lambda: recorder.live == 0, 10, "all channels closed")
    await service.close()


@asynctest()
async def test_client_rotates_after_the_ttl_and_the_old_channel_closes_with_its_last_connection(bench, relay):
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder)
    _, (address,) = bench.client_with(relay, [{"RelayConnectionTtlSeconds": 1}])
    old = await opened(address)
    assert await round_trip(*old)
    late = []

    async def another():
        stream = await opened(address)
        late.append(stream)
        assert await round_trip(*stream)

    for _ in range(200):  # connections before the TTL's end share the first channel
        await another()
        if len(recorder.channels) > 1:
            break
        await stays(lambda: True, 0.1, "")
    assert len(recorder.channels) == 2
    first, second = recorder.channels
    assert await round_trip(*old), "the old channel serves its connections on"
    assert first.closed is None
    old[1].close()
    for stream in late[:-1]:
        stream[1].close()
    await until(lambda: first.closed is not None, 10, "the old channel closes when its last connection ends")
    assert isinstance(first.closed, ws.Message) and second.closed is None
    assert await round_trip(*late[-1])
    late[-1][1].close()
    await service.close()


@asynctest(120)
async def test_client_replaces_a_channel_when_a_thousand_of_its_connections_have_ended(bench, relay):
    """Their targets may be open at the service, which is only told by the channel's end."""
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder)
    _, (address,) = bench.client_with(relay, [{"RelayConnectionTtlSeconds": 3600}])

    async def one():
        stream = await opened(address)
        assert await round_trip(*stream)
        stream[1].close()
        await stream[1].wait_closed()

    for _ in range(40):  # twice the thousand: the client sees an end a moment after the application
        await asyncio.gather(*(one() for _ in range(50)))
        if len(recorder.channels) > 1:
            break
    assert len(recorder.channels) == 2
    await until(lambda: recorder.channels[0].closed is not None, 20, "the replaced channel closes by itself")
    assert recorder.channels[1].closed is None
    await service.close()


@asynctest()
async def test_client_ends_exactly_a_channels_connections_with_it_and_dials_again(bench, relay):
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder)
    _, (address,) = bench.client_with(relay, [{"RelayChannelCount": 2}])
    streams = [await opened(address) for _ in range(4)]
    for number, stream in enumerate(streams):
        assert await round_trip(*stream, b"%d" % number)
    victim = next(c for c in recorder.channels if c.frames[0][1] == b"0")
    await victim.socket.send_close(1000, "")  # connections 0 and 2
    for number in (0, 2):
        try:
            assert await asyncio.wait_for(streams[number][0].read(), deadline(10)) == b""
        except ConnectionResetError:
            pass
    for number in (1, 3):
        assert await round_trip(*streams[number])
    fresh = [await opened(address), await opened(address)]
    for stream in fresh:
        assert await round_trip(*stream)
    assert len(recorder.channels) == 3
    await service.close()


@asynctest()
async def test_client_answers_close_at_once_while_data_flows_and_idle(bench, relay):
    ends = []

    async def serve(channel):
        await channel.read_preamble()
        identity, payload = await channel.read_frame()
        if payload == b"flow":
            for _ in range(20):
                await channel.write_frame(identity, bytes(60000))
        await channel.socket.send_close(1000, "")
        ends.append(await asyncio.wait_for(finished(channel), deadline(2)))

    service = await v1_peer.Service.open(relay, {}, serve=serve)
    _, (address,) = bench.client_with(relay, [{}])
    for word in (b"flow", b"idle"):
        _, writer = await opened(address)
        writer.write(word)
        await until(lambda: len(ends) > (word == b"idle"), 10, "the client's answer to Close")
        assert isinstance(ends[-1], ws.Message), ends
        writer.close()
    await service.close()


@asynctest()
async def test_client_gives_the_application_all_data_before_the_channels_end(bench, relay):
    data = os.urandom(sized(4 << 20, 1 << 19))

    async def serve(channel):
        await channel.read_preamble()
        identity, _ = await channel.read_frame()
        for at in range(0, len(data), 60000):
            await channel.write_frame(identity, data[at:at + 60000])
        await channel.close()

    service = await v1_peer.Service.open(relay, {}, serve=serve)
    _, (address,) = bench.client_with(relay, [{}])
    reader, writer = await opened(address)
    writer.write(b"go")
    assert await asyncio.wait_for(reader.read(-1), deadline(30)) == data
    writer.close()
    await service.close()


@asynctest()
async def test_client_survives_the_services_restart(bench, relay):
    recorder = Recorder()
    service = await v1_peer.Service.open(relay, {}, serve=recorder)
    _, (address,) = bench.client_with(relay, [{}])
    stream = await opened(address)
    assert await round_trip(*stream)
    await service.close()
    reader, writer = await opened(address)
    writer.write(b"anybody?")
    try:
        assert await asyncio.wait_for(reader.read(), deadline(15)) == b"", "no listener: the connection ends"
    except ConnectionResetError:
        pass
    service = await v1_peer.Service.open(relay, {}, serve=recorder)
    stream = await opened(address)
    assert await round_trip(*stream, b"back")
    stream[1].close()
    await service.close()


# ---------------------------------------------------------------- the service agent's bytes and conduct


@asynctest()
async def test_service_reads_the_vectors_at_every_split_and_answers_in_frames(bench, relay, echo):
    bench.service(relay, {5011: echo.address})
    first = v1_peer.guid("00112233-4455-6677-8899-aabbccddeeff")
    second = v1_peer.guid("00000001-0002-0003-0405-060708090a0b")
    start = bytes.fromhex("ffff93130000ffff")  # H7: flags and reserved length are ignored
    two = v1_peer.frame(first, b"hello") + v1_peer.frame(second, b"HI")  # H13
    for split in [*range(1, len(start + two), sized(1, 7)), "bytes"]:
        data = start + two
        pieces = [data[:split], data[split:]] if split != "bytes" else [data[i:i + 1] for i in range(len(data))]
        channel = v1_peer.Channel(await relayclient.send(relay), record=True)
        for piece in pieces:
            await channel.write(piece)
        got = {}
        while sum(map(len, got.values())) < 7:
            identity, payload = await asyncio.wait_for(channel.read_frame(), deadline(10))
            got[identity] = got.get(identity, b"") + payload
        assert got == {first: b"hello", second: b"HI"}
        for message in channel.messages:
            (size,) = struct.unpack_from("<H", message, 16)
            assert 1 <= size <= v1_peer.MAX_SENT and len(message) == 18 + size, "one frame, one message"
        await channel.close()


@asynctest()
async def test_service_echoes_h9_byte_for_byte(bench, relay, echo):
    bench.service(relay, {5011: echo.address})
    channel = v1_peer.Channel(await relayclient.send(relay), record=True)
    h14 = bytes.fromhex("000093130000000033221100554477668899aabbccddeeff050068656c6c6f")
    await channel.write(h14)
    assert await asyncio.wait_for(channel.read_frame(), deadline(10)) is not None
    assert channel.messages == [h14[8:]]
    await channel.close()


@asynctest()
async def test_service_accepts_65535_and_sends_at_most_65518(bench, relay, echo):
    bench.service(relay, {5011: echo.address})
    client = await v1_peer.Client.dial(relay, 5011, record=True)
    connection = client.connection()
    data = os.urandom(65535 * 20)
    for at in range(0, len(data), 65535):
        await client.channel.write_frame(connection.id, data[at:at + 65535])
    assert await asyncio.wait_for(connection.receive(len(data)), deadline(20)) == data
    for message in client.channel.messages:
        (size,) = struct.unpack_from("<H", message, 16)
        assert 1 <= size <= v1_peer.MAX_SENT and len(message) == 18 + size
    await client.close()


@asynctest()
async def test_service_closes_a_channel_with_an_unknown_key_within_a_second_and_says_nothing(bench, relay, echo):
    bench.service(relay, {5011: echo.address})
    channel = v1_peer.Channel(await relayclient.send(relay), record=True)
    await channel.write(v1_peer.preamble(4711))
    end = await asyncio.wait_for(finished(channel), deadline(1))
    assert isinstance(end, ws.Message) and channel.messages == []


@asynctest()
async def test_service_writes_nothing_before_the_first_frame(bench, relay):
    def greet(sock):
        sock.sendall(b"220 welcome\r\n")
        apps.echo(sock)

    with apps.TcpTarget(greet) as target:
        bench.service(relay, {5011: target.address})
        client = await v1_peer.Client.dial(relay, 5011, record=True)
        connection = client.connection()
        await stays(lambda: client.channel.bytes_received == 0 and target.accepted == 0, 0.5,
                    "the target is dialled by the first frame, and nothing is written before")
        await connection.send(b"x")
        assert await asyncio.wait_for(connection.receive(14), deadline(10)) == b"220 welcome\r\nx"
        await client.close()


@asynctest()
async def test_service_closes_the_channel_after_the_only_targets_end_with_all_data(bench, relay):
    data = os.urandom(sized(4 << 20, 1 << 19))

    def serve(sock):
        sock.recv(16)
        sock.sendall(data)

    with apps.TcpTarget(serve) as target:
        bench.service(relay, {5011: target.address})
        client = await v1_peer.Client.dial(relay, 5011)
        connection = client.connection()
        await connection.send(b"go")
        assert await asyncio.wait_for(connection.receive(len(data) + 1), deadline(30)) == data
        await asyncio.wait_for(client.ended.wait(), deadline(LINGER + 5))
        assert isinstance(client.channel.closed, ws.Message)


@asynctest()
async def test_service_keeps_the_channel_and_is_silent_for_an_ended_id_while_another_lives(bench, relay):
    def once(sock):
        data = sock.recv(16)
        sock.sendall(data)
        if data.startswith(b"bye"):
            return
        apps.echo(sock)

    with apps.TcpTarget(once) as target:
        bench.service(relay, {5011: target.address})
        client = await v1_peer.Client.dial(relay, 5011, record=True)
        lasting, ending = client.connection(), client.connection()
        await lasting.send(b"stay")
        await ending.send(b"bye")
        assert await lasting.receive(4) == b"stay" and await ending.receive(3) == b"bye"
        await until(lambda: target.live == 1, 10, "the target ended one connection")
        await stays(lambda: not client.ended.is_set() and target.accepted == 2, 1.5 * LINGER,
                    "the channel stays and nothing is dialled again by itself")
        await lasting.send(b"on")
        assert await asyncio.wait_for(lasting.receive(2), deadline(10)) == b"on"
        assert sum(m[:16] == ending.id for m in client.channel.messages) == 1
        await client.close()


@asynctest()
async def test_service_closes_the_channel_of_a_refused_target_alone(bench, relay):
    address, keep = apps.refused_address()
    with keep:
        bench.service(relay, {5011: address})
        client = await v1_peer.Client.dial(relay, 5011, record=True)
        await client.connection().send(b"x")
        await asyncio.wait_for(client.ended.wait(), deadline(LINGER + 5))
        assert isinstance(client.channel.closed, ws.Message) and client.channel.messages == []


@asynctest()
async def test_service_ends_exactly_a_channels_targets_with_it(bench, relay):
    with apps.echo_target() as target:
        bench.service(relay, {5011: target.address})
        clients = [await v1_peer.Client.dial(relay, 5011) for _ in range(2)]
        connections = [client.connection() for client in clients for _ in range(3)]
        for connection in connections:
            await connection.send(b"x")
            assert await connection.receive(1) == b"x"
        assert target.live == 6
        await clients[0].close()
        await until(lambda: target.live == 3, 10, "the closed channel's targets are gone")
        for connection in connections[3:]:
            await connection.send(b"y")
            assert await asyncio.wait_for(connection.receive(1), deadline(10)) == b"y"
        clients[1].channel.socket.reset()
        await until(lambda: target.live == 0, 10, "and the cut channel's")


@asynctest()
async def test_service_a_slow_target_does_not_delay_the_others(bench, relay):
    gate = threading.Event()

    def serve(sock):
        if sock.recv(16).startswith(b"slow"):
            gate.wait(60)
            return
        sock.sendall(b"quick")
        apps.echo(sock)

    with apps.TcpTarget(serve) as target:
        bench.service(relay, {5011: target.address})
        client = await v1_peer.Client.dial(relay, 5011)
        slow, quick = client.connection(), client.connection()
        await slow.send(b"slow")
        await slow.send(bytes(100_000))  # within what one connection may have waiting
        await quick.send(b"quick")
        assert await asyncio.wait_for(quick.receive(5), deadline(10)) == b"quick"
        gate.set()
        await client.close()


@asynctest()
async def test_service_answers_close_and_ping_in_every_state(bench, relay, echo):
    bench.service(relay, {5011: echo.address})
    for state in ("before the preamble", "in the preamble", "before a frame", "in a frame", "connected"):
        sender = await relayclient.send(relay)
        start = v1_peer.preamble(5011) + v1_peer.frame(v1_peer.new_id(), b"hello")
        sent = {"before the preamble": 0, "in the preamble": 5, "before a frame": 8, "in a frame": 20,
                "connected": len(start)}[state]
        if sent:
            await sender.send(start[:sent])
        if state == "connected":
            assert (await asyncio.wait_for(sender.receive(), deadline(10))).payload[18:] == b"hello"
        await sender.send_frame(ws.PING, b"p")
        pong = await asyncio.wait_for(sender.receive_frame(), deadline(5))
        assert (pong.opcode, pong.payload) == (ws.PONG, b"p"), state
        end = await asyncio.wait_for(sender.close(), deadline(2))
        assert end.opcode == ws.CLOSE, state


@asynctest()
async def test_service_ipv6_target(bench, relay):
    with apps.echo_target(host="::1") as target:
        bench.service(relay, {5011: ("[::1]", target.address[1])})
        client = await v1_peer.Client.dial(relay, 5011)
        connection = client.connection()
        await connection.send(b"six")
        assert await asyncio.wait_for(connection.receive(3), deadline(10)) == b"six"
        await client.close()


@asynctest(120)
async def test_service_a_hundred_sequential_short_connections_leave_nothing(bench, relay):
    """The client's TTL 0 against targets that close after each answer."""
    with apps.TcpTarget(lambda sock: sock.sendall(sock.recv(100))) as target:
        process = bench.service(relay, {5011: target.address})
        before = None
        clients = []
        for number in range(sized(100, 20)):
            client = await v1_peer.Client.dial(relay, 5011)
            connection = client.connection()
            await connection.send(b"q")
            assert await asyncio.wait_for(connection.receive(1), deadline(10)) == b"q"
            clients.append(client)
            if number == 0:
                await asyncio.wait_for(client.ended.wait(), deadline(LINGER + 5))
                before = process.descriptors()
        for client in clients:
            await asyncio.wait_for(client.ended.wait(), deadline(LINGER + 5))
        assert target.live == 0
        await until(lambda: process.descriptors() <= before, 10, "no descriptor is left behind")


# ---------------------------------------------------------------- both agents, with an application


@asynctest()
async def test_application_sees_the_end_and_every_byte_when_the_target_closes(bench, relay):
    data = os.urandom(sized(4 << 20, 1 << 19))

    def serve(sock):
        sock.recv(16)
        sock.sendall(data)

    with apps.TcpTarget(serve) as target:
        bench.service(relay, {5011: target.address})
        _, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=["--protocol", "v1"])
        reader, writer = await opened(address)
        writer.write(b"go")
        assert await asyncio.wait_for(reader.read(-1), deadline(30)) == data
        writer.close()


@asynctest()
async def test_a_refused_client_address_is_not_served(bench, relay, echo):
    bench.service(relay, {5011: echo.address})
    _, addresses = bench.client_with(relay, [{"AcceptFromIpAddresses": []},
                                             {"AcceptFromIpAddresses": ["10.0.0.0/8", "127.0.0.2-127.0.0.9"]},
                                             {"AcceptFromIpAddresses": ["127.0.0.0/30"]}])
    for address, served in zip(addresses, (False, False, True)):
        assert await asyncio.to_thread(apps.answers, address) is served
    sock = socket.create_connection(addresses[1], source_address=("127.0.0.5", 0))
    assert apps.exchange(None, b"from within the range", sock=sock) == b"from within the range"
    sock.close()


@asynctest()
async def test_an_application_that_ends_its_sending_still_gets_the_answer(bench, relay):
    """Version 1 cannot pass a half-close on; the client agent waits for what is on its way, and says so once."""
    def serve(sock):
        sock.recv(16)
        sock.sendall(b"the answer")
        apps.echo(sock)

    with apps.TcpTarget(serve) as target:
        bench.service(relay, {5011: target.address})
        client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=["--protocol", "v1"])
        for _ in range(2):
            reader, writer = await opened(address)
            writer.write(b"question")
            writer.write_eof()
            assert await asyncio.wait_for(reader.readexactly(10), deadline(5)) == b"the answer"
            writer.close()
        await until(lambda: "half" in client.errors.lower(), 5, "the limit of version 1, in words")
        assert client.errors.lower().count("half") <= 2, "once for a mapping"


@asynctest()
async def test_a_refused_target_is_told_in_words_and_ends_the_applications_connection(bench, relay):
    refused, keep = apps.refused_address()
    with keep:
        service = bench.service(relay, {5011: refused})
        _, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=["--protocol", "v1"])
        reader, writer = await opened(address)
        writer.write(b"hello?")
        try:
            assert await asyncio.wait_for(reader.read(), deadline(LINGER + 5)) == b""
        except ConnectionResetError:
            pass
        writer.close()
        await until(lambda: "refused" in service.errors.lower() and str(refused[1]) in service.errors, 5, "the reason")
