"""S17: what the program allows itself: no rights beyond its ports, no keys in core dumps, protected control flow."""

import os
import pathlib
import re
import signal
import subprocess

import pytest
from hpbtest import apps
from hpbtest.proc import binary
from hpbtest.waiting import wait_until

ROLES = pytest.mark.parametrize("role", ["relay", "service", "client", "client without a relay"])


def started(bench, role):
    if role == "client without a relay":
        arguments = ["--relay", "sb://127.0.0.1:1/", "--ca", bench.certificates.ca, "--rule", "root",
                     "--rule-key-file", bench.key_file, "-L", "127.0.0.1:0/1:simple"]
        process = bench.start("client", "client", *arguments)
        process.wait_ready(30)
        return process
    relay = bench.relay()
    if role == "relay":
        return relay.process
    if role == "service":
        return bench.service(relay, {1: ("127.0.0.1", 9)})
    return bench.client(relay, ["127.0.0.1:0/1:simple"])[0]


def states(process):
    """The status of each thread."""
    found = []
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        try:
            text = (task / "status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found.append(dict(re.findall(r"^(\w+):\t(.*)$", text, re.M)))
    return found


@ROLES
def test_no_capabilities_and_no_new_privileges(bench, role):
    """S17: after the ports are bound, of whichever thread."""
    process = started(bench, role)

    def none_left():
        threads = states(process)
        return threads and all(int(t[name], 16) == 0 for t in threads for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"))

    wait_until(none_left, 10, "no thread has a capability")
    assert all(thread["NoNewPrivs"] == "1" for thread in states(process))
    assert "keep their capabilities" not in process.errors


@ROLES
def test_no_memory_in_core_dumps(bench, role):
    """S17: neither in a file nor through a program that takes dumps."""
    process = started(bench, role)
    assert int(pathlib.Path(f"/proc/{process.pid}/coredump_filter").read_text(), 16) & ~0x10 == 0
    limits = pathlib.Path(f"/proc/{process.pid}/limits").read_text()
    assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.M), limits


def test_dumps_for_whoever_looks_for_a_fault(bench):
    """S17: HPB_CORE_DUMPS=1."""
    process = bench.start("client", "client", "--relay", "sb://127.0.0.1:1/", "--rule", "root", "--rule-key-file",
                          bench.key_file, "-L", "127.0.0.1:0/1:simple", env={"HPB_CORE_DUMPS": "1"})
    process.wait_ready(30)
    assert int(pathlib.Path(f"/proc/{process.pid}/coredump_filter").read_text(), 16) & 1


@pytest.mark.skipif(os.geteuid() != 0, reason="root may bind any port")
def test_a_port_below_1024_and_a_log_that_is_moved(bench):
    """S17: what root's rights are for is done before they go, and root's own files stay usable."""
    log = bench.directory / "relay.log"
    options = bench.relay_options(Listen=["127.0.0.1:443"])
    options["Serilog"] = {"MinimumLevel": "Information", "WriteTo": [{"Name": "File", "Args": {"path": str(log)}}]}
    relay = bench.relay(options=options)
    assert relay.port == 443

    def logged():  # what is asked for before the relay is ready to be asked is lost
        relay.process.popen.send_signal(signal.SIGUSR1)
        return log.exists()

    wait_until(logged, 10, "a log file")
    log.rename(bench.directory / "relay.log.1")
    relay.process.popen.send_signal(signal.SIGHUP)
    wait_until(log.exists, 10, "a new file after SIGHUP")
    with apps.echo_target() as target:
        bench.service(relay, {1: target.address})
        _, addresses = bench.client(relay, ["127.0.0.1:444/1:simple"])
        assert addresses[0][1] == 444 and apps.answers(addresses[0], seconds=10)


def notes(path):
    return subprocess.run(["readelf", "-nW", path], capture_output=True, text=True).stdout


def test_the_release_is_hardened(product):
    """S17: position-independent, full RELRO, shadow stack, indirect branch tracking where the system's start files
    have it, fortified calls."""
    if "release" not in str(binary()):
        pytest.skip("not the release build")
    if os.uname().machine != "x86_64":
        pytest.skip("another processor")
    said = notes(binary())
    assert "SHSTK" in said, said
    start_file = subprocess.run(["gcc", "-print-file-name=Scrt1.o"], capture_output=True, text=True).stdout.strip()
    if "IBT" in notes(start_file):
        assert "IBT" in said, said
    text = subprocess.run(["readelf", "-hldW", binary()], capture_output=True, text=True).stdout
    assert "DYN (" in text and "BIND_NOW" in text and "GNU_RELRO" in text
    assert re.search(r"GNU_STACK .* RW ", text)
    symbols = subprocess.run(["readelf", "--dyn-syms", "-W", binary()], capture_output=True, text=True).stdout
    assert "_chk@" in symbols and "__stack_chk_fail" in symbols
