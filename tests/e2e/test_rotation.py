"""Channels come and go under transfers that do not notice: rotation at their TTL, and several of which one is cut."""

import random
import re

from hpbtest.bridge import Bridge, counters
from hpbtest.faults import Forwarder
from hpbtest.transfer import Transfer
from hpbtest.waiting import sized, wait_until

MIB = 1 << 20


def test_rotation_every_second_during_transfers_loses_nothing_and_resets_nothing(bench):
    """The path is slowed down so that the transfers take some seconds."""
    transfer = Transfer(bench, 4, sized(40, 4) * MIB)
    rate = sized("400mbit", "40mbit")
    bridge = Bridge(bench, {5011: transfer.target}, client_more=["--ttl", "1"], links={"client": f"rate={rate}"})
    try:
        elapsed = transfer.dial(bridge.address).finish(60)
    except AssertionError as failure:
        raise AssertionError(f"{failure}\n{bridge.said()}") from None
    dialled = bridge.faults.stats("client")["accepted"]
    said = [counters(agent) for agent in (bridge.client, bridge.service)]
    print(f"{transfer.total / MIB:.0f} MiB in {elapsed:.1f} s over {dialled} channels; {said}")
    assert elapsed > 2, "too short for a rotation"
    assert dialled >= elapsed // 1, "a new channel every second"
    for agent, numbers in zip((bridge.client, bridge.service), said):
        assert numbers["losses"] == numbers["resumes"] == 0, f"rotation is no loss{bridge.said()}"
        assert not re.search(r"channel \S+ lost|resumed session", agent.errors), agent.errors
    assert said[0]["channels"] <= 2, "old channels end"


def test_four_channels_of_which_one_is_cut_at_random_lose_nothing(bench):
    seed = random.randrange(1 << 32)
    choice = random.Random(seed)
    cuts = sized(20, 5)
    transfer = Transfer(bench, 8, sized(64, 4) * MIB)
    relay = bench.relay()
    with Forwarder((relay.host, relay.port)) as router:
        bridge = Bridge(bench, {5011: transfer.target}, relay=relay, client_more=["--channels", "4"],
                        legs={"client": router.address})
        most = 0
        try:
            transfer.dial(bridge.address)
            for number in range(cuts):
                transfer.wait_moved((number + choice.random()) / (cuts + 1) * transfer.total, 30, f"after cut {number}")
                wait_until(lambda: counters(bridge.client)["channels"] == 4, 10, "four channels")
                most = max(most, len(router.open()))
                router.reset_one(choice)
            elapsed = transfer.finish(60)
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}: {failure}\n{bridge.said()}") from None
        wait_until(lambda: counters(bridge.client)["losses"] >= cuts / 2, 5, "the cuts have hit something")
        said = counters(bridge.client)
        print(f"seed {seed}: {transfer.total / MIB:.0f} MiB in {elapsed:.1f} s, {cuts} cuts, {router.accepted} channels "
              f"dialled, {most} at once; {said}")
        assert most >= 3, "several channels at once"
        assert said["sessions"] == 1
