"""What a relay may make a service agent do: not dial third parties, nor what only the agent's machine can see."""

import pytest
from hpbtest import apps, relayclient
from hpbtest.bridge import limits
from hpbtest.waiting import asynctest

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
