"""An independent peer of version 1, the existing Hybrid Port Bridge's format between the agents, in both roles.

Written from the description of the format alone. It exists to be different from the product: both ends of every
test of version 1 must agree on the bytes without sharing a line.

  preamble  00 00 | i32 LE configuration key | 00 00                 once, client to service, one message
  frame     16 bytes id (.NET GUID order) | u16 LE size | payload    both ways; no open, no close, size > 0
"""

import asyncio
import os
import struct
import uuid

from hpbtest import relayclient, ws

MAX_SENT = 65518
HEADER = struct.Struct("<16sH")


def preamble(key):
    return struct.pack("<HiH", 0, key, 0)


def frame(identity, payload):
    return HEADER.pack(identity, len(payload)) + payload


def guid(text):
    """A GUID's wire bytes from its display form."""
    return uuid.UUID(text).bytes_le


def new_id():
    return uuid.uuid4().bytes_le


class Channel:
    """One rendezvous, either role. Cuts what arrives into preamble and frames whatever the message boundaries
    are, and keeps every message as it came if `record` is set."""

    def __init__(self, socket, record=False):
        self.socket = socket
        self.messages = []  # payloads, if recorded
        self.bytes_received = 0
        self.closed = None  # the peer's Close message, or ConnectionLost
        self.answer_close = True
        self._record = record
        self._buffer = bytearray()
        self._sending = asyncio.Lock()

    async def _more(self):
        """Appends one message to the buffer. @return False at the channel's end."""
        if self.closed is not None:
            return False
        try:
            message = await self.socket.receive()
            if message.opcode == ws.CLOSE:
                self.closed = message
                if self.answer_close:
                    await self.socket.send_close(message.code, message.payload)
                return False
        except ws.ConnectionLost as error:
            self.closed = error
            return False
        assert message.opcode == ws.BINARY, "version 1 is binary messages only"
        assert message.payload, "an empty message reads as the end of the stream"
        if self._record:
            self.messages.append(message.payload)
        self.bytes_received += len(message.payload)
        self._buffer += message.payload
        return True

    async def _take(self, size):
        while len(self._buffer) < size:
            if not await self._more():
                return None
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def read_preamble(self):
        """The configuration key, or None if the channel ended first."""
        data = await self._take(8)
        return None if data is None else struct.unpack("<HiH", data)[1]

    async def read_frame(self):
        """(id, payload), or None at the channel's end."""
        head = await self._take(HEADER.size)
        if head is None:
            return None
        identity, size = HEADER.unpack(head)
        payload = await self._take(size)
        return None if payload is None else (identity, payload)

    async def write(self, data):
        """One message."""
        async with self._sending:
            await self.socket.send(data)

    async def write_frame(self, identity, payload):
        await self.write(frame(identity, payload))

    async def close(self):
        """Closes from this side and waits for the peer's Close."""
        await self.socket.send_close(1000, "")
        while await self._more():
            pass
        self.socket.abort()
        return self.closed

    def abort(self):
        self.socket.abort()


class Client:
    """The client's role: channels with many connections, demultiplexed."""

    def __init__(self, channel):
        self.channel = channel
        self._inbound = {}
        self.strangers = []  # ids of frames that belong to no connection
        self.ended = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def dial(cls, relay, key, entity="simple", *, first=b"", record=False, **how):
        """Dials and sends the preamble (with `first` in the same message)."""
        channel = Channel(await relayclient.send(relay, entity, **how), record)
        await channel.write(preamble(key) + first)
        return cls(channel)

    async def _read(self):
        try:
            while (item := await self.channel.read_frame()) is not None:
                identity, payload = item
                queue = self._inbound.get(identity)
                if queue is None:
                    self.strangers.append(identity)
                else:
                    queue.put_nowait(payload)
        finally:
            self.ended.set()
            for queue in self._inbound.values():
                queue.put_nowait(None)
            self.channel.abort()

    def connection(self, identity=None):
        identity = identity or new_id()
        self._inbound[identity] = asyncio.Queue()
        return Connection(self, identity, self._inbound[identity])

    def forget(self, identity):
        del self._inbound[identity]

    async def close(self):
        """Ends the channel in order."""
        if not self.ended.is_set():
            try:
                await self.channel.socket.send_close(1000, "")
            except ws.ConnectionLost:
                pass
            await self.ended.wait()

    def abort(self):
        self._reader.cancel()
        self.channel.abort()


class Connection:
    """One application connection within a Client."""

    def __init__(self, client, identity, inbound):
        self.client, self.id, self._inbound = client, identity, inbound
        self._rest = b""

    async def send(self, data, size=MAX_SENT):
        view = memoryview(data)
        for at in range(0, len(view), size):
            await self.client.channel.write_frame(self.id, bytes(view[at:at + size]))

    async def receive(self, size):
        """Exactly `size` bytes; fewer only at the channel's end."""
        pieces, have = [self._rest], len(self._rest)
        while have < size:
            piece = await self._inbound.get()
            if piece is None:
                break
            pieces.append(piece)
            have += len(piece)
        data = b"".join(pieces)
        self._rest = data[size:]
        return data[:size]


class Service:
    """The service's role: a listener that accepts every rendezvous. `serve(channel)` is a coroutine function;
    without it, targets are connected as the format's original does."""

    def __init__(self, listener, targets, serve=None, record=False):
        self.listener, self.targets, self.record = listener, targets, record
        self.channels = []
        self._serve = serve or self._serve_targets
        self._tasks = {asyncio.create_task(self._run())}

    @classmethod
    async def open(cls, relay, targets, entity="simple", **how):
        return cls(await relayclient.Listener.open(relay, entity), targets, **how)

    async def _run(self):
        while True:
            request = await self.listener.next_accept()
            self._spawn(self._one(request))

    def _spawn(self, coroutine):
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _one(self, request):
        channel = Channel(await self.listener.rendezvous(request), self.record)
        self.channels.append(channel)
        try:
            await self._serve(channel)
        except ws.ConnectionLost as error:
            channel.closed = channel.closed or error
        finally:
            channel.abort()

    async def _serve_targets(self, channel):
        key = await channel.read_preamble()
        channel.key = key
        if key not in self.targets:
            if channel.closed is None:
                await channel.close()
            return
        writers, pumps = {}, set()
        try:
            while (item := await channel.read_frame()) is not None:
                identity, payload = item
                if identity not in writers:
                    reader, writers[identity] = await asyncio.open_connection(*self.targets[key])
                    pump = asyncio.create_task(self._pump(channel, identity, reader, writers))
                    pumps.add(pump)
                writers[identity].write(payload)
                await writers[identity].drain()
        finally:
            for pump in pumps:
                pump.cancel()
            for writer in list(writers.values()):
                writer.transport.abort()

    async def _pump(self, channel, identity, reader, writers):
        try:
            while data := await reader.read(MAX_SENT):
                await channel.write_frame(identity, data)
        except (ConnectionError, ws.ConnectionLost):
            pass
        writers.pop(identity).close()  # nothing on the wire: the format has no word for it

    async def close(self):
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for channel in self.channels:
            channel.abort()
        await self.listener.close()


def unlike_bytes(size):
    """`size` bytes that nothing else has."""
    return os.urandom(size)
