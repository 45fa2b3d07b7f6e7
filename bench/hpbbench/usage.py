"""What processes use, read from /proc: CPU time, memory, descriptors."""

import os
import pathlib

_TICK = os.sysconf("SC_CLK_TCK")


def family(pid):
    """The process and its descendants: sshd serves each connection in children of its own."""
    found = [pid]
    for parent in found:
        for task in _entries(f"/proc/{parent}/task"):
            found += map(int, _text(f"/proc/{parent}/task/{task}/children").split())
    return found


def cpu_seconds(pid):
    """User and system time so far, all threads; 0 of a process that is gone."""
    # The name in parentheses may contain anything, so the fields are counted from its end.
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK if fields else 0.0


def resident_bytes(pid):
    """Resident memory. smaps_rollup counts pages; the counters in `status` lag behind."""
    for line in _text(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    return 0


def descriptors(pid):
    """How many descriptors are open."""
    return len(_entries(f"/proc/{pid}/fd"))


def _text(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""  # it ended in the meantime


def _entries(path):
    try:
        return os.listdir(path)
    except OSError:
        return []
