"""Whose TLS it is: what the log says of it, and that bytes flow whatever was chosen."""

import pathlib

import pytest
from hpbtest import apps
from hpbtest.bridge import Bridge

DATA = bytes(range(256)) * 4096


def has_vaes():
    return " vpclmulqdq" in pathlib.Path("/proc/cpuinfo").read_text()


def line_of(process):
    process.wait_error("TLS library", 10)
    return next(line for line in process.errors.splitlines() if "TLS library" in line)


#: What is asked for, and what the line then says of records, cipher and FIPS.
CHOICES = {
    "records": ({"Tls__Records": "openssl"}, "records OpenSSL (Tls:Records); cipher OpenSSL"),
    "cipher": ({"Tls__Cipher": "openssl"}, "records hpb; cipher OpenSSL (Tls:Cipher)"),
    "both": ({"Tls__Records": "OpenSSL", "Tls__Cipher": "auto"}, "records OpenSSL (Tls:Records); cipher OpenSSL"),
    "processor": ({"OPENSSL_ia32cap": ":~0x20000000000"},
                  "records hpb; cipher OpenSSL (OPENSSL_ia32cap takes VAES away)"),
    "self-test": ({"HPB_FAIL_SELF_TEST": "1"}, "records hpb; cipher OpenSSL (the self-test failed)")}


@pytest.mark.parametrize("name", CHOICES)
def test_what_was_chosen_is_said_and_works(bench, monkeypatch, name):
    environment, expected = CHOICES[name]
    if name in ("processor", "self-test") and not has_vaes():
        pytest.skip("the processor has no VAES")
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    with apps.echo_target() as target:
        bridge = Bridge(bench, {5011: target.address})
        assert apps.exchange(bridge.address, DATA) == DATA
        for process in (bridge.relay.process, bridge.service, bridge.client):
            assert expected in line_of(process)
            assert ("self-test of hpb's AES-GCM failed" in process.errors) == (name == "self-test")


def test_the_ends_of_a_connection_need_not_agree(bench, monkeypatch):
    """A relay with OpenSSL's records between agents with hpb's."""
    monkeypatch.setenv("Tls__Records", "openssl")
    relay = bench.relay()
    monkeypatch.delenv("Tls__Records")
    with apps.echo_target() as target:
        bridge = Bridge(bench, {5011: target.address}, relay=relay)
        assert apps.exchange(bridge.address, DATA) == DATA
        assert "records OpenSSL" in line_of(relay.process)
        assert "records hpb" in line_of(bridge.client) and "FIPS not required" in line_of(bridge.service)


def test_another_value_is_an_error(bench):
    process = bench.start("client", "client", "--relay", "sb://127.0.0.1:1/", "-L", "127.0.0.1:0/1:simple", "--rule", "root",
                          "--rule-key-file", bench.key_file, "--Tls:Records=fast")
    assert process.wait_exit(15) == 2
    assert "Tls:Records" in process.errors and "unknown value 'fast'" in process.errors and "auto or openssl" in process.errors
