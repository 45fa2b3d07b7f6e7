"""TLS of relay and agents from outside: which suites, which certificates, and what is said about the others."""

import socket
import ssl
import struct
import threading
from types import SimpleNamespace

import pytest
from hpbtest import apps
from hpbtest.waiting import deadline

AGENTS = pytest.mark.parametrize("role", ["service", "client"])
#: TLS 1.2 without forward secrecy, or without authenticated encryption.
WEAK = ["AES128-SHA", "AES128-GCM-SHA256", "AES256-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384"]
STRONG = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"]


def relay_with(bench, pair, *, chain=None, **more):
    """A relay with this (certificate, key)."""
    certificate, key = pair
    if chain:
        joined = bench.directory / "chain.pem"
        joined.write_text(certificate.read_text() + chain.read_text())
        certificate = joined
    return bench.relay(options=bench.relay_options(Tls={"CertificateFile": str(certificate), "KeyFile": str(key)},
                                                   **more))


def agent(bench, role, relay, *more, address=None):
    arguments = ["--relay", address or f"sb://{relay.host}:{relay.port}/", "--ca", bench.certificates.ca,
                 "--rule", "root", "--rule-key-file", bench.key_file, *more]
    what = ["-T", "simple:1/127.0.0.1:9"] if role == "service" else ["-L", "127.0.0.1:0/1:simple"]
    return bench.start(role, role, *arguments, *what)


def fails(process, pattern):
    """The agent gives up at its first contact. @return what it said."""
    process.wait_error(pattern, 15)
    assert process.wait_exit(15) == 1, process.errors
    return process.errors


def context(certificates, version, ciphers=None):
    it = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    it.load_verify_locations(certificates.ca)
    it.minimum_version = it.maximum_version = version
    if ciphers:
        it.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    return it


def agreed(relay, how):
    with socket.create_connection((relay.host, relay.port), timeout=deadline(10)) as sock:
        with how.wrap_socket(sock, server_hostname="localhost") as secured:
            return secured.cipher()[0]


def test_the_relay_takes_forward_secrecy_and_authenticated_encryption_only(bench):
    """S6: TLS 1.2 is ECDHE with an AEAD; TLS 1.1 and older are none."""
    relay = relay_with(bench, bench.certificates.rsa)
    for suite in STRONG:
        assert agreed(relay, context(bench.certificates, ssl.TLSVersion.TLSv1_2, suite)) == suite
    for suite in WEAK:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            agreed(relay, context(bench.certificates, ssl.TLSVersion.TLSv1_2, suite))
    assert agreed(relay, context(bench.certificates, ssl.TLSVersion.TLSv1_3)).startswith("TLS_")


class WeakServer:
    """A TLS 1.2 server with one suite; keeps how its handshakes ended."""

    def __init__(self, certificates, suite):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._context.set_ciphers(f"{suite}:@SECLEVEL=0")
        self._context.load_cert_chain(*map(str, certificates.rsa))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._server.getsockname()
        self.agreed = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(sock, server_side=True):
                    self.agreed += 1
            except OSError:
                pass

    def close(self):
        self._server.close()


@AGENTS
@pytest.mark.parametrize("suite", [WEAK[0], WEAK[3]])
def test_agents_accept_no_weak_suite(bench, role, suite):
    """S6: the same for agents, and the operator hears what is missing."""
    server = WeakServer(bench.certificates, suite)
    try:
        process = agent(bench, role, server)
        process.wait_error(r"accepts no TLS version and cipher suite that this side offers", 15)
        assert server.agreed == 0
    finally:
        server.close()


@AGENTS
def test_a_common_name_is_no_host_name(bench, role):
    """S7: a certificate without subjectAltName is refused, whatever its common name is."""
    relay = relay_with(bench, bench.certificates.nameless)
    said = fails(agent(bench, role, relay, address=f"sb://localhost:{relay.port}/"), "has no subjectAltName")
    assert "use a certificate that has one" in said
    fails(agent(bench, role, relay), "has no subjectAltName")  # by address


@AGENTS
def test_a_missing_intermediate_certificate_is_named(bench, role):
    """F10: the relay's operator forgot the chain; with it everything works."""
    relay = relay_with(bench, bench.certificates.without_intermediate)
    said = fails(agent(bench, role, relay), "the relay does not send its intermediate certificate")
    assert "'intermediate'" in said and "certificate file" in said
    whole = relay_with(bench, bench.certificates.without_intermediate, chain=bench.certificates.intermediate)
    agent(bench, role, whole).wait_ready()


@AGENTS
@pytest.mark.parametrize("fault, pattern", [
    ("expired", r"expired on \d{4}-\d\d-\d\d .*renew it"),
    ("not_yet_valid", r"is not valid before \d{4}-\d\d-\d\d .*clock"),
    ("wrong_host", r"is for elsewhere\.test; use one of these names")])
def test_other_faults_keep_their_words(bench, role, fault, pattern):
    """F10: beside the missing intermediate certificate."""
    relay = relay_with(bench, getattr(bench.certificates, fault))
    said = fails(agent(bench, role, relay), pattern)
    assert "intermediate" not in said


NO_MODULE = "openssl_conf=i\n[i]\nalg_section=a\n[a]\ndefault_properties=fips=yes\n"


@pytest.mark.parametrize("command", ["relay", "service", "client", "demo", "token"])
def test_an_openssl_without_its_module_is_one_line(bench, command):
    """S10: OpenSSL is told to use FIPS modules only, and there is none: no crash, no zero keys."""
    configuration = bench.directory / "openssl.cnf"
    configuration.write_text(NO_MODULE)
    certificate, key = bench.certificates.server
    rule = ["--rule", "root", "--rule-key-file", bench.key_file]
    arguments = {
        "relay": ["--listen", "127.0.0.1:0", "--cert", certificate, "--key", key, "--connection", "simple", *rule],
        "service": ["--relay", "sb://127.0.0.1:1/", "-T", "simple:1/127.0.0.1:9", *rule],
        "client": ["--relay", "sb://127.0.0.1:1/", "-L", "127.0.0.1:0/1:simple", *rule],
        "demo": ["--once"],
        "token": ["--relay", "sb://127.0.0.1:1/", *rule]}[command]
    process = bench.start(command, command, *arguments, env={"OPENSSL_CONF": str(configuration)})
    assert process.wait_exit(15) == 1, process.errors
    assert len(process.errors.splitlines()) == 1, process.errors
    assert "OpenSSL cannot be used" in process.errors and "OPENSSL_CONF" in process.errors


def test_plain_http_to_a_tls_relay_is_answered_in_words(bench):
    """N7: who forgot the `s` of https learns it, and the log of the relay says what came."""
    relay = bench.relay(options={**bench.relay_options(), "Serilog": {"MinimumLevel": "Debug"}})
    for request in (b"GET /simple HTTP/1.1\r\nHost: x\r\n\r\n", b"PUT / HTTP/1.1\r\n\r\n"):
        with socket.create_connection((relay.host, relay.port), timeout=deadline(10)) as sock:
            sock.sendall(request)
            answer = b""
            while piece := sock.recv(4096):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 400 ") and b"speaks TLS" in answer.split(b"\r\n")[0], answer
    relay.process.wait_error("speaks HTTP without TLS", 10)
    assert "refused a request" not in relay.process.errors  # one line each


@AGENTS
def test_a_relay_that_speaks_no_tls_is_named(bench, role):
    """N7: an agent with TLS before `hpb relay --insecure`, and before something that says nothing at all."""
    options = bench.relay_options(Insecure=True)
    del options["Relay"]["Tls"]
    relay = bench.relay(options=options)
    agent(bench, role, relay).wait_error(r"does not speak TLS on this port", 15)
    with apps.TcpTarget(lambda sock: sock.recv(1000)) as silent:
        relay.host, relay.port = silent.address
        agent(bench, role, relay).wait_error(r"ended the connection during the TLS handshake", 15)


def replies(data):
    """A peer that answers the first bytes with `data` and hangs up."""
    def serve(sock):
        sock.recv(4096)
        sock.sendall(data)
    return serve


def hangs_up_hard(sock):
    sock.recv(4096)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def alert(number, level=2):
    return bytes([21, 3, 3, 0, 2, level, number])


NO_TLS = r"does not speak TLS on this port; check the host and the port, or write http:// for a relay without TLS"
CUT = r"ended the connection during the TLS handshake; check that it speaks TLS on this port, and that no firewall"


@AGENTS
@pytest.mark.parametrize("serve, pattern", [
    (lambda sock: sock.recv(4096), CUT), (hangs_up_hard, CUT), (lambda sock: None, CUT), (replies(alert(0, level=1)), CUT),
    (replies(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), NO_TLS), (replies(b"SSH-2.0-OpenSSH_9.2\r\n"), NO_TLS),
    (replies(alert(40)), r"accepts no TLS version and cipher suite that this side offers"),
    (replies(alert(70)), r"does not accept TLS 1\.2 or later"),
    (replies(alert(80)), r"ended the TLS handshake with the alert 'internal error'; its own log may say why"),
    (replies(alert(112)), r"does not know the name that was used for it; use one of the names in its certificate")],
    ids=["end", "reset", "end at once", "close_notify", "HTTP", "SSH", "handshake failure", "protocol version",
         "internal error", "unrecognized name"])
def test_a_handshake_that_fails_is_one_line_with_the_address_and_the_remedy(bench, role, serve, pattern):
    """N7: whatever answers in place of a relay."""
    with apps.TcpTarget(serve) as peer:
        relay = SimpleNamespace(host=peer.address[0], port=peer.address[1])
        process = agent(bench, role, relay)
        process.wait_error(rf"WARN.* 127\.0\.0\.1:{relay.port} {pattern}", 15)
        assert len(told(process)) == 1, process.errors


def test_tls_to_a_plain_relay_is_named_by_the_relay(bench):
    """N7: its operator reads what is wrong, too."""
    relay = bench.relay_without_tls()
    with socket.create_connection((relay.host, relay.port), timeout=deadline(10)) as sock:
        with pytest.raises(ssl.SSLError):
            ssl._create_unverified_context().wrap_socket(sock)
    relay.process.wait_error(r"refused a request from 127\.0\.0\.1:\d+: 400 The client speaks TLS, and this relay does not "
                             r"\(Insecure\); use http:// or ws://, or give the relay a certificate", 5)


def told(process):
    """The warnings of a process, without what the log puts before them."""
    return [line for line in process.errors.splitlines() if "warning" in line.lower() or "WRN" in line or "WARN" in line]


def test_check_and_start_tell_the_same_exposures(bench):
    """S14: a TLS key at 0644, an inline key in a file at 0644, a short key, plain connections beyond loopback."""
    certificate, key = bench.certificates.server
    open_key = bench.directory / "open.key"
    open_key.write_bytes(key.read_bytes())
    open_key.chmod(0o644)
    short = [{"Name": "root", "Key": "short", "Rights": ["Manage"]}]
    cases = [
        ({"Tls": {"CertificateFile": str(certificate), "KeyFile": str(open_key)}}, 0o600, "can be read by others"),
        ({}, 0o644, "is in a file that others may read"),
        ({"AccessRules": short}, 0o600, "fewer than 16 characters"),
        ({"Insecure": True, "Tls": {}, "Listen": ["0.0.0.0:0"]}, 0o600, "without TLS on 0.0.0.0")]
    for number, (more, mode, words) in enumerate(cases):
        path = bench.write_json(f"relay-{number}.json", bench.relay_options(**more))
        path.chmod(mode)
        check = bench.start("check", "check", "relay", "--config", path)
        assert check.wait_exit(15) == 0
        assert len(told(check)) == 1 and words in check.errors, check.errors
        relay = bench.start("relay", "relay", "--config", path)
        relay.wait_ready()
        relay.wait_error(words, 10)
        assert len(told(relay)) == 1, relay.errors
    client = agent(bench, "client", None, address="http://relay.invalid:1/")
    client.wait_error("without TLS to relay.invalid", 10)


def test_check_refuses_the_files_that_the_start_refuses(bench):
    """N4: a key of another certificate, a --ca without a certificate, an encrypted or missing key."""
    certificate, key = bench.certificates.server
    other, empty = bench.certificates.wrong_host[1], bench.directory / "empty.pem"
    empty.write_text("nothing\n")
    for pair in ((certificate, other), (empty, key), (certificate, empty), (certificate, certificate)):
        path = bench.write_json("relay.json", bench.relay_options(
            Tls={"CertificateFile": str(pair[0]), "KeyFile": str(pair[1])}))
        said = []
        for command in (["check"], ["check", "relay"], ["relay"]):
            process = bench.start(command[0], *command, "--config", path)
            assert process.wait_exit(15) == 2, (pair, process.errors)
            said.append([line for line in process.errors.splitlines() if "error" in line])
        assert len(said[0]) == 1 and said[0] == said[1] == said[2], said
    section = {"ServiceNamespace": "127.0.0.1:1", "AccessRuleName": "root", "AccessRuleKeyFile": str(bench.key_file),
               "CaFile": str(empty)}
    path = bench.write_json("agents.json", {"PortBridge": {
        "ServiceNamespace": section, "EntityPaths": ["simple"],
        "PortMappings": {"5021": {"EntityPath": "simple", "AcceptFromIpAddresses": ["*"]}}}})
    for command in (["check"], ["check", "client"], ["check", "service"], ["service"], ["client"]):
        process = bench.start(command[0], *command, "--config", path)
        assert process.wait_exit(15) == 2, (command, process.errors)
        assert "holds no CA certificate" in process.errors
