"""A listener and a sender of hybrid connections, from the relay protocol's documentation and with nothing
hidden: every message of the control channel can be seen and every step can be done wrong."""

import asyncio
import json
import re
import uuid
from urllib.parse import urlsplit

import pytest

from . import ws
from .waiting import deadline

TRACKING = re.compile(r"TrackingId:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\S*, ?"
                      r"SystemTracker:\S+, ?Timestamp:\S+")


async def within(awaitable, seconds=10):
    return await asyncio.wait_for(awaitable, deadline(seconds))


async def refused(awaitable, status, text=""):
    """The handshake is answered with `status` and a reason phrase that contains `text` and a tracking id."""
    with pytest.raises(ws.HandshakeError) as caught:
        await within(awaitable)
    assert caught.value.status == status, str(caught.value)
    assert text in caught.value.reason, caught.value.reason
    assert TRACKING.search(caught.value.reason), f"no tracking text in {caught.value.reason!r}"
    return caught.value


def target(entity, action, *, query="", suffix="", identity=None, token_in_query=None):
    """The request target of a WebSocket operation."""
    from urllib.parse import quote
    text = f"/$hc/{entity}{suffix}?{query + '&' if query else ''}sb-hc-action={action}"
    text += f"&sb-hc-id={identity or uuid.uuid4()}"
    if token_in_query:
        text += f"&sb-hc-token={quote(token_in_query, safe='')}"
    return text


def authorization(token):
    return [("ServiceBusAuthorization", token)] if token else []


class Listener:
    """A control channel. accepts() yields what the relay asks for; nothing is accepted by itself."""

    def __init__(self, relay, control):
        self.relay, self.control = relay, control
        self.closed = None  # the Close message, or ConnectionLost
        self._accepts = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, relay, entity="simple", *, token=None, identity=None, **how):
        control = await ws.connect(relay.host, relay.port, target(entity, "listen", identity=identity), relay.ca,
                                   authorization(token or relay.token(entity)), **how)
        return cls(relay, control)

    async def _read(self):
        try:
            while True:
                message = await self.control.receive()
                if message.opcode == ws.CLOSE:
                    self.closed = message
                    await self.control.send_close(message.code, message.payload)
                    return
                if message.opcode == ws.TEXT:
                    document = json.loads(message.payload)
                    if "accept" in document:
                        self._accepts.put_nowait((document["accept"], message.payload))
        except (ws.ConnectionLost, AssertionError) as error:
            self.closed = self.closed or error
        finally:
            self._accepts.put_nowait(None)

    async def next_accept(self):
        """The next `accept` object; .raw_accept holds its text."""
        item = await self._accepts.get()
        assert item is not None, f"the control channel ended: {self.closed}"
        self.raw_accept = item[1]
        return item[0]

    async def rendezvous(self, accept, *, protocols=None, more="", **how):
        """Opens an accept's address (with `more` appended)."""
        parts = urlsplit(accept["address"])
        return await ws.connect(parts.hostname, parts.port or 443, f"{parts.path}?{parts.query}{more}",
                                self.relay.ca if parts.scheme == "wss" else None, protocols=protocols, **how)

    async def accept(self, **how):
        """Accepts the next sender. @return its WebSocket and the accept object."""
        request = await self.next_accept()
        return await self.rendezvous(request, **how), request

    async def close(self):
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        if self.closed is None:
            try:
                await asyncio.wait_for(self.control.close(), 10)
            except ws.ConnectionLost:
                pass

    def kill(self):
        self._reader.cancel()
        self.control.reset()


async def send(relay, entity="simple", *, token="own", headers=(), protocols=None, query="", suffix="",
               identity=None, token_in_query=None, **how):
    """Dials as a sender. token: None for none, "own" for the root rule's."""
    if token == "own":
        token = None if token_in_query else relay.token(entity)
    return await ws.connect(
        relay.host, relay.port,
        target(entity, "connect", query=query, suffix=suffix, identity=identity, token_in_query=token_in_query),
        relay.ca, [*authorization(token), *headers], protocols, **how)


async def pair(relay, listener, entity="simple", **how):
    """A sender and its listener's end, joined. @return sender, accepted, accept object."""
    dialling = asyncio.create_task(send(relay, entity, **how))
    try:
        accepted, request = await listener.accept()
        return await dialling, accepted, request
    finally:
        dialling.cancel()
