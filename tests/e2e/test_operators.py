"""What an operator does to running processes and reads in their logs: signals, rotated log files, who was
refused and why, closed standard descriptors, an orderly stop."""

import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest
from hpbtest import apps, product
from hpbtest.proc import REPOSITORY, binary
from hpbtest.waiting import wait_until

IGNORED = (signal.SIGUSR2, signal.SIGPIPE)
COUNTERS = {
    "relay": r"relay  relay: connections=\d+ handshakes=\d+ listeners=1 rendezvous=\d+ waiting_senders=0 accepted=\d+ "
             r"failed_handshakes=0 refused_tokens=0 other_refusals=0 rendezvous_total=\d+",
    "service": r"service  sessions: sessions=\d+ .*replay_memory=\d+",
    "client": r"client  sessions: sessions=\d+ .*replay_memory=\d+"}


@pytest.fixture
def echo():
    with apps.echo_target() as target:
        yield target


def trio(bench, echo, *more):
    """relay, service, client (all ready) and the client's address."""
    relay = bench.relay()
    service = bench.service(relay, {5011: echo.address}, more=more)
    client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=more)
    return {"relay": relay.process, "service": service, "client": client}, address, relay


def test_signals_other_than_term_and_int_end_nobody(bench, echo):
    """N1, F7: SIGUSR1 tells the counters, SIGHUP reopens logs, SIGUSR2 and SIGPIPE do nothing; an open
    connection notices none of them."""
    roles, address, _ = trio(bench, echo)
    with socket.create_connection(address) as connection:
        connection.settimeout(20)
        for role, process in roles.items():
            for number in (signal.SIGHUP, signal.SIGUSR1, *IGNORED, signal.SIGHUP):
                process.popen.send_signal(number)
            process.wait_error(COUNTERS[role], 10)
            process.wait_error("SIGHUP: reopened the log file", 10)
        connection.sendall(b"still here")
        assert connection.recv(100) == b"still here"
    for process in roles.values():
        assert process.running()


def test_signals_to_a_demo(bench):
    """N1: the same for a demo, which has all three roles in one process."""
    demo = bench.start("demo", "demo", "--log-level", "info")
    demo.wait_error(r"sender \S+ connected to demo", 60)  # all three are there, and its check is under way
    for number in (signal.SIGHUP, signal.SIGUSR1, *IGNORED):
        demo.popen.send_signal(number)
    demo.wait_error("relay: connections=", 10)
    demo.wait_error("client  sessions: ", 10)
    demo.wait_error("service  sessions: ", 10)
    assert demo.running()
    assert demo.stop() == 0


def test_signals_to_a_load_generator(bench):
    """N1: the bench's far end ignores what is not meant to end it."""
    far_end = bench.start("bench", "bench", "serve", "--listen", "127.0.0.1:0")
    far_end.wait_line(lambda line: line.startswith("listening"), 10, "listening line")
    for number in (signal.SIGUSR1, *IGNORED):
        far_end.popen.send_signal(number)
    far_end.popen.send_signal(signal.SIGTERM)
    assert far_end.wait_exit(10) == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_end(bench, echo, number):
    """N1: SIGTERM and SIGINT end each role with 0."""
    roles, _, _ = trio(bench, echo)
    for role in ("client", "service", "relay"):
        roles[role].popen.send_signal(number)
        assert roles[role].wait_exit(10) == 0


def test_a_second_signal_ends_at_once(bench, echo):
    """N1: an agent that waits for the other side is ended by a second SIGTERM."""
    roles, address, relay = trio(bench, echo)
    with socket.create_connection(address):
        relay.process.popen.send_signal(signal.SIGSTOP)
        try:
            roles["client"].popen.send_signal(signal.SIGTERM)
            roles["client"].wait_error("a second signal stops at once", 10)
            roles["client"].popen.send_signal(signal.SIGTERM)
            assert roles["client"].wait_exit(2) == 0
        finally:
            relay.process.popen.send_signal(signal.SIGCONT)


def test_the_relay_names_who_was_refused_and_why(bench, relay, echo):
    """N2: peer, what it wanted, rule, status and reason in one line at the default level."""
    wrong = bench.directory / "wrong.key"
    wrong.write_text("wrong")
    wrong.chmod(0o600)
    options = ["--relay", f"sb://{relay.host}:{relay.port}/", "--ca", bench.certificates.ca, "--rule", "root"]
    agent = bench.start("service", "service", *options, "--rule-key-file", wrong, "-T", "simple:1/127.0.0.1:1")
    agent.wait_exit(20)
    relay.process.wait_error(r"WARN  relay  refused \S+.* simple from 127\.0\.0\.1:\d+ with rule root: 401 \S.*"
                             r"TrackingId:", 10)
    agent = bench.start("service", "service", *options, "--rule-key-file", bench.key_file, "-T", "absent:1/127.0.0.1:1")
    agent.wait_exit(20)
    relay.process.wait_error(r"WARN  relay  refused \S+.* absent from 127\.0\.0\.1:\d+ with rule root: 404 ", 10)


def test_the_relay_names_who_comes_and_goes(bench, echo):
    """N2: listeners and senders with address and rule."""
    roles, address, relay = trio(bench, echo)
    assert apps.exchange(address, b"x") == b"x"
    relay.process.wait_error(r"INFO  relay  listener \S+ connected to simple from 127\.0\.0\.1:\d+ with rule root "
                             r"\(1 now\)", 10)
    relay.process.wait_error(r"INFO  relay  sender 127\.0\.0\.1:\d+ connected to simple with rule root, by listener "
                             r"\S+", 10)
    roles["client"].stop()
    relay.process.wait_error(r"INFO  relay  sender 127\.0\.0\.1:\d+ left simple after \d+\.\d s", 10)
    roles["service"].stop()
    relay.process.wait_error(r"INFO  relay  listener \S+ from 127\.0\.0\.1:\d+ left simple \(0 now\): close 1000", 10)


def test_a_failed_handshake_names_the_peer(bench, relay):
    """N2, N11: also where the peer has gone meanwhile."""
    with socket.create_connection((relay.host, relay.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        port = connection.getsockname()[1]
    relay.process.wait_error(rf"WARN  relay  handshake with 127\.0\.0\.1:{port} failed: \S", 10)
    assert "0.0.0.0" not in relay.process.errors


def test_many_refusals_are_counted_and_not_written(bench, relay):
    """N2, S13: a few lines for one peer, the rest is in the counters."""
    for _ in range(60):
        with socket.create_connection((relay.host, relay.port)) as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            try:
                while connection.recv(1000):
                    pass
            except ConnectionResetError:
                pass
    relay.process.popen.send_signal(signal.SIGUSR1)
    relay.process.wait_error(r"failed_handshakes=60", 10)
    assert len(re.findall("handshake with", relay.process.errors)) < 10


def test_a_rotated_log_is_followed(bench, echo):
    """N1: logrotate moves the file and sends SIGHUP, or moves it and says nothing."""
    log = bench.directory / "relay.log"
    options = bench.relay_options()
    options["Serilog"] = {"WriteTo": [{"Name": "File", "Args": {"path": str(log)}}]}
    relay = bench.relay(options=options)

    def reported(count):
        relay.process.popen.send_signal(signal.SIGUSR1)
        return log.exists() and log.read_text().count("relay: connections=") >= count

    wait_until(lambda: reported(1), 10, "a line in the log")
    log.rename(bench.directory / "relay.log.1")
    relay.process.popen.send_signal(signal.SIGHUP)
    wait_until(lambda: log.exists() and "SIGHUP" in log.read_text(), 10, "a new file after SIGHUP")
    log.rename(bench.directory / "relay.log.2")
    wait_until(lambda: reported(1), 10, "a new file without a signal")


@pytest.mark.parametrize("closed", ["2>&-", "1>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_descriptors(bench, relay, closed):
    """F11: nothing else gets their numbers."""
    certificate, key = bench.certificates.server
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$@" {closed}', "sh", binary(), "relay", "--listen", "127.0.0.1:0", "--cert", certificate,
         "--key", key, "--rule", "root", "--rule-key-file", bench.key_file, "--connection", "simple"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def opened():
            links = []
            for number in os.listdir(f"/proc/{process.pid}/fd"):
                try:
                    links.append((int(number), os.readlink(f"/proc/{process.pid}/fd/{number}")))
                except FileNotFoundError:
                    pass
            return dict(links) if any(name.startswith("socket") for _, name in links) and handles_sigterm() else None

        def handles_sigterm():
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            return int(re.search(r"^SigCgt:\s+(\w+)", status, re.M).group(1), 16) >> (signal.SIGTERM - 1) & 1

        links = wait_until(opened, 10, "the relay's socket")
        assert [links.get(number) for number in (0, 1, 2)] == ["/dev/null"] * 3
    finally:
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize("protocol", ["auto", "v1"])
@pytest.mark.parametrize("stopped, other", [("client", "service"), ("service", "client")])
def test_an_orderly_stop_is_no_fault(bench, echo, protocol, stopped, other):
    """N8: the other agent says at INFO which side stops, and warns of nothing."""
    roles, address, _ = trio(bench, echo, "--protocol", protocol)
    with socket.create_connection(address) as connection:
        connection.settimeout(20)
        connection.sendall(b"x")
        assert connection.recv(10) == b"x"
        assert roles[stopped].stop() == 0
        roles[other].wait_error(f"INFO  {other}  .*: the {stopped} agent stops", 10)
    assert "WARN" not in roles[other].errors, roles[other].errors
    assert "WARN" not in roles[stopped].errors, roles[stopped].errors
    if protocol == "auto":
        assert "this agent stops" in roles[stopped].errors


def test_the_first_example_needs_no_numbers(bench, relay, echo):
    """N5: -T simple/host:port and -L port:simple, with a rule for each agent."""
    files = {}
    for name, key in (("listen", product.LISTEN_KEY), ("send", product.SEND_KEY)):
        files[name] = bench.directory / f"{name}.key"
        files[name].write_text(key + "\n")
        files[name].chmod(0o600)
    access = ["--relay", f"sb://{relay.host}:{relay.port}/", "--ca", bench.certificates.ca]
    bench.start("service", "service", *access, "--rule", "listen", "--rule-key-file", files["listen"],
                "-T", "simple/{}:{}".format(*echo.address)).wait_ready()
    client = bench.start("client", "client", *access, "--rule", "send", "--rule-key-file", files["send"],
                         "-L", "0:simple")
    (address,) = client.wait_ready()
    assert apps.exchange(address, b"no number") == b"no number"


def test_every_counter_is_explained(bench, echo):
    """N3: what SIGUSR1 prints has a row in the section that the README names, or in the table of limits."""
    roles, _, _ = trio(bench, echo)
    text = (REPOSITORY / "docs/configuration.md").read_text()
    assert "configuration.md#counters" in (REPOSITORY / "README.md").read_text()
    section = text[text.index("\n## Counters"):text.index("\n## Commands and flags")]
    explained = set(re.findall(r"^\| `(\w+)` \|", section, re.M))
    for role, process in roles.items():
        process.popen.send_signal(signal.SIGUSR1)
        line = process.wait_error(COUNTERS[role] + r".*", 10)[0]
        assert set(re.findall(r"(\w+)=\d+", line)) <= explained
        process.wait_error("limits: ", 10)
