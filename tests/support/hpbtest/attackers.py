"""Strangers at full rate, each as a process of its own: threads of one Python would wait for those that measure.
    attackers.py connect HOST PORT SOURCE RATE SECONDS          bare TCP connections
    attackers.py hello   HOST PORT SOURCE RATE SECONDS          a ClientHello each
`ready NAME` tells that it has begun; at the end it prints how many it has made."""

import collections
import socket
import ssl
import struct
import sys
import time

#: Connections that an attacker holds; beyond that the oldest goes.
_HELD = 3000


def connection(host, port, source):
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves no TIME_WAIT
    sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    sock.bind((source, 0))
    sock.connect_ex((host, port))
    return sock


def client_hello():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def flood(name, host, port, source, rate, seconds, greeting=b""):
    held, fresh, made = collections.deque(), collections.deque(), 0
    print(f"ready {name}", flush=True)
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        if made >= now * rate:
            time.sleep(0.001)
            continue
        sock = connection(host, port, source)
        made += 1
        fresh.append(sock)
        if len(fresh) > 2:  # connected by now
            sock = fresh.popleft()
            if greeting:
                try:
                    sock.send(greeting)
                except OSError:
                    pass
            held.append(sock)
        if len(held) > _HELD:
            held.popleft().close()
    print(f"made {made}", flush=True)


def main(name, host, port, source, rate, seconds):
    greeting = client_hello() if name == "hello" else b""
    flood(name, host, int(port), source, float(rate), float(seconds), greeting)


if __name__ == "__main__":
    main(*sys.argv[1:])
