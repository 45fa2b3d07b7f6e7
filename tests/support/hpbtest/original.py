"""The original's two agents, from the description of its wire format and with its documented faults.

They do what the .NET bridge does where it differs from what one would wish: ends are never reported, channels are
never closed, a late frame kills the client's channel, a refused target kills the service's, and whoever loses a
channel closes all its sockets in order. `v1_peer`, which these are made of, is the format without the faults.
"""

import asyncio
import time

import v1_peer

from . import relayclient, ws


class _Channel:
    """A client agent's end of one rendezvous, with its table of connections."""

    def __init__(self, channel, expires):
        self.channel, self.expires = channel, expires
        self.writers = {}
        self.alive = True
        self.reader = asyncio.create_task(self._read())

    async def _read(self):
        try:
            while (item := await self.channel.read_frame()) is not None:
                identity, payload = item
                writer = self.writers[identity]  # a late frame: KeyError, and that was the channel
                writer.write(payload)
                try:
                    await writer.drain()
                except OSError:
                    self.writers.pop(identity, None)
        except (KeyError, ws.ConnectionLost):
            pass
        finally:
            self.alive = False
            for writer in self.writers.values():
                writer.close()  # FIN, whatever the reason
            self.writers.clear()
            self.channel.abort()


class ClientAgent:
    """One port mapping of an original client agent. Listens at `address`."""

    def __init__(self, relay, key, entity, slots, ttl):
        self.relay, self.key, self.entity, self.ttl = relay, key, entity, ttl
        self.slots = [None] * slots
        self.locks = [asyncio.Lock() for _ in range(slots)]
        self.channels = []  # all there ever were: none is closed from here
        self._turn = 0

    @classmethod
    async def open(cls, relay, key=5011, entity="simple", slots=1, ttl=300):
        self = cls(relay, key, entity, slots, ttl)
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.address = self.server.sockets[0].getsockname()
        return self

    async def _slot(self):
        self._turn += 1
        index = self._turn % len(self.slots)
        async with self.locks[index]:
            channel = self.slots[index]
            if channel is None or not channel.alive or time.monotonic() >= channel.expires:
                wire = v1_peer.Channel(await relayclient.send(self.relay, self.entity))
                await wire.write(v1_peer.preamble(self.key))
                channel = self.slots[index] = _Channel(wire, time.monotonic() + self.ttl)
                self.channels.append(channel)
            return channel

    async def _serve(self, reader, writer):
        identity = v1_peer.new_id()
        try:
            channel = await self._slot()
        except (OSError, ws.ConnectionLost, ws.HandshakeError):
            return writer.close()
        channel.writers[identity] = writer
        try:
            while data := await reader.read(v1_peer.MAX_SENT):
                await channel.channel.write_frame(identity, data)
        except (OSError, ws.ConnectionLost):
            pass
        finally:
            channel.writers.pop(identity, None)  # nothing on the wire
            writer.close()

    async def close(self):
        self.server.close()
        for channel in self.channels:
            channel.reader.cancel()
            channel.channel.abort()
        await asyncio.gather(*(c.reader for c in self.channels), return_exceptions=True)


class ServiceAgent(v1_peer.Service):
    """An original service agent. It agrees to the first subprotocol that is offered, whatever it is."""

    async def _one(self, request):
        offered = [v for n, v in request["connectHeaders"].items() if n.lower() == "sec-websocket-protocol"]
        first = [offered[0].split(",")[0].strip()] if offered else None
        channel = v1_peer.Channel(await self.listener.rendezvous(request, protocols=first))
        self.channels.append(channel)
        try:
            await self._serve_targets(channel)  # connecting blocks the channel; a refusal ends it
        except (ws.ConnectionLost, OSError):
            pass
        try:
            if channel.closed is None:
                await channel.close()
        except ws.ConnectionLost:
            pass
        channel.abort()
