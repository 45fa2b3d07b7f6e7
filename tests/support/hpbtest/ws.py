"""A WebSocket endpoint (RFC 6455) on asyncio with every frame in the test's hands: it answers nothing by
itself except Ping (which can be turned off), sends what it is told, valid or not, and can reset its TCP."""

import asyncio
import base64
import hashlib
import os
import socket
import ssl
import struct
from collections import namedtuple

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Frame = namedtuple("Frame", "opcode payload fin rsv masked")
#: A whole message; Close arrives as opcode CLOSE with `code` (None without one) and payload = reason.
Message = namedtuple("Message", "opcode payload code", defaults=[None])


class HandshakeError(Exception):
    """The answer to an upgrade was not 101."""

    def __init__(self, head, body):
        super().__init__(f"{head.status} {head.reason}")
        self.head, self.status, self.reason, self.body = head, head.status, head.reason, body


class ConnectionLost(Exception):
    """The TCP connection ended without a Close frame; `reset` tells RST from FIN."""

    def __init__(self, why):
        super().__init__(repr(why))
        self.reset = isinstance(why, ConnectionResetError)


class Head:
    """An HTTP head: first line and (name, value) pairs in order."""

    def __init__(self, data):
        lines = data.decode("latin-1").split("\r\n")
        self.first = lines[0]
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
        pieces = self.first.split(" ", 2)
        if pieces[0].startswith("HTTP/"):
            self.status, self.reason = int(pieces[1]), pieces[2] if len(pieces) > 2 else ""

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default


def mask(payload, key):
    """XOR with the repeated 4-byte key, as one big integer: no loop over bytes."""
    size = len(payload)
    if size == 0:
        return b""
    pad = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")).to_bytes(size, "little")


def accept_key(key):
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


def tls_context(ca_file):
    context = ssl.create_default_context(cafile=str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def open_stream(host, port, ca_file=None, server_name=None, limit=1 << 17, receive_buffer=None,
                      source=None):
    """TCP, with TLS if there is a CA file, from the address `source`. @return reader, writer."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setblocking(False)
    if source:
        sock.bind((source, 0))
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(sock, (host, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = tls_context(ca_file) if ca_file else None
    return await asyncio.open_connection(sock=sock, ssl=context, limit=limit,
                                         server_hostname=(server_name or host) if context else None)


async def read_head(reader):
    try:
        return Head((await reader.readuntil(b"\r\n\r\n"))[:-4])
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError) as error:
        raise ConnectionLost(error) from None


async def read_body(reader, head):
    """The body of an answer: by Content-Length, chunked, or to the end of the connection."""
    if head.status in (204, 304):
        return b""
    if head.get("Content-Length") is not None:
        return await reader.readexactly(int(head.get("Content-Length")))
    if (head.get("Transfer-Encoding") or "").lower() == "chunked":
        body = b""
        while True:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            chunk = await reader.readexactly(size + 2)
            if size == 0:
                return body
            body += chunk[:-2]
    return await reader.read(-1)


async def http(host, port, ca_file, request):
    """Sends a raw request (bytes). @return head, body; the connection is closed."""
    reader, writer = await open_stream(host, port, ca_file)
    try:
        writer.write(request)
        head = await read_head(reader)
        body = b"" if request.startswith(b"HEAD ") else await read_body(reader, head)
        return head, body
    finally:
        writer.transport.abort()


class WebSocket:
    """Either end of an established WebSocket."""

    def __init__(self, reader, writer, head=None, client=True):
        self.reader, self.writer, self.head, self.client = reader, writer, head, client
        self.answer_pings = True
        self.pings = self.pongs = 0  # seen by receive()
        self._partial = None

    @property
    def protocol(self):
        return self.head.get("Sec-WebSocket-Protocol")

    # -- sending

    def write_frame(self, opcode, payload=b"", fin=True, rsv=0, masked=None):
        """Queues one frame without waiting for room; flush() waits."""
        masked = self.client if masked is None else masked
        size, bit = len(payload), 0x80 if masked else 0
        first = (0x80 if fin else 0) | rsv << 4 | opcode
        if size < 126:
            head = struct.pack("!BB", first, bit | size)
        elif size < 65536:
            head = struct.pack("!BBH", first, bit | 126, size)
        else:
            head = struct.pack("!BBQ", first, bit | 127, size)
        if masked:
            key = os.urandom(4)
            head += key
            payload = mask(payload, key)
        self.writer.write(head + payload)

    async def flush(self):
        try:
            await self.writer.drain()
        except (ConnectionError, ssl.SSLError) as error:
            raise ConnectionLost(error) from None

    async def send_frame(self, opcode, payload=b"", **how):
        self.write_frame(opcode, payload, **how)
        await self.flush()

    async def send(self, payload):
        """One message in one frame: text for str, binary for bytes."""
        if isinstance(payload, str):
            await self.send_frame(TEXT, payload.encode())
        else:
            await self.send_frame(BINARY, payload)

    async def send_close(self, code=1000, reason=""):
        """A Close frame; code None sends it without a body."""
        await self.send_frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())

    # -- receiving

    async def receive_frame(self):
        """The next frame as it is, control frames included."""
        try:
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
            key = await self.reader.readexactly(4) if second & 0x80 else None
            payload = await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, OSError) as error:
            raise ConnectionLost(error) from None
        return Frame(first & 15, mask(payload, key) if key else payload, bool(first & 0x80), first >> 4 & 7,
                     key is not None)

    async def receive(self):
        """The next whole message, or Close. Answers Ping (unless told not to), counts Pong."""
        while True:
            frame = await self.receive_frame()
            assert frame.masked != self.client, "clients mask, servers do not (RFC 6455 section 5.1)"
            assert frame.rsv == 0, f"reserved bits {frame.rsv} without an extension"
            if frame.opcode == PING:
                self.pings += 1
                if self.answer_pings:
                    await self.send_frame(PONG, frame.payload)
            elif frame.opcode == PONG:
                self.pongs += 1
            elif frame.opcode == CLOSE:
                code = struct.unpack("!H", frame.payload[:2])[0] if len(frame.payload) >= 2 else None
                return Message(CLOSE, frame.payload[2:].decode(), code)
            elif frame.opcode == CONTINUATION:
                assert self._partial is not None, "continuation of nothing"
                self._partial[1].append(frame.payload)
            else:
                assert self._partial is None, "a new message inside another"
                self._partial = (frame.opcode, [frame.payload])
            if frame.fin and self._partial is not None and frame.opcode < 8:
                opcode, pieces = self._partial
                self._partial = None
                return Message(opcode, b"".join(pieces))

    async def close(self, code=1000, reason=""):
        """Closing handshake from this side: Close, then everything until the peer's Close."""
        await self.send_close(code, reason)
        try:
            while True:
                message = await self.receive()
                if message.opcode == CLOSE:
                    return message
        finally:
            self.abort()

    def reset(self):
        """Ends the TCP connection by RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def abort(self):
        """Ends the TCP connection without a Close frame."""
        self.writer.transport.abort()


def upgrade_request(host, port, target, headers=(), protocols=None, key="dGhlIHNhbXBsZSBub25jZQ=="):
    """The bytes of an upgrade request; `headers` are (name, value) pairs sent as they are."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    if protocols:
        lines.append(f"Sec-WebSocket-Protocol: {protocols}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def connect(host, port, target, ca_file=None, headers=(), protocols=None, receive_buffer=None,
                  limit=1 << 17, server_name=None, source=None):
    """Dials and upgrades. Raises HandshakeError for any other answer than a correct 101."""
    reader, writer = await open_stream(host, port, ca_file, server_name, limit, receive_buffer, source)
    key = base64.b64encode(os.urandom(16)).decode()
    try:
        writer.write(upgrade_request(server_name or host, port, target, headers, protocols, key))
        head = await read_head(reader)
        if head.status != 101:
            raise HandshakeError(head, await read_body(reader, head))
        assert head.get("Sec-WebSocket-Accept") == accept_key(key), "wrong Sec-WebSocket-Accept"
    except BaseException:
        writer.transport.abort()
        raise
    return WebSocket(reader, writer, head)
