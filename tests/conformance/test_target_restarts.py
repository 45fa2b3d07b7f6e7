"""A target that is restarted under load, behind every pair of agents: each application that sends notices within five
seconds, and no byte of an old conversation reaches a new target connection."""

import os
import signal

import pytest
from hpbtest.conversations import Target, survive_restarts
from hpbtest.original import ClientAgent, ServiceAgent
from hpbtest.waiting import asynctest, sized

COUNT = sized(20, 8)
RESTARTS = int(os.environ.get("HPB_V1_RESTARTS") or 2)

ends = pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
sockets = pytest.mark.parametrize("kept", ["serve", "inherit"], ids=["own socket", "inherited socket"])


@ends
@sockets
@asynctest(180)
async def test_behind_an_original_client(bench, relay, how, kept):
    """D1: v1 has no frame for a target's end; what it cannot say, the channel's end says."""
    target = Target(bench, kept)
    bench.service(relay, {5011: target.address})
    agent = await ClientAgent.open(relay, slots=2)
    slowest = await survive_restarts(target, [agent.address], COUNT, how, RESTARTS)
    print(f"\nnoticed within {slowest:.2f} s")
    await agent.close()


@ends
@sockets
@pytest.mark.parametrize("protocol", ["v1", "v2"])
@asynctest(180)
async def test_between_our_own_agents(bench, relay, how, kept, protocol):
    """D1: with v1, where the client agent has said who it is, and with v2, which has frames for it."""
    target = Target(bench, kept)
    settings = [f"--PortBridge:Protocol={protocol}"]
    bench.service(relay, {5011: target.address}, more=settings)
    _, addresses = bench.client(relay, ["127.0.0.1:0/5011:simple"] * 2, more=settings)
    slowest = await survive_restarts(target, addresses, COUNT, how, RESTARTS)
    print(f"\nnoticed within {slowest:.2f} s")


@ends
@asynctest(180)
async def test_before_an_original_service(bench, relay, how):
    """D1: the original ends a channel when its target refuses, and says nothing of a target's end. It feeds a new
    connection with an old conversation if the target is back by the time that the application sends again; so this
    one is a target that takes longer to come back than applications are silent."""
    target = Target(bench, "serve")
    service = await ServiceAgent.open(relay, {5011: target.address})
    _, addresses = bench.client(relay, ["127.0.0.1:0/5011:simple"] * 2)
    slowest = await survive_restarts(target, addresses, COUNT, how, RESTARTS)
    print(f"\nnoticed within {slowest:.2f} s")
    await service.close()
