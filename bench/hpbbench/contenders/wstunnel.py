"""wstunnel over wss: a WebSocket connection for each."""

from ..contender import Contender
from ..processes import free_port, wait_for_port


class Wstunnel(Contender):
    name = "wstunnel"
    hops = "wstunnel client → WebSocket in TLS → wstunnel server; frames not masked (its default)"
    programs = ("wstunnel",)
    mask = ()

    def launch(self, targets, connections):
        c = self.place.certificates
        port, entry = free_port(), f"127.0.0.1:{free_port()}"
        quiet = ("--log-lvl", "ERROR")
        server = self.run("wstunnel server", [self.program("wstunnel"), *quiet, "server",
                                              "--tls-certificate", c.certificate, "--tls-private-key", c.key,
                                              f"wss://127.0.0.1:{port}"])
        wait_for_port(server, f"127.0.0.1:{port}")
        client = self.run("wstunnel client", [self.program("wstunnel"), *quiet, "client", *self.mask,
                                              "--tls-verify-certificate", "-L", f"tcp://{entry}:{targets[0]}",
                                              f"wss://{self.place.via(f'127.0.0.1:{port}')}"],
                          environment={"SSL_CERT_FILE": str(c.ca)})
        wait_for_port(client, entry)
        self.entries = [entry]


class WstunnelMasked(Wstunnel):
    name = "wstunnel-masked"
    hops = "the same with masked frames, as a relay of others would demand"
    mask = ("--websocket-mask-frame",)
