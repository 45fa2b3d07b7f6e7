"""One side of a joined connection has closed, the other one takes its time."""

import asyncio

import pytest
from hpbtest import relayclient, ws
from hpbtest.bridge import limits
from hpbtest.relayclient import within
from hpbtest.waiting import asynctest, stays, until


async def half_closed(relay, listener, *, listener_closes=False):
    """@return the end that has closed, the end that is open and answers no Ping."""
    sender, accepted, _ = await within(relayclient.pair(relay, listener))
    closing, other = (accepted, sender) if listener_closes else (sender, accepted)
    await closing.send_close(1000, "no more")
    assert (await within(other.receive())).opcode == ws.CLOSE
    other.answer_pings = False  # as a .NET WebSocket that has received a Close
    return closing, other


@pytest.mark.parametrize("listener_closes", [False, True])
@asynctest()
async def test_the_open_side_may_be_silent_for_long(bench, listener_closes):
    """D8: a report, a backup, an answer that takes its time. CloseTimeoutSeconds cuts nothing any more."""
    relay = bench.relay(options=bench.relay_options(PingIntervalSeconds=1, CloseTimeoutSeconds=1))
    listener = await within(relayclient.Listener.open(relay))
    closing, other = await half_closed(relay, listener, listener_closes=listener_closes)
    waiting = asyncio.create_task(closing.receive())
    await stays(lambda: not waiting.done(), 5, "five times the old limit, and more than three Pings")
    await other.send(b"the answer")
    assert (await within(waiting)).payload == b"the answer"
    await other.send_close(1000, "done")
    assert (await within(closing.receive())).code == 1000
    await listener.close()


@asynctest()
async def test_the_long_limit_resets_both_and_says_so_once(bench):
    """D8: HalfCloseTimeoutSeconds."""
    relay = bench.relay(options=bench.relay_options(HalfCloseTimeoutSeconds=2))
    listener = await within(relayclient.Listener.open(relay))
    ends = await half_closed(relay, listener)
    for end in ends:
        with pytest.raises(ws.ConnectionLost):
            while True:
                await within(end.receive())
    await until(lambda: "HalfCloseTimeoutSeconds" in relay.process.errors, 5, "a line")
    lines = [line for line in relay.process.errors.splitlines() if "HalfCloseTimeoutSeconds" in line]
    assert len(lines) == 1 and " INFO " in lines[0]
    assert limits(relay.process)["silent_half_closes"] == 1
    await listener.close()


@asynctest()
async def test_the_closing_sides_death_is_noticed_while_the_other_is_silent(bench):
    """D8: the dead are found by TCP."""
    relay = bench.relay(options=bench.relay_options(PingIntervalSeconds=1))
    listener = await within(relayclient.Listener.open(relay))
    closing, other = await half_closed(relay, listener)
    closing.reset()
    with pytest.raises(ws.ConnectionLost):
        while True:
            await within(other.receive())
    await listener.close()
