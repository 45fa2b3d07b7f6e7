"""Applications that run as processes of their own, so that they can live in another network.

    worker.py http-serve HOST PORT                   HTTP/1.1 with keep-alive; GET /bytes/N, POST echoes
    worker.py http-load HOST PORT CLIENTS REQUESTS    keep-alive clients at once; prints JSON
    worker.py stream-serve HOST PORT MIB             serves one connection; prints JSON
    worker.py stream HOST PORT MIB                   the other end; prints JSON
    worker.py echo HOST PORT

Every command that serves prints a line `ready` when it does. Standard library only."""

import hashlib
import http.client
import http.server
import json
import os
import random
import socket
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Digest", hashlib.sha256(body).hexdigest())
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self._answer(os.urandom(int(self.path.rsplit("/", 1)[1])))

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def http_serve(host, port):
    server = Server((host, port), Handler)
    print(f"ready http {host}:{server.server_address[1]}", flush=True)
    server.serve_forever()


def http_load(host, port, clients, requests):
    failures, done = [], []
    lock = threading.Lock()

    def one(number):
        choice = random.Random(number)
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.connect()
        first = connection.sock
        try:
            for turn in range(requests):
                size = choice.choice((0, 1, 100, 5000, 65536, 180_000))
                if choice.random() < 0.5:
                    connection.request("GET", f"/bytes/{size}")
                    sent = None
                else:
                    sent = os.urandom(size)
                    connection.request("POST", "/", body=sent)
                answer = connection.getresponse()
                body = answer.read()
                assert answer.status == 200, answer.status
                assert len(body) == size and (sent is None or body == sent), "the body differs"
                assert hashlib.sha256(body).hexdigest() == answer.headers["X-Digest"], "the digest differs"
                assert connection.sock is first, "the connection was not kept alive"
                with lock:
                    done.append(turn)
        except Exception as error:  # noqa: BLE001: every kind of failure counts
            with lock:
                failures.append(f"client {number}: {error!r}")
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"done": len(done), "failures": failures}), flush=True)


def stream(sock, size):
    """Sends `size` bytes that do not repeat while it receives as many. @return both digests."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent, received = hashlib.blake2b(), hashlib.blake2b()

    def send():
        base = memoryview(os.urandom(1 << 20) * 2)
        choice = random.Random()
        left = size
        while left:
            at, step = choice.randrange(1 << 20), min(left, 256 << 10)
            piece = base[at:at + step]
            sock.sendall(piece)
            sent.update(piece)
            left -= step

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    space = memoryview(bytearray(1 << 20))
    got = 0
    while got < size:
        count = sock.recv_into(space, min(len(space), size - got))
        if count == 0:
            break
        received.update(space[:count])
        got += count
    sender.join()
    return {"sent": sent.hexdigest(), "got": received.hexdigest(), "received": got}


def stream_serve(host, port, size):
    with socket.create_server((host, port)) as server:
        print(f"ready stream {host}:{server.getsockname()[1]}", flush=True)
        sock, _ = server.accept()
        result = stream(sock, size)
        print(json.dumps(result), flush=True)
        sock.recv(1)  # the other end closes first, when it has everything
        sock.close()


def stream_dial(host, port, size):
    with socket.create_connection((host, port)) as sock:
        start = time.monotonic()
        result = stream(sock, size)
        result["seconds"] = time.monotonic() - start
        print(json.dumps(result), flush=True)


def echo(host, port):
    def serve(sock):
        with sock:
            while data := sock.recv(1 << 16):
                sock.sendall(data)

    with socket.create_server((host, port)) as server:
        print(f"ready echo {host}:{server.getsockname()[1]}", flush=True)
        while True:
            sock, _ = server.accept()
            threading.Thread(target=serve, args=(sock,), daemon=True).start()


def main(command, host, port, *numbers):
    numbers = [int(n) for n in numbers]
    if command.startswith("stream"):
        numbers = [numbers[0] << 20]
    {"http-serve": http_serve, "http-load": http_load, "stream-serve": stream_serve, "stream": stream_dial,
     "echo": echo}[command](host, int(port), *numbers)


if __name__ == "__main__":
    main(*sys.argv[1:])
