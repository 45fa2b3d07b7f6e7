"""hpb relay from the wire's side: handshakes, rights, rendezvous, frames and closes, one frame at a time."""

import asyncio
import base64
import json
import os
import re
import time
import uuid
import xml.etree.ElementTree as xml
from urllib.parse import parse_qsl, urlsplit

import pytest
from hpbtest import product, relayclient, sas, ws
from hpbtest.bridge import limits
from hpbtest.relayclient import TRACKING, refused, within
from hpbtest.waiting import asynctest, deadline, sized, stays, until

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
async def ended_without_close(socket):
    with pytest.raises(ws.ConnectionLost):
        message = await within(socket.receive())
        raise AssertionError(f"expected the connection's end, got {message}")


# ---------------------------------------------------------------- handshakes


async def answer_to(relay, target, headers=(), **how):
    """The head of the answer to an upgrade, and the open connection."""
    reader, writer = await ws.open_stream(relay.host, relay.port, relay.ca)
    writer.write(ws.upgrade_request(relay.host, relay.port, target, headers, **how))
    return await ws.read_head(reader), reader, writer


@asynctest()
async def test_101_of_the_control_channel_has_exactly_what_clients_accept(relay):
    key = base64.b64encode(os.urandom(16)).decode()
    head, _, writer = await within(answer_to(
        relay, relayclient.target("simple", "listen"),
        [*relayclient.authorization(relay.token()),
         ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")], key=key))
    assert head.first.startswith("HTTP/1.1 101 ")
    assert head.all("Connection") == ["Upgrade"] and head.all("Upgrade") == ["websocket"]
    assert head.all("Sec-WebSocket-Accept") == [ws.accept_key(key)]
    names = [name.lower() for name, _ in head.headers]
    assert len(names) == len(set(names)), names
    for name in ("content-length", "content-type", "transfer-encoding", "expires", "allow",
                 "sec-websocket-extensions", "sec-websocket-protocol"):
        assert name not in names, names
    writer.transport.abort()


@asynctest()
async def test_101_of_sender_and_rendezvous_carry_the_listeners_choice_of_protocol(relay):
    listener = await relayclient.Listener.open(relay)
    dialling = asyncio.create_task(relayclient.send(relay, protocols="a, b"))
    request = await within(listener.next_accept())
    assert request["connectHeaders"]["Sec-WebSocket-Protocol"] == "a, b"
    accepted = await within(listener.rendezvous(request, protocols="a"))
    sender = await within(dialling)
    assert accepted.protocol == "a" and sender.protocol == "a"
    for head in (accepted.head, sender.head):
        assert head.all("Connection") == ["Upgrade"] and head.get("Content-Length") is None
    # A sender that offered nothing is told of nothing, whatever the listener asks for.
    dialling = asyncio.create_task(relayclient.send(relay))
    accepted = await within(listener.accept(protocols="a"))
    assert (await within(dialling)).protocol is None
    await listener.close()


@pytest.mark.parametrize("lines", [["hpb.v1, hpb.v2"], ["hpb.v1", "hpb.v2"]], ids=["one header", "two headers"])
@pytest.mark.parametrize("choice", ["hpb.v2", "hpb.v1", None])
@asynctest()
async def test_the_listener_sees_every_offered_protocol_and_its_choice_is_the_senders_answer(relay, lines, choice):
    listener = await relayclient.Listener.open(relay)
    dialling = asyncio.create_task(relayclient.send(relay, headers=[("Sec-WebSocket-Protocol", it) for it in lines]))
    request = await within(listener.next_accept())
    assert request["connectHeaders"]["Sec-WebSocket-Protocol"] == "hpb.v1, hpb.v2"
    accepted = await within(listener.rendezvous(request, protocols=choice))
    sender = await within(dialling)
    for end in (accepted, sender):
        assert end.head.all("Sec-WebSocket-Protocol") == ([choice] if choice else [])
    await sender.send(b"goes through")
    assert (await within(accepted.receive())).payload == b"goes through"
    await listener.close()


@asynctest()
async def test_sender_is_answered_only_when_the_listener_has_come(relay):
    listener = await relayclient.Listener.open(relay)
    dialling = asyncio.create_task(relayclient.send(relay))
    request = await within(listener.next_accept())
    await stays(lambda: not dialling.done(), 0.3, "no answer before the rendezvous")
    accepted = await within(listener.rendezvous(request))
    await accepted.send(b"before the sender could read its 101")
    sender = await within(dialling)
    assert (await within(sender.receive())).payload == b"before the sender could read its 101"
    await listener.close()


@asynctest()
async def test_the_accept_message_is_complete(relay):
    listener = await relayclient.Listener.open(relay)
    identity = str(uuid.uuid4())
    dialling = asyncio.create_task(relayclient.send(
        relay, identity=identity, suffix="/x/y", query="p=1&&q=%2f", protocols="chat, superchat",
        headers=[("X-App", "42"), ("X-Many", "1"), ("X-Many", "2")]))
    request = await within(listener.next_accept())
    assert len(listener.raw_accept) < 65536
    assert GUID.match(request["id"]) and request["id"].startswith(identity)
    assert request["remoteEndpoint"]["address"] == "127.0.0.1" and isinstance(request["remoteEndpoint"]["port"], int)
    headers = {name.lower(): value for name, value in request["connectHeaders"].items()}
    assert all(isinstance(value, str) for value in headers.values())
    assert headers["x-app"] == "42" and headers["x-many"] == "1, 2"
    for name in ("sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "host"):
        assert name in headers
    assert "servicebusauthorization" not in headers, "the sender's token is not the listener's business"
    url = urlsplit(request["address"])
    assert url.scheme == "wss" and url.path == "/$hc/simple/x/y" and url.query.startswith("p=1&&q=%2f&")
    assert ("sb-hc-action", "accept") in parse_qsl(url.query)
    for piece in url.query.removeprefix("p=1&&q=%2f&").split("&"):
        assert piece.count("=") == 1 and "%3d" not in piece.lower()
    await within(listener.rendezvous(request))
    await within(dialling)
    await listener.close()


@pytest.mark.parametrize("query, kept", [
    ("a=1&a=2&", "a=1&a=2&"), ("x=y", "x=y"), ("sb-hc-undefined", "sb-hc-undefined"), ("sb-hc-whatever=", ""),
    ("SB-HC-x=1&b=2", "b=2"), ("+", "+"), ("%2B", "%2B"), ("%20", "%20"), ("%2f%3a%3d%26", "%2f%3a%3d%26"),
    ("%73b-hc-x=1&y=2", "y=2")])
@asynctest()
async def test_only_the_relays_own_parameters_are_removed(relay, query, kept):
    listener = await relayclient.Listener.open(relay)
    dialling = asyncio.create_task(relayclient.send(relay, query=query))
    request = await within(listener.next_accept())
    pieces = urlsplit(request["address"]).query.split("&")
    foreign = [p for p in pieces if not ("=" in p and p.lower().startswith("sb-hc-"))]
    assert [p for p in foreign if p] == [p for p in kept.split("&") if p]
    dialling.cancel()
    await listener.close()


# ---------------------------------------------------------------- tokens and rights


@pytest.mark.parametrize("resource", [
    "http://{h}:{p}/simple", "https://{h}:{p}/simple/", "sb://{h}/simple", "http://{h}/SIMPLE/", "http://{h}:443/simple",
    "sb://{h}", "http://{h}/", "wss://{h}/simple"])
@asynctest()
async def test_audiences_are_compared_without_scheme_and_port(relay, resource):
    text = resource.format(h=relay.host, p=relay.port)
    for lower in (False, True):
        token = sas.token(text, "root", product.ROOT_KEY, lower_case_escapes=lower)
        listener = await within(relayclient.Listener.open(relay, token=token))
        sender, accepted, _ = await within(relayclient.pair(relay, listener, token=token))
        sender.abort()
        await listener.close()


@pytest.mark.parametrize("make", [
    lambda r: sas.token(f"http://{r.host}/simplexyz/", "root", product.ROOT_KEY),
    lambda r: sas.token("http://elsewhere.test/simple/", "root", product.ROOT_KEY),
    lambda r: r.token(key="wrong"), lambda r: r.token(rule="nobody"), lambda r: r.token(seconds=-3600),
    lambda r: r.token().replace("sig=", "sig=A"), lambda r: r.token().split("&se=")[0],
    lambda r: "SharedAccessSignature", lambda r: "Bearer x", lambda r: "x" * 5000, lambda r: None,
    lambda r: r.token().replace("&se=", "&se=9") + "&sr=twice",
    lambda r: r.token(rule="own", key=product.ENTITY_KEY)],
    ids=["longer path", "other host", "wrong key", "unknown rule", "expired", "bad signature", "no expiry", "empty",
         "bearer", "long", "none", "twice", "another entity's rule"])
@asynctest()
async def test_bad_tokens_are_401_for_listener_and_sender(relay, make):
    token = make(relay)
    listening = ws.connect(relay.host, relay.port, relayclient.target("simple", "listen"), relay.ca,
                           relayclient.authorization(token))
    error = await refused(listening, 401)
    assert "simple" in error.reason
    await refused(relayclient.send(relay, token=token), 401)


@asynctest()
async def test_token_in_the_query_does_as_well_as_in_the_header(relay):
    control = await within(ws.connect(
        relay.host, relay.port, relayclient.target("simple", "listen", token_in_query=relay.token()), relay.ca))
    listener = relayclient.Listener(relay, control)
    sender, accepted, request = await within(relayclient.pair(relay, listener, token_in_query=relay.token()))
    assert "sb-hc-token" not in request["address"]
    await sender.send("hello")
    assert (await within(accepted.receive())).payload == b"hello"
    await listener.close()


@asynctest()
async def test_rights_are_the_rules_and_both_keys_work(relay):
    listen = relay.token(rule="listen", key=product.LISTEN_KEY)
    send = relay.token(rule="send", key=product.SEND_KEY)
    second = relay.token(key=product.ROOT_SECOND_KEY)
    await refused(relayclient.Listener.open(relay, token=send), 401, "'Listen' claim(s) are required")
    listener = await within(relayclient.Listener.open(relay, token=listen))
    await refused(relayclient.send(relay, token=listen), 401, "'Send' claim(s) are required")
    for token in (send, second, relay.token()):
        sender, _, _ = await within(relayclient.pair(relay, listener, token=token))
        sender.abort()
    await listener.close()
    other = relay.token("other", rule="own", key=product.ENTITY_KEY)
    namespace_wide = sas.token(f"sb://{relay.host}", "own", product.ENTITY_KEY)
    listener = await within(relayclient.Listener.open(relay, "other", token=other))
    for token in (other, namespace_wide):
        sender, _, _ = await within(relayclient.pair(relay, listener, "other", token=token))
        sender.abort()
    await listener.close()
    await refused(relayclient.send(relay, token=namespace_wide), 401)


@asynctest()
async def test_unknown_entity_is_404_and_only_for_who_may_ask(relay):
    error = await refused(relayclient.send(relay, "nowhere"), 404, "Endpoint does not exist")
    assert "nowhere" in error.reason
    await refused(relayclient.Listener.open(relay, "nowhere"), 404, "Endpoint does not exist")
    await refused(relayclient.send(relay, "nowhere", token=None), 401)
    await refused(relayclient.send(relay, "nowhere", token=relay.token("nowhere", key="wrong")), 401)


@asynctest()
async def test_no_listener_is_404_at_once(relay):
    await refused(within(relayclient.send(relay), 2), 404, "There are no listeners connected for the endpoint")


@asynctest()
async def test_anonymous_senders_where_the_entity_allows_them_and_only_senders(relay):
    await refused(relayclient.Listener.open(relay, "open", token="none of yours"), 401)
    listener = await within(relayclient.Listener.open(relay, "open"))
    sender, _, _ = await within(relayclient.pair(relay, listener, "open", token=None))
    sender.abort()
    sender, _, request = await within(relayclient.pair(
        relay, listener, "open", token="not even a token", headers=[("Authorization", "Basic abc")]))
    headers = {name.lower(): value for name, value in request["connectHeaders"].items()}
    assert headers["authorization"] == "Basic abc" and "servicebusauthorization" not in headers
    await listener.close()


@asynctest()
async def test_entities_with_slashes_match_the_longest(relay):
    listener = await within(relayclient.Listener.open(relay, "deep/er"))
    sender, _, request = await within(relayclient.pair(relay, listener, "deep/er", suffix="/more"))
    assert urlsplit(request["address"]).path == "/$hc/deep/er/more"
    await refused(relayclient.send(relay, "deep"), 404)
    await listener.close()


@asynctest()
async def test_unknown_actions_are_400(relay):
    await refused(ws.connect(relay.host, relay.port, relayclient.target("simple", "dance"), relay.ca,
                             relayclient.authorization(relay.token())), 400)


# ---------------------------------------------------------------- listeners


@asynctest(120)
async def test_the_26th_listener_is_refused_until_one_leaves(relay):
    listeners = [await within(relayclient.Listener.open(relay)) for _ in range(25)]
    await refused(relayclient.Listener.open(relay), 403, "MaximumListenersPerEndpoint")
    await listeners.pop().close()
    listeners.append(await within(relayclient.Listener.open(relay)))
    listeners.pop(0).kill()

    async def again():
        try:
            listeners.append(await relayclient.Listener.open(relay))
            return True
        except ws.HandshakeError:
            return False

    end = time.monotonic() + deadline(10)
    while not await again():  # the relay notices the reset in its own time
        assert time.monotonic() < end
    assert len(listeners) == 25
    for listener in listeners:
        await listener.close()


@asynctest(120)
async def test_two_listeners_both_get_work_and_affinity_is_obeyed(relay):
    names = [str(uuid.uuid4()) for _ in range(2)]
    listeners = [await within(relayclient.Listener.open(relay, identity=name)) for name in names]
    counts = [0, 0]

    async def serve(index):
        while True:
            request = await listeners[index].next_accept()
            counts[index] += 1
            accepted = await listeners[index].rendezvous(request)
            accepted.abort()

    serving = [asyncio.create_task(serve(i)) for i in range(2)]

    async def some(number, **how):
        counts[:] = [0, 0]
        for _ in range(number):
            (await within(relayclient.send(relay, **how))).abort()
        return list(counts)

    assert all(count >= 20 for count in await some(100)), counts
    assert await some(10, headers=[("Microsoft-Relay-AllowedListeners", names[1])]) == [0, 10]
    assert await some(10, headers=[("Microsoft-Relay-AllowedListeners", f"{uuid.uuid4()}, {names[0].upper()}")]) == [10, 0]
    assert await some(10, headers=[("Microsoft-Relay-DisallowedListeners", names[1])]) == [10, 0]
    criteria = "None of the connected listeners meet the AllowedListeners/DisallowedListeners criteria"
    await refused(relayclient.send(relay, headers=[("Microsoft-Relay-AllowedListeners", str(uuid.uuid4()))]), 404, criteria)
    await refused(relayclient.send(relay, headers=[("Microsoft-Relay-DisallowedListeners", ",".join(names))]), 404, criteria)
    for task in serving:
        task.cancel()
    for listener in listeners:
        await listener.close()


async def keeping_alive(relay, seconds):
    """The control channel of a listener that asks for a keep-alive."""
    return await within(ws.connect(
        relay.host, relay.port, relayclient.target("simple", "listen"), relay.ca,
        [*relayclient.authorization(relay.token()), ("Hpb-Keep-Alive", str(seconds))]))


@pytest.mark.parametrize("asked, agreed", [
    ("5", ["5"]), ("30", ["30"]), ("31", ["30"]), ("9" * 15, ["30"]), ("0", ["1"]), ("-3", ["1"]), ("", []),
    ("five", []), ("5.0", []), ("9" * 30, [])])
@asynctest()
async def test_a_keep_alive_is_agreed_on_within_the_relays_limits(relay, asked, agreed):
    control = await keeping_alive(relay, asked)
    assert control.head.all("Hpb-Keep-Alive") == agreed
    control.abort()


@asynctest()
async def test_a_listener_with_a_keep_alive_is_pinged_twice_in_it_and_cut_after_two_of_silence(bench):
    relay = bench.relay(options=bench.relay_options(PingIntervalSeconds=20))
    listener = relayclient.Listener(relay, await keeping_alive(relay, 1))
    began = time.monotonic()
    await until(lambda: listener.control.pings >= 8, 10, "Pings")
    assert time.monotonic() - began > 3.5, "eight half intervals"
    assert listener.closed is None
    listener.control.answer_pings = False
    began = time.monotonic()
    await until(lambda: listener.closed is not None, 5, "the end of a silent listener")
    assert isinstance(listener.closed, ws.ConnectionLost) and time.monotonic() - began > 1.4
    assert limits(relay.process)["silent_listeners"] == 1
    await refused(relayclient.send(relay), 404, "There are no listeners")


@asynctest()
async def test_without_the_header_nothing_is_agreed_on_and_pings_keep_their_own_pace(relay):
    listener = await within(relayclient.Listener.open(relay))
    assert listener.control.head.get("Hpb-Keep-Alive") is None
    listener.control.answer_pings = False
    await stays(lambda: listener.closed is None and listener.control.pings == 0, 3, "left alone")
    await listener.close()


@asynctest(120)
async def test_a_listener_that_does_not_read_is_passed_over_at_once(relay):
    identity = str(uuid.uuid4())
    deaf = await within(ws.connect(
        relay.host, relay.port, relayclient.target("simple", "listen", identity=identity), relay.ca,
        relayclient.authorization(relay.token()), receive_buffer=4096, limit=1024))
    only_it = [("Microsoft-Relay-AllowedListeners", identity), ("X-Much", "x" * 28000)]
    waiting, refusals = [], []

    def ended(task):
        if not task.cancelled() and isinstance(task.exception(), ws.HandshakeError):
            refusals.append(task.exception().status)

    while not refusals and len(waiting) < 2000:
        batch = [asyncio.create_task(relayclient.send(relay, headers=only_it)) for _ in range(20)]
        for task in batch:
            task.add_done_callback(ended)
        waiting += batch
        await stays(lambda: True, 0.05, "a moment for them")
    assert refusals and set(refusals) == {503}, f"{len(waiting)} senders, {refusals}"
    assert limits(relay.process)["full_announcements"] >= len(refusals)
    other = await within(relayclient.Listener.open(relay))
    for _ in range(10):  # half of them are announced to the deaf one first
        sender, _, _ = await within(relayclient.pair(relay, other), 3)
        sender.abort()
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    deaf.reset()
    await other.close()


@pytest.mark.parametrize("garbage", [
    (ws.TEXT, b"not json"), (ws.TEXT, b"[]"), (ws.TEXT, b'{"unknown":{}}'), (ws.TEXT, b'{"renewToken":7}'),
    (ws.TEXT, b'{"response":{"requestId":"nobody","statusCode":"200","body":false}}'), (ws.BINARY, b""), (ws.TEXT, b""),
    (ws.TEXT, b'{"injectFault":{"delay":"PT1S"}}'), (ws.TEXT, b"[" * 20000)],
    ids=["text", "array", "unknown", "odd renewal", "unknown request", "empty binary", "empty text", "fault", "nested"])
@asynctest()
async def test_garbage_on_the_control_channel_does_not_end_it(relay, garbage):
    listener = await within(relayclient.Listener.open(relay))
    await listener.control.send_frame(*garbage)
    sender, _, _ = await within(relayclient.pair(relay, listener))
    assert listener.closed is None
    sender.abort()
    await listener.close()


@asynctest()
async def test_a_response_to_an_unknown_request_takes_its_body_with_it(relay):
    listener = await within(relayclient.Listener.open(relay))
    await listener.control.send('{"response":{"requestId":"nobody","statusCode":200,"body":true}}')
    await listener.control.send(b"the body of it")
    sender, _, _ = await within(relayclient.pair(relay, listener))
    sender.abort()
    await listener.close()


@asynctest()
async def test_control_channel_answers_ping_and_close_at_once(relay):
    listener = await within(relayclient.Listener.open(relay))
    await listener.control.send_frame(ws.PONG, b"unsolicited")
    await listener.control.send_frame(ws.PING, b"well?")
    await until(lambda: listener.control.pongs == 1, 5, "a Pong")
    await listener.control.send_close(1000, "Normal Closure")
    await until(lambda: listener.closed is not None, 1, "the relay's Close")
    assert listener.closed.opcode == ws.CLOSE and listener.closed.code == 1000
    await refused(relayclient.send(relay), 404, "There are no listeners")


@asynctest()
async def test_a_token_that_cannot_be_renewed_closes_with_1008_and_data_connections_live_on(bench):
    relay = bench.relay(options=bench.relay_options(TokenGraceSeconds=1))
    listener = await within(relayclient.Listener.open(relay, token=relay.token(seconds=2)))
    sender, accepted, _ = await within(relayclient.pair(relay, listener))
    await until(lambda: listener.closed is not None, 15, "the control channel's end after expiry and grace")
    assert isinstance(listener.closed, ws.Message) and listener.closed.code == 1008, listener.closed
    assert limits(relay.process)["expired_listeners"] == 1
    await sender.send(b"still")
    assert (await within(accepted.receive())).payload == b"still"


@asynctest()
async def test_renewal_survives_expiry_and_a_bad_one_ends_with_1008(bench):
    relay = bench.relay(options=bench.relay_options(TokenGraceSeconds=1))
    renewed = await within(relayclient.Listener.open(relay, token=relay.token(seconds=2)))
    expiring = await within(relayclient.Listener.open(relay, "other", token=relay.token("other", seconds=2)))
    await renewed.control.send('{"renewToken":{"token":"%s"}}' % relay.token(seconds=3600))
    await until(lambda: expiring.closed is not None, 15, "the other one's end: by now both tokens have expired")
    await stays(lambda: renewed.closed is None, 0.5, "the renewed one lives")
    await renewed.control.send('{"renewToken":{"token":"%s"}}' % relay.token(key="wrong"))
    await until(lambda: renewed.closed is not None, 5, "the end after a bad token")
    assert isinstance(renewed.closed, ws.Message) and renewed.closed.code == 1008


# ---------------------------------------------------------------- reject, one use, time


@pytest.mark.parametrize("status, text, expected", [
    (400, "Rejected+by+user+code", "Rejected by user code"), (401, "no%20entry", "no entry"),
    (502, "a%0d%0aEvil:+header", "a"), (999, "x", "x"), (100, "interim", None)])
@asynctest()
async def test_reject_reaches_the_sender_and_the_listener_sees_410(relay, status, text, expected):
    listener = await within(relayclient.Listener.open(relay))
    dialling = asyncio.create_task(relayclient.send(relay))
    request = await within(listener.next_accept())
    more = f"&sb-hc-statusCode={status}&sb-hc-statusDescription={text}"
    with pytest.raises(ws.HandshakeError) as mine:
        await within(listener.rendezvous(request, more=more))
    assert mine.value.status == 410
    with pytest.raises(ws.HandshakeError) as theirs:
        await within(dialling)
    assert theirs.value.status == (status if expected else 400)
    assert theirs.value.head.get("Evil") is None
    assert theirs.value.reason.startswith(expected or "")
    with pytest.raises(ws.HandshakeError) as again:
        await within(listener.rendezvous(request))
    assert again.value.status in (400, 403)
    await listener.close()


@asynctest()
async def test_a_rendezvous_address_works_once_and_a_forged_one_never(relay):
    listener = await within(relayclient.Listener.open(relay))
    dialling = asyncio.create_task(relayclient.send(relay))
    request = await within(listener.next_accept())
    forged = dict(request, address=re.sub(r"(sb-hc-id=)[^&]{6}", r"\g<1>000000", request["address"]))
    forged["address"] = re.sub(r"(sb-hc-(?!action|id)[a-z]+=)[^&]+", r"\g<1>" + "0" * 32, forged["address"])
    with pytest.raises(ws.HandshakeError) as never:
        await within(listener.rendezvous(forged))
    assert never.value.status in (400, 403)
    await within(listener.rendezvous(request))
    await within(dialling)
    with pytest.raises(ws.HandshakeError) as again:
        await within(listener.rendezvous(request))
    assert again.value.status in (400, 403)
    await listener.close()


@asynctest()
async def test_a_sender_that_leaves_takes_its_address_with_it(relay):
    listener = await within(relayclient.Listener.open(relay))
    _, _, writer = await _dial_without_waiting(relay)
    request = await within(listener.next_accept())
    writer.transport.abort()

    async def gone():
        try:
            socket = await listener.rendezvous(request)
            socket.abort()  # the relay had not noticed yet: then the address is used up, which is as good
        except ws.HandshakeError as error:
            return error.status in (400, 403)
        return True

    assert await within(gone())
    await listener.close()


async def _dial_without_waiting(relay):
    reader, writer = await ws.open_stream(relay.host, relay.port, relay.ca)
    writer.write(ws.upgrade_request(relay.host, relay.port, relayclient.target("simple", "connect"),
                                    relayclient.authorization(relay.token())))
    await writer.drain()
    return None, reader, writer


@asynctest()
async def test_a_silent_listener_costs_the_sender_no_more_than_the_limit(bench):
    relay = bench.relay(options=bench.relay_options(RendezvousTimeoutSeconds=3))
    listener = await within(relayclient.Listener.open(relay))
    with pytest.raises(ws.HandshakeError) as caught:
        await within(relayclient.send(relay), 5)
    assert caught.value.status in (404, 504) and TRACKING.search(caught.value.reason)
    await listener.close()


# ---------------------------------------------------------------- data


@asynctest()
async def test_text_stays_text_binary_binary_and_boundaries_are_kept(relay):
    listener = await within(relayclient.Listener.open(relay))
    sender, accepted, _ = await within(relayclient.pair(relay, listener))
    big = os.urandom(1 << 20)
    for one, other in ((sender, accepted), (accepted, sender)):
        for message in ("text \u20ac", b"binary", b"x" * 125, b"x" * 126, b"x" * 65535, b"x" * 65536, big, "t" * 70000):
            await one.send(message)
            got = await within(other.receive())
            assert got.opcode == (ws.TEXT if isinstance(message, str) else ws.BINARY)
            assert got.payload == (message.encode() if isinstance(message, str) else message)
        for fragment, opcode, fin in ((b"a", ws.BINARY, False), (b"bc", 0, False), (b"d", 0, True)):
            await one.send_frame(opcode, fragment, fin=fin)
        assert await within(other.receive()) == ws.Message(ws.BINARY, b"abcd")
        for message in (b"1", b"22", "333"):  # at once: three messages, not one
            one.write_frame(ws.TEXT if isinstance(message, str) else ws.BINARY,
                            message.encode() if isinstance(message, str) else message)
        await one.flush()
        assert [len((await within(other.receive())).payload) for _ in range(3)] == [1, 2, 3]
    await listener.close()


@asynctest()
async def test_ping_between_fragments_is_answered_by_the_relay_and_not_passed_on(relay):
    listener = await within(relayclient.Listener.open(relay))
    sender, accepted, _ = await within(relayclient.pair(relay, listener))
    await sender.send_frame(ws.BINARY, b"one ", fin=False)
    await sender.send_frame(ws.PING, b"here?")
    frame = await within(sender.receive_frame())
    assert (frame.opcode, frame.payload) == (ws.PONG, b"here?")
    await sender.send_frame(0, b"two")
    assert (await within(accepted.receive())).payload == b"one two"
    assert accepted.pings == 0
    await listener.close()


@pytest.mark.parametrize("code, reason", [(1000, "x"), (1000, ""), (None, ""), (3000, "own"), (4999, "r" * 123),
                                          (1001, "away"), (1011, "fault")])
@asynctest()
async def test_close_passes_with_code_and_reason_and_the_other_direction_stays_open(relay, code, reason):
    listener = await within(relayclient.Listener.open(relay))
    size = sized(1 << 20, 1 << 17)
    for swap in (False, True):
        sender, accepted, _ = await within(relayclient.pair(relay, listener))
        one, other = (accepted, sender) if swap else (sender, accepted)
        await one.send(b"last words")
        await one.send_close(code, reason)
        assert (await within(other.receive())).payload == b"last words"
        assert await within(other.receive()) == ws.Message(ws.CLOSE, reason, code)
        data = os.urandom(size)
        await other.send(data)  # half-close: the reverse direction is open
        assert (await within(one.receive())).payload == data
        await other.send_close(1000, "too")
        assert await within(one.receive()) == ws.Message(ws.CLOSE, "too", 1000)
        for socket in (one, other):
            with pytest.raises(ws.ConnectionLost):
                await within(socket.receive_frame())  # then the TCP connection ends, too
    await listener.close()


@asynctest()
async def test_a_lost_connection_cuts_the_other_one_without_a_close_frame(relay):
    listener = await within(relayclient.Listener.open(relay))
    for swap in (False, True):
        for end in ("reset", "abort"):
            sender, accepted, _ = await within(relayclient.pair(relay, listener))
            one, other = (accepted, sender) if swap else (sender, accepted)
            await one.send(b"x")
            assert (await within(other.receive())).payload == b"x"
            getattr(one, end)()
            await ended_without_close(other)
    await listener.close()


@pytest.mark.parametrize("frame", [
    dict(opcode=ws.BINARY, payload=b"x", masked=False), dict(opcode=ws.BINARY, payload=b"x", rsv=4),
    dict(opcode=3, payload=b"x"), dict(opcode=ws.PING, payload=b"x" * 126), dict(opcode=ws.PING, fin=False),
    dict(opcode=0, payload=b"x"), dict(opcode=ws.CLOSE, payload=b"\x03")],
    ids=["unmasked", "reserved bit", "unknown opcode", "long ping", "fragmented ping", "continuation", "short close"])
@asynctest()
async def test_broken_frames_end_the_connection_with_1002(relay, frame):
    listener = await within(relayclient.Listener.open(relay))
    sender, accepted, _ = await within(relayclient.pair(relay, listener))
    await sender.send_frame(**frame)
    try:
        message = await within(sender.receive())
        assert message.opcode == ws.CLOSE and message.code == 1002
    except ws.ConnectionLost:
        pass
    try:
        message = await within(accepted.receive())
        assert message.opcode == ws.CLOSE and message.code != 1000, f"not an orderly end: {message}"
    except ws.ConnectionLost:
        pass
    again, _, _ = await within(relayclient.pair(relay, listener))
    again.abort()
    await listener.close()


# ---------------------------------------------------------------- HTTP


def get(relay, path, *headers):
    lines = [f"GET {path} HTTP/1.1", f"Host: {relay.host}:{relay.port}", *headers]
    return ws.http(relay.host, relay.port, relay.ca, ("\r\n".join(lines) + "\r\n\r\n").encode())


async def runtime_information(relay, entity="simple", token="own"):
    headers = ["X-PROCESS-AT: ServiceBus"]
    if token:
        headers.append(f"Authorization: {relay.token(entity) if token == 'own' else token}")
    return await within(get(relay, f"/{entity}?api-version=2016-07", *headers))


ATOM = "{http://www.w3.org/2005/Atom}"
CONNECT = "{http://schemas.microsoft.com/netservices/2010/10/servicebus/connect}"


@asynctest()
async def test_runtime_information_is_an_atom_entry_in_the_right_order(relay):
    listeners = [await within(relayclient.Listener.open(relay)) for _ in range(2)]
    head, body = await runtime_information(relay)
    assert head.status == 200
    media = head.get("Content-Type").replace(" ", "").lower()
    assert media.startswith("application/atom+xml") and "type=feed" not in media
    entry = xml.fromstring(body)
    assert entry.tag == ATOM + "entry"
    description = entry.find(ATOM + "content")[0]
    assert description.tag == CONNECT + "HybridConnectionDescription"
    names = [element.tag.removeprefix(CONNECT) for element in description]
    order = ["CreatedAt", "UpdatedAt", "RequiresClientAuthorization", "UserMetadata", "ListenerCount"]
    assert [name for name in names if name in order] == order
    values = {name: element.text for name, element in zip(names, description)}
    assert values["ListenerCount"] == "2" and values["RequiresClientAuthorization"] == "true"
    assert json.loads(values["UserMetadata"]) == [{"key": "5011", "value": "tcp:localhost:5011"}]
    for listener in listeners:
        await listener.close()
    _, body = await runtime_information(relay)
    assert xml.fromstring(body).find(f".//{CONNECT}ListenerCount").text == "0"
    _, body = await runtime_information(relay, "open")
    assert xml.fromstring(body).find(f".//{CONNECT}RequiresClientAuthorization").text == "false"


@asynctest()
async def test_runtime_information_errors_are_documents_with_a_tracking_id(relay):
    for entity, token, status in (("simple", None, 401), ("simple", relay.token(key="wrong"), 401),
                                  ("nowhere", "own", 404), ("open", None, 401)):
        head, body = await runtime_information(relay, entity, token)
        assert head.status == status
        error = xml.fromstring(body)
        assert error.tag == "Error" and error.find("Code").text == str(status)
        assert "TrackingId:" in error.find("Detail").text
    for rule, key in (("listen", product.LISTEN_KEY), ("send", product.SEND_KEY)):
        head, _ = await runtime_information(relay, "simple", relay.token(rule=rule, key=key))
        assert head.status == 200, "any valid right may read"


@asynctest()
async def test_http_requests_get_a_clear_501(relay):
    listener = await within(relayclient.Listener.open(relay))
    head, body = await within(get(relay, "/simple/page?x=1", f"ServiceBusAuthorization: {relay.token()}"))
    assert head.status == 501 and (len(head.reason) > 15 or body)
    request = (f"POST /simple HTTP/1.1\r\nHost: {relay.host}\r\nServiceBusAuthorization: {relay.token()}\r\n"
               "Content-Length: 5\r\n\r\nhello").encode()
    head, _ = await within(ws.http(relay.host, relay.port, relay.ca, request))
    assert head.status == 501
    assert listener.closed is None
    await listener.close()
