"""Tokens as the clients of other languages send them: where they are put, how they are encoded, what is refused."""

import asyncio
import uuid
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hpbtest import product, relayclient, sas, ws
from hpbtest.relayclient import refused, within
from hpbtest.waiting import asynctest, until

JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.%s.c2lnbmF0dXJl_-"

#: How the libraries of other languages write a token into a query.
ENCODINGS = {
    "Python urlencode": lambda token: urlencode({"sb-hc-token": token}),
    "URLSearchParams": lambda token: "sb-hc-token=" + quote(token, safe="*-._ ").replace(" ", "+"),
    "Go url.QueryEscape": lambda token: "sb-hc-token=" + quote(token, safe="-._~ ").replace(" ", "+"),
    ".NET WebUtility.UrlEncode": lambda token: "sb-hc-token=" + quote(token, safe="-_.!*() ").replace(" ", "+"),
    "Java URLEncoder": lambda token: "sb-hc-token=" + quote(token, safe="*-._ ").replace(" ", "+"),
    "encodeURIComponent": lambda token: "sb-hc-token=" + quote(token, safe="-_.!~*'()"),
    "lower case": lambda token: "SB-HC-TOKEN=" + quote_plus(token).replace("%3A", "%3a").replace("%2F", "%2f")}


def with_query(relay, action, query, headers=()):
    target = f"/$hc/simple?sb-hc-action={action}&sb-hc-id={uuid.uuid4()}&{query}"
    return ws.connect(relay.host, relay.port, target, relay.ca, headers)


async def signature_with_plus(relay, rule="root", key=product.ROOT_KEY):
    """A token whose signature has a plus and a slash, and so shows every mistake of encoding."""
    for seconds in range(3600, 4600):
        token = relay.token(rule=rule, key=key, seconds=seconds)
        if "%2B" in token and "%2F" in sas.fields(token)["sig"]:
            return token
    raise AssertionError("no such signature")


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@asynctest()
async def test_a_form_encoded_token_is_as_good_as_a_percent_encoded_one(relay, encode):
    """I1: the space behind SharedAccessSignature arrives as '+'."""
    query = encode(await signature_with_plus(relay))
    listener = relayclient.Listener(relay, await within(with_query(relay, "listen", query)))
    dialling = asyncio.create_task(with_query(relay, "connect", query))
    request = await within(listener.next_accept())
    assert "sb-hc-token" not in request["address"].lower()
    accepted = await within(listener.rendezvous(request))
    sender = await within(dialling)
    await sender.send(b"through")
    assert (await within(accepted.receive())).payload == b"through"
    await listener.close()


@pytest.mark.parametrize("token, why", [
    ("SharedAccessSignature", "no space follows"), ("sr=a&sig=b&se=1&skn=c", "does not begin with"),
    ("SharedAccessSignature%2Bsr=a", "URL-encoded"), ("SharedAccessSignature sr=a&sig=b&se=1", "'skn' is missing"),
    ("SharedAccessSignature sr=a&sig=b&se=x&skn=c", "'se' is not a number")])
@asynctest()
async def test_the_refusal_of_a_malformed_token_says_why(relay, token, why):
    """I1: in the reason phrase, for listener and sender, and in the log."""
    for action in ("listen", "connect"):
        error = await refused(with_query(relay, action, "sb-hc-token=" + quote(token, safe="%")), 401, "MalformedToken")
        assert why in error.reason
    await until(lambda: any(" WARN " in line and why in line for line in relay.process.errors.splitlines()), 5, "a line")


@asynctest()
async def test_actions_ignore_case_and_an_empty_token_in_the_query_is_none(relay):
    """I9: sb-hc-action=Connect; sb-hc-token= beside a good header."""
    headers = relayclient.authorization(relay.token())
    listener = relayclient.Listener(relay, await within(with_query(relay, "LISTEN", "sb-hc-token=", headers)))
    dialling = asyncio.create_task(with_query(relay, "Connect", "sb-hc-token=", headers))
    request = await within(listener.next_accept())
    await within(listener.rendezvous(dict(request, address=request["address"].replace("=accept", "=Accept"))))
    (await within(dialling)).abort()
    await listener.close()


@pytest.mark.parametrize("jwt", [JWT % "e30", "Bearer " + JWT % "e30", JWT % ("a" * 15000)], ids=["bare", "bearer", "15 KiB"])
@asynctest()
async def test_a_web_token_is_named_as_unsupported(relay, jwt):
    """D13: what Microsoft Entra ID issues."""
    text = "UnsupportedToken: a Microsoft Entra ID token; this relay accepts shared access signatures"
    for action in ("listen", "connect"):
        for header in ("ServiceBusAuthorization", "Authorization"):
            target = relayclient.target("simple", action)
            await refused(ws.connect(relay.host, relay.port, target, relay.ca, [(header, jwt)]), 401, text)


@asynctest()
async def test_a_missing_right_is_401_in_azure_relays_words(relay):
    """D12: Microsoft's SDK tells AuthorizationFailed by the status."""
    listen = relay.token(rule="listen", key=product.LISTEN_KEY)
    send = relay.token(rule="send", key=product.SEND_KEY)
    words = "'{}' claim(s) are required to perform this operation"
    await refused(relayclient.Listener.open(relay, token=send), 401, words.format("Listen"))
    await refused(relayclient.send(relay, token=listen), 401, words.format("Send"))


@pytest.mark.parametrize("more", [[("ServiceBusAuthorization", "")], [("ServiceBusAuthorization", " ")], []],
                         ids=["empty", "blank", "none"])
@pytest.mark.parametrize("entity", ["simple", "open"])
@asynctest()
async def test_the_token_in_authorization_never_reaches_the_listener(relay, entity, more):
    """S12: also beside an empty ServiceBusAuthorization or sb-hc-token, and where nobody looks at tokens."""
    listener = await within(relayclient.Listener.open(relay, entity))
    dialling = asyncio.create_task(relayclient.send(
        relay, entity, token=None, query="sb-hc-token=", headers=[("Authorization", relay.token(entity)), *more]))
    request = await within(listener.next_accept())
    names = {name.lower() for name in request["connectHeaders"]}
    assert not names & {"authorization", "servicebusauthorization"}, request["connectHeaders"]
    assert "SharedAccessSignature" not in listener.raw_accept.decode()
    dialling.cancel()
    await listener.close()


@asynctest()
async def test_with_names_of_its_own_a_relay_takes_no_token_for_another_host(bench):
    """S15: the same key, a Host header that fits the token."""
    for name, value in (("HostNames", ["localhost"]), ("PublicAddress", "localhost:4443")):
        relay = bench.relay(options=bench.relay_options(**{name: value}), name=f"relay-{name}")
        foreign = sas.token("http://elsewhere.test/simple/", "root", product.ROOT_KEY)
        reader, writer = await ws.open_stream(relay.host, relay.port, relay.ca)
        writer.write(ws.upgrade_request("elsewhere.test", relay.port, relayclient.target("simple", "connect"),
                                        relayclient.authorization(foreign)))
        head = await within(ws.read_head(reader))
        assert head.status == 401 and "'elsewhere.test', which is not a name of this relay" in head.reason
        writer.transport.abort()
        mine = sas.token("http://localhost/simple/", "root", product.ROOT_KEY)
        listener = await within(relayclient.Listener.open(relay, token=mine))
        await listener.close()


@pytest.mark.parametrize("expiry", [2 ** 63 - 1, 2 ** 63, 2 ** 63 - 300, 10 ** 30])
@asynctest()
async def test_an_expiry_out_of_range_is_400(relay, expiry):
    """S16: `se` near 2^63."""
    token = relay.token(expiry=expiry)
    await refused(relayclient.Listener.open(relay, token=token), 400, "MalformedToken")
    await refused(relayclient.send(relay, token=token), 400, "MalformedToken")
    listener = await within(relayclient.Listener.open(relay, token=relay.token(expiry=253402300799)))
    await listener.close()
