"""What a relay may make a service agent do: not dial third parties, nor what only the agent's machine can see."""

import asyncio
import contextlib
import json
import time

import pytest
from hpbtest import apps, dns, relayclient
from hpbtest.bridge import limits
from hpbtest.standin import StandIn
from hpbtest.waiting import SLOW, asynctest, until

KEY = 5011


def relay_with(bench, **more):
    return bench.relay(options=bench.relay_options(**more))


@asynctest(60)
async def test_a_relay_sends_its_listener_to_itself_only(bench):
    """S8: an address of another host is not dialled, and the line says what to do where that is right."""
    with apps.echo_target() as victim, apps.echo_target() as target:
        relay = relay_with(bench, PublicAddress=f"victim.test:{victim.address[1]}",
                           HostNames=["127.0.0.1"], RendezvousTimeoutSeconds=1)
        service = bench.service(relay, {KEY: target.address})
        with pytest.raises(relayclient.ws.HandshakeError):
            await relayclient.send(relay, protocols="hpb.v2")
        service.wait_error(r"the relay sent the address of another host, victim\.test, which is not dialled.*"
                           r"RendezvousHosts", 10)
        assert victim.accepted == 0
        assert limits(service)["forbidden_addresses"] == 1


@pytest.mark.parametrize("named", [False, True], ids=["by the relay", "here"])
def test_user_metadata_names_no_link_local_target(bench, named):
    """S8: unless it is named locally too."""
    hidden, fine = "169.254.169.254:80", "127.0.0.1:9"
    relay = relay_with(bench, HybridConnections={"simple": {"UserMetadata": [
        {"key": "80", "value": f"tcp:{hidden}"}, {"key": "81", "value": f"tcp:{fine}"}]}})
    own = {"Targets": {"80": hidden}} if named else {}
    service = bench.service(relay, {}, config={"PortBridge": {
        "ServiceNamespace": bench.service_namespace(relay), "EntityPaths": ["simple"], **own}})
    if named:
        service.wait_error(r"simple/80: target 169\.254\.169\.254:80", 10)
    else:
        service.wait_error(r"simple/80: UserMetadata names the link-local or metadata address 169\.254\.169\.254:80", 10)
        service.wait_error(r"simple/81: target 127\.0\.0\.1:9", 10)
        assert "simple/80: target" not in service.errors
        assert limits(service)["forbidden_addresses"] == 1


def test_user_metadata_names_no_target_that_resolves_to_a_link_local_address(bench, tmp_path):
    """S8: whatever name the relay gives it; the line says what to do where that is right. Other targets go on."""
    prefix = dns.private_names(tmp_path)
    try:
        names = dns.NameServer({"innocent.test": ["169.254.169.254"], "fine.test": ["127.0.0.1"]})
    except OSError as error:
        pytest.skip(f"port 53 of {dns.ADDRESS} cannot be had here: {error}")
    with contextlib.closing(names), apps.echo_target() as target:
        relay = relay_with(bench, HybridConnections={"simple": {"UserMetadata": [
            {"key": "80", "value": "tcp:innocent.test:80"}, {"key": "81", "value": f"tcp:fine.test:{target.address[1]}"}]}})
        service = bench.start("service", "service", "--config", bench.write_json("service.json", {"PortBridge": {
            "ServiceNamespace": bench.service_namespace(relay), "EntityPaths": ["simple"]}}), prefix=prefix)
        service.wait_ready()
        _, (hidden, fine) = bench.client(relay, ["127.0.0.1:0/80:simple", "127.0.0.1:0/81:simple"])
        assert apps.exchange(fine, b"x") == b"x"
        with pytest.raises(OSError):
            apps.exchange(hidden, b"x")
        service.wait_error(r"simple/80: .*innocent\.test, that is 169\.254\.169\.254, is a link-local or metadata address.*", 10)
        assert apps.exchange(fine, b"y") == b"y"


class HostileRelay(StandIn):
    """Carries what it is asked to carry, and announces senders that there are not."""

    async def announce(self, entity, count, port, sources):
        (control,) = self._listeners[entity]
        for number in range(count):
            source = f"203.0.113.{number % sources}"
            await control.send(json.dumps({"accept": {
                "address": f"wss://{self.host}:{port}/$hc/{entity}?sb-hc-action=accept&sb-hc-id={number}",
                "id": str(number), "connectHeaders": {}, "remoteEndpoint": {"address": source, "port": 1}}}))


@pytest.mark.parametrize("sources, at_once, rate", [(1, 1000, 250), (200, 2000, 500)], ids=["one sender", "many senders"])
@asynctest(60)
async def test_a_relay_has_a_bounded_number_of_rendezvous_dialled(bench, sources, at_once, rate):
    """S8: to its own host, thousands of them; another hybrid connection is unharmed, and so is, beside a single sender, a
    new one of the same."""
    loop = asyncio.get_running_loop()
    with apps.echo_target() as victim, apps.echo_target() as target:
        async with HostileRelay(bench.certificates) as relay:
            service = await loop.run_in_executor(None, lambda: bench.service(
                relay, {KEY: target.address}, more=["-T", f"other:{KEY}/127.0.0.1:{target.address[1]}"]))
            descriptors = service.descriptors()
            _, (other,) = await loop.run_in_executor(
                None, lambda: bench.client(relay, [f"127.0.0.1:0/{KEY}:other"]))
            assert await loop.run_in_executor(None, apps.exchange, other, b"x") == b"x"
            traffic = await loop.run_in_executor(None, apps.Traffic, other)
            began = time.monotonic()
            await relay.announce("simple", 5000, victim.address[1], sources)
            await until(lambda: victim.accepted > at_once / 2, 20, f"it dials; {victim.accepted} so far")
            if sources == 1:
                _, (same,) = await loop.run_in_executor(
                    None, lambda: bench.client(relay, [f"127.0.0.1:0/{KEY}:simple"]))
                assert await loop.run_in_executor(None, apps.exchange, same, b"y") == b"y"
            await until(lambda: victim.live == 0, 30, f"the dials have ended; {victim.live} are left")
            assert victim.accepted <= at_once + rate * (time.monotonic() - began) + 1, victim.accepted
            await loop.run_in_executor(None, traffic.stop)
            assert traffic.failure is None and traffic.rounds > 0, traffic.failure
            if not SLOW:  # where it reads them more slowly than that, all wait for their turn
                service.wait_error(rf"simple: the relay asks for more than {rate} rendezvous a second", 5)
                assert limits(service)["ignored_rendezvous"] > 0
            await until(lambda: service.descriptors() <= descriptors + 8, 10, "descriptors are back")
            assert len(service.errors.splitlines()) < 200
            await loop.run_in_executor(None, bench.end)
