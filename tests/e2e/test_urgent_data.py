"""F6: TCP's urgent byte (MSG_OOB). It is passed on where it stands in the stream, as an ordinary byte, which is what
a receiver with SO_OOBINLINE sees on a direct connection. That it was urgent is not carried."""

import socket

import pytest
from hpbtest import apps
from hpbtest.waiting import deadline


class Collector:
    """A target that says, when the application has sent its last word, all that it has received."""

    def __call__(self, sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        received = b""
        while not received.endswith(b"."):
            received += sock.recv(1 << 16)
        sock.sendall(b"got ")
        sock.send(b"!", socket.MSG_OOB)
        sock.sendall(received)


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_an_urgent_byte_stays_where_it_is(bench, relay, protocol):
    with apps.TcpTarget(Collector()) as target:
        bench.service(relay, {5011: target.address})
        _, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=["--protocol", protocol])
        with socket.create_connection(address, timeout=deadline(10)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            sock.sendall(b"before ")
            sock.send(b"!", socket.MSG_OOB)
            sock.sendall(b" after.")
            answer = b""
            while not answer.endswith(b"."):
                piece = sock.recv(1 << 16)
                assert piece, f"ended after {answer!r}"
                answer += piece
            assert answer == b"got !before ! after."
