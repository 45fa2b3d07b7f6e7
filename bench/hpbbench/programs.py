"""Where programs are, and what must be there before a run."""

import os
import pathlib
import shutil

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
HPB = pathlib.Path(os.environ.get("HPB") or REPOSITORY / "build/release/hpb").resolve()
FAULTS = REPOSITORY / "build/release/hpb-faults"
PEERS = REPOSITORY / "bench/peers"


def find(name):
    """A program of bench/peers or of the system, None if there is none."""
    own = PEERS / "bin" / name
    if os.access(own, os.X_OK):
        return str(own)
    return shutil.which(name, path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
