"""hpb: client agent, relay and service agent over TLS, as the README of the project starts them."""

import base64
import os
import re

from ..contender import OURS, Contender
from ..programs import HPB
from ..waiting import Failed

_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
_DEFAULT_LIMIT = 10000
_RAISED_LIMIT = 100000


class Hpb(Contender):
    """One relay, and a pair of agents for each target."""

    name = "hpb"
    hops = "client agent → TLS → relay → TLS → service agent"
    role = OURS
    multiplexes = True
    protocol = "auto"
    #: hybrid connections of each pair, and channels of each of them
    connections_of_a_pair = 1
    channels = 1
    descriptors_per_connection = 1

    @classmethod
    def missing(cls):
        return None if os.access(HPB, os.X_OK) else "build/release/hpb was not built"

    def launch(self, targets, connections):
        secret = self.place.file("root.key", base64.b64encode(os.urandom(32)).decode())
        secret.chmod(0o600)
        self._rule = ["--rule", "root", "--rule-key-file", secret]
        self._limits = []
        if connections / len(targets) > _DEFAULT_LIMIT * 0.6:  # one session may have two thirds
            self._limits = [f"--PortBridge:MaxConnections={_RAISED_LIMIT}"]
        names = [[f"bench-{pair}-{i}" for i in range(self.connections_of_a_pair)] for pair in range(len(targets))]
        relay = self._start_relay([name for pair in names for name in pair])
        for pair, target in zip(names, targets):
            self._start_pair(relay, pair, target)

    def _start_relay(self, names):
        c = self.place.certificates
        relay = self.run("relay", [HPB, "relay", "--listen", "127.0.0.1:0", "--cert", c.certificate, "--key", c.key,
                                   *self._rule, *(a for n in names for a in ("--connection", n)),
                                   "--log-level", "warn"])
        return self._ready(relay)[0]

    def _start_pair(self, relay, names, target):
        # The path with delay, if there is one, lies between the client agent and the relay.
        common = ["--ca", self.place.certificates.ca, *self._rule, *self._limits, "--log-level", "warn"]
        if self.protocol != "auto":
            common += ["--protocol", self.protocol]
        service = self.run("service agent", [HPB, "service", "--relay", f"sb://{relay}/", *common,
                                             *(a for n in names for a in ("-T", f"{n}:1/{target}"))])
        self._ready(service)
        client = self.run("client agent", [HPB, "client", "--relay", f"sb://{self.place.via(relay)}/", *common,
                                           *(a for n in names for a in ("-L", f"127.0.0.1:0/1:{n}")),
                                           "--channels", self.channels])
        self.entries += self._ready(client)

    def _ready(self, process):
        _, line = process.wait_line(15, "ready")
        addresses = _ADDRESS.findall(line)
        if not addresses and process.role != "service agent":
            raise Failed(f"{process.role} said {line!r}")
        return addresses


class HpbV1(Hpb):
    name = "hpb-v1"
    hops = "the same, with the protocol of the .NET bridge"
    protocol = "v1"


def with_many_channels(wanted, relay_descriptors):
    """An Hpb of one pair of agents with `wanted` channels once each entry has a connection, or as many as the relay's
    descriptors allow: two for each, and one for each hybrid connection's control channel."""
    channels = 64
    most = (relay_descriptors - 100) // (2 * channels + 1)
    names = min(most, -(-wanted // channels))
    return type("HpbManyChannels", (Hpb,), {"channels": channels, "connections_of_a_pair": names})
