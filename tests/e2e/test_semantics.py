"""Exact TCP semantics: every case runs directly and through the bridge, and both applications must see the same.

A case is played by two applications, `one` and `two`. Each case runs twice: with `one` as the client that
connects, and with `one` as the server. The applications coordinate by events of the test, never by time.

What TCP leaves open is left open here: where both ends of a direct connection can see several outcomes, decided by
who is faster (a reset that overtakes data, which system call reports it), the case says so by `race`, a
function that reduces what was seen to what TCP promises. Nothing else is allowed to differ. That a refused
connection is refused before it exists, and through a bridge a moment after, is the one difference there has to be.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import select
import socket
import struct
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hpbtest import apps
from hpbtest.bridge import Bridge, counters
from hpbtest.product import Bench
from hpbtest.waiting import deadline, sized, wait_until

MIB = 1 << 20
BULK = os.urandom(sized(8 * MIB, MIB))
REFUSED, NO_NAME, NO_KEY = 1, 2, 3


class Application:
    """One end of a connection, and what it saw."""

    def __init__(self, sock, events):
        self.sock, self.events, self.saw = sock, events, []
        sock.settimeout(deadline(20))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def tell(self, event):
        self.events[event].set()

    def wait(self, event):
        assert self.events[event].wait(deadline(20)), f"nobody has told {event}"

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            self.saw.append("cannot send")

    def send_until_it_fails(self):
        end = time.monotonic() + deadline(20)
        try:
            while time.monotonic() < end:
                self.sock.sendall(bytes(1000))
        except (ConnectionResetError, BrokenPipeError):
            self.saw.append("cannot send")

    def read(self, size):
        """Exactly so much."""
        got = b""
        while len(got) < size:
            piece = self.sock.recv(size - len(got))
            assert piece, f"ended after {len(got)} of {size} bytes"
            got += piece
        self.saw.append(f"{size} bytes {digest(got)}")

    def read_all(self):
        """Everything and the end."""
        size, total = 0, hashlib.sha256()
        try:
            while piece := self.sock.recv(1 << 16):
                size += len(piece)
                total.update(piece)
            how = "end of file"
        except ConnectionResetError:
            how = "reset"
        except TimeoutError:
            how = "nothing more, and no end"
        self.saw.append(f"{size} bytes {total.hexdigest()[:8]}, {how}")

    def wait_unread(self):
        """Until something has arrived, without taking it."""
        assert select.select([self.sock], [], [], deadline(20))[0], "nothing arrives"
        count = struct.unpack("i", fcntl.ioctl(self.sock, termios.FIONREAD, bytes(4)))[0]
        assert count > 0, "there should be something to read"

    def send_until_full(self):
        """As much as is taken, until nothing has been for a while."""
        self.sock.setblocking(False)
        while select.select([], [self.sock], [], 0.3)[1]:
            with contextlib.suppress(BlockingIOError):
                self.sock.send(bytes(1 << 16))

    def wait_for_reset(self):
        """Without reading."""
        waiting = select.poll()
        waiting.register(self.sock, 0)  # errors are always told
        assert waiting.poll(deadline(10) * 1000), "no reset"
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.saw.append(errno.errorcode.get(error, "no error"))

    def half_close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def digest(data):
    return hashlib.sha256(data).hexdigest()[:8]


class Case:
    """Functions of an Application for both ends. `race` reduces what an end saw where TCP decides either way."""

    def __init__(self, one, two, race=None):
        self.one, self.two, self.race = one, two, race or (lambda saw: saw)


def only_how_it_ended(saw):
    """A reset overtakes data at will: how much came before it is not promised, only that it comes."""
    return [text.split(", ")[-1] for text in saw]


# ---------------------------------------------------------------- the table


def _ask_and_half_close(a):
    a.send(b"question")
    a.half_close()
    a.read_all()


def _answer_a_lot_after_the_end(a):
    a.read_all()
    a.send(BULK)
    a.close()


def _answer_late(a):
    a.read_all()
    # Longer than v1's wait for an answer (HalfCloseLingerMilliseconds, which is 100 here).
    threading.Event().wait(0.3)
    a.send(b"late answer")
    a.close()


def _send_half_close_read(a):
    a.send(BULK[:MIB])
    a.half_close()
    a.read_all()


def _wait_until_held_then_reset(a):
    a.wait("held")
    a.reset()


def _wait_until_all_is_quiet_then_reset(a):
    a.wait("held")
    # Until nothing of the connection is on its way any more, with which the reset could be told.
    threading.Event().wait(0.3)
    a.reset()


def _hold_and_read(a):
    a.tell("held")
    a.read_all()


def _send_wait_reset(a):
    a.send(b"some data")
    a.wait("read")
    a.reset()


def _read_tell_read(a):
    a.read(9)
    a.tell("read")
    a.read_all()


def _send_and_reset(a):
    a.wait("held")
    a.send(BULK[:100_000])
    a.reset()


def _greet_and_answer(a):
    a.send(b"220 welcome\r\n")
    a.read(6)
    a.send(b"250 hello\r\n")
    a.read_all()


def _wait_for_the_greeting(a):
    a.read(13)
    a.send(b"EHLO\r\n")
    a.read(11)
    a.close()


def _send_all_and_close(a):
    a.send(BULK)
    a.close()


def _read_slowly(a):
    a.wait_unread()
    a.tell("unread")
    a.read_all()
    a.close()


def _close_with_unread_data(a):
    a.wait_unread()
    a.close()


def _send_and_read(a):
    a.send(b"who reads this?")
    a.read_all()


def _close(a):
    a.close()


def _read_to_the_end(a):
    a.read_all()
    a.close()


def _say_bye(a):
    a.send(b"bye")
    a.close()


def _read_and_write_on(a):
    a.read_all()
    a.send_until_it_fails()


def _half_close_wait_reset(a):
    a.send(b"some data")
    a.half_close()
    a.wait("read")
    a.reset()


def _read_tell_send_on(a):
    a.read_all()
    a.tell("read")
    a.send_until_it_fails()


CASES = {
    "half-close, then a lot comes back": Case(_ask_and_half_close, _answer_a_lot_after_the_end),
    "half-close, and the answer comes late": Case(_ask_and_half_close, _answer_late),
    "half-close by both at once": Case(_send_half_close_read, _send_half_close_read),
    "reset without data before it": Case(_wait_until_held_then_reset, _hold_and_read),
    "reset of a connection that is quiet": Case(_wait_until_all_is_quiet_then_reset, _hold_and_read),
    "reset (linger 0) after data that was read": Case(_send_wait_reset, _read_tell_read),
    "reset (linger 0) right behind data": Case(_send_and_reset, _hold_and_read, race=only_how_it_ended),
    "reset after a half-close": Case(_half_close_wait_reset, _read_tell_send_on),
    "one speaks first": Case(_greet_and_answer, _wait_for_the_greeting),
    "close with much in flight": Case(_send_all_and_close, _read_slowly),
    "close with unread data is a reset": Case(_close_with_unread_data, _send_and_read),
    "close without a byte": Case(_close, _read_to_the_end),
    "close at both ends without a byte": Case(_close, _close),
    "write after the other has closed": Case(_say_bye, _read_and_write_on),
}


class World:
    """A target whose connections are played by the test, and a bridge to it."""

    def __init__(self, directory, certificates):
        self.bench = Bench(directory, certificates)
        self.server = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.server.settimeout(deadline(20))
        refused, self._keep = apps.refused_address()
        self.refused = refused
        self.direct = self.server.getsockname()
        self.bridge = Bridge(self.bench, {5011: self.direct, REFUSED: refused, NO_NAME: ("no-such-host.invalid", 80)},
                             client={"HalfCloseLingerMilliseconds": 100},
                             client_more=["-L", f"127.0.0.1:0/{NO_KEY}:simple"])
        self.no_key = self.bridge.client.wait_ready()[-1]
        self.bridged = self.bridge.address

    def close(self):
        self.server.close()
        self._keep.close()
        self.bench.end()

    def play(self, address, client, server):
        """One connection to `address`, played by both. @return what the client and what the server saw."""
        events = {name: threading.Event() for name in ("held", "read", "unread")}

        def serve():
            sock, _ = self.server.accept()
            with sock:
                application = Application(sock, events)
                server(application)
                return application.saw

        def call():
            with socket.create_connection(address, timeout=deadline(10)) as sock:
                application = Application(sock, events)
                client(application)
                return application.saw

        with ThreadPoolExecutor(2) as pool:
            serving, calling = pool.submit(serve), pool.submit(call)
            return calling.result(), serving.result()


@pytest.fixture(scope="module")
def world(product, certificates, tmp_path_factory):
    it = World(tmp_path_factory.mktemp("semantics"), certificates)
    yield it
    it.close()


@pytest.mark.parametrize("turn", ["one is the client", "one is the server"])
@pytest.mark.parametrize("name", CASES)
def test_as_direct(world, name, turn):
    case = CASES[name]
    client, server = (case.one, case.two) if turn == "one is the client" else (case.two, case.one)

    def outcome(address):
        return tuple(tuple(case.race(saw)) for saw in world.play(address, client, server))

    direct = {outcome(world.direct) for _ in range(3)}
    assert len(direct) == 1, f"the case is not well defined: {direct}"
    for turn_number in range(sized(3, 2)):
        start = time.monotonic()
        seen = outcome(world.bridged)
        taken = time.monotonic() - start
        assert {seen} == direct, f"bridged, time {turn_number + 1}: {seen}; direct: {direct}{world.bridge.said()}"
        assert taken < deadline(2), f"bridged, time {turn_number + 1}: right, but only after {taken:.1f} s"


def _half_close_and_read_nothing(a):
    a.half_close()
    a.wait_for_reset()


def _send_until_full_and_reset(a):
    a.read_all()
    a.send_until_full()
    a.reset()


@pytest.mark.parametrize("turn", ["the client", "the server"])
def test_a_reset_reaches_one_who_has_half_closed_and_does_not_read(world, turn):
    """The one who resets is not being read from either by then: its stream has no credit left."""
    ends = (_half_close_and_read_nothing, _send_until_full_and_reset)
    for address in world.direct, world.bridged:
        saw = world.play(address, *(ends if turn == "the client" else reversed(ends)))
        assert ["ECONNRESET"] in saw, f"{address}: {saw}{world.bridge.said()}"


@pytest.mark.parametrize("closer", ["client", "server"])
def test_a_thousand_short_connections(world, closer):
    """Sixteen at a time. The end that closes first is either one; every one carries a question and an answer."""
    count = sized(1000, 100)

    def call(address, number):
        with socket.create_connection(address, timeout=deadline(20)) as sock:
            sock.sendall(b"%8d" % number)
            if closer == "client":
                sock.shutdown(socket.SHUT_WR)
            got = b""
            while piece := sock.recv(100):
                got += piece
            return got == b"%8d" % -number

    def serve(sock):
        with sock:
            question = b""
            while len(question) < 8:
                piece = sock.recv(8 - len(question))
                if not piece:
                    return
                question += piece
            if closer == "client":
                assert sock.recv(1) == b""
            sock.sendall(b"%8d" % -int(question))

    def accept():
        with ThreadPoolExecutor(16) as pool:
            for _ in range(count):
                pool.submit(serve, world.server.accept()[0])

    rates = []
    for address in (world.direct, world.bridged):
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        start = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            right = sum(pool.map(lambda number: call(address, number), range(1, count + 1)))
        rates.append(count / (time.monotonic() - start))
        assert right == count, f"{count - right} of {count} went wrong{world.bridge.said()}"
        accepting.join(deadline(10))
        assert not accepting.is_alive(), "every connection has reached the target"
    print(f"closed first by the {closer}: {rates[0]:.0f}/s direct, {rates[1]:.0f}/s bridged")
    for agent in (world.bridge.client, world.bridge.service):
        wait_until(lambda: counters(agent)["streams"] == 0, 10, f"{agent.name} has forgotten every stream")


@pytest.mark.parametrize("speaks", [False, True], ids=["silent", "sends at once"])
@pytest.mark.parametrize("why", ["refused", "name not resolved", "no such key"])
def test_a_target_that_cannot_be_reached_is_a_reset_at_once_with_the_reason_in_both_logs(world, why, speaks):
    address, pattern = {
        "refused": (world.bridge.at[REFUSED], rf"(?i){world.refused[1]}.*refused|refused.*{world.refused[1]}"),
        "name not resolved": (world.bridge.at[NO_NAME], r"(?i)no-such-host\.invalid"),
        "no such key": (world.no_key, rf"(?i)key\D*{NO_KEY}\b")}[why]
    words = {"refused": r"(?i)refused", "name not resolved": r"(?i)resolve|host not found|name",
             "no such key": r"(?i)key"}[why]
    assert apps.exchange(world.bridge.address, b"", 5) == b""  # a mapping that is warm
    with contextlib.suppress(TimeoutError):  # what that left at the target
        world.server.settimeout(0.2)
        world.server.accept()[0].close()
    world.server.settimeout(deadline(20))
    marks = [len(agent.errors) for agent in (world.bridge.client, world.bridge.service)]
    start = time.monotonic()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):  # by whichever call notices it
        with socket.create_connection(address, timeout=deadline(10)) as sock:
            if speaks:
                sock.sendall(b"hello?")
            assert sock.recv(100) != b"", "a clean end of file"
    taken = time.monotonic() - start
    print(f"{why}: reset after {taken:.3f} s")
    assert taken < deadline(5 if why == "name not resolved" else 0.5), "at once"
    client, service = world.bridge.client, world.bridge.service
    wait_until(lambda: _matches(pattern, service.errors[marks[1]:]) or _matches(pattern, service.errors), 5,
               f"the service agent says why: {service.errors[-1000:]}")
    wait_until(lambda: _matches(words, client.errors[marks[0]:]) or _matches(words, client.errors), 5,
               f"the client agent says why: {client.errors[-1000:]}")


def _matches(pattern, text):
    import re
    return re.search(pattern, text)
