"""chisel: connections multiplexed over SSH over WebSocket over TLS."""

from ..contender import Contender
from ..processes import free_port, wait_for_port


class Chisel(Contender):
    name = "chisel"
    hops = "chisel client → SSH in WebSocket in TLS → chisel server"
    multiplexes = True
    programs = ("chisel",)
    descriptors_per_connection = 1

    def launch(self, targets, connections):
        c = self.place.certificates
        port, entry = free_port(), f"127.0.0.1:{free_port()}"
        server = self.run("chisel server", [self.program("chisel"), "server", "--host", "127.0.0.1", "--port", port,
                                            "--tls-cert", c.certificate, "--tls-key", c.key])
        wait_for_port(server, f"127.0.0.1:{port}")
        client = self.run("chisel client", [self.program("chisel"), "client", "--tls-ca", c.ca,
                                            f"https://{self.place.via(f'127.0.0.1:{port}')}",
                                            f"{entry}:{targets[0]}"])
        wait_for_port(client, entry)
        self.entries = [entry]
