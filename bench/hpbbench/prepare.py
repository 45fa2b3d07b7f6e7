"""What a run needs and this machine may lack. What cannot be had is left out of the run, and said."""

import subprocess
import sys

from . import programs


def prepare():
    """Installs packages and peers, builds the fault proxy."""
    _try(programs.REPOSITORY / "scripts/setup.sh", "bench")
    _try(programs.PEERS / "install")
    if not programs.FAULTS.exists():
        _try("cmake", "--build", programs.FAULTS.parent, "--target", "hpb-faults")


def _try(*command):
    try:
        code = subprocess.run([str(c) for c in command], check=False, stdout=sys.stderr).returncode
    except OSError as error:
        code = error.strerror
    if code != 0:
        print(f"bench: {' '.join(map(str, command))} failed ({code}); what it provides is left out", file=sys.stderr)
