"""Microsoft's hyco-ws 1.0.5 for Node, unmodified, as listener, as sender and as both, through hpb relay."""

import asyncio
import fcntl
import json
import pathlib
import shutil
import subprocess
import time
from urllib.parse import quote

import pytest
from hpbtest import product, relayclient, ws
from hpbtest.proc import Process
from hpbtest.standin import StandIn
from hpbtest.waiting import asynctest, deadline, sized, until

NODE = pathlib.Path(__file__).resolve().parent / "node"


@pytest.fixture(scope="session")
def library():
    """Installs the package once; several runs at a time wait for each other."""
    assert shutil.which("node") and shutil.which("npm"), "node and npm are needed (scripts/setup.sh test)"
    with open(NODE / "package.json") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (NODE / "node_modules/hyco-ws/package.json").is_file():
            run(*npm(), "ci", cwd=NODE)
    return NODE


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))} failed: {done.stderr}"
    return done.stdout


def npm():
    """An npm that can do the overrides: the system's from 10 on, else one that the system's fetches."""
    if int(run("npm", "--version", cwd=NODE).split(".")[0]) >= 10:
        return ["npm"]
    installer = NODE / "installer"
    program = installer / "node_modules/npm/bin/npm-cli.js"
    if not program.is_file():
        run("npm", "install", cwd=installer)
    return ["node", program]


class Script:
    """One of the two scripts, running. events: what it has said, as dictionaries."""

    def __init__(self, library, logs, name, relay, settings):
        self.process = Process(["node", library / f"{name}.js", json.dumps(settings)], logs, name,
                               env={"NODE_EXTRA_CA_CERTS": str(relay.ca)}, pipe_input=True)

    @property
    def events(self):
        return [json.loads(line) for line in list(self.process.lines) if line.startswith("{")]

    def named(self, event):
        return [e for e in self.events if e["event"] == event]

    async def wait(self, event, seconds=15, number=1):
        """The number-th event of this name."""
        def seen():
            crash = self.named("crash")
            assert not crash or event == "crash", crash
            found = self.named(event)
            return found[number - 1:number] or (not self.process.running() and [None])
        value = (await until(seen, seconds, f"event {event!r}; so far {self.events[-20:]} {self.process.errors}"))[0]
        assert value is not None, f"no event {event!r}, the script ended: {self.events[-20:]} {self.process.errors}"
        return value

    def command(self, **command):
        self.process.popen.stdin.write((json.dumps(command) + "\n").encode())
        self.process.popen.stdin.flush()


@pytest.fixture
def scripts(library, tmp_path):
    """start(name, relay, **settings) runs a script to the test's end."""
    running = []

    def start(name, relay, entity="hyco", *, action, more="", **settings):
        settings = {"rule": "root", "key": product.ROOT_KEY, **settings}
        settings["url"] = f"wss://{relay.host}:{relay.port}/$hc/{entity}{more or '?'}sb-hc-action={action}"
        running.append(Script(library, tmp_path / "node", name, relay, settings))
        return running[-1]

    yield start
    for script in running:
        script.process.kill()


async def listening(scripts, relay, entity="hyco", **settings):
    script = scripts("listener", relay, entity, action="listen", **settings)
    await script.wait("listening")
    return script


async def sent(scripts, relay, entity="hyco", *, seconds=60, **settings):
    """Runs a sender to its end. @return its result."""
    script = scripts("sender", relay, entity, action="connect", **settings)
    return await script.wait("result", seconds)


def good(result, count=1):
    assert result["failures"] == [] and result["done"] == count, result


@asynctest()
async def test_the_scripts_themselves_over_the_stand_in(certificates, scripts):
    """Needs nothing of the product."""
    async with StandIn(certificates) as relay:
        listener = await listening(scripts, relay)
        good(await sent(scripts, relay, count=20, parallel=5), 20)
        result = await sent(scripts, relay, token="SharedAccessSignature sr=x&sig=x&se=1&skn=x")
        assert result["failures"][0]["status"] == 401
        listener.command(close=True)
        await listener.wait("server-closed")


# ---------------------------------------------------------------- echo


@asynctest(300)
async def test_a_thousand_sequential_echo_connections_on_both_ends(relay, scripts):
    await listening(scripts, relay)
    count = sized(1000, 100)
    good(await sent(scripts, relay, count=count, seconds=240), count)


@asynctest(120)
async def test_a_hundred_concurrent_echo_connections_with_text_and_binary(relay, scripts):
    await listening(scripts, relay)
    messages = [{"text": "text \u20ac"}, {"size": 1}, {"size": 65536}, {"letters": 70000}, {"size": 200_000}]
    good(await sent(scripts, relay, count=100, parallel=100, messages=messages, seconds=100), 100)


@asynctest(120)
async def test_messages_of_a_mebibyte(relay, scripts):
    await listening(scripts, relay)
    good(await sent(scripts, relay, count=10, parallel=5, messages=[{"size": 1 << 20}, {"letters": 1 << 20}],
                    seconds=100), 10)


@asynctest()
async def test_library_listens_and_a_raw_sender_sends(relay, scripts):
    listener = await listening(scripts, relay)
    sender = await relayclient.send(relay, "hyco")
    for message in ("text", b"binary"):
        await sender.send(message)
        got = await sender.receive()
        assert (got.opcode == ws.TEXT) == isinstance(message, str)
    await sender.send_close(3001, "own words")
    closed = await listener.wait("closed")
    assert (closed["code"], closed["reason"]) == (3001, "own words")
    assert (await sender.receive()).opcode == ws.CLOSE


@asynctest()
async def test_library_sends_and_a_raw_listener_listens(relay, scripts):
    listener = await relayclient.Listener.open(relay, "hyco")

    async def echo():
        accepted, _ = await listener.accept()
        while (message := await accepted.receive()).opcode != ws.CLOSE:
            await accepted.send_frame(message.opcode, message.payload)
        await accepted.send_close(message.code, message.payload)

    echoing = asyncio.create_task(echo())
    good(await sent(scripts, relay))
    await echoing
    await listener.close()


# ---------------------------------------------------------------- pass-through


@asynctest()
async def test_sub_protocols(relay, scripts):
    await listening(scripts, relay)
    result = await sent(scripts, relay, protocols=["first", "second"])
    good(result)
    assert result["protocols"] == ["first"], "the library's listener takes the first one by default"
    chooser = await listening(scripts, relay, "other", protocol="second")
    result = await sent(scripts, relay, "other", protocols=["first", "second"])
    good(result)
    assert result["protocols"] == ["second"]
    assert (await chooser.wait("offered"))["protocols"] == ["first", "second"]


@asynctest()
async def test_path_query_and_headers_reach_the_listener(relay, scripts):
    listener = await listening(scripts, relay)
    script = scripts("sender", relay, "hyco/some/where", action="connect", more="?color=red&x=%2f&",
                     headers={"X-App": "42"})
    good(await script.wait("result"))
    accept = await listener.wait("accept")
    assert "/$hc/hyco/some/where?color=red&x=%2f&" in accept["address"]
    headers = {name.lower(): value for name, value in accept["headers"].items()}
    assert headers["x-app"] == "42" and "servicebusauthorization" not in headers


@asynctest()
async def test_anonymous_sender_where_the_entity_allows_it(relay, scripts):
    await listening(scripts, relay, "open")
    good(await sent(scripts, relay, "open", token=None))
    await listening(scripts, relay)
    assert (await sent(scripts, relay, token=None))["failures"][0]["status"] == 401


@asynctest()
async def test_token_in_the_query(relay, scripts):
    await listening(scripts, relay)
    more = f"?sb-hc-token={quote(relay.token('hyco'), safe='')}&"
    script = scripts("sender", relay, action="connect", more=more, token=None)
    good(await script.wait("result"))


# ---------------------------------------------------------------- refusals


@asynctest()
async def test_the_listeners_reject_reaches_the_sender(relay, scripts):
    listener = await listening(scripts, relay, reject={"code": 418, "text": "short and stout, no coffee"})
    failure = (await sent(scripts, relay))["failures"][0]
    assert failure["status"] == 418 and failure["text"].startswith("short and stout, no coffee")
    assert (await listener.wait("rejected"))["status"] == 410


@asynctest()
async def test_wrong_key_expired_token_unknown_entity_and_no_listener(relay, scripts):
    bad = relay.token("hyco", key="wrong")
    expired = relay.token("hyco", seconds=-3600)
    for token in (bad, expired):
        assert (await sent(scripts, relay, token=token))["failures"][0]["status"] == 401
        listener = scripts("listener", relay, action="listen", token=token, quit=True)
        assert "401" in (await listener.wait("error"))["text"]
    failure = (await sent(scripts, relay, "nowhere"))["failures"][0]
    assert failure["status"] == 404 and "Endpoint does not exist" in failure["text"]
    failure = (await sent(scripts, relay))["failures"][0]
    assert failure["status"] == 404 and "There are no listeners connected for the endpoint" in failure["text"]


@asynctest(120)
async def test_a_refused_listener_that_retries_without_a_pause_does_not_disturb_others(bench, scripts):
    options = bench.relay_options()
    del options["Relay"]["RefusalDelayMilliseconds"]
    relay = bench.relay(options=options)
    await listening(scripts, relay)
    hammer = scripts("listener", relay, action="listen", token=relay.token("hyco", key="wrong"))
    await hammer.wait("error")
    start = time.monotonic()
    good(await sent(scripts, relay, count=100, parallel=4), 100)
    taken = time.monotonic() - start
    attempts = len(hammer.named("error"))
    assert attempts <= 3 * taken + 5, f"{attempts} refused attempts in {taken:.1f} s: refusals must be slowed down"


@asynctest(120)
async def test_the_26th_listener_is_refused_until_one_leaves(relay, scripts):
    first = await listening(scripts, relay)
    others = [await relayclient.Listener.open(relay, "hyco") for _ in range(24)]
    late = scripts("listener", relay, action="listen")
    assert "403" in (await late.wait("error"))["text"]
    first.command(close=True)
    await first.wait("server-closed")
    await late.wait("listening", 20)  # it retries by itself
    for listener in others:
        await listener.close()
    good(await sent(scripts, relay))


# ---------------------------------------------------------------- balance, renewal, restart


@asynctest(120)
async def test_two_listeners_both_get_work(relay, scripts):
    one, two = await listening(scripts, relay), await listening(scripts, relay)
    good(await sent(scripts, relay, count=100, parallel=4), 100)
    shares = len(one.named("connection")), len(two.named("connection"))
    assert sum(shares) == 100 and min(shares) >= 20, shares


@asynctest(120)
async def test_renewed_tokens_keep_the_control_channel(bench, scripts):
    relay = bench.relay(options=bench.relay_options(TokenGraceSeconds=2))
    lifetime = deadline(3)
    listener = await listening(scripts, relay, lifetime=lifetime, renewEvery=1000)
    started = time.monotonic()
    sender = await relayclient.send(relay, "hyco")  # an established connection, for the whole time
    # Renewals until well after the first token's expiry and grace.
    await until(lambda: time.monotonic() - started > lifetime + 5 and len(listener.named("token")) > 5, 30, "renewals")
    assert not listener.named("control-closed") and not listener.named("error"), listener.events
    good(await sent(scripts, relay))
    await sender.send("still here")
    assert (await sender.receive()).payload == b"still here"


@asynctest(120)
async def test_a_token_that_is_not_renewed_ends_the_control_channel_and_no_connection(bench, scripts):
    relay = bench.relay(options=bench.relay_options(TokenGraceSeconds=1))
    listener = await listening(scripts, relay, token=relay.token("hyco", seconds=deadline(3)))
    sender = await relayclient.send(relay, "hyco")
    closed = await listener.wait("control-closed", 20)
    assert closed["code"] == 1008, closed
    await sender.send("still here")
    assert (await sender.receive()).payload == b"still here"


@asynctest(120)
async def test_the_library_comes_back_after_the_relays_restart(bench, scripts):
    relay = bench.relay()
    listener = await listening(scripts, relay)
    good(await sent(scripts, relay))
    relay.process.kill()
    await listener.wait("control-closed")
    relay.restart()
    await listener.wait("listening", 15, number=2)
    good(await sent(scripts, relay))
