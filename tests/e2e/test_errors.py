"""What goes wrong at the start: one clear line on standard error, the documented exit code, no stack trace,
no secret. 2: the configuration. 1: a port in use, or a relay that refuses for good at the first contact."""

import datetime
import email.utils
import json
import pathlib
import re
import socket
import ssl
import threading

import pytest
from hpbtest import apps, product, sas
from hpbtest.waiting import wait_until

WRONG_KEY = "d3Jvbmcta2V5LXRoYXQtbXVzdC1ub3QtYmUtcHJpbnRlZA=="
CONFIGURATION, RUN_TIME = 2, 1


def fails(bench, code, pattern, *arguments, lines=1, env=None):
    """Runs hpb to its end and checks how it failed. @return what it said on standard error."""
    process = bench.start(arguments[0], *arguments, env=env)
    got = process.wait_exit(20)
    said = [line for line in process.errors.splitlines() if line.strip()]
    assert got == code, f"exit code {got} instead of {code}: {process.errors[-2000:]}"
    assert re.search(pattern, process.errors), f"/{pattern}/ is not in: {process.errors[-2000:]}"
    if lines is not None:
        assert len(said) == lines, f"{len(said)} lines instead of {lines}:\n{process.errors[-3000:]}"
    assert "ready" not in process.output
    process.check_clean((*product.SECRETS, WRONG_KEY, "sig="))
    return process.errors


def relay_arguments(bench, **replaced):
    certificate, key = bench.certificates.server
    options = {"--listen": "127.0.0.1:0", "--cert": certificate, "--key": key, "--rule": "root",
               "--rule-key-file": bench.key_file, "--connection": "simple"}
    options.update({"--" + name.replace("_", "-"): value for name, value in replaced.items()})
    return ["relay", *(part for name, value in options.items() if value is not None for part in (name, value))]


def agent_arguments(bench, role, relay="sb://127.0.0.1:1/", **replaced):
    options = {"--relay": relay, "--ca": bench.certificates.ca, "--rule": "root", "--rule-key-file": bench.key_file}
    if role == "service":
        options["-T"] = "simple:5011/127.0.0.1:5432"
    else:
        options["-L"] = "127.0.0.1:0/5011:simple"
    for name, value in replaced.items():
        options[name if name.startswith("-") else "--" + name.replace("_", "-")] = value
    return [role, *(part for name, value in options.items() if value is not None for part in (name, value)),
            "--log-level", "error"]


def url(relay):
    return f"sb://{relay.host}:{relay.port}/"


AGENTS = pytest.mark.parametrize("role", ["service", "client"])


# ---------------------------------------------------------------- options and files


@pytest.mark.parametrize("command, option, meant", [
    ("relay", "--lissten", "--listen"), ("relay", "--rule-key-flie", "--rule-key-file"),
    ("client", "--conifg", "--config"), ("service", "--rely", "--relay"), ("client", "--log-levle", "--log-level")])
def test_an_unknown_option_suggests_the_nearest(bench, command, option, meant):
    said = fails(bench, CONFIGURATION, re.escape(option), command, option, "x")
    assert meant in said.replace(option, "")


def test_an_unknown_command_suggests_the_nearest(bench):
    assert "relay" in fails(bench, CONFIGURATION, "relai", "relai").replace("relai", "")


def test_missing_files_are_named(bench):
    absent = bench.directory / "absent"
    for option in ("cert", "key", "rule_key_file"):
        fails(bench, CONFIGURATION, f"{absent}.*|{option}.*{absent}", *relay_arguments(bench, **{option: absent}))
    for command in ("relay", "client", "service"):
        fails(bench, CONFIGURATION, str(absent), command, "--config", absent)
    for role in ("client", "service"):
        for option in ("ca", "rule_key_file"):
            fails(bench, CONFIGURATION, str(absent), *agent_arguments(bench, role, **{option: absent}))


def test_a_certificate_that_is_none_and_a_key_of_another(bench):
    rubbish = bench.directory / "rubbish.pem"
    rubbish.write_text("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
    fails(bench, CONFIGURATION, "rubbish.pem", *relay_arguments(bench, cert=rubbish))
    fails(bench, CONFIGURATION, r"(?i)not the key|key.*(match|belong)|(match|belong).*key",
          *relay_arguments(bench, key=bench.certificates.wrong_host[1]))
    fails(bench, CONFIGURATION, "rubbish.pem", *agent_arguments(bench, "client", ca=rubbish))


def test_no_tls_is_only_by_name(bench):
    fails(bench, CONFIGURATION, r"(?i)cert|insecure", *relay_arguments(bench, cert=None, key=None))


@pytest.mark.parametrize("text, pattern", [
    ("{ \"Relay\": ", r"\bline\b|:\d+"), ("", r"(?i)empty|json|end"), ("[]", r"(?i)object"),
    ("{\"Relay\": {\"Listen\": [\"127.0.0.1:99999\"]}}", r"Listen")])
def test_broken_files_are_told_with_their_place(bench, text, pattern):
    path = bench.directory / "broken.json"
    path.write_text(text)
    said = fails(bench, CONFIGURATION, pattern, "relay", "--config", path, lines=None)
    assert "broken.json" in said


def test_check_reports_every_error_at_once_with_place_and_remedy(bench):
    path = bench.write_json("many.json", {"PortBridge": {
        "ServiceNamespace": {"ServiceNamespace": "relay.test:8443", "AccessRuleName": "root"},
        "PortMappings": {"5021": {"EntityPath": "", "RemoteConfigurationKey": "x"}, "abc": {"EntityPath": "simple"},
                         "5022": {"EntityPath": "simple", "BindToAddress": "nonsense",
                                  "AcceptFromIpAddresses": ["1.2.3"]}}}})
    said = fails(bench, CONFIGURATION, "many.json", "check", "--config", path, lines=None)
    for place in ("AccessRuleKey", "5021:EntityPath", "5021:RemoteConfigurationKey", "abc", "5022:BindToAddress",
                  "5022:AcceptFromIpAddresses"):
        assert place.lower() in said.lower(), f"{place} is not in:\n{said}"


def test_check_accepts_a_good_file_and_warns_of_unknown_keys(bench):
    options = bench.relay_options()
    good = bench.start("check", "check", "--config", bench.write_json("good.json", options))
    assert good.wait_exit(20) == 0, good.errors
    options["Relay"]["HybridConections"] = {}
    process = bench.start("check", "check", "--config", bench.write_json("odd.json", options))
    assert process.wait_exit(20) == 0, process.errors
    assert re.search(r"HybridConections.*HybridConnections", process.errors + process.output, re.S)


def test_comments_and_trailing_commas_are_read_as_dotnet_does(bench):
    path = bench.directory / "dotnet.json"
    path.write_text(json.dumps(bench.relay_options()).replace("{", "{ // words\n /* more */ ", 1)[:-2] + ",},}")
    process = bench.start("check", "check", "--config", path)
    assert process.wait_exit(20) == 0, process.errors


@pytest.mark.parametrize("option, value", [
    ("-L", "nonsense"), ("-L", "127.0.0.1:99999/5011:simple"), ("-L", "127.0.0.1:0/x:simple"), ("relay", "http://x y/"),
    ("relay", "sb://127.0.0.1:99999/"), ("rule_key_file", None)])
def test_bad_values_of_the_client(bench, option, value):
    fails(bench, CONFIGURATION, re.escape(value) if value else r"(?i)key", *agent_arguments(bench, "client", **{option: value}))


@pytest.mark.parametrize("value", ["simple", "simple:x/localhost:1", "simple:5011/localhost:0", "simple:5011/"])
def test_bad_targets_of_the_service(bench, value):
    fails(bench, CONFIGURATION, re.escape(value), *agent_arguments(bench, "service", **{"-T": value}))


def test_ports_in_use_are_named(bench):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fails(bench, RUN_TIME, rf"{port}.*(?i:in use)", *relay_arguments(bench, listen=f"127.0.0.1:{port}"))
        relay = bench.relay()
        fails(bench, RUN_TIME, rf"{port}.*(?i:in use)",
              *agent_arguments(bench, "client", url(relay), **{"-L": f"127.0.0.1:{port}/5011:simple"}))


# ---------------------------------------------------------------- the first contact


@AGENTS
def test_wrong_key(bench, role):
    key_file = bench.directory / "wrong.key"
    key_file.write_text(WRONG_KEY)
    relay = bench.relay()
    fails(bench, RUN_TIME, r"(?i)401|key|signature|unauthori[sz]ed", *agent_arguments(bench, role, url(relay), rule_key_file=key_file))


@AGENTS
def test_unknown_rule(bench, role):
    relay = bench.relay()
    fails(bench, RUN_TIME, r"(?i)401|rule|signature|unauthori[sz]ed", *agent_arguments(bench, role, url(relay), rule="nobody"))


@AGENTS
def test_unknown_hybrid_connection(bench, role):
    relay = bench.relay()
    option = {"-T": "nowhere:5011/127.0.0.1:1"} if role == "service" else {"-L": "127.0.0.1:0/5011:nowhere"}
    fails(bench, RUN_TIME, r"nowhere", *agent_arguments(bench, role, url(relay), **option))


def test_a_rule_without_the_right_to_listen(bench):
    key_file = bench.directory / "send.key"
    key_file.write_text(product.SEND_KEY)
    relay = bench.relay()
    fails(bench, RUN_TIME, r"(?i)403|right|claim|listen",
          *agent_arguments(bench, "service", url(relay), rule="send", rule_key_file=key_file))


@AGENTS
@pytest.mark.parametrize("fault, pattern", [
    ("from_other_ca", r"(?i)issuer|trust|authority|signed"), ("wrong_host", r"(?i)host ?name|name.*(match|valid|for)|not (valid )?for|mismatch|made out"), ("expired", r"(?i)expired")])
def test_certificates_that_do_not_verify(bench, role, fault, pattern):
    certificate, key = getattr(bench.certificates, fault)
    relay = bench.relay(options=bench.relay_options(Tls={"CertificateFile": str(certificate), "KeyFile": str(key)}))
    fails(bench, RUN_TIME, pattern, *agent_arguments(bench, role, url(relay)))


@AGENTS
def test_the_system_store_does_not_trust_the_tests_ca(bench, role):
    relay = bench.relay()
    fails(bench, RUN_TIME, r"(?i)issuer|trust|authority|signed|CaFile", *agent_arguments(bench, role, url(relay), ca=None))


class Answering:
    """A TLS server that gives every request the same answer."""

    def __init__(self, certificates, answer, tls=True):
        self._answer = answer
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*map(str, certificates.server))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._server.getsockname()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock):
        try:
            sock.settimeout(10)
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            data = b""
            while b"\r\n\r\n" not in data and (piece := sock.recv(4096)):
                data += piece
                if not self._context:
                    break  # a TLS hello, which a plain web server answers as bad
            sock.sendall(self._answer)
            sock.settimeout(5)
            while sock.recv(4096):
                pass
        except OSError:
            pass
        finally:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@AGENTS
@pytest.mark.parametrize("hours", [5, -5])
def test_a_clock_that_is_hours_off_is_named_with_the_difference(bench, role, hours):
    there = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
    answer = ("HTTP/1.1 401 ExpiredToken: The token is expired. TrackingId:0b8f0d0e-0000-4000-8000-000000000000_G0, "
              f"SystemTracker:sb://127.0.0.1/simple, Timestamp:2026-01-01T00:00:00\r\nDate: "
              f"{email.utils.format_datetime(there, usegmt=True)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").encode()
    with Answering(bench.certificates, answer) as relay:
        said = fails(bench, RUN_TIME, r"(?i)clock", *agent_arguments(bench, role, url(relay)))
    number = [int(n) for n in re.findall(r"\d+", said)]
    assert any(abs(n - 5 * 3600) <= 60 for n in number) or re.search(r"\b(5 ?h|4 ?h|300 ?min|5:0|04?:59|05:00)", said), said


@AGENTS
def test_something_that_is_no_relay(bench, role):
    """Plain HTTP where TLS is expected, and a web server with TLS that knows nothing of relays."""
    with Answering(bench.certificates, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", tls=False) as server:
        process = bench.start(role, *agent_arguments(bench, role, url(server))[:-2])
        process.wait_error(r"(?i)tls|certificate|record", 15)
    with Answering(bench.certificates, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as server:
        if role == "service":
            fails(bench, RUN_TIME, r"404", *agent_arguments(bench, role, url(server)))
        else:  # I5: channels may work nevertheless
            process = bench.start(role, *agent_arguments(bench, role, url(server))[:-2])
            process.wait_ready()
            process.wait_error(r"WARN.*404.*connections will be attempted", 5)


@AGENTS
def test_an_unreachable_relay_is_retried_and_told_once(bench, role):
    (host, port), keep = apps.refused_address()
    with keep:
        process = bench.start(role, *agent_arguments(bench, role, f"sb://{host}:{port}/")[:-2])
        process.wait_error(rf"{port}.*(?i:refused)|(?i:refused).*{port}", 10)
        # Several attempts fit into the time in which nothing more may be said.
        told = [line for line in process.errors.splitlines() if "refused" in line.lower()]
        wait_until(lambda: process.running(), 1, "it runs on")
        assert len(told) <= 1, told
        assert process.stop(5) is not None, "it stops although it waits"


@AGENTS
def test_a_name_that_does_not_resolve(bench, role):
    process = bench.start(role, *agent_arguments(bench, role, "sb://no-such-host.invalid:8443/")[:-2])
    process.wait_error(r"(?i)no-such-host\.invalid", 20)
    assert process.running()
    # S17: nor does the thread that looked the name up keep a right.
    wait_until(lambda: all(re.search(r"^CapEff:\t0+$", status.read_text(), re.M)
                           for status in pathlib.Path(f"/proc/{process.pid}/task").glob("*/status")), 10,
               "no thread has a capability")
    assert "keep their capabilities" not in process.errors


# ---------------------------------------------------------------- secrets


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_secret_is_said_at_the_most_talkative(bench, form):
    more = ["--log-level", "debug", "--log-format", form]
    with apps.echo_target() as target:
        relay = bench.relay()
        service = bench.service(relay, {5011: target.address}, more=more)
        client, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=more)
        assert apps.exchange(address, b"hello") == b"hello"
        for process in (service, client, relay.process):
            process.stop()
            process.check_clean((*product.SECRETS, "sig="))
            if form == "json" and process is not relay.process:
                for line in process.errors.splitlines():
                    json.loads(line)


def test_token_prints_a_token_and_not_the_key(bench):
    process = bench.start("token", "token", "--relay", "sb://relay.test:8443/", "--rule", "root", "--rule-key-file",
                          bench.key_file)
    assert process.wait_exit(20) == 0, process.errors
    assert sas.verify(process.output.strip(), product.ROOT_KEY)
    process.check_clean(product.SECRETS)


@AGENTS
def test_secrets_and_options_come_from_the_environment_too(bench, role):
    with apps.echo_target() as target:
        relay = bench.relay()
        env = {"HPB_CONNECTION_STRING":
               f"Endpoint={url(relay)};SharedAccessKeyName=root;SharedAccessKey={product.ROOT_KEY}"}
        option = ["-T", f"simple:5011/{target.address[0]}:{target.address[1]}"] if role == "service" else [
            "-L", "127.0.0.1:0/5011:simple"]
        process = bench.start(role, role, "--ca", bench.certificates.ca, *option, env=env)
        process.wait_ready()
        assert process.stop() == 0
