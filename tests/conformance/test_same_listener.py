"""Listeners that have one sb-hc-id: two programs that share it, and one that comes again."""

import asyncio
import uuid

import pytest
from hpbtest import product, relayclient, ws
from hpbtest.bridge import limits
from hpbtest.relayclient import refused, within
from hpbtest.waiting import asynctest, stays, until, until_it_does

SECRET = "0123456789abcdef0123456789abcdef"


async def opened(relay, identity, instance=None):
    """A listener with this id, and with Hpb-Instance if it says who it is."""
    headers = relayclient.authorization(relay.token())
    if instance:
        headers.append(("Hpb-Instance", instance))
    target = relayclient.target("simple", "listen", identity=identity)
    return relayclient.Listener(relay, await ws.connect(relay.host, relay.port, target, relay.ca, headers))


async def ended_without_close(socket):
    with pytest.raises(ws.ConnectionLost):
        message = await within(socket.receive())
        raise AssertionError(f"expected the connection's end, got {message}")


@asynctest()
async def test_a_listener_that_registers_again_takes_its_own_place_and_the_senders_that_wait(relay):
    identity = str(uuid.uuid4())
    elsewhere = await within(relayclient.Listener.open(relay, "other", identity=identity))
    old = await within(opened(relay, identity, SECRET))
    before, accepted, _ = await within(relayclient.pair(relay, old))
    dialling = asyncio.create_task(relayclient.send(relay))
    stale = await within(old.next_accept())
    await refused(relayclient.Listener.open(  # only who may listen
        relay, identity=identity, token=relay.token(rule="send", key=product.SEND_KEY)), 401)
    await stays(lambda: old.closed is None, 0.2, "a refused listener replaces nobody")

    new = await within(opened(relay, identity.upper(), SECRET))
    request = await within(new.next_accept(), 3)
    with pytest.raises(ws.HandshakeError) as gone:
        await within(old.rendezvous(stale))
    assert gone.value.status == 403, "the address of the first announcement"
    await within(new.rendezvous(request))
    await within(dialling)
    await until(lambda: old.closed is not None, 3, "the old control channel's end")
    assert isinstance(old.closed, ws.Message) and old.closed.code == 1008, old.closed
    for _ in range(5):
        sender, _, _ = await within(relayclient.pair(relay, new))
        sender.abort()
    await before.send(b"still")
    assert (await within(accepted.receive())).payload == b"still"
    assert elsewhere.closed is None and new.closed is None
    await elsewhere.close()
    await new.close()


@asynctest()
async def test_a_replaced_control_channel_that_is_dead_is_cut_and_takes_no_place(bench):
    relay = bench.relay(options=bench.relay_options(MaxListeners=1))
    identity = str(uuid.uuid4())
    old = await within(opened(relay, identity, SECRET))
    old._reader.cancel()  # reads nothing and answers nothing from now on
    for _ in range(3):
        new = await within(opened(relay, identity, SECRET))
    assert (await within(old.control.receive())).code == 1008
    await ended_without_close(old.control)
    sender, _, _ = await within(relayclient.pair(relay, new))
    sender.abort()
    await new.close()


@pytest.mark.parametrize("instances", [(None, None), ("one", "two"), (None, "one")], ids=["neither", "both", "one"])
@asynctest()
async def test_two_listeners_with_one_id_both_stay_and_get_work(relay, instances):
    """I4: a quickstart has its id built in, so whoever tries it twice has two of them."""
    identity = str(uuid.uuid4())
    listeners = [await within(opened(relay, identity, instance)) for instance in instances]
    counts = [0, 0]

    async def serve(index):
        while True:
            request = await listeners[index].next_accept()
            counts[index] += 1
            (await listeners[index].rendezvous(request)).abort()

    serving = [asyncio.create_task(serve(i)) for i in range(2)]
    await until(lambda: listeners[0].control.pings >= 1, 5, "the first one is asked whether it is alive")
    affinity = [("Microsoft-Relay-AllowedListeners", identity)]

    async def both():
        (await within(relayclient.send(relay, headers=affinity))).abort()
        return all(counts)

    await until_it_does(both, 20, "the work is shared")
    assert [listener.closed for listener in listeners] == [None, None]
    for task in serving:
        task.cancel()
    for listener in listeners:
        await listener.close()


@asynctest(120)
async def test_listeners_with_one_id_count_each_and_the_26th_is_refused(relay):
    """I4: up to MaxListeners."""
    identity = str(uuid.uuid4())
    listeners = [await within(opened(relay, identity)) for _ in range(25)]
    await refused(opened(relay, identity), 403, "MaximumListenersPerEndpoint")
    assert all(listener.closed is None for listener in listeners)
    for listener in listeners:
        await listener.close()


@asynctest()
async def test_a_namesake_that_is_dead_is_cut_and_its_senders_go_to_the_new_one(bench):
    """I4: a listener that comes again after a silent loss, without a word of who it is (Microsoft's SDK)."""
    relay = bench.relay(options=bench.relay_options(MaxListeners=2))
    identity = str(uuid.uuid4())
    old = await within(opened(relay, identity))
    dialling = asyncio.create_task(relayclient.send(relay))
    await within(old.next_accept())
    old._reader.cancel()  # reads nothing and answers nothing from now on
    new = await within(opened(relay, identity))
    sender, accepted, _ = await within(relayclient.pair(relay, new), 3)  # while the old one is in doubt
    sender.abort()
    request = await within(new.next_accept(), 15)  # the one that waited for the old one
    await within(new.rendezvous(request))
    (await within(dialling)).abort()
    another = await within(opened(relay, str(uuid.uuid4())))  # there is room again
    assert limits(relay.process)["dead_namesakes"] == 1
    for listener in (new, another):
        await listener.close()


@asynctest()
async def test_who_is_refused_for_want_of_room_gets_it_when_its_ghost_is_found_dead(bench):
    """I4: ghosts must not fill up the places."""
    relay = bench.relay(options=bench.relay_options(MaxListeners=1))
    identity = str(uuid.uuid4())
    ghost = await within(opened(relay, identity))
    ghost._reader.cancel()

    async def again():
        try:
            return await within(opened(relay, identity))
        except ws.HandshakeError as error:
            assert error.status == 403

    listener = await until_it_does(again, 20, "the ghost's place")
    await listener.close()
