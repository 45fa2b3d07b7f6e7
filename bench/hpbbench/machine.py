"""What the numbers were measured on and with. No names of hosts, users or folders."""

import json
import os
import pathlib
import platform
import re
import resource
import subprocess

from . import programs

_VERSIONS = {
    "haproxy": ("haproxy", "-v"),
    "openssh": ("ssh", "-V"),
    "stunnel": ("stunnel4", "-version"),
    "wrk": ("wrk", "-v"),
    "openssl": ("openssl", "version"),
}
_NUMBER = re.compile(r"\d+\.\d+[\w.+-]*")


def describe():
    """The machine."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.M)
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _read("/proc/meminfo"), re.M)
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', _read("/etc/os-release"), re.M)
    return {"cpu": cpu.group(1) if cpu else platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": int(memory.group(1)) * 1024 if memory else None,
            "kernel": platform.release(), "system": system.group(1) if system else platform.system(),
            "virtual": " hypervisor" in _read("/proc/cpuinfo"),
            "descriptors_per_process": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}


def versions():
    """{program: version} of everything that takes part and is here."""
    found = {"hpb": _hpb(), "python": platform.python_version()}
    for name, (program, flag) in _VERSIONS.items():
        path = programs.find(program)
        if path:
            said = _said([path, flag])
            number = _NUMBER.search(said)
            found[name] = number.group(0) if number else said[:40]
    return found | peers()


def peers():
    """What bench/peers/install says it has installed."""
    try:
        return json.loads((programs.PEERS / "bin/versions.json").read_text())
    except (OSError, ValueError):
        return {}


def _hpb():
    number = _NUMBER.search(_said([programs.HPB, "--version"]))
    git = ["git", "-C", programs.REPOSITORY]
    commit = _said([*git, "rev-parse", "--short", "HEAD"]).strip()
    changed = _said([*git, "status", "--porcelain", "--untracked-files=no", "src", "apps", "cmake"]).strip()
    return f"{number.group(0) if number else '?'} at {commit}{' with local changes' if changed else ''}"


def _said(command):
    try:
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, text=True, timeout=20, check=False)
        return done.stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _read(path):
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""
