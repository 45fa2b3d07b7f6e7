"""Small applications at both ends of a bridge, in the test's process."""

import socket
import socketserver
import threading

from .waiting import deadline


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 512
    block_on_close = False


class TcpTarget:
    """A TCP server whose connections are served by function(sock); counts them."""

    def __init__(self, function, host="127.0.0.1", port=0):
        outer = self
        self.accepted = 0
        self.live = 0
        self._lock = threading.Lock()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with outer._lock:
                    outer.accepted += 1
                    outer.live += 1
                try:
                    self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    function(self.request)
                except OSError:
                    pass
                finally:
                    with outer._lock:
                        outer.live -= 1

        server_class = _Server
        if ":" in host:
            server_class = type("V6Server", (_Server,), {"address_family": socket.AF_INET6})
        self._server = server_class((host, port), Handler)
        self.address = self._server.server_address[:2]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def echo(sock):
    while data := sock.recv(1 << 16):
        sock.sendall(data)


def echo_target(**how):
    return TcpTarget(echo, **how)


def refused_address(host="127.0.0.1"):
    """An address where connecting is refused for as long as the returned socket is kept (bound, not listening)."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.bind((host, 0))
    return sock.getsockname()[:2], sock


def exchange(address, payload, seconds=10, sock=None):
    """Sends payload and reads as many bytes. @return what came back; raises OSError on any failure."""
    own = sock is None
    if own:
        sock = socket.create_connection(address, timeout=deadline(seconds))
    try:
        sock.settimeout(deadline(seconds))
        sock.sendall(payload)
        got = bytearray()
        while len(got) < len(payload):
            piece = sock.recv(len(payload) - len(got))
            if not piece:
                raise ConnectionError(f"ended after {len(got)} of {len(payload)} bytes")
            got += piece
        return bytes(got)
    finally:
        if own:
            sock.close()


def answers(address, payload=b"is anybody there?", seconds=2):
    """True if an echo comes back."""
    try:
        return exchange(address, payload, seconds) == payload
    except OSError:
        return False


class Traffic:
    """Echoes on one lasting connection, one round trip after the other, until stopped; keeps the first failure."""

    def __init__(self, address, seconds=5):
        self.rounds, self.failure = 0, None
        self._stop = threading.Event()
        self._seconds = seconds
        self._sock = socket.create_connection(address, timeout=deadline(10))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        payload = bytes(range(256)) * 4
        try:
            while not self._stop.is_set():
                if exchange(None, payload, self._seconds, self._sock) != payload:
                    raise AssertionError("the echo differs")
                self.rounds += 1
                self._stop.wait(0.005)  # a steady trickle rather than a load
        except (OSError, AssertionError) as error:
            self.failure = error

    def stop(self):
        self._stop.set()
        self._thread.join(deadline(10))
        self._sock.close()
