"""A relay for testing the tests: the least of the protocol that the independent peers need, for one event
loop, with no limits, no time-outs and full trust in its two ends. Never a model for the product."""

import asyncio
import json
import ssl
import uuid
from urllib.parse import parse_qs, unquote, urlsplit

from . import product, sas, ws


class StandIn:
    """Looks like product.RelayProcess to the peers. Every hybrid connection exists; root's key is the only one."""

    host = "127.0.0.1"

    def __init__(self, certificates):
        self.ca = certificates.ca
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*map(str, certificates.server))
        self._listeners, self._pending, self._turn = {}, {}, 0
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self._context, limit=1 << 17)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def token(self, entity="simple", rule="root", key=product.ROOT_KEY, **how):
        return sas.token(f"http://{self.host}/{entity}/", rule, key, **how)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            head = await ws.read_head(reader)
            url = urlsplit(head.first.split(" ")[1])
            query = {k: v[0] for k, v in parse_qs(url.query).items()}
            entity = unquote(url.path).removeprefix("/$hc/")
            action = query.get("sb-hc-action", "connect")
            token = query.get("sb-hc-token") or head.get("ServiceBusAuthorization", "")
            if head.get("X-PROCESS-AT"):
                await self._refuse(writer, 404, "Not described here")
            elif action != "accept" and not sas.verify(token, product.ROOT_KEY):
                await self._refuse(writer, 401, "The token has an invalid signature")
            else:
                await getattr(self, f"_{action}")(reader, writer, head, entity, query)
        except (ws.ConnectionLost, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(asyncio.current_task())

    async def _refuse(self, writer, status, reason):
        writer.write(f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    def _upgrade(self, reader, writer, head, protocol=None):
        key = ws.accept_key(head.get("Sec-WebSocket-Key"))
        more = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        writer.write(("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      f"Sec-WebSocket-Accept: {key}\r\n{more}\r\n").encode())
        return ws.WebSocket(reader, writer, head, client=False)

    async def _listen(self, reader, writer, head, entity, query):
        control = self._upgrade(reader, writer, head)
        self._listeners.setdefault(entity, []).append(control)
        try:
            while (message := await control.receive()).opcode != ws.CLOSE:
                pass
            await control.send_close(message.code, message.payload)
        finally:
            self._listeners[entity].remove(control)

    async def _connect(self, reader, writer, head, entity, query):
        listeners = self._listeners.get(entity)
        if not listeners:
            return await self._refuse(writer, 404, "There are no listeners connected for the endpoint")
        self._turn += 1
        number = f"{uuid.uuid4()}_G0"
        self._pending[number] = done = asyncio.get_running_loop().create_future()
        headers = {name: value for name, value in head.headers if name.lower() != "servicebusauthorization"}
        host, port = writer.get_extra_info("peername")[:2]
        await listeners[self._turn % len(listeners)].send(json.dumps({"accept": {
            "address": f"wss://{head.get('Host')}/$hc/{entity}?sb-hc-action=accept&sb-hc-id={number}",
            "id": number, "connectHeaders": headers, "remoteEndpoint": {"address": host, "port": port}}}))
        accepted = await done
        if not isinstance(accepted, _Accepted):
            return await self._refuse(writer, *accepted)
        other, finished = accepted.socket, accepted.finished
        mine = self._upgrade(reader, writer, head, other.protocol if head.get("Sec-WebSocket-Protocol") else None)
        await asyncio.gather(self._forward(mine, other), self._forward(other, mine))
        finished.set_result(None)

    async def _accept(self, reader, writer, head, entity, query):
        done = self._pending.pop(query["sb-hc-id"], None)
        if done is None:
            return await self._refuse(writer, 403, "The rendezvous address is not valid")
        if "sb-hc-statusCode" in query:
            done.set_result((int(query["sb-hc-statusCode"]), query.get("sb-hc-statusDescription", "")))
            return await self._refuse(writer, 410, "Gone")
        finished = asyncio.get_running_loop().create_future()
        socket = self._upgrade(reader, writer, head, head.get("Sec-WebSocket-Protocol"))
        done.set_result(_Accepted(socket, finished))
        await finished

    async def _forward(self, source, sink):
        try:
            while True:
                message = await source.receive()
                if message.opcode == ws.CLOSE:
                    return await sink.send_close(message.code, message.payload)
                await sink.send_frame(message.opcode, message.payload)
        except ws.ConnectionLost:
            source.abort()
            sink.abort()


class _Accepted:
    def __init__(self, socket, finished):
        self.socket, self.finished = socket, finished
