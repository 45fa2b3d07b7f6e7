"""Moves bytes over many connections both ways at once, and keeps digests of what was sent and what came:
    mover.py accept HOST PORT COUNT BYTES     target of COUNT connections
    mover.py dial HOST PORT COUNT BYTES       dials them
Each connection carries BYTES in each direction and the end of it. Progress goes to standard output as `moved N`
(bytes received so far, all connections), and at the end one line of JSON."""

import errno
import hashlib
import json
import os
import random
import selectors
import socket
import struct
import sys
import time

MARK = 1 << 20
PIECE = 256 << 10
BASE = memoryview(os.urandom(1 << 20) * 2)


class Digest:
    """Of everything, and of every prefix that is a whole number of MiB, so that a difference can be located."""

    def __init__(self):
        self.all, self.size, self.marks = hashlib.sha256(), 0, []

    def update(self, data):
        while data:
            part = data[:MARK - self.size % MARK]
            self.all.update(part)
            self.size += len(part)
            if self.size % MARK == 0:
                self.marks.append(self.all.copy().hexdigest()[:8])
            data = data[len(part):]


class Connection:
    """One end. `number` is told by the end that dials, in the first four bytes."""

    def __init__(self, sock, number, size):
        self.sock, self.number, self.size = sock, number, size
        self.sent, self.got = Digest(), Digest()
        self.head = b""
        self.sending, self.receiving = True, True
        self.end = None

    def write(self, choice):
        left = self.size - self.sent.size
        if left:
            at = choice.randrange(MARK)
            piece = BASE[at:at + min(left, PIECE)]
            self.sent.update(piece[:self.sock.send(piece)])
        if self.sent.size == self.size:
            self.sock.shutdown(socket.SHUT_WR)
            self.sending = False

    def read(self, space):
        if self.number is None:
            piece = self.sock.recv(4 - len(self.head))
            self.head += piece
            if len(self.head) == 4:
                (self.number,) = struct.unpack("!I", self.head)
            if piece:
                return 0
            count = 0
        else:
            count = self.sock.recv_into(space)
        self.got.update(space[:count])
        if count == 0:
            self.receiving, self.end = False, "eof"
        return count

    def result(self):
        return {"number": self.number, "end": self.end, "sent_bytes": self.sent.size, "got_bytes": self.got.size,
                "sent": self.sent.all.hexdigest(), "got": self.got.all.hexdigest(),
                "sent_marks": self.sent.marks, "got_marks": self.got.marks}


def serve(connections):
    """Moves until every connection has ended both ways, or failed."""
    selector, choice = selectors.DefaultSelector(), random.Random()
    space = memoryview(bytearray(PIECE))
    moved, told = 0, 0.0
    for connection in connections:
        connection.sock.setblocking(False)
        selector.register(connection.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
    while selector.get_map():
        for key, ready in selector.select(0.05):
            connection, before = key.data, key.events
            try:
                if ready & selectors.EVENT_READ:
                    moved += connection.read(space)
                if ready & selectors.EVENT_WRITE and connection.sending:
                    connection.write(choice)
            except BlockingIOError:
                pass
            except OSError as error:
                connection.end = errno.errorcode.get(error.errno, str(error))
                connection.sending = connection.receiving = False
            wanted = (selectors.EVENT_READ if connection.receiving else 0) | (
                selectors.EVENT_WRITE if connection.sending else 0)
            if not wanted:
                selector.unregister(connection.sock)
                connection.sock.close()
            elif wanted != before:
                selector.modify(connection.sock, wanted, connection)
        now = time.monotonic()
        if now - told > 0.02:
            told = now
            print(f"moved {moved}", flush=True)
    print(f"moved {moved}", flush=True)
    print(json.dumps([c.result() for c in connections]), flush=True)


def main(command, host, port, count, size):
    count, size = int(count), int(size)
    if command == "accept":
        with socket.create_server((host, int(port)), backlog=512) as server:
            print(f"ready mover {host}:{server.getsockname()[1]}", flush=True)
            connections = [Connection(server.accept()[0], None, size) for _ in range(count)]
    else:
        connections = []
        for number in range(count):
            sock = socket.create_connection((host, int(port)), timeout=60)
            sock.sendall(struct.pack("!I", number))
            connections.append(Connection(sock, number, size))
        print("ready mover", flush=True)
    serve(connections)


if __name__ == "__main__":
    main(*sys.argv[1:])
