"""The existing bridge's configuration drives the agents unchanged: files, environment, metadata, sinks."""

import json
import socket

import pytest
from hpbtest import apps, product
from hpbtest.waiting import wait_until


@pytest.fixture
def echo():
    with apps.echo_target() as target:
        yield target


def with_metadata(bench, metadata, entity="simple"):
    return bench.relay(options=bench.relay_options(HybridConnections={entity: {"UserMetadata": metadata}}))


def client_of(bench, relay, key, entity="simple"):
    _, (address,) = bench.client(relay, [f"127.0.0.1:0/{key}:{entity}"])
    return address


def test_appsettings_of_both_agents_as_they_are_in_the_field(bench, echo):
    """Comments, trailing commas, odd case, Serilog and AgentMetrics sections; targets from the relay."""
    relay = with_metadata(bench, [{"key": "note", "value": "not a number: skipped"},
                                  {"key": "5012", "value": "tcp:unresolvable.invalid:1"},
                                  {"key": "5011", "value": f"tcp:localhost:{echo.address[1]}"}])
    namespace = json.dumps(bench.service_namespace(relay))
    logs = bench.directory / "rolling"
    service = bench.directory / "service.json"
    service.write_text("""{ // as .NET reads it
      "Serilog": { "Using": ["Serilog.Sinks.Console", "Serilog.Sinks.RollingFile"],
        "MinimumLevel": { "Default": "Debug", "Override": { "Microsoft": "Warning" } },
        "WriteTo": [ { "Name": "Console" },
          { "Name": "RollingFile", "Args": { "pathFormat": "%s/service-{Date}.log", "retainedFileCountLimit": 3 } }, ],
        "Properties": { "Application": "x" } },
      "AgentMetrics": { "MetricsOptions": { "GlobalTags": { "a": "b" } }, "ReportingOptions": { "ReportConsole": true } },
      "portbridge": { "servicenamespace": %s, /* and lists */ "EntityPaths": [ "simple", ], }, }""" % (logs, namespace))
    process = bench.start("service", "service", "--config", service)
    process.wait_ready()
    port = product.free_port()
    client = bench.directory / "client.json"
    client.write_text("""{ "PortBridge": { "ServiceNamespace": %s, "PortMappings": { "%d": {
      "EntityPath": "simple", "RemoteConfigurationKey": "5011", "BindToAddress": "127.0.0.1",
      "AcceptFromIpAddresses": [ "10.1.2.3", "127.0.0.0-127.0.0.255" ], "RelayChannelCount": "2" } } } }""" % (namespace, port))
    bench.start("client", "client", "--config", client).wait_ready()
    assert apps.exchange(("127.0.0.1", port), b"x" * 100_000) == b"x" * 100_000
    files = wait_until(lambda: list(logs.glob("service-*.log")), 10, "the rolling file")
    wait_until(lambda: files[0].read_text(), 10, "a line in it")
    assert product.ROOT_KEY not in files[0].read_text()
    said = process.errors + process.output + files[0].read_text()
    assert "AgentMetrics" in said, "what is not carried over is named at the start"


@pytest.mark.parametrize("metadata, key", [
    ('[{"key": 7, "value": "tcp:127.0.0.1:%d"}]', 7), ('[{"key":"1","value":"tcp:x:1"},{"key":"1","value":"tcp:127.0.0.1:%d"}]', 1),
    ('[{"key":"-1","value":"tcp:127.0.0.1:%d"}]', -1),
    ("[{key:'5011', /* the web */ value:'tcp:127.0.0.1:%d',},] // typed", 5011)],
    ids=["number as key", "last duplicate wins", "negative", "typed into a portal"])
def test_metadata_forms(bench, echo, metadata, key):
    """D10: also as Newtonsoft reads it."""
    relay = with_metadata(bench, metadata % echo.address[1])
    config = {"PortBridge": {"ServiceNamespace": bench.service_namespace(relay), "EntityPaths": ["simple"]}}
    bench.service(relay, {}, config=config)
    assert apps.answers(client_of(bench, relay, key))


def test_the_entity_in_a_targets_host(bench, echo):
    relay = with_metadata(bench, [{"key": "5011", "value": f"tcp:$(e):{echo.address[1]}"}], "localhost")
    config = {"PortBridge": {"ServiceNamespace": bench.service_namespace(relay), "EntityPaths": ["localhost"]}}
    bench.service(relay, {}, config=config)
    assert apps.answers(client_of(bench, relay, 5011, "localhost"))


@pytest.mark.parametrize("metadata", ["no json", "{}", "[]", [{"key": "5011", "value": "udp:x:1"}], None,
                                      [{"key": "x", "value": "tcp:localhost:1"}]])
def test_metadata_that_is_of_no_use_stops_the_start_with_a_reason(bench, metadata):
    options = bench.relay_options(HybridConnections={"simple": {} if metadata is None else {"UserMetadata": metadata}})
    relay = bench.relay(options=options)
    config = {"PortBridge": {"ServiceNamespace": bench.service_namespace(relay), "EntityPaths": ["simple"]}}
    process = bench.service(relay, {}, config=config, ready=False, more=["--log-level", "error"])
    assert process.wait_exit(15) != 0
    assert "simple" in process.errors and "etadata" in process.errors


def test_local_targets_win_over_metadata(bench, echo):
    refused, keep = apps.refused_address()
    with keep:
        relay = with_metadata(bench, [{"key": "5011", "value": "tcp:%s:%d" % refused}])
        config = {"PortBridge": {"ServiceNamespace": bench.service_namespace(relay), "EntityPaths": ["simple"],
                                 "Targets": {"5011": "tcp:%s:%d" % echo.address}}}
        bench.service(relay, {}, config=config)
        assert apps.answers(client_of(bench, relay, 5011))


def test_environment_over_file_and_command_line_over_environment(bench, echo):
    relay = bench.relay()
    section = bench.service_namespace(relay, AccessRuleKey="not the key")
    config = bench.write_json("layers.json", {"PortBridge": {
        "ServiceNamespace": section, "EntityPaths": ["simple"], "Targets": {"5011": "%s:%d" % echo.address}}})
    name = "PortBridge__ServiceNamespace__AccessRuleKey"
    bench.start("service", "service", "--config", config, env={name: product.ROOT_KEY}).wait_ready()
    config = bench.write_json("layers-2.json", {"PortBridge": {
        "ServiceNamespace": bench.service_namespace(relay), "EntityPaths": ["simple"],
        "Targets": {"5011": "%s:%d" % echo.address}}})
    port = product.free_port()
    environment = {"PORTBRIDGE__SERVICENAMESPACE__SERVICENAMESPACE": "elsewhere.invalid",
                   f"PortBridge__PortMappings__{port}__EntityPath": "simple",
                   f"PortBridge__PortMappings__{port}__RemoteConfigurationKey": "5011",
                   f"PortBridge__PortMappings__{port}__BindToAddress": "127.0.0.1",
                   f"PortBridge__PortMappings__{port}__AcceptFromIpAddresses__0": "*"}
    client = bench.start("client", "client", "--config", config, "--relay", f"sb://{relay.host}:{relay.port}/",
                         env=environment)
    client.wait_ready()
    assert apps.answers(("127.0.0.1", port))


def test_an_azure_connection_string(bench, echo):
    relay = bench.relay()
    text = (f"Endpoint=sb://{relay.host}:{relay.port}/;SharedAccessKeyName=root;"
            f"SharedAccessKey={product.ROOT_KEY};EntityPath=simple")
    section = {"ConnectionString": text, "CaFile": str(bench.certificates.ca)}
    bench.service(relay, {}, config={"PortBridge": {
        "ServiceNamespace": section, "EntityPaths": ["simple"], "Targets": {"5011": "%s:%d" % echo.address}}})
    client = bench.start("client", "client", "-x", text, "--ca", bench.certificates.ca, "-L", "127.0.0.1:0/5011:simple")
    (address,) = client.wait_ready()
    assert apps.answers(address)


def test_key_from_a_file_and_the_secondary_key(bench, echo):
    key_file = bench.directory / "second.key"
    key_file.write_text(product.ROOT_SECOND_KEY + "\n")
    relay = bench.relay()
    section = bench.service_namespace(relay, AccessRuleKeyFile=str(key_file))
    del section["AccessRuleKey"]
    bench.service(relay, {}, config={"PortBridge": {
        "ServiceNamespace": section, "EntityPaths": ["simple"], "Targets": {"5011": "%s:%d" % echo.address}}})
    assert apps.answers(client_of(bench, relay, 5011))


def test_everything_on_ipv6(bench):
    relay = bench.relay(options=bench.relay_options(Listen=["[::1]:0"]))
    assert relay.host == "::1"
    relay.host = "[::1]"
    with apps.echo_target(host="::1") as target:
        bench.service(relay, {5011: ("[::1]", target.address[1])})
        _, (address,) = bench.client(relay, ["[::1]:0/5011:simple"])
        assert address[0] == "::1" and apps.answers(address)


def test_relay_and_agents_without_any_file(bench, echo):
    """The commands of the README, word for word but for the ports."""
    certificate, key = bench.certificates.server
    process = bench.start("relay", "relay", "--listen", "127.0.0.1:0", "--cert", certificate, "--key", key, "--rule",
                          "root", "--rule-key-file", bench.key_file, "--connection", "simple")
    ((host, port),) = process.wait_ready()

    class Here:
        pass

    Here.host, Here.port = host, port
    bench.service(Here, {5011: ("localhost", echo.address[1])})
    assert apps.answers(client_of(bench, Here, 5011))


def test_plain_ws_only_when_asked_for_by_name(bench, echo):
    process = bench.start("relay", "relay", "--listen", "127.0.0.1:0", "--insecure", "--rule", "root",
                          "--rule-key-file", bench.key_file, "--connection", "simple")
    ((host, port),) = process.wait_ready()
    with socket.create_connection((host, port), timeout=10) as sock:
        sock.sendall(b"GET /$hc/simple?sb-hc-action=connect HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                     b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 401 ")


def session_config(bench, **keys):
    return bench.write_json("sessions.json", {"PortBridge": {
        "ServiceNamespace": {"ServiceNamespace": "relay.test:8443", "AccessRuleName": "root",
                             "AccessRuleKey": product.ROOT_KEY}, "EntityPaths": ["simple"], **keys}})


def test_check_shows_what_sessions_would_do(bench):
    path = session_config(bench, Protocol="V2", SessionGraceSeconds=60, KeepAliveSeconds=2, SessionIdleSeconds=9,
                          MaxSessions=10, MemoryBudgetMegabytes=64, StreamWindowKilobytes=128,
                          MaxStreamWindowKilobytes=4096)
    process = bench.start("check", "check", "--config", path)
    assert process.wait_exit(20) == 0, process.errors
    assert "WARN" not in process.errors and "unknown" not in process.errors, process.errors
    for part in ("only v2", "by 60 s", "keep-alive 2 s", "64 MiB", "from 128 to 4096 KiB"):
        assert part in process.output, process.output


@pytest.mark.parametrize("keys, said", [
    ({"Protocol": "v3"}, "write auto, v1 or v2"), ({"SessionGraceSeconds": 0}, "from 1 to 604800"),
    ({"KeepAliveSeconds": 3601}, "from 1 to 3600"), ({"MaxSessions": "many"}, "MaxSessions: not a whole number"),
    ({"MemoryBudgetMegabytes": 8}, "from 16 to 1048576"),
    ({"StreamWindowKilobytes": 1024, "MaxStreamWindowKilobytes": 64},
     "MaxStreamWindowKilobytes (64) is below StreamWindowKilobytes (1024)")], ids=lambda v: v if isinstance(v, str) else "")
def test_session_settings_that_cannot_be(bench, keys, said):
    process = bench.start("check", "check", "--config", session_config(bench, **keys))
    assert process.wait_exit(20) == 2
    assert said in process.errors and "sessions.json" in process.errors, process.errors


@pytest.mark.parametrize("protocol", ["auto", "v1", "v2"])
def test_the_protocol_by_flag_and_by_file(bench, echo, protocol):
    relay = bench.relay()
    bench.service(relay, {}, config={"PortBridge": {
        "ServiceNamespace": bench.service_namespace(relay), "EntityPaths": ["simple"], "Protocol": protocol.upper(),
        "Targets": {"5011": "%s:%d" % echo.address}}})
    _, (address,) = bench.client(relay, ["127.0.0.1:0/5011:simple"], more=["--protocol", protocol])
    assert apps.exchange(address, b"y" * 300_000) == b"y" * 300_000


def test_arguments_of_other_sections_are_ignored_with_a_warning(bench):
    """D11: the original's own tests pass them."""
    others = ["Logging:LogLevel:Default=Debug", "--environment=Production", "Foo=bar", "/Logging:Console", "x"]
    relay = bench.relay()
    process = bench.start("client", "client", "--relay", f"sb://{relay.host}:{relay.port}/", "--ca",
                          bench.certificates.ca, "--rule", "root", "--rule-key-file", bench.key_file,
                          "-L", "127.0.0.1:0/5011:simple", *others)
    process.wait_ready()
    for name in ("Logging:LogLevel:Default", "environment", "Foo", "Logging:Console"):
        assert f"command line: {name}: not a key of hpb" in process.errors


def anonymous_client(bench, relay, mapping, *more):
    return bench.start("client", "client", "--relay", f"sb://{relay.host}:{relay.port}/", "--ca",
                       bench.certificates.ca, "--no-auth", "-L", mapping, *more)


def test_an_anonymous_sender(bench, echo):
    """D9: a hybrid connection that requires no client authorization, and one that does."""
    relay = bench.relay()
    bench.service(relay, {5011: echo.address}, entity="open")
    client = anonymous_client(bench, relay, "127.0.0.1:0/5011:open")
    (address,) = client.wait_ready()
    assert apps.exchange(address, b"x" * 100_000) == b"x" * 100_000
    refused = anonymous_client(bench, relay, "127.0.0.1:0/5011:simple", "--log-level", "error")
    assert refused.wait_exit(15) == 1
    assert len(refused.errors.splitlines()) == 1, refused.errors
    for part in ("simple", "MissingToken", "requires client authorization", "--rule", "--no-auth"):
        assert part in refused.errors, part


def test_an_anonymous_sender_by_a_file_before_any_listener(bench, echo):
    """D9: the agent comes first, and the service agent after it."""
    relay = bench.relay()
    port = product.free_port()
    config = bench.write_json("anonymous.json", {"PortBridge": {
        "ServiceNamespace": {"ServiceNamespace": f"{relay.host}:{relay.port}", "CaFile": str(bench.certificates.ca),
                             "NoAuthentication": True},
        "PortMappings": {port: {"EntityPath": "open", "RemoteConfigurationKey": 5011, "BindToAddress": "127.0.0.1",
                                "AcceptFromIpAddresses": ["*"]}}}})
    bench.start("client", "client", "--config", config).wait_ready()
    bench.service(relay, {5011: echo.address}, entity="open")
    wait_until(lambda: apps.answers(("127.0.0.1", port)), 15, "an answer through the bridge")


@pytest.mark.parametrize("wrap", [
    lambda text: b"\xef\xbb\xbf" + text.encode(), lambda text: text.replace("\n", "\r\n").encode() + b" \r\n\r\n",
    lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(), lambda text: text.replace("\n", "\r").encode()],
    ids=["mark", "CRLF", "both", "CR"])
def test_files_as_editors_of_other_systems_write_them(bench, echo, wrap):
    """F8: byte order marks and line ends in every file that is read."""
    def write(name, text):
        path = bench.directory / name
        path.write_bytes(wrap(text))
        path.chmod(0o600)
        return path

    certificate, key = (write(f"server.{n}", path.read_text()) for n, path in zip(("crt", "pem"), bench.certificates.server))
    root_key = write("wrapped.key", product.ROOT_KEY + "\n")
    ca = write("ca.pem", bench.certificates.ca.read_text())
    options = bench.relay_options(Tls={"CertificateFile": str(certificate), "KeyFile": str(key)}, AccessRules=[
        {"Name": "root", "KeyFile": str(root_key), "Rights": ["Manage", "Listen", "Send"]}])
    relay = bench.start("relay", "relay", "--config", write("wrapped.json", json.dumps(options, indent=1)))
    ((host, port),) = relay.wait_ready()
    access = ["--relay", f"{host}:{port}", "--ca", ca, "--rule", "root", "--rule-key-file", root_key]
    bench.start("service", "service", *access, "-T", "simple:5011/%s:%d" % echo.address).wait_ready()
    client = bench.start("client", "client", *access, "-L", "127.0.0.1:0/5011:simple")
    (address,) = client.wait_ready()
    assert apps.exchange(address, b"hello") == b"hello"


@pytest.mark.parametrize("sent", [b"", b"hello", b"x" * 20_000], ids=["silent", "short", "long"])
def test_a_denied_source_sees_an_orderly_end(bench, sent):
    """D16: FIN, as of the original, also for an application that speaks first."""
    relay = bench.relay()
    _, (address,) = bench.client_with(relay, [{"AcceptFromIpAddresses": ["192.0.2.1"]}])
    with socket.create_connection(address, 5) as application:
        # One packet with the handshake's last: the agent has it when it looks at the address.
        try:
            application.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            pass  # turned away while it was still sending: no more than that is promised for what comes later
        else:
            application.settimeout(5)
            if len(sent) < 1000:
                assert application.recv(1) == b""
