"""Waiting for conditions. The poll interval lives here and nowhere else: tests state what they wait for."""

import asyncio
import os
import time

#: Sanitizer builds are several times slower: smaller sizes, longer deadlines, no memory measurements.
SLOW = os.environ.get("HPB_SLOW", "") not in ("", "0")
_POLL_SECONDS = 0.02


def deadline(seconds):
    """`seconds`, stretched for slow builds."""
    return seconds * 4 if SLOW else seconds


def sized(normal, slow):
    """A quantity of work: `normal`, or `slow` in slow builds."""
    return slow if SLOW else normal


def wait_until(condition, seconds, what):
    """Returns the first true value of condition(); fails after `seconds` (stretched), naming `what`."""
    end = time.monotonic() + deadline(seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline(seconds)} s: {what}")
        time.sleep(_POLL_SECONDS)


async def until(condition, seconds, what):
    """wait_until for coroutines."""
    end = time.monotonic() + deadline(seconds)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline(seconds)} s: {what}")
        await asyncio.sleep(_POLL_SECONDS)


async def until_it_does(attempt, seconds, what):
    """until() for an attempt that has to be awaited. @return its first true result."""
    end = time.monotonic() + deadline(seconds)
    while True:
        value = await attempt()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline(seconds)} s: {what}")
        await asyncio.sleep(_POLL_SECONDS)


async def until_steady(value, quiet_seconds, seconds, what):
    """Returns value() once it has not changed for `quiet_seconds`."""
    seen, since = value(), time.monotonic()

    def steady():
        nonlocal seen, since
        now = value()
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= quiet_seconds

    await until(steady, seconds, what)
    return seen


async def stays(condition, seconds, what):
    """Fails as soon as condition() is false within `seconds`: for what must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), what
        await asyncio.sleep(_POLL_SECONDS)


def asynctest(seconds=60):
    """Makes a test function of a coroutine function, with an overall deadline."""
    import functools

    def decorate(function):
        @functools.wraps(function)
        def test(*args, **kwargs):
            async def bounded():
                try:
                    async with asyncio.timeout(deadline(seconds)) as limit:
                        await function(*args, **kwargs)
                except TimeoutError:
                    if limit.expired():
                        raise AssertionError(f"the whole test took longer than {deadline(seconds)} s") from None
                    raise

            asyncio.run(bounded())

        return test

    return decorate
