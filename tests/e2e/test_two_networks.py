"""Real programs through the bridge between two networks that cannot reach each other.

Environment: HPB_PGBENCH_SECONDS (30), HPB_STREAM_MIB (1024)."""

import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest
from hpbtest import netns, worker
from hpbtest.proc import Process
from hpbtest.waiting import sized, wait_until

PYTHON = "/usr/bin/python3"
PGBENCH_SECONDS = int(os.environ.get("HPB_PGBENCH_SECONDS", "30"))
STREAM_MIB = int(os.environ.get("HPB_STREAM_MIB") or sized(1024, 64))


@pytest.fixture(scope="module")
def networks():
    them = netns.networks_or_skip()
    yield them
    them.close()


@pytest.fixture
def bridge(bench, networks):
    """A relay in the middle. bridge(targets) starts the agents. @return [(host, port)] at the left."""
    process = bench.relay(options=bench.relay_options(Listen=["0.0.0.0:8443"]), namespace=networks.middle)

    class Seen:
        ca, port = process.ca, 8443

        def __init__(self, host):
            self.host = host

    def start(targets, more=()):
        bench.service(Seen(netns.MIDDLE_FROM_RIGHT), targets, namespace=networks.right)
        _, addresses = bench.client(Seen(netns.MIDDLE_FROM_LEFT), [f"127.0.0.1:0/{key}:simple" for key in targets],
                                    namespace=networks.left, more=more)
        return addresses

    return start


@pytest.fixture
def work(networks, tmp_path):
    """work(namespace, *arguments) runs one of the worker's commands."""
    running = []

    def start(namespace, *arguments):
        process = Process([PYTHON, worker.__file__, *arguments], tmp_path / "workers", arguments[0],
                          namespace=namespace)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()


def test_the_networks_are_apart(networks):
    assert networks.reaches(networks.left, netns.MIDDLE_FROM_LEFT)
    assert networks.reaches(networks.right, netns.MIDDLE_FROM_RIGHT)
    for address in (netns.RIGHT, netns.MIDDLE_FROM_RIGHT):
        assert not networks.reaches(networks.left, address), f"{address} must not be reachable from the left"
    for address in (netns.LEFT, netns.MIDDLE_FROM_LEFT):
        assert not networks.reaches(networks.right, address), f"{address} must not be reachable from the right"


@pytest.fixture
def postgres(networks):
    """A PostgreSQL server at the right. @return its port."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb")]
    assert found[-1], "PostgreSQL is needed (scripts/setup.sh test)"
    programs = pathlib.Path(found[-1]).parent
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hpb-pg-"))
    shutil.chown(directory, "postgres", "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"]

    def run(*arguments):
        done = subprocess.run([*as_postgres, *map(str, arguments)], capture_output=True, text=True, cwd="/")
        assert done.returncode == 0, f"{arguments[0]}: {done.stderr}{done.stdout}"

    process = None
    try:
        run(programs / "initdb", "-D", directory / "data", "-A", "trust", "--no-sync")
        process = Process([*as_postgres, programs / "postgres", "-D", directory / "data", "-c", "fsync=off",
                           "-c", "listen_addresses=127.0.0.1", "-c", "port=5432",
                           "-c", f"unix_socket_directories={directory}"],
                          directory / "logs", "postgres", namespace=networks.right, cwd="/")
        wait_until(lambda: networks.run(networks.right, programs / "pg_isready", "-q", "-h", "127.0.0.1",
                                        check=False).returncode == 0, 30, "PostgreSQL is ready")
        networks.run(networks.right, "pgbench", "-h", "127.0.0.1", "-U", "postgres", "-i", "-q", "-s", "2", "postgres")
        yield 5432
    finally:
        if process:
            process.popen.terminate()
            try:
                process.popen.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(directory, ignore_errors=True)


def test_pgbench_without_an_error(networks, bridge, postgres):
    ((host, port),) = bridge({5011: ("127.0.0.1", postgres)})
    done = networks.run(networks.left, "pgbench", "-h", host, "-p", port, "-U", "postgres", "-n", "-c", "16", "-j", "2",
                        "-T", PGBENCH_SECONDS, "postgres", check=False)
    print(done.stdout)
    assert done.returncode == 0, f"pgbench: {done.stderr}\n{done.stdout}"
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    assert failed is None or failed.group(1) == "0", done.stdout
    assert int(re.search(r"number of transactions actually processed: (\d+)", done.stdout).group(1)) > 0
    for word in ("error", "aborted", "FATAL"):
        assert word not in done.stderr, done.stderr


def test_psql_initialises_through_the_bridge(networks, bridge, postgres):
    """COPY, DDL and many statements on one connection."""
    ((host, port),) = bridge({5011: ("127.0.0.1", postgres)})
    done = networks.run(networks.left, "pgbench", "-h", host, "-p", port, "-U", "postgres", "-i", "-q", "-s", "1",
                        "postgres", check=False)
    assert done.returncode == 0, done.stderr


def test_eight_keep_alive_http_clients_without_an_error(networks, bridge, work):
    ((_, target),) = work(networks.right, "http-serve", "127.0.0.1", 0).wait_ready()
    ((host, port),) = bridge({5011: ("127.0.0.1", target)})
    requests = sized(200, 30)
    load = work(networks.left, "http-load", host, port, 8, requests)
    assert load.wait_exit(180) == 0, load.errors
    result = json.loads(load.lines[-1])
    assert result == {"done": 8 * requests, "failures": []}


def test_a_long_stream_both_ways_at_once(networks, bridge, work):
    server = work(networks.right, "stream-serve", "127.0.0.1", 0, STREAM_MIB)
    ((_, target),) = server.wait_ready()
    ((host, port),) = bridge({5011: ("127.0.0.1", target)})
    client = work(networks.left, "stream", host, port, STREAM_MIB)
    assert client.wait_exit(300) == 0, client.errors
    assert server.wait_exit(30) == 0, server.errors
    ours, theirs = json.loads(client.lines[-1]), json.loads(server.lines[-1])
    assert ours["received"] == theirs["received"] == STREAM_MIB << 20
    assert ours["got"] == theirs["sent"] and theirs["got"] == ours["sent"], "the digests differ"
    print(f"{2 * STREAM_MIB} MiB in {ours['seconds']:.1f} s: {2 * STREAM_MIB / ours['seconds']:.0f} MiB/s")


def test_several_mappings_side_by_side(networks, bridge, work):
    ports = [work(networks.right, "echo", "127.0.0.1", 0).wait_ready()[0][1] for _ in range(2)]
    http_port = work(networks.right, "http-serve", "127.0.0.1", 0).wait_ready()[0][1]
    addresses = bridge({1: ("127.0.0.1", ports[0]), 2: ("127.0.0.1", ports[1]), 3: ("127.0.0.1", http_port)})
    loads = [work(networks.left, "http-load", *addresses[2], 4, 20)]
    for address in addresses[:2]:
        code = ("import socket,sys,os\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])),20)\n"
                "d=os.urandom(50000)\nfor _ in range(20):\n s.sendall(d)\n g=b''\n"
                " while len(g)<len(d): g+=s.recv(len(d)-len(g)) or sys.exit('ended')\n assert g==d\n")
        assert networks.run(networks.left, PYTHON, "-c", code, *address, check=False).returncode == 0
    for load in loads:
        assert load.wait_exit(60) == 0 and json.loads(load.lines[-1])["failures"] == []
