"""Small programs for measurements that threads of one Python would disturb:
    pingpong.py echo HOST PORT                     a target that echoes
    pingpong.py crowd HOST PORT                    the same for thousands of connections
    pingpong.py ping HOST PORT SECONDS             one byte there and back, again and again; prints the times
    pingpong.py sink HOST PORT                     a target that reads everything
    pingpong.py source HOST PORT SECONDS           writes as fast as it can; prints the rate
`ready NAME HOST:PORT` tells where a target listens, `ready NAME` that a dialler is connected."""

import asyncio
import json
import socket
import sys
import threading
import time


def listen(name, host, port, serve):
    with socket.create_server((host, int(port))) as server:
        print(f"ready {name} {host}:{server.getsockname()[1]}", flush=True)
        while True:
            sock, _ = server.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(sock,), daemon=True).start()


def echo(sock):
    while data := sock.recv(1000):
        sock.sendall(data)


async def crowd(host, port):
    async def serve(reader, writer):
        try:
            while data := await reader.read(1000):
                writer.write(data)
        except OSError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, host, int(port), backlog=1000)
    print("ready crowd %s:%d" % server.sockets[0].getsockname()[:2], flush=True)
    await server.serve_forever()


def sink(sock):
    space = bytearray(1 << 20)
    while sock.recv_into(space):
        pass


def ping(host, port, seconds):
    times = []
    with socket.create_connection((host, int(port))) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        print("ready ping", flush=True)
        end = time.perf_counter() + float(seconds)
        while (start := time.perf_counter()) < end:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
            times.append(time.perf_counter() - start)
    times.sort()
    print(json.dumps({"count": len(times), "median": times[len(times) // 2], "p99": times[len(times) * 99 // 100],
                      "most": times[-1]}), flush=True)


def source(host, port, seconds):
    data, sent = memoryview(bytes(1 << 20)), 0
    with socket.create_connection((host, int(port))) as sock:
        print("ready source", flush=True)
        begin = time.monotonic()
        while time.monotonic() - begin < float(seconds):
            sock.sendall(data)
            sent += len(data)
    print(json.dumps({"rate": sent / (time.monotonic() - begin)}), flush=True)


def main(command, *arguments):
    if command in ("echo", "sink"):
        listen(command, *arguments, {"echo": echo, "sink": sink}[command])
    elif command == "crowd":
        asyncio.run(crowd(*arguments))
    else:
        {"ping": ping, "source": source}[command](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
