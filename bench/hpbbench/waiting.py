"""Waiting for conditions. The poll interval lives here and nowhere else."""

import time

_POLL_SECONDS = 0.02


class Failed(Exception):
    """Something that spoils one sample, in words for the report. The run goes on."""


def wait_until(condition, seconds, what):
    """The first true value of condition(). @raises Failed after `seconds`, naming `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(_POLL_SECONDS)


def wait_until_steady(value, quiet_seconds, seconds, same=lambda a, b: a == b):
    """value() once it has not changed for `quiet_seconds`; what it is after `seconds`, if it never rests."""
    end = time.monotonic() + seconds
    seen, since = value(), time.monotonic()
    while time.monotonic() < end and time.monotonic() - since < quiet_seconds:
        time.sleep(_POLL_SECONDS * 5)
        now = value()
        if not same(now, seen):
            seen, since = now, time.monotonic()
    return value()
