"""The least of a v2 client (docs/session-protocol.md), written from the document alone and with nothing hidden:
every field of HELLO can be wrong, and every frame can be sent or left out."""

import asyncio
import hashlib
import hmac
import os
import struct

from . import relayclient, ws
from .waiting import deadline

HELLO, WELCOME, REFUSED_HELLO = 1, 2, 3
OPEN, OPENED, REFUSED, DATA, ACK, RESET, CLOSED, STREAMS = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
PING, PONG, CHANNEL_CLOSE, END_SESSION, CHANNEL_LOST = 0x20, 0x21, 0x22, 0x23, 0x24
NEW, RESUME = 1, 2
MALFORMED, VERSION, UNKNOWN_SESSION, BAD_PROOF, REPLAYED, TOO_MANY_SESSIONS, SHUTTING_DOWN = range(1, 8)


def frame(kind, stream=0, payload=b"", flags=0):
    return struct.pack("!BBHI", kind, flags, len(payload), stream) + payload


def parameters(keep_alive=5000, grace=300_000, max_streams=512, initial_credit=32768, max_frame=65535):
    return struct.pack("!5I", keep_alive, grace, max_streams, initial_credit, max_frame)


class Session:
    """What the client of a session knows of it."""

    def __init__(self, **limits):
        self.id, self.secret = os.urandom(16), os.urandom(32)
        self.limits = limits

    def proof(self, number, nonce, secret=None):
        text = b"hpb v2 client proof\0" + self.id + struct.pack("!Q", number) + nonce
        return hmac.new(secret or self.secret, text, hashlib.sha256).digest()

    def hello(self, number, *, resume=False, proof=None, versions=(2, 2), secret=None):
        """The HELLO of channel `number`, as a frame. `proof` takes the place of the right one."""
        nonce = os.urandom(16)
        self.nonce = nonce
        last = (proof or self.proof(number, nonce, secret)) if resume else (secret or self.secret)
        return frame(HELLO, 0, b"hpb2" + struct.pack("!HH", *versions) + self.id + struct.pack("!Q", number) +
                     bytes([RESUME if resume else NEW, 0, 0, 0]) + nonce + last + parameters(**self.limits))

    def check_welcome(self, number, welcome):
        nonce, proof = welcome[24:40], welcome[40:72]
        text = b"hpb v2 service proof\0" + self.id + struct.pack("!Q", number) + self.nonce + nonce
        assert proof == hmac.new(self.secret, text, hashlib.sha256).digest(), "the service's proof is wrong"


class Refused(Exception):
    """REFUSED_HELLO."""

    def __init__(self, payload):
        self.code, self.highest, self.lowest = struct.unpack("!HHH", payload[:6])
        self.text = payload[6:].decode()
        super().__init__(f"{self.code} {self.text}")


class Channel:
    """One rendezvous in the client's role."""

    def __init__(self, socket):
        self.socket = socket
        self._buffer = bytearray()

    @classmethod
    async def dial(cls, relay, *, entity="simple", protocols="hpb.v1, hpb.v2", **how):
        return cls(await relayclient.send(relay, entity, protocols=protocols, **how))

    async def send(self, *frames):
        await self.socket.send(b"".join(frames))

    async def read(self, seconds=10):
        """The next frame as (type, stream, flags, payload), or None at the channel's end."""
        async with asyncio.timeout(deadline(seconds)):
            while True:
                if len(self._buffer) >= 8:
                    kind, flags, size, stream = struct.unpack("!BBHI", self._buffer[:8])
                    if len(self._buffer) >= 8 + size:
                        payload = bytes(self._buffer[8:8 + size])
                        del self._buffer[:8 + size]
                        return kind, stream, flags, payload
                try:
                    message = await self.socket.receive()
                except ws.ConnectionLost:
                    return None
                if message.opcode == ws.CLOSE:
                    return None
                self._buffer += message.payload

    async def begin(self, session, number, **how):
        """HELLO, and the answer to it. @return the payload of WELCOME; raises Refused."""
        return await self.begin_with(session, number, session.hello(number, **how))

    async def begin_with(self, session, number, hello):
        await self.send(hello)
        answer = await self.read()
        assert answer is not None, "the channel ended without an answer to HELLO"
        if answer[0] == REFUSED_HELLO:
            raise Refused(answer[3])
        assert answer[0] == WELCOME, f"an answer of type {answer[0]}"
        session.check_welcome(number, answer[3])
        return answer[3]

    async def open(self, stream, key, first=b"", credit=1 << 18):
        await self.send(frame(OPEN, stream, struct.pack("!iBBH16sQ", key, 0, 0, 0, bytes(16), credit)),
                        *([frame(DATA, stream, struct.pack("!Q", 0) + first)] if first else []))

    async def send_data(self, stream, offset, data):
        await self.send(frame(DATA, stream, struct.pack("!Q", offset) + data))

    async def receive(self, stream, offset, size):
        """The `size` bytes of a stream from `offset` on, whatever of the stream comes besides; acknowledges nothing."""
        got = {}
        while len(got) < size:
            item = await self.read()
            assert item is not None, f"the channel ended after {len(got)} of {size} bytes"
            kind, of, _, payload = item
            assert not (of == stream and kind in (RESET, REFUSED)), f"stream {stream} was ended: {item}"
            if kind == DATA and of == stream:
                (start,) = struct.unpack("!Q", payload[:8])
                got.update((start + i, byte) for i, byte in enumerate(payload[8:]) if offset <= start + i < offset + size)
        return bytes(got[position] for position in sorted(got))

    def vanish(self):
        """Ends the TCP connection, by a reset, without a word."""
        self.socket.reset()

    async def close(self):
        await self.send(frame(CHANNEL_CLOSE, 0, b"\0\0"))
        self.socket.abort()
