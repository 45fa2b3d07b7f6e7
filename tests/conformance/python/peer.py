"""One end of a hybrid connection with an unmodified library: peer.py {websockets|aiohttp} {listen|send} {settings}.
What it is told and what it says is as in ../node/clients/peer.js, with the CA file as `ca`."""

import asyncio
import json
import ssl
import sys

LIBRARY, ROLE, SETTINGS = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
TLS = ssl.create_default_context(cafile=SETTINGS["ca"])


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


class Websockets:
    """The library websockets, behind the four calls that the roles need."""

    @classmethod
    async def open(cls, url):
        self = cls()
        try:
            self._socket = await websockets.asyncio.client.connect(url, ssl=TLS, max_size=None)
        except websockets.exceptions.InvalidStatus as error:
            raise ConnectionRefusedError(error.response.status_code, error.response.reason_phrase) from None
        return self

    async def send(self, data):
        await self._socket.send(data)

    async def receive(self):
        """@return a message, or None at the end."""
        try:
            return await self._socket.recv()
        except websockets.exceptions.ConnectionClosed:
            return None

    async def close(self):
        await self._socket.close(1000, "done")
        return self._socket.protocol.close_code


class Aiohttp:
    """The same for aiohttp."""

    @classmethod
    async def open(cls, url):
        import aiohttp
        import yarl
        self = cls()
        self._session = aiohttp.ClientSession()
        try:
            self._socket = await self._session.ws_connect(yarl.URL(url, encoded=True), ssl=TLS, max_msg_size=0)
        except aiohttp.WSServerHandshakeError as error:
            await self._session.close()
            raise ConnectionRefusedError(error.status, error.message) from None
        return self

    async def send(self, data):
        await (self._socket.send_str if isinstance(data, str) else self._socket.send_bytes)(data)

    async def receive(self):
        async for message in self._socket:
            return message.data
        return None

    async def close(self):
        await self._socket.close(code=1000, message=b"done")
        await self._session.close()
        return self._socket.close_code


if LIBRARY == "websockets":
    import websockets.asyncio.client
CLIENT = {"websockets": Websockets, "aiohttp": Aiohttp}[LIBRARY]


async def echo(address):
    socket = await CLIENT.open(address)
    while (message := await socket.receive()) is not None:
        await socket.send(message)
    await socket.close()


async def listen():
    control = await CLIENT.open(f"{SETTINGS['base']}?sb-hc-action=listen&{SETTINGS['query']}")
    say("listening")
    tasks = []
    while (message := await control.receive()) is not None:
        tasks.append(asyncio.create_task(echo(json.loads(message)["accept"]["address"])))


async def send():
    try:
        socket = await CLIENT.open(f"{SETTINGS['base']}?sb-hc-action=connect&{SETTINGS['query']}")
    except ConnectionRefusedError as error:
        return say("refused", status=error.args[0], text=error.args[1])
    for message in ("text \u20ac", bytes(100000), "last"):
        await socket.send(message)
        assert await socket.receive() == message, "the echo differs"
    say("echoed", code=await socket.close())


asyncio.run(listen() if ROLE == "listen" else send())
