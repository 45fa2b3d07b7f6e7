"""The product's whole path with a faulty network on both legs, and what its agents say about their sessions.

    application -- hpb client -- [link `client`] -- hpb relay -- [link `service`] -- hpb service -- target
"""

import collections
import pathlib
import re
import signal

from .faults import Faults
from .waiting import wait_until


class Leg:
    """Looks like a relay to Bench.service and Bench.client: how one agent reaches it."""

    def __init__(self, relay, address):
        self.host, self.port = address
        self.ca = relay.ca


class Bridge:
    """Relay, fault proxy and both agents over TLS. `settings` are PortBridge keys of both agents, `client` and
    `service` those of one; `links` are settings of the fault proxy's two links; `legs` takes the place of one
    or both links by other addresses that lead to the relay."""

    def __init__(self, bench, targets, *, settings=None, client=None, service=None, links=None, client_more=(),
                 relay=None, legs=None, entity="simple"):
        self.bench, self.targets, self.entity = bench, targets, entity
        self.relay = relay or bench.relay()
        own = f"{self.relay.host}:{self.relay.port}"
        links = links or {}
        self.faults = Faults(bench, {name: ",".join([own, *filter(None, [links.get(name)])])
                                     for name in ("client", "service")})
        self.legs = {name: Leg(self.relay, (legs or {}).get(name) or self.faults.address[name])
                     for name in ("client", "service")}
        self._client_flags = flags({**(settings or {}), **(client or {})}) + list(client_more)
        self._service_flags = flags({**(settings or {}), **(service or {})})
        self.start_service()
        self.start_client()

    def start_service(self):
        self.service = self.bench.service(self.legs["service"], self.targets, entity=self.entity,
                                          more=self._service_flags)

    def start_client(self):
        """{key: (host, port)} of the mappings are in `at` from now on; the first one is `address`."""
        at = getattr(self, "at", {})
        mappings = [f"127.0.0.1:{at[key][1] if key in at else 0}/{key}:{self.entity}" for key in self.targets]
        self.client, addresses = self.bench.client(self.legs["client"], mappings, more=self._client_flags)
        self.at = dict(zip(self.targets, addresses))
        self.address = addresses[0]

    def said(self):
        """The last words of both agents, for messages of failures."""
        return "".join(f"\n--- {p.name} (pid {p.pid}):\n{p.errors[-4000:]}" for p in (self.client, self.service))


def flags(settings):
    """The command line of keys of the section PortBridge."""
    return [f"--PortBridge:{key}={value}" for key, value in settings.items()]


def counters(agent, seconds=10):
    """What an agent counts: it says so in one line when it gets SIGUSR1. @return {name: number}."""
    def lines():
        return re.findall(r"\bsessions: .*", agent.errors)

    before = len(lines())
    agent.popen.send_signal(signal.SIGUSR1)
    wait_until(lambda: len(lines()) > before, seconds, f"{agent.name} tells its counters; {agent.errors[-1000:]}")
    return {name: int(value) for name, value in re.findall(r"([\w-]+)=(\d+)", lines()[-1])}


def limits(process, seconds=10):
    """What a process says of the limits that it has reached, and of all else that it counts before that.
    @return a Counter by name."""
    before = len(process.errors)

    def said():
        return re.search(r"^(.*?limits: [^\n]*)\n", process.errors[before:], re.S)

    process.popen.send_signal(signal.SIGUSR1)
    wait_until(said, seconds, f"{process.name} tells its limits; {process.errors[-1000:]}")
    return collections.Counter({name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", said().group(1))})


def peak_bytes(process):
    """The most memory a process has had resident."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.M).group(1)) * 1024
