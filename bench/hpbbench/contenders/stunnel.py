"""stunnel at both ends, TLS between."""

from ..contender import Contender
from ..processes import free_port, wait_for_port

_COMMON = """foreground = yes
pid =
debug = err
sslVersionMin = TLSv1.3
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[leg]
accept = {entry}
connect = {next}
"""


class Stunnel(Contender):
    name = "stunnel"
    hops = "stunnel → TLS → stunnel"
    programs = ("stunnel4",)

    def launch(self, targets, connections):
        c = self.place.certificates
        server = f"127.0.0.1:{free_port()}"
        self._start("server", server, targets[0], f"cert = {c.certificate}\nkey = {c.key}\n")
        entry = f"127.0.0.1:{free_port()}"
        self._start("client", entry, self.place.via(server),
                    f"client = yes\nCAfile = {c.ca}\nverifyChain = yes\ncheckHost = localhost\n")
        self.entries = [entry]

    def _start(self, side, entry, following, more):
        config = self.place.file(f"stunnel-{side}.conf", _COMMON.format(entry=entry, next=following) + more)
        wait_for_port(self.run(f"stunnel {side}", [self.program("stunnel4"), config]), entry)
