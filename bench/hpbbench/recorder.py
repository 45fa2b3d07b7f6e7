"""Reads a measure again and again while something runs."""

import threading
import time


class Recorder:
    """A context manager. `measure()` returns {role: number}; readings are kept with their times."""

    def __init__(self, measure, interval=0.05):
        self._measure, self._interval = measure, interval
        self.readings = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._read()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        while not self._over.wait(self._interval):
            self._read()

    def _read(self):
        self.readings.append((time.monotonic(), self._measure()))

    def growth(self, end, seconds):
        """{role: by how much it grew} within the `seconds` before `end`. Warm-up is before that."""
        self._read()
        first, last = self._at(end - seconds), self._at(end)
        return {role: round(last[role] - first.get(role, 0), 3) for role in last}

    def _at(self, when):
        """The values at this time, on the straight line between the readings around it."""
        for (t0, before), (t1, after) in zip(self.readings, self.readings[1:]):
            if t0 <= when <= t1:
                part = (when - t0) / (t1 - t0) if t1 > t0 else 0
                return {role: before.get(role, 0) + (after[role] - before.get(role, 0)) * part for role in after}
        return self.readings[0 if when < self.readings[0][0] else -1][1]
