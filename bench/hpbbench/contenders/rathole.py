"""rathole: like frp, the server has the entry port. A connection of its own for each."""

from ..contender import Contender
from ..processes import free_port, wait_for_port

_SERVER = """[server]
bind_addr = "127.0.0.1:{port}"
default_token = "bench"
[server.services.bench]
bind_addr = "{entry}"
[server.transport]
type = "{kind}"
"""
_CLIENT = """[client]
remote_addr = "{dialled}"
default_token = "bench"
[client.services.bench]
local_addr = "{target}"
[client.transport]
type = "{kind}"
"""


class RatholeTcp(Contender):
    name = "rathole-tcp"
    hops = "rathole → plain TCP → rathole"
    programs = ("rathole",)
    kind = "tcp"

    def launch(self, targets, connections):
        port, entry = free_port(), f"127.0.0.1:{free_port()}"
        server_more, client_more = self.transport()
        server = self.run("rathole server", [self.program("rathole"), "--server", self.place.file(
            "rathole-server.toml", _SERVER.format(port=port, entry=entry, kind=self.kind) + server_more)])
        wait_for_port(server, f"127.0.0.1:{port}")
        client = self.run("rathole client", [self.program("rathole"), "--client", self.place.file(
            "rathole-client.toml", _CLIENT.format(dialled=self.place.via(f"127.0.0.1:{port}"), target=targets[0],
                                                  kind=self.kind) + client_more)])
        self.entries = [entry]
        wait_for_port(client, entry)

    def transport(self):
        """What the two configuration files say beyond the kind of transport."""
        return "", ""


class RatholeTls(RatholeTcp):
    name = "rathole-tls"
    hops = "rathole → TLS → rathole"
    kind = "tls"

    def transport(self):
        c = self.place.certificates
        return (f'[server.transport.tls]\npkcs12 = "{c.pkcs12}"\npkcs12_password = "{c.password}"\n',
                f'[client.transport.tls]\ntrusted_root = "{c.ca}"\nhostname = "localhost"\n')
