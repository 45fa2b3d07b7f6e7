"""An ssh session and a transaction of psql outlive the relay, killed and started again twenty times."""

import random
import threading

import pytest
from hpbtest import programs
from hpbtest.bridge import Bridge, counters
from hpbtest.waiting import sized, wait_until

KILLS = sized(20, 5)
ROWS = 200


class Shell:
    """cat over ssh: what is said comes back."""

    def __init__(self, command, logs, choice):
        self._talk = programs.Dialogue(command, logs, "ssh")
        self._text = "".join(choice.choices("abcdefghij", k=60_000))
        self.say("hello")
        self.hear("hello")

    def say(self, turn):
        self._talk.say(f"{turn} {self._text}")

    def hear(self, turn):
        assert self._talk.hear(20, f"the echo of {turn} over ssh") == f"{turn} {self._text}"

    def end(self):
        assert self._talk.end() == 0, self._talk.process.errors


class Transaction:
    """One transaction of psql with a statement for each turn."""

    def __init__(self, address, logs):
        host, port = address
        self._talk = programs.Dialogue(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", port,
                                        "-U", "postgres", "postgres"], logs, "psql")
        self._talk.say("create table kept (turn int, word text);\nselect pg_backend_pid();\nbegin;\n\\echo begun")
        self._backend = self._talk.hear(20, "the backend's number")
        assert self._talk.hear(10, "the transaction has begun") == "begun"

    def say(self, turn):
        self._talk.say(f"insert into kept select {turn}, repeat('x', 1000) from generate_series(1, {ROWS});\n"
                       f"\\echo {turn}")

    def hear(self, turn):
        assert self._talk.hear(20, f"psql's answer to {turn}") == str(turn)

    def end(self):
        self._talk.say("commit;\nselect count(*), count(distinct turn), pg_backend_pid() from kept;")
        assert self._talk.hear(20, "the count") == f"{KILLS * ROWS}|{KILLS}|{self._backend}", "one transaction"
        assert self._talk.end() == 0, self._talk.process.errors


def survive(bench, bridge, programs_running, choice):
    for turn in range(KILLS):
        # Something is on its way when the relay dies, at a random moment.
        for program in programs_running:
            program.say(turn)
        threading.Event().wait(choice.random() * 0.05)
        bridge.relay.process.kill()
        threading.Event().wait(choice.random() * 0.1)
        bridge.relay.restart()
        # Answers may have come before the kill: the next one is to hit a path that is there again.
        wait_until(lambda: counters(bridge.client)["resumes"] > turn, 20, f"the session is resumed after kill {turn}")
        for program in programs_running:
            program.hear(turn)
    for program in programs_running:
        program.end()


def test_ssh_and_psql_survive_the_relay_killed_twenty_times(bench, tmp_path):
    seed = random.randrange(1 << 32)
    choice = random.Random(seed)
    print(f"seed {seed}")
    logs, ssh = bench.directory / "logs", None
    with programs.postgres() as database:
        targets = {5432: ("127.0.0.1", database)}
        if programs.sshd():
            ssh = programs.Ssh(tmp_path)
            targets[22] = ("127.0.0.1", ssh.port)
        bridge = Bridge(bench, targets)
        try:
            running = [Transaction(bridge.at[5432], logs)]
            if ssh:
                running.append(Shell(ssh.command(*bridge.at[22], "cat"), logs, choice))
            survive(bench, bridge, running, choice)
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}: {failure}\n{bridge.said()}") from None
        finally:
            if ssh:
                ssh.close()
    said = counters(bridge.client)
    print(f"{KILLS} kills: {said}")
    assert said["resumes"] >= KILLS
    if not ssh:
        pytest.skip("psql survived; there is no sshd here for the session over ssh")
