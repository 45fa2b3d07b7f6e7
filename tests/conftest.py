"""Fixtures of every test that drives the product from outside. Run from the repository's root:
    HPB=build/release/hpb /usr/bin/python3 -m pytest tests/e2e tests/conformance"""

import os
import pathlib
import resource
import sys

import pytest

_HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE / "support"), str(_HERE / "conformance")]
pytest.register_assert_rewrite("hpbtest.waiting", "hpbtest.proc")

from hpbtest.certs import Certificates  # noqa: E402
from hpbtest.proc import binary  # noqa: E402
from hpbtest.product import Bench  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _descriptors():
    """Thousands of connections need as many descriptors, here and in the processes started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16384 if hard == resource.RLIM_INFINITY else min(hard, 16384)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def product():
    """The path of hpb."""
    if not binary().is_file():
        message = f"{binary()} does not exist; build it or set HPB"
        pytest.fail(message) if os.environ.get("HPB") else pytest.skip(message)
    return binary()


@pytest.fixture
def bench(product, certificates, tmp_path):
    """Starts processes; at the end all are stopped and must have been clean."""
    it = Bench(tmp_path, certificates)
    yield it
    it.end()


@pytest.fixture
def relay(bench):
    """A relay for one test: nothing of another test can still be registered at it."""
    return bench.relay()
