"""frp: the server has the entry port, as a relay would; the client stands next to the target."""

from ..contender import Contender
from ..processes import free_port, wait_for_port

_SERVER = """bindAddr = "127.0.0.1"
bindPort = {port}
proxyBindAddr = "127.0.0.1"
auth.token = "bench"
log.level = "error"
transport.tcpMux = {mux}
transport.tls.force = true
transport.tls.certFile = "{certificates.certificate}"
transport.tls.keyFile = "{certificates.key}"
"""
_CLIENT = """serverAddr = "{host}"
serverPort = {port}
auth.token = "bench"
log.level = "error"
transport.tcpMux = {mux}
transport.tls.enable = true
transport.tls.trustedCaFile = "{certificates.ca}"
transport.tls.serverName = "localhost"
[[proxies]]
name = "bench"
type = "tcp"
localIP = "{target[0]}"
localPort = {target[1]}
remotePort = {entry}
"""


class Frp(Contender):
    name = "frp"
    hops = "frps → TLS → frpc; connections multiplexed (its default)"
    multiplexes = True
    programs = ("frps", "frpc")
    descriptors_per_connection = 1
    mux = "true"

    def launch(self, targets, connections):
        port, entry = free_port(), free_port()
        values = {"mux": self.mux, "certificates": self.place.certificates, "entry": entry,
                  "target": targets[0].split(":")}
        server = self.run("frps", [self.program("frps"), "-c", self.place.file(
            "frps.toml", _SERVER.format(port=port, **values))])
        wait_for_port(server, f"127.0.0.1:{port}")
        host, dialled = self.place.via(f"127.0.0.1:{port}").split(":")
        client = self.run("frpc", [self.program("frpc"), "-c", self.place.file(
            "frpc.toml", _CLIENT.format(host=host, port=dialled, **values))])
        self.entries = [f"127.0.0.1:{entry}"]
        wait_for_port(client, self.entries[0])


class FrpWithoutMux(Frp):
    name = "frp-without-mux"
    hops = "frps → TLS → frpc; a TLS connection for each"
    multiplexes = False
    descriptors_per_connection = 2
    mux = "false"
