"""The first thing that a newcomer runs."""

import asyncio
import http.client
import os
import pathlib
import re
import socket
import urllib.request

from hpbtest import apps
from hpbtest.bridge import limits
from hpbtest.waiting import SLOW, stays, wait_until

FIGURE = r"\d+(\.\d+)?\s*[MG]i?B(/s| ?per second)"


def test_demo_once_moves_verifies_prints_what_it_measured_and_ends(bench):
    process = bench.start("demo", "demo", "--once", "--port", "0")
    assert process.wait_exit(180 if SLOW else 60) == 0, process.errors + process.output
    assert re.search(FIGURE, process.output), process.output
    assert "256 MiB" in process.output


def test_demo_serves_a_target_of_ones_own_until_interrupted(bench):
    with apps.echo_target() as target:
        process = bench.start("demo", "demo", "--target", f"{target.address[0]}:{target.address[1]}", "--port", "0")
        process.wait_line(lambda line: re.search(FIGURE, line), 120, "line with what was measured")
        # Several addresses may be named; the one that echoes is the local end.
        def local_end():
            found = re.findall(r"(127\.0\.0\.1|localhost):(\d+)", process.output)
            return next((a for a in found if int(a[1]) != target.address[1] and apps.answers((a[0], int(a[1])))), None)
        wait_until(local_end, 20, f"an address that answers: {process.output}")
        assert process.stop(10) == 0, process.errors


def listening_ports(process):
    """Ports of 127.0.0.1 on which it listens."""
    folder = pathlib.Path(f"/proc/{process.pid}")
    own = {os.readlink(entry) for entry in (folder / "fd").iterdir()}
    rows = [line.split() for line in (folder / "net/tcp").read_text().splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own]


def page_of(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException):
        return b""


def processor_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_bundled_page_outlives_a_shortage_of_descriptors(bench):
    """F3's sibling: its accept loop waits for descriptors, and does not spin."""
    process = bench.start("demo", "demo", "--port", "0", "--log-level", "info", prefix=["prlimit", "--nofile=150:150"])
    ((_, outer),) = process.wait_ready(120)
    (inner,) = [port for port in listening_ports(process) if port != outer and b"<html" in page_of(port).lower()]
    crowd = [socket.create_connection(("127.0.0.1", inner)) for _ in range(200)]
    wait_until(lambda: limits(process)["descriptor_shortages"] > 0, 10,
               f"it stops before its reserve: {process.descriptors()} descriptors")
    before = processor_seconds(process)
    asyncio.run(stays(lambda: processor_seconds(process) - before < 0.5, 1, "it does not spin"))
    assert limits(process)["failed_accepts"] == 0
    for sock in crowd:
        sock.close()
    assert wait_until(lambda: b"<html" in page_of(outer).lower(), 10, "the page is served again")
