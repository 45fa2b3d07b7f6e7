"""hpb service behind an original client agent: what the application sees of what v1 cannot say. Each row of "Limits
of v1" that concerns the service agent has its test here."""

import asyncio
import os
import random
import socket
import struct
import time

import pytest
import v1_peer
from hpbtest import apps, relayclient
from hpbtest.bridge import counters, limits, peak_bytes
from hpbtest.original import ClientAgent
from hpbtest.waiting import asynctest, deadline, sized, stays, until


async def opened(agent):
    return await asyncio.open_connection(*agent.address[:2])


async def ask(stream, data, seconds=5):
    """A round trip with a target that echoes. @return what came: less than `data` if the connection has ended."""
    reader, writer = stream
    writer.write(data)
    return await asyncio.wait_for(reader.readexactly(len(data)), deadline(seconds))


async def end_of(stream, seconds=5):
    """Waits for the connection's end. @return what came before it."""
    try:
        return await asyncio.wait_for(stream[0].read(), deadline(seconds))
    except ConnectionResetError:
        return b""


class Target:
    """Echoes, but for what begins with "silent", keeps what each connection has received, and ends connections when
    it is told to."""

    def __init__(self):
        self.received, self._writers = [], []
        self.live = 0

    async def _serve(self, reader, writer):
        number = len(self.received)
        self.received.append(b"")
        self._writers.append(writer)
        self.live += 1
        try:
            while data := await reader.read(1 << 16):
                self.received[number] += data
                if not data.startswith(b"silent"):
                    writer.write(data)
        except OSError:
            pass
        finally:
            self.live -= 1
            writer.close()

    @property
    def accepted(self):
        return len(self.received)

    def end(self, number):
        self._writers[number].write_eof()

    def reset(self, number):
        sock = self._writers[number].get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writers[number].transport.abort()

    def stop_listening(self):
        self._server.close()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()


# ---------------------------------------------------------------- a target's end


@asynctest()
async def test_an_idle_connection_that_its_target_has_ended_is_dialled_again(bench, relay):
    """D1: as with the original pair: keep-alive pools live on it, and a neighbour keeps the channel."""
    async with Target() as target:
        bench.service(relay, {5011: target.address})
        agent = await ClientAgent.open(relay)
        neighbour, pooled = await opened(agent), await opened(agent)
        assert await ask(neighbour, b"stay") == b"stay"
        for round_ in range(3):
            assert await ask(pooled, b"GET %d" % round_) == b"GET %d" % round_
            target.end(1 + round_)
            await until(lambda: target.live == 1, 5, "the target's connection is over")
        assert await ask(neighbour, b"still here") == b"still here"
        assert target.received[1:] == [b"GET 0", b"GET 1", b"GET 2"], "each a connection of its own"
        assert len(agent.channels) == 1 and agent.channels[0].alive
        await agent.close()


@pytest.mark.parametrize("how", ["reset", "unanswered", "inside a frame"])
@asynctest()
async def test_after_any_other_end_nothing_is_passed_on_and_the_application_sees_an_end(bench, relay, how):
    """D1: never in mid-stream, never in silence."""
    async with Target() as target:
        bench.service(relay, {5011: target.address})
        agent = await ClientAgent.open(relay)
        neighbour, victim = await opened(agent), await opened(agent)
        assert await ask(neighbour, b"stay") == b"stay"
        assert await ask(victim, b"hello") == b"hello"
        if how == "unanswered":
            victim[1].write(b"silent")
            await until(lambda: target.received[1].endswith(b"silent"), 5, "the target has it")
        elif how == "inside a frame":
            wire = agent.channels[0]
            identity = list(wire.writers)[1]
            await wire.channel.write(v1_peer.frame(identity, b"the first half, and the second")[:-11])
            await until(lambda: target.received[1].endswith(b"and"), 5, "the target has a part")
        if how == "reset":
            target.reset(1)
        else:
            target.end(1)
        await until(lambda: target.live == 1, 5, "the target's connection is over")
        if how == "inside a frame":
            await wire.channel.write(b" the second")
        else:
            victim[1].write(b"the middle of a conversation")
        assert await end_of(victim) in (b"", b"the first half, and")
        await end_of(neighbour)
        assert target.accepted == 2, "nothing was dialled again"
        fresh = await opened(agent)
        assert await ask(fresh, b"a new channel") == b"a new channel"
        assert len(agent.channels) == 2
        await agent.close()


@asynctest()
async def test_the_rest_of_a_frame_never_reaches_a_new_connection(bench, relay):
    """D1: also with ReopenAfterTargetClose, which passes later frames on as the original does."""
    async with Target() as target:
        bench.service(relay, {5011: target.address}, more=["--PortBridge:ReopenAfterTargetClose=true"])
        client = await v1_peer.Client.dial(relay, 5011)
        neighbour, victim = client.connection(), client.connection()
        await neighbour.send(b"stay")
        assert await neighbour.receive(4) == b"stay"
        await client.channel.write(v1_peer.frame(victim.id, b"abcdef")[:-3])
        assert await victim.receive(3) == b"abc"
        target.end(1)
        await until(lambda: target.live == 1, 5, "the target's connection is over")
        await client.channel.write(b"def")
        await victim.send(b"GHI")
        assert await victim.receive(3) == b"GHI"
        assert target.received[2] == b"GHI"
        await client.close()


@asynctest()
async def test_a_target_under_load_that_goes_down_is_noticed_by_all_who_send(bench, relay):
    """D1: no byte of an old conversation reaches a new connection, and every application that sends sees an end."""
    async with Target() as target:
        bench.service(relay, {5011: target.address})
        agent = await ClientAgent.open(relay, slots=2)
        count, seen = sized(20, 8), []

        async def converse(number):
            stream = await opened(agent)
            assert await ask(stream, b"hello %d." % number)
            said = 0
            try:
                while True:
                    said += 1
                    await ask(stream, b"more %d." % said, seconds=20)
            except (OSError, asyncio.IncompleteReadError):
                seen.append(number)

        tasks = [asyncio.create_task(converse(n)) for n in range(count)]
        await until(lambda: all(r.count(b".") > 10 for r in target.received) and target.accepted == count, 20, "load")
        before = target.accepted
        for number in range(before):
            target.reset(number)
        await until(lambda: len(seen) == count, 5, f"all have noticed; {sorted(seen)}")
        await asyncio.gather(*tasks)
        for received in target.received[before:]:
            assert received.startswith(b"hello"), received[:50]
        await agent.close()


@asynctest()
async def test_a_tls_goodbye_after_the_end_opens_nothing_and_ends_nothing(bench, relay):
    """D1: an application that has seen its server's close_notify answers with its own."""
    async with Target() as target:
        bench.service(relay, {5011: target.address})
        agent = await ClientAgent.open(relay)
        neighbour, ending = await opened(agent), await opened(agent)
        assert await ask(neighbour, b"stay") == b"stay"
        assert await ask(ending, b"hello") == b"hello"
        target.end(1)
        await until(lambda: target.live == 1, 5, "the target's connection is over")
        ending[1].write(b"\x17\x03\x03\x00\x13" + os.urandom(19))
        ending[1].close()
        await stays(lambda: agent.channels[0].alive and target.accepted == 2, 1.5, "nothing happens")
        assert await ask(neighbour, b"on") == b"on"
        await agent.close()


# ---------------------------------------------------------------- refusals


@asynctest()
async def test_a_refused_target_ends_the_channel_when_its_others_are_silent(bench, relay):
    """D7: the application sees an end; neighbours that are busy are left alone meanwhile."""
    async with Target() as target:
        bench.service(relay, {5011: target.address})
        agent = await ClientAgent.open(relay)
        neighbour = await opened(agent)
        assert await ask(neighbour, b"first") == b"first"
        target.stop_listening()
        refused = await opened(agent)
        refused[1].write(b"anybody?")
        for number in range(10):
            assert await ask(neighbour, b"busy %d" % number) == b"busy %d" % number
            await stays(lambda: agent.channels[0].alive, 0.2, "busy neighbours are left alone")
        assert await end_of(refused) == b""
        await end_of(neighbour)
        await agent.close()


@asynctest()
async def test_new_connections_on_a_channel_that_ends_see_its_end_soon(bench, relay):
    """D7: however busy the neighbours are, nobody whose data is dropped waits for long."""
    async with Target() as target:
        bench.service(relay, {5011: target.address})
        agent = await ClientAgent.open(relay)
        neighbour = await opened(agent)
        assert await ask(neighbour, b"first") == b"first"
        target.stop_listening()
        refused, later = await opened(agent), await opened(agent)
        refused[1].write(b"anybody?")
        await until(lambda: len(agent.channels[0].writers) == 3, 5, "all are on one channel")
        later[1].write(b"and me?")

        async def busy():
            while True:
                await ask(neighbour, b"busy")

        talk = asyncio.create_task(busy())
        assert await end_of(later, 6) == b"" and await end_of(refused) == b""
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)
        await agent.close()


# ---------------------------------------------------------------- strangers


async def turned_away(relay, first, seconds):
    channel = v1_peer.Channel(await relayclient.send(relay))
    await channel.write(first)
    assert await asyncio.wait_for(channel.read_frame(), deadline(seconds)) is None
    assert channel.closed.code == 1008


@asynctest()
async def test_strangers_are_named_with_what_they_ask_for(bench, relay):
    """D5, and D4: at once, also those whose preambles are shorter than ours."""
    service = bench.service(relay, {5011: ("127.0.0.1", 1)})
    for first, words in [
            (b"\x01\x00\x00\x03rdp", "azbridge, which asked for its port 'rdp'"),
            (b"\x01\x00\x00\x0apostgresql", "azbridge, which asked for its port 'postgresql'"),
            (b"\x08tcp:3389", "Port Bridge, which asked for 'tcp:3389'"),
            (b"\x06tcp:80", "Port Bridge, which asked for 'tcp:80'"),
            (b"GET / HTTP/1.1\r\n", "not a known bridge"),
            (v1_peer.preamble(4711), "configuration key 4711")]:
        await turned_away(relay, first, 5)
        await until(lambda: words in service.errors or "more since" in service.errors, 5, words)
        await stays(lambda: True, 1.05, "one line a second")
    assert counters(service)["strangers"] == 6


@asynctest()
async def test_a_preamble_that_is_not_finished_is_given_ten_seconds(bench, relay):
    """D4: and a WARN, and a count."""
    service = bench.service(relay, {5011: ("127.0.0.1", 1)})
    await asyncio.gather(turned_away(relay, b"\x00\x00\x93", 15), turned_away(relay, b"\x01\x00\x00\xffshort", 15))
    await until(lambda: "has not finished its preamble within 10 s" in service.errors, 5, "it says so")
    assert counters(service)["strangers"] == 2
    assert limits(service)["late_preambles"] == 2


@asynctest()
async def test_a_channel_that_ends_inside_a_frame_resets_its_targets(bench, relay):
    """D3: however orderly the channel's Close is, a truncated stream does not pass for a whole one."""
    ends = []

    def serve(sock):
        try:
            while sock.recv(100):
                pass
            ends.append("fin")
        except ConnectionResetError:
            ends.append("reset")

    with apps.TcpTarget(serve) as target:
        service = bench.service(relay, {5011: target.address})
        for cut in (1, 17, 18, 20):
            client = await v1_peer.Client.dial(relay, 5011)
            connection = client.connection()
            await connection.send(b"whole")
            await client.channel.write(v1_peer.frame(connection.id, b"truncated")[:cut])
            await client.close()
            await until(lambda: len(ends) == 1, 10, f"the target sees an end after {cut} bytes")
            assert ends.pop() == "reset", cut
        assert "it ended inside a frame" in service.errors


# ---------------------------------------------------------------- connections that nobody ends


@asynctest(900)
async def test_abandoned_connections_make_room(bench, relay):
    """D2: applications leave without a word that v1 could carry. None that comes is refused, and descriptors
    are bounded. HPB_V1_ABANDONED=50000 is the long form, with the default limit."""
    total = int(os.environ.get("HPB_V1_ABANDONED", sized(1500, 300)))
    limit = 10000 if total >= 20000 else 100
    async with Target() as target:
        service = bench.service(relay, {5011: target.address}, more=[f"--PortBridge:MaxConnections={limit}"])
        agent = await ClientAgent.open(relay, slots=2, ttl=1 if total < 20000 else 20)
        before = service.descriptors()

        async def one(number):
            stream = await opened(agent)
            answer = await ask(stream, b"%d." % number, 30)
            stream[1].close()
            return answer == b"%d." % number

        most, done = 0, 0
        while done < total:
            results = await asyncio.gather(*(one(done + i) for i in range(20)))
            assert all(results)
            done += 20
            if done % 100 == 0:
                most = max(most, service.descriptors())
        assert most <= before + limit + 300, f"{most} descriptors"
        assert counters(service)["made_room"] >= total - limit
        assert "was reset to make room" in service.errors
        print(f"\n{total} abandoned: at most {most} descriptors, {peak_bytes(service) >> 20} MiB")
        await agent.close()


@asynctest(120)
async def test_one_channel_with_very_many_ids_takes_its_share_and_no_more(bench, relay):
    """S1: others, on this hybrid connection and on another, open connections and keep those that they have."""
    limit = 120
    async with Target() as target:
        config = {"PortBridge": {"ServiceNamespace": bench.service_namespace(relay), "UseUserMetadata": False,
                                 "EntityPaths": ["simple", "other"], "MaxConnections": limit,
                                 "Targets": {name: {"5011": "%s:%d" % target.address[:2]}
                                             for name in ("simple", "other")}}}
        service = bench.service(relay, {}, config=config)
        users = [await ClientAgent.open(relay), await ClientAgent.open(relay, entity="other")]
        standing = [await opened(user) for user in users]
        for stream in standing:
            assert await ask(stream, b"before") == b"before"
        attacker = await v1_peer.Client.dial(relay, 5011)
        for _ in range(10 * limit):
            await attacker.channel.write_frame(v1_peer.new_id(), b"mine!!!")
        await until(lambda: counters(service)["made_room"] > 8 * limit, 30, "its own make room for its own")
        assert target.live < 0.75 * limit
        for user in users:
            for _ in range(3):
                assert await ask(await opened(user), b"another") == b"another"
        for stream in standing:
            assert await ask(stream, b"as before") == b"as before"
        attacker.abort()
        await until(lambda: target.live <= 8, 10, "all is given back")
        for user in users:
            await user.close()


@asynctest(1200)
async def test_kept_connections_of_a_pool_never_hang(bench, relay):
    """D1: 20 kept connections over 2 channels, and a target that ends idle ones. HPB_V1_REQUESTS=10000 is the
    long form."""
    total = int(os.environ.get("HPB_V1_REQUESTS", sized(600, 200)))
    counts = {"asked": 0, "ended": 0, "slowest": 0.0}
    chance = random.Random(14)

    async def serve(reader, writer):
        try:
            while line := await asyncio.wait_for(reader.readline(), chance.uniform(0.05, 0.3)):
                assert line.startswith(b"GET ") and line.endswith(b"\n"), line
                writer.write(b"answer to " + line)
        except (TimeoutError, OSError):
            pass
        finally:
            writer.close()

    async def worker(agent, number):
        stream = None
        while counts["asked"] < total:
            counts["asked"] += 1
            line = b"GET %d %d\n" % (number, counts["asked"])
            stream = stream or await opened(agent)
            began = time.monotonic()
            try:
                assert await ask_line(stream, line) == b"answer to " + line
            except (OSError, asyncio.IncompleteReadError):
                counts["ended"] += 1  # as any pool: a new connection
                stream = None
            counts["slowest"] = max(counts["slowest"], time.monotonic() - began)
            # Part of the load: the target ends connections that are idle for as long as some of these.
            await asyncio.sleep(chance.choice([0, 0, 0, 0.02, 0.1, 0.4]))

    async def ask_line(stream, line):
        stream[1].write(line)
        return await asyncio.wait_for(stream[0].readuntil(b"\n"), deadline(10))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bench.service(relay, {5011: server.sockets[0].getsockname()[:2]})
    agent = await ClientAgent.open(relay, slots=2)
    await asyncio.gather(*(worker(agent, n) for n in range(20)))
    print(f"\n{counts}, {len(agent.channels)} channels")
    assert counts["ended"] <= total / 20, counts
    await agent.close()
    server.close()
