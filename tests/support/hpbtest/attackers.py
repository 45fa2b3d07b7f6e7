"""Strangers at full rate, each as a process of its own: threads of one Python would wait for those that measure.
    attackers.py connect HOST PORT SOURCE RATE SECONDS          bare TCP connections
    attackers.py hello   HOST PORT SOURCE RATE SECONDS          a ClientHello each
    attackers.py resets  HOST PORT SOURCE RATE SECONDS CA KEY   OPEN and RESET in a session, and new sessions as they end
    attackers.py lonely  HOST PORT SOURCE RATE SECONDS CA KEY   sessions that are begun and left alone
    attackers.py lost    HOST PORT SOURCE RATE SECONDS CA KEY   CHANNEL_LOST without end
    attackers.py ids     HOST PORT SOURCE COUNT SECONDS CA KEY  so many ids on a v1 channel at once, and holds it
CA is "" for a relay without TLS, which a Python in a hurry prefers.
`ready NAME` tells that it has begun; at the end it prints how many it has made."""

import asyncio
import collections
import pathlib
import socket
import ssl
import struct
import sys
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from hpbtest import relayclient, sas, v2  # noqa: E402

_KEY = 5011
#: Of a target that others do not use: what is measured is the agent.
CROWD_KEY = 5012
#: Connections that an attacker holds; beyond that the oldest goes.
_HELD = 3000
#: Sessions that are being begun.
_AT_ONCE = 20


def connection(host, port, source):
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves no TIME_WAIT
    sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    sock.bind((source, 0))
    sock.connect_ex((host, port))
    return sock


def client_hello():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def flood(name, host, port, source, rate, seconds, greeting=b""):
    held, fresh, made = collections.deque(), collections.deque(), 0
    print(f"ready {name}", flush=True)
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        if made >= now * rate:
            time.sleep(0.001)
            continue
        sock = connection(host, port, source)
        made += 1
        fresh.append(sock)
        if len(fresh) > 2:  # connected by now
            sock = fresh.popleft()
            if greeting:
                try:
                    sock.send(greeting)
                except OSError:
                    pass
            held.append(sock)
        if len(held) > _HELD:
            held.popleft().close()
    print(f"made {made}", flush=True)


class Relay:
    """As relayclient wants it."""

    def __init__(self, host, port, ca, key):
        self.host, self.port, self.ca, self._key = host, port, ca, key

    def token(self, entity="simple"):
        return sas.token(f"http://{self.host}/{entity}/", "root", self._key)


async def drain(channel):
    while await channel.read(60) is not None:
        pass


async def until_its_end(channel, kind, rate, seconds):
    """Frames of one channel until it ends or is late. @return how many streams or frames."""
    reading = asyncio.create_task(drain(channel))
    begin, made = time.monotonic(), 0
    while not reading.done() and (now := time.monotonic() - begin) < seconds:
        if made >= now * rate:
            await asyncio.sleep(0.001)
            continue
        frames = []
        for _ in range(20):
            stream = 2 * made + 1
            if kind == "lost":
                frames.append(v2.frame(v2.CHANNEL_LOST, 0, struct.pack("!Q", 1000 + made)))
            else:
                frames.append(v2.frame(v2.OPEN, stream, struct.pack("!iBBH16sQ", _KEY, 0, 0, 0, bytes(16), 1 << 18)))
            made += 1
        try:
            await channel.send(*frames)
            if kind == "resets":
                await asyncio.sleep(0)
                await channel.send(*(v2.frame(v2.RESET, 2 * n + 1, b"\0\x23") for n in range(made - 20, made)))
        except OSError:
            break
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return made


async def in_sessions(name, relay, source, rate, seconds):
    print(f"ready {name}", flush=True)
    end, made, refused = time.monotonic() + seconds, 0, 0

    async def one_after_the_other():
        nonlocal made, refused
        while (left := end - time.monotonic()) > 0:
            try:
                session, channel = v2.Session(), await v2.Channel.dial(relay, source=source)
                await channel.begin(session, 1)
                made += 1 if name == "lonely" else await until_its_end(channel, name, rate, left)
                channel.vanish()
            except (v2.Refused, OSError, AssertionError, relayclient.ws.HandshakeError, relayclient.ws.ConnectionLost):
                refused += 1
                await asyncio.sleep(0.01)

    tasks = [asyncio.create_task(one_after_the_other()) for _ in range(_AT_ONCE if name == "lonely" else 1)]
    _, late = await asyncio.wait(tasks, timeout=seconds + 1)
    for task in late:  # a dial that nobody answers any more
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(f"made {made} refused {refused}", flush=True)


async def ids(relay, source, count, seconds):
    """25 bytes each, which is all that an id costs."""
    print("ready ids", flush=True)
    end, made, refused = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        try:
            channel = await relayclient.send(relay, source=source)
        except (OSError, relayclient.ws.HandshakeError, relayclient.ws.ConnectionLost):
            refused += 1
            await asyncio.sleep(0.01)
            continue
        reading = asyncio.create_task(_read_all(channel))
        try:
            await channel.send(struct.pack("<HiH", 0, CROWD_KEY, 0))
            for _ in range(0, count, 10):
                await channel.send(b"".join(uuid.uuid4().bytes_le + b"\7\0" + b"my own!" for _ in range(10)))
                made += 10
        except (OSError, relayclient.ws.ConnectionLost):
            pass
        await asyncio.wait([reading], timeout=max(0, end - time.monotonic()))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        channel.abort()
    print(f"made {made} refused {refused}", flush=True)


async def _read_all(channel):
    while (await channel.receive()).opcode != relayclient.ws.CLOSE:
        pass


def main(name, host, port, source, rate, seconds, *more):
    if name == "ids":
        asyncio.run(ids(Relay(host, int(port), *more), source, int(rate), float(seconds)))
        return
    if more:
        asyncio.run(in_sessions(name, Relay(host, int(port), *more), source, float(rate), float(seconds)))
        return
    greeting = client_hello() if name == "hello" else b""
    flood(name, host, int(port), source, float(rate), float(seconds), greeting)


if __name__ == "__main__":
    main(*sys.argv[1:])
