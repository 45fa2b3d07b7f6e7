"""hpb relay as an HTTP server: the answers to what does not become a WebSocket, and the ones that listeners choose."""

import asyncio
import uuid
import xml.etree.ElementTree as xml
from urllib.parse import quote

import pytest
from hpbtest import product, relayclient, ws
from hpbtest.relayclient import TRACKING, refused, within
from hpbtest.waiting import asynctest, until


async def raw_answer(relay, request):
    """Everything that the relay answers to `request` before it closes: head and body, byte for byte."""
    reader, writer = await ws.open_stream(relay.host, relay.port, relay.ca)
    try:
        writer.write(request)
        head, _, body = (await within(reader.read(-1))).partition(b"\r\n\r\n")
        return ws.Head(head), body
    finally:
        writer.transport.abort()


def request_of(relay, method, target, *headers, host=None):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host or f'{relay.host}:{relay.port}'}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def rejected(relay, listener, code, description):
    """The whole answer that a sender gets when the listener rejects it like this."""
    more = f"&sb-hc-statusCode={code}" + ("" if description is None else f"&sb-hc-statusDescription={description}")
    dialling = asyncio.create_task(raw_answer(relay, ws.upgrade_request(
        relay.host, relay.port, relayclient.target("simple", "connect"), relayclient.authorization(relay.token()))))
    request = await within(listener.next_accept())
    with pytest.raises(ws.HandshakeError) as mine:
        await within(listener.rendezvous(request, more=more))
    assert mine.value.status == 410
    return await within(dialling)


# ---------------------------------------------------------------- what a 401 carries


@asynctest()
async def test_every_401_has_a_challenge(relay):
    """I2: RFC 9110 section 15.5.2; without it Java's client hides the status and the reason."""
    challenge = f'SharedAccessSignature realm="{relay.host}"'
    for action in ("listen", "connect"):
        for token in (None, "x", relay.token(key="wrong"), relay.token(rule="send", key=product.SEND_KEY)):
            if action == "connect" and token and "send" in token:
                continue
            attempt = ws.connect(relay.host, relay.port, relayclient.target("simple", action), relay.ca,
                                 relayclient.authorization(token))
            assert (await refused(attempt, 401)).head.all("WWW-Authenticate") == [challenge]
    head, _ = await raw_answer(relay, request_of(relay, "GET", "/simple", "X-PROCESS-AT: ServiceBus"))
    assert head.status == 401 and head.all("WWW-Authenticate") == [challenge]
    listener = await within(relayclient.Listener.open(relay))
    head, _ = await rejected(relay, listener, 401, "no+entry")
    assert head.status == 401 and head.all("WWW-Authenticate") == [challenge]
    await listener.close()


# ---------------------------------------------------------------- the listener's words


@pytest.mark.parametrize("code, description, phrase", [
    (400, "Rejected+by+user+code", "Rejected by user code"), (404, "", "Not Found"), (418, None, "I'm a teapot"),
    (503, "+", "Service Unavailable"), (400, "a.", "a."), (400, quote("größer als erlaubt"), "größer als erlaubt"),
    (400, "gr%F6%DFer", "größer"), (502, "a%0d%0aEvil:+header", "a  Evil: header"), (400, "%zz", "Bad Request")])
@asynctest()
async def test_a_rejection_has_exactly_the_listeners_words(relay, code, description, phrase):
    """I3: no tracking id is appended, none is needed. I9: what is not ASCII arrives as UTF-8."""
    listener = await within(relayclient.Listener.open(relay))
    head, body = await rejected(relay, listener, code, description)
    assert (head.status, head.reason.encode("latin-1").decode()) == (code, phrase)
    assert head.get("Evil") is None
    assert body.decode().startswith(phrase) and TRACKING.search(body.decode())
    await listener.close()


@asynctest()
async def test_a_long_rejection_is_cut_at_one_kibibyte(relay):
    """D19: 2,000 characters; between characters, not within one."""
    listener = await within(relayclient.Listener.open(relay))
    head, _ = await rejected(relay, listener, 400, "x" * 2000)
    assert head.reason == "x" * 1024
    head, _ = await rejected(relay, listener, 400, "x" + quote("ö") * 1000)
    assert head.reason.encode("latin-1").decode() == "x" + "ö" * 511
    await listener.close()


@pytest.mark.parametrize("code", [204, 205, 304])
@asynctest()
async def test_rejections_without_a_body_have_none(relay, code):
    """I7: strict clients fail to parse what follows."""
    listener = await within(relayclient.Listener.open(relay))
    head, body = await rejected(relay, listener, code, "nothing")
    assert (head.status, head.reason, body) == (code, "nothing", b"")
    assert head.get("Content-Type") is None and head.get("Transfer-Encoding") is None
    assert head.all("Content-Length") == (["0"] if code == 205 else [])
    await listener.close()


# ---------------------------------------------------------------- requests that stay HTTP


@asynctest()
async def test_head_is_answered_like_get_without_the_body(relay):
    """I7: the same head, Content-Length included."""
    with_token = ("X-PROCESS-AT: ServiceBus", f"Authorization: {relay.token()}")
    for target, headers, status in (("/simple", (), 501), ("/simple", with_token, 200), ("/simple", with_token[:1], 401),
                                    ("/%zz", (), 400)):
        got, content = await raw_answer(relay, request_of(relay, "GET", target, *headers))
        head, body = await raw_answer(relay, request_of(relay, "HEAD", target, *headers))
        assert (head.status, got.status, body) == (status, status, b"")
        assert len(content) == int(got.get("Content-Length"))
        # Tracking ids are of one length; of the time stamps at most the second differs.
        for name in ("Content-Length", "Content-Type", "Connection"):
            assert head.all(name) == got.all(name), name


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
@asynctest()
async def test_every_method_gets_a_framed_answer(relay, method):
    head, body = await raw_answer(relay, request_of(relay, method, "/simple"))
    assert head.status == 501 and len(body) == int(head.get("Content-Length"))
    assert head.all("Connection") == ["close"] and head.get("Date") and head.get("Content-Type") == "application/json"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
@asynctest()
async def test_who_wants_to_change_a_hybrid_connection_is_told_where_they_are(relay, method):
    """D19: PUT and DELETE with X-PROCESS-AT."""
    headers = ("X-PROCESS-AT: ServiceBus", f"Authorization: {relay.token()}", "Content-Length: 0")
    head, body = await raw_answer(relay, request_of(relay, method, "/new?api-version=2016-07", *headers))
    assert head.status == 405 and head.all("Allow") == ["GET, HEAD"]
    assert "configured in its file" in head.reason
    error = xml.fromstring(body)
    assert error.find("Code").text == "405" and "configured in its file" in error.find("Detail").text


@pytest.mark.parametrize("place", ["ServiceBusAuthorization", "Authorization", "sb-hc-token"])
@asynctest()
async def test_runtime_information_takes_the_token_from_every_place(relay, place):
    """I9, D19: also from the header that the refusal names."""
    _, body = await raw_answer(relay, request_of(relay, "GET", "/simple", "X-PROCESS-AT: ServiceBus"))
    assert "ServiceBusAuthorization" in xml.fromstring(body).find("Detail").text
    target = "/simple?api-version=2016-07"
    headers = ["X-PROCESS-AT: ServiceBus"]
    if place == "sb-hc-token":
        target += f"&{place}={quote(relay.token(), safe='')}"
    else:
        headers.append(f"{place}: {relay.token()}")
    head, _ = await raw_answer(relay, request_of(relay, "GET", target, *headers))
    assert head.status == 200


@asynctest()
async def test_a_head_that_is_too_large_is_refused_with_its_own_tracker(relay):
    """D19: 431 names host, entity and tracking id of the request."""
    identity = str(uuid.uuid4())
    request = ws.upgrade_request(relay.host, relay.port, relayclient.target("simple", "connect", identity=identity),
                                 [("X-Big", "x" * 33000)])
    head, _ = await raw_answer(relay, request)
    assert head.status == 431
    assert f"TrackingId:{identity}_G0, SystemTracker:sb://{relay.host}/simple," in head.reason


@asynctest()
async def test_the_first_http_request_beside_a_listener_is_a_warning_and_no_other_is(relay):
    """D14: listeners that serve HTTP come online; without this line nobody learns why nothing reaches them."""
    log = relay.process

    def lines():
        return [line for line in log.errors.splitlines() if "HTTP request for simple" in line]

    assert (await raw_answer(relay, request_of(relay, "GET", "/simple/page")))[0].status == 501
    listener = await within(relayclient.Listener.open(relay))
    for _ in range(3):
        assert (await raw_answer(relay, request_of(relay, "GET", "/simple/page")))[0].status == 501
    await until(lambda: lines(), 5, "a warning")
    assert len(lines()) == 1 and " WARN " in lines()[0], lines()
    await listener.close()


# ---------------------------------------------------------------- requests that can be read in two ways


def upgrade_with(relay, *, target=None, version="HTTP/1.1", headers=(), raw=""):
    lines = [f"GET {target or relayclient.target('simple', 'connect')} {version}", f"Host: {relay.host}:{relay.port}",
             "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
             "Sec-WebSocket-Version: 13", f"ServiceBusAuthorization: {relay.token()}", *headers]
    return ("\r\n".join(lines) + "\r\n" + raw + "\r\n").encode("latin-1")


AMBIGUOUS = {
    "two hosts": dict(headers=["Host: elsewhere.test"]), "http 1.0": dict(version="HTTP/1.0"),
    "folded": dict(headers=["X-A: a", " b"]), "folded by a tab": dict(headers=["X-A: a", "\tb"]),
    "fragment": dict(target="/$hc/simple?sb-hc-action=connect#x"), "fragment in path": dict(target="/$hc/sim#ple"),
    "no slash": dict(target="simple?sb-hc-action=connect"), "asterisk": dict(target="*"),
    "two lengths": dict(headers=["Content-Length: 0", "Content-Length: 0"]),
    "list of lengths": dict(headers=["Content-Length: 0, 0"]), "signed length": dict(headers=["Content-Length: +0"]),
    "both framings": dict(headers=["Content-Length: 0", "Transfer-Encoding: chunked"]),
    "body": dict(headers=["Content-Length: 5"]), "chunked": dict(headers=["Transfer-Encoding: chunked"]),
    "space before colon": dict(headers=["X-A : a"]), "space in name": dict(headers=["X A: a"]),
    "empty name": dict(headers=[": a"]), "no colon": dict(headers=["X-A"]),
    "NUL": dict(headers=["X-A: a\0b"]), "DEL": dict(headers=["X-A: a\x7fb"]), "bell": dict(headers=["X-A: a\x07b"]),
    "bare CR": dict(headers=["X-A: a\rb"]), "bare LF": dict(raw="X-A: a\n"), "two keys": dict(
        headers=["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]), "two versions": dict(
        headers=["Sec-WebSocket-Version: 13"]), "version 2": dict(version="HTTP/2.0"),
    "control in target": dict(target="/$hc/sim\x01ple")}


@pytest.mark.parametrize("what", AMBIGUOUS.values(), ids=AMBIGUOUS)
@asynctest()
async def test_what_can_be_read_in_two_ways_is_400(relay, what):
    """S16: two parties on the way must not read two requests."""
    head, _ = await raw_answer(relay, upgrade_with(relay, **what))
    assert head.status == 400 and TRACKING.search(head.reason), head.first


@asynctest()
async def test_the_plain_form_of_that_request_is_taken(relay):
    """S16: the requests above fail for their fault only; absolute-form is a form that servers have to take."""
    for target in (None, f"http://{relay.host}:{relay.port}/$hc/simple?sb-hc-action=connect"):
        head, _ = await raw_answer(relay, upgrade_with(relay, target=target, headers=["Content-Length: 0"]))
        assert head.status == 404 and "There are no listeners" in head.reason
