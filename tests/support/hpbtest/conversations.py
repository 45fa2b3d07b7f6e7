"""Applications that talk all the time, and a target that is restarted under them and notices strays.

A conversation is one TCP connection of an application. Its lines are `TAG NUMBER`, each answered by the same line. The
tag is its own and the numbers begin at zero, so that a target can tell bytes of an old conversation from a new one's.

    conversations.py serve HOST PORT STRAYS               a target; what should not have reached it goes to STRAYS
    conversations.py inherit HOST PORT STRAYS             the same on a socket that outlives it: a server whose socket
                                                          is kept by a supervisor, which starts it again at once
`ready NAME HOST:PORT` tells where it listens. SIGTERM ends a target in order: what it has read is answered first."""

import asyncio
import os
import pathlib
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from hpbtest.proc import Process  # noqa: E402
from hpbtest.waiting import until  # noqa: E402

_BACKLOG = 512


# ---------------------------------------------------------------- the target


class _Server:
    def __init__(self, strays):
        self._strays, self._live = strays, set()
        self.stopping = asyncio.Event()

    def _note(self, text):
        with open(self._strays, "a", encoding="ascii") as file:
            file.write(text + "\n")

    async def _converse(self, reader, writer):
        task = asyncio.current_task()
        self._live.add(task)
        tag, count = None, 0
        try:
            while line := await self._next_line(reader):
                said = line.split()
                tag = tag or said[0]
                if said != [tag, b"%d" % count]:
                    self._note(f"{line!r} instead of {tag!r} {count}")
                    break
                count += 1
                writer.write(line)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._live.discard(task)

    async def _next_line(self, reader):
        reading = asyncio.ensure_future(reader.readuntil(b"\n"))
        stopping = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not reading.done():
            reading.cancel()
            return b""
        return reading.result()

    async def run(self, sock):
        server = await asyncio.start_server(self._converse, sock=sock, backlog=_BACKLOG)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.stopping.set)
        print("serving %d" % os.getpid(), flush=True)
        await self.stopping.wait()
        server.close()
        while self._live:
            await asyncio.wait(set(self._live))


def _listening(host, port):
    sock = socket.create_server((host, int(port)), backlog=_BACKLOG)
    print("ready target %s:%d" % sock.getsockname()[:2], flush=True)
    return sock


def _serve(sock, strays):
    asyncio.run(_Server(strays).run(sock))


def _inherit(sock, strays):
    while True:
        child = os.fork()
        if child == 0:
            _serve(sock, strays)
            os._exit(0)
        os.waitpid(child, 0)


# ---------------------------------------------------------------- in the test


class Target:
    """Such a target, in a process of its own, on one port for good. how: `serve` or `inherit`."""

    def __init__(self, bench, how="serve"):
        self._bench, self._how = bench, how
        self._strays = bench.directory / "strays"
        self.address = ("127.0.0.1", 0)
        self._start()

    def _start(self):
        process = Process(["/usr/bin/python3", __file__, self._how, *self.address, self._strays],
                          self._bench.directory / "logs", "target")
        self._bench.processes.append(process)
        (self.address,) = process.wait_ready()
        process.wait_line(lambda line: line.startswith("serving"), 10, "`serving` line")
        self._process = process

    def _serving(self):
        """The processes that have served so far, in order."""
        return [int(line.split()[1]) for line in list(self._process.lines) if line.startswith("serving")]

    async def restart(self, number):
        """Ends it by that signal and starts it again, without a pause."""
        before = self._serving()
        os.kill(before[-1], number)
        if self._how == "serve":
            await asyncio.to_thread(self._process.wait_exit, 10)
            await asyncio.to_thread(self._start)
        else:
            await until(lambda: len(self._serving()) > len(before), 10, "it is served again")

    def strays(self):
        """What has reached it although it belonged to another conversation."""
        return self._strays.read_text().splitlines() if self._strays.exists() else []


class Application:
    """Has one conversation after the other; asks=True: each line waits for the answer to the one before."""

    def __init__(self, name, address, asks, pause):
        self._name, self._address, self._asks, self._pause = name, address, asks, pause
        self.begun = 0  # conversations so far
        self.answers = 0  # lines of this one that were answered
        self.ended_at = 0.0  # when the last one ended
        self._task = asyncio.create_task(self._run())

    async def _run(self):
        while True:
            self.begun += 1
            self.answers = 0
            try:
                await self._converse(f"{self._name}-{self.begun}")
            except (OSError, asyncio.IncompleteReadError):
                pass
            self.answers = 0
            self.ended_at = time.monotonic()
            await asyncio.sleep(0.05)

    async def _converse(self, tag):
        reader, writer = await asyncio.open_connection(*self._address)
        reading = asyncio.create_task(self._read(reader, tag))
        try:
            said = 0
            while not reading.done():
                writer.write(f"{tag} {said}\n".encode())
                await writer.drain()
                said += 1
                while self._asks and self.answers < said and not reading.done():
                    await asyncio.wait({reading}, timeout=0.001)
                await asyncio.sleep(self._pause)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            writer.transport.abort()

    async def _read(self, reader, tag):
        for number in range(1 << 30):
            line = await reader.readuntil(b"\n")
            assert line == f"{tag} {number}\n".encode(), f"{line!r} as answer {number} of {tag}"
            self.answers += 1

    def check(self):
        assert not self._task.done(), self._task.exception()

    async def stop(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def survive_restarts(target, addresses, count, how, restarts, within=5):
    """Applications, spread over the addresses, talk while the target is restarted again and again: each notices within
    so many seconds, and no byte of an old conversation reaches a new target connection. @return the longest time."""
    applications = [Application(f"a{n}", addresses[n % len(addresses)], asks=n % 2 == 0, pause=0.01 * (n % 4))
                    for n in range(count)]
    slowest = 0.0
    try:
        for turn in range(restarts):
            await until(lambda: all(each.answers > 10 for each in applications), 20, f"load before restart {turn}")
            before, began = [each.begun for each in applications], time.monotonic()
            restarting = asyncio.create_task(target.restart(how))
            await until(lambda: all(each.begun > old for each, old in zip(applications, before)), within,
                        f"all notice restart {turn}; strays: {target.strays()[:5]}")
            slowest = max(slowest, max(each.ended_at for each in applications) - began)
            await restarting
            for each in applications:
                each.check()
        assert not target.strays(), f"{len(target.strays())}: {target.strays()[:5]}"
    finally:
        await asyncio.gather(*(each.stop() for each in applications))
    return slowest


def main(command, host, port, strays):
    {"serve": _serve, "inherit": _inherit}[command](_listening(host, port), strays)


if __name__ == "__main__":
    main(*sys.argv[1:])
