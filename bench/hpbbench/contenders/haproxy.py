"""HAProxy: the yardstick. Processes of one thread each in TCP mode, TLS between them."""

import resource

from ..contender import YARDSTICK, Contender
from ..processes import free_port, wait_for_port

_GLOBAL = """global
  maxconn {connections}
  nbthread 1
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
  {tuning}
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
"""


def connection_limit():
    """Two descriptors a connection, and some for itself."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2 - 60


class _Haproxy(Contender):
    role = YARDSTICK
    programs = ("haproxy",)
    tuning = ""

    def leg(self, role, bind_tls, server, server_tls):
        """One process. @return the address on which it listens."""
        c = self.place.certificates
        address = f"127.0.0.1:{free_port()}"
        tls_in = f" ssl crt {c.both}" if bind_tls else ""
        tls_out = f" ssl verify required verifyhost localhost ca-file {c.ca}" if server_tls else ""
        config = self.place.file(f"{role.replace(' ', '-')}.cfg", _GLOBAL.format(
            connections=connection_limit(), tuning=self.tuning) + (
            f"listen leg\n  bind {address}{tls_in}\n  server next {server}{tls_out}\n"))
        wait_for_port(self.run(role, [self.program("haproxy"), "-db", "-f", config]), address)
        return address


class Haproxy3(_Haproxy):
    name = "haproxy-3"
    hops = "HAProxy → TLS → HAProxy → TLS → HAProxy; one thread each, default buffers (16 KiB)"

    def launch(self, targets, connections):
        # The roles are those of hpb's three processes.
        service = self.leg("service side", True, targets[0], False)
        relay = self.leg("relay side", True, service, True)
        self.entries = [self.leg("client side", False, self.place.via(relay), True)]


class Haproxy3Large(Haproxy3):
    name = "haproxy-3-large"
    hops = "the same with buffers of 64 KiB"
    tuning = "tune.bufsize 65536"


class HaproxyPlain(_Haproxy):
    name = "haproxy-plain"
    hops = "HAProxy, one process of one thread, no TLS"

    def launch(self, targets, connections):
        self.entries = [self.place.via(self.leg("forwarder", False, targets[0], False))]


class Haproxy2(_Haproxy):
    name = "haproxy-2"
    hops = "HAProxy → TLS → HAProxy; one thread each"

    def launch(self, targets, connections):
        service = self.leg("service side", True, targets[0], False)
        self.entries = [self.leg("client side", False, self.place.via(service), True)]
