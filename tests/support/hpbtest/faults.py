"""The fault proxy, hpb-faults, and a forwarder that can do to single connections what a link does to all."""

import random
import selectors
import socket
import struct
import threading

from .proc import Process, binary
from .waiting import wait_until


class Faults:
    """One hpb-faults process. Every command of docs/fault-proxy.md is do("command"); it fails on `error …`."""

    def __init__(self, bench, links):
        """links: {name: "HOST:PORT[,SETTING…]" of the target}; each listens on a free port of 127.0.0.1."""
        arguments = [binary().parent / "hpb-faults"]
        for name, target in links.items():
            arguments += ["--link", f"{name}=127.0.0.1:0,{target}"]
        self.process = Process(arguments, bench.directory / "logs", "faults", pipe_input=True)
        bench.processes.append(self.process)
        self._answers = 0
        self._lock = threading.Lock()
        #: {link: (host, port)} to connect to
        self.address = dict(zip(links, self.process.wait_ready()))

    def do(self, command):
        """Gives one command and waits until it is done. @return what follows `ok`."""
        with self._lock:
            self._answers += 1
            self.process.popen.stdin.write(f"{command}\n".encode())
            self.process.popen.stdin.flush()

            def answered():
                lines = [line for line in list(self.process.lines) if line.startswith(("ok", "error"))]
                return lines[self._answers - 1] if len(lines) >= self._answers else None

            line = wait_until(answered, 10, f"an answer to {command!r}; {self.process.errors[-1000:]}")
        assert line.startswith("ok"), f"{command}: {line}"
        return line[2:].strip()

    def stats(self, link):
        """The numbers of one link."""
        pairs = (pair.split("=", 1) for pair in self.do(f"stats {link}").split())
        return {name: int(value) if value.isdigit() else value for name, value in pairs}


class Forwarder:
    """A TCP forwarder in the test's process whose connections can be broken one by one, while those that come
    later are passed on: the link of hpb-faults would break all of them."""

    def __init__(self, target):
        self.target = target
        self._server = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.address = self._server.getsockname()
        self.accepted = 0
        self._pairs = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                pair = _Pair(client, socket.create_connection(self.target, timeout=10))
            except OSError:
                reset(client)
                continue
            with self._lock:
                self._pairs = [p for p in self._pairs if p.open] + [pair]

    def open(self):
        """The connections that live, oldest first."""
        with self._lock:
            self._pairs = [pair for pair in self._pairs if pair.open]
            return list(self._pairs)

    def reset_one(self, choice=random):
        """Resets one connection, drawn by `choice`. @return False if there is none."""
        pairs = self.open()
        if pairs:
            choice.choice(pairs).reset()
        return bool(pairs)

    def silence(self):
        """From now on what arrives on the connections there are is thrown away, ends included, both ways; later
        ones are served: as when a router has forgotten its connections."""
        for pair in self.open():
            pair.silent = True

    def close(self):
        self._server.close()
        for pair in self.open():
            pair.reset()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Pair:
    """One forwarded connection and the thread that serves it; others only tell it what to do."""

    def __init__(self, client, target):
        self.open, self.silent, self._doomed = True, False, False
        self._wake, self._waker = socket.socketpair()
        self._ends = (client, target)
        threading.Thread(target=self._run, daemon=True).start()

    def reset(self):
        """RST to both ends, soon."""
        self._doomed = True
        self.open = False  # nobody draws it a second time
        self._waker.send(b"x")

    def _run(self):
        ways = {}
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            for source, sink in (self._ends, self._ends[::-1]):
                source.setblocking(False)
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ways[source] = _Way(source, sink)
            try:
                while not self._doomed and not all(way.over for way in ways.values()):
                    self._register(selector, ways)
                    for key, ready in selector.select():
                        if key.fileobj is not self._wake:
                            self._move(ways, key.fileobj, ready)
            except OSError:
                self._doomed = True
        self.open = False
        for sock in self._ends:
            if self._doomed and not self.silent:
                reset(sock)
            sock.close()

    def _move(self, ways, sock, ready):
        if ready & selectors.EVENT_READ:
            ways[sock].read(self.silent)
        if ready & selectors.EVENT_WRITE:
            next(way for way in ways.values() if way.sink is sock).write()

    def _register(self, selector, ways):
        for source, way in ways.items():
            back = next(w for w in ways.values() if w.sink is source)
            wanted = (0 if way.ended or way.waiting else selectors.EVENT_READ) | (
                selectors.EVENT_WRITE if back.waiting else 0)
            known = selector.get_map().get(source)
            if known is None and wanted:
                selector.register(source, wanted)
            elif known is not None and not wanted:
                selector.unregister(source)
            elif known is not None and known.events != wanted:
                selector.modify(source, wanted)


class _Way:
    """One direction."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.ended = self.over = False
        self.waiting = b""
        self._space = memoryview(bytearray(1 << 18))

    def read(self, silent):
        count = self.source.recv_into(self._space)
        if count == 0:
            self.ended = True
        elif not silent:
            self.waiting = self._space[:count]
            self.write()
        if self.ended and not self.over and not silent:
            self.sink.shutdown(socket.SHUT_WR)
        self.over = self.ended

    def write(self):
        try:
            self.waiting = self.waiting[self.sink.send(self.waiting):]
        except BlockingIOError:
            pass


def reset(sock):
    """Closes a socket by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
