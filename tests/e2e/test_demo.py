"""The first thing that a newcomer runs."""

import re

from hpbtest import apps
from hpbtest.waiting import SLOW, wait_until

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
