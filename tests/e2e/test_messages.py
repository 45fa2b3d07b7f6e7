"""Every common mistake, and the one line that answers it: what is wrong, where, and what to do, with the documented
exit code and without a secret. One row per mistake (N7's first contacts among them); nothing waits for a time-out."""

import os
import re
import socket
import types

import pytest
from hpbtest import apps, product, sas
from hpbtest.product import Bench

USAGE, FAILED = 2, 1
RUNS = None  # no reason to end: the agent says so and tries again
#: What no line may repeat, whoever was given it.
SECRET = "c2VjcmV0LXRoYXQtbXVzdC1ub3QtYmUtcHJpbnRlZA"
WRONG_KEY = "d3Jvbmcta2V5LXRoYXQtbXVzdC1ub3QtYmUtcHJpbnRlZA=="


class Row:
    """One mistake. `arguments` may name what the fixture `place` has, e.g. {key}; `files` are written first."""

    def __init__(self, name, code, pattern, arguments, *, files=None, env=None):
        self.name, self.code, self.pattern = name, code, pattern
        self.arguments, self.files, self.env = arguments, files or {}, env or {}


def command(role, defaults, changes):
    """The arguments of a command that would work, with `changes`: another value, or None to leave one out."""
    options = {**defaults, **{n if n.startswith("-") else "--" + n.replace("_", "-"): v for n, v in changes.items()}}
    return [role, *(part for n, v in options.items() if v is not None for part in ([n] if v is True else [n, v]))]


ACCESS = {"--relay": "{relay}", "--ca": "{ca}", "--rule": "root", "--rule-key-file": "{key}", "--log-level": "error"}


def client(**changes):
    return command("client", {**ACCESS, "-L": "127.0.0.1:0/5011:simple"}, changes)


def service(**changes):
    return command("service", {**ACCESS, "-T": "simple:5011/127.0.0.1:5432"}, changes)


def relay(**changes):
    return command("relay", {"--listen": "127.0.0.1:0", "--cert": "{certificate}", "--key": "{private_key}",
                             "--rule": "root", "--rule-key-file": "{key}", "--connection": "simple"}, changes)


def of_file(role, text, **changes):
    """A command with a configuration file of this text; `%` signs stand for the access to the relay."""
    access = ('"ServiceNamespace": { "ServiceNamespace": "{relay}", "CaFile": "{ca}", "AccessRuleName": "root", '
              '"AccessRuleKeyFile": "{key}" }')
    return {"arguments": [role, "--config", "{file}", "--log-level", "error"],
            "files": {"mistake.json": text.replace("%", access), **changes}}


def mapping(keys, port="5021"):
    return of_file("client", '{ "PortBridge": { %, "PortMappings": { "' + port + '": { "EntityPath": "simple", '
                   '"AcceptFromIpAddresses": ["*"]' + keys + " } } } }")


def rules(text):
    return of_file("relay", '{ "Relay": { "Listen": ["127.0.0.1:0"], "Tls": { "CertificateFile": "{certificate}", '
                   '"KeyFile": "{private_key}" }, "HybridConnections": { "simple": {} }, "AccessRules": [ ' + text + " ] } }")


def connection_string(credentials):
    return {"rule": None, "rule_key_file": None, "relay": None, "-x": "Endpoint=sb://{authority}/;" + credentials}


ROWS = [
    # -- the command line
    Row("no command", USAGE, r"no command given; see 'hpb --help'", []),
    Row("unknown command", USAGE, r"unknown command 'rellay'; did you mean relay\?", ["rellay"]),
    Row("misspelled flag", USAGE, r"unknown option --lissten; did you mean --listen\?", relay(lissten="x")),
    Row("N6: the service agent's flag", USAGE, r"-T.*hpb service", client(**{"-T": "simple/localhost:1"})),
    Row("N6: ssh's -L", USAGE, r"-L: '5432:localhost:5432' is the form of ssh; .*: write -L 5432:NAME, and 'hpb service -T NAME/localhost:5432'", client(**{"-L": "5432:localhost:5432"})),
    Row("flag of nobody", USAGE, r"unknown option --zzzzzzzzz; see 'hpb client --help'", client(zzzzzzzzz=True)),
    Row("flag without its value", USAGE, r"--relay.*(?i:value|requires|required)", ["client", "--relay"]),
    Row("stray argument", USAGE, r"unexpected argument 'stray'; see 'hpb client --help'", ["client", "stray"]),
    Row("connection string without -x", USAGE, r"unexpected connection string; put -x before it, or set HPB_CONNECTION_STRING",
        ["client", f"Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey={SECRET}"]),
    Row("-L without a name", USAGE, r"-L: 'nonsense' .*; write \[bind:\]port\[/key\]:", client(**{"-L": "nonsense"})),
    Row("-L with a port out of range", USAGE, r"-L: '99999/1:simple' .*port.*0.*65535.*; write ", client(**{"-L": "99999/1:simple"})),
    Row("-L with a key that is none", USAGE, r"-L: '5021/x:simple' .*key.*number.*; write ", client(**{"-L": "5021/x:simple"})),
    Row("-L with a name to bind", USAGE, r"-L: 'example.com:1:simple' .*bind address.*IP address.*; write ",
        client(**{"-L": "example.com:1:simple"})),
    Row("-T without a target", USAGE, r"-T: 'simple' .*target.*; write hybrid-connection\[:key\]/host:port", service(**{"-T": "simple"})),
    Row("-T with a port out of range", USAGE, r"-T: .*simple/localhost:70000.*the port must be 1 to 65535",
        service(**{"-T": "simple/localhost:70000"})),
    Row("-T with a key that is none", USAGE, r"-T: 'simple:x/h:1' .*key.*number.*; write ", service(**{"-T": "simple:x/h:1"})),
    Row("two targets for one key", USAGE, r"-T: simple has two targets for key 5011; keep one of them",
        service() + ["-T", "simple:5011/h:1"]),
    Row("too many channels", USAGE, r"--channels.*65.*1.*64", client(channels="65")),
    Row("a time that is none", USAGE, r"--ttl.*soon", client(ttl="soon")),
    Row("unknown log level", USAGE, r"--log-level: .*'loud'.*; the levels are trace, debug", client(log_level="loud")),
    Row("unknown log format", USAGE, r"--log-format: .*'xml'.*; the formats are text and json", client(log_format="xml")),
    Row("unknown protocol", USAGE, r"--protocol: PortBridge:Protocol: .*'v3'.*; .*v1.*v2", client(protocol="v3")),
    Row("address of two words", USAGE, r"--relay: PortBridge:ServiceNamespace:ServiceNamespace: .*; write a host name, host:port",
        client(relay="sb://a b/")),
    Row("relay's port out of range", USAGE, r"--relay: .*99999.*; write ", client(relay="sb://127.0.0.1:99999/")),
    Row("bad proxy", USAGE, r"--proxy: PortBridge:ServiceNamespace:Proxy: .*; write http://", client(proxy=f"socks5://u:{SECRET}@h:1")),
    Row("proxy's port out of range", USAGE, r"--proxy: PortBridge:ServiceNamespace:Proxy: .*; write http://", client(proxy="http://h:99999")),
    Row("no relay", USAGE, r"ServiceNamespace: the relay's host name is missing; .*--relay or -x", client(relay=None)),
    Row("no rule", USAGE, r"AccessRuleName: the access rule's name is missing; .*--rule or -x.*--no-auth", client(rule=None)),
    Row("no key", USAGE, r"AccessRuleKey: the access rule's key is missing; .*--rule-key-file or -x", service(rule_key_file=None)),
    Row("no port", USAGE, r"PortMappings: there is no port to listen on; add a mapping, or use -L ", client(**{"-L": None})),
    Row("no target", USAGE, r"EntityPaths: there is no hybrid connection to serve; list it, or use -T ", service(**{"-T": None})),
    Row("connection string in the address", USAGE, r"--relay: .*looks like a connection string; put it into .*-x",
        client(relay=f"Endpoint=sb://h/;SharedAccessKeyName=n;SharedAccessKey={SECRET}")),
    Row("connection string cut short", USAGE, r"ConnectionString: .*'SharedAccessKey' needs 'SharedAccessKeyName'.*; copy it again",
        client(**connection_string(f"SharedAccessKey={SECRET}"))),
    # -- files
    Row("missing configuration", USAGE, r"{dir}/absent.json: can't be read: No such file or directory; check the name",
        ["client", "--config", "{dir}/absent.json"]),
    Row("unreadable configuration", USAGE, r"{unreadable}: can't be read: (Permission denied|Input/output error); check the name and its permissions",
        ["client", "--config", "{unreadable}"]),
    Row("a directory for a configuration", USAGE, r"{dir}: can't be read: Is a directory; ", ["client", "--config", "{dir}"]),
    Row("empty configuration", USAGE, r"mistake.json:1: the file is empty; ", **of_file("client", "")),
    Row("half a configuration", USAGE, r"mistake.json:2.*: PortBridge.*not JSON at column 9: the text ends too early", **of_file("client", '{ "PortBridge":\n { "A": ')),
    Row("a list for a configuration", USAGE, r"mistake.json:1: a configuration file contains one object: \{", **of_file("client", "[]")),
    Row("configuration in UTF-16", USAGE, r"mistake.json:1: the file is UTF-16; save it as UTF-8",
        **of_file("client", "{}".encode("utf-16").decode("latin-1"))),
    Row("the same key twice", USAGE, r"mistake.json:3: PortBridge:Protocol: the key occurs twice in this file",
        **of_file("client", '{ "PortBridge": {\n "Protocol": "v1",\n "Protocol": "v2" } }')),
    Row("missing key file", USAGE, r"AccessRuleKeyFile: {dir}/absent.key can't be read: No such file or directory; it must contain the key",
        client(rule_key_file="{dir}/absent.key")),
    Row("empty key file", USAGE, r"AccessRuleKeyFile: {dir}/a.key is empty; it must contain the key", client(rule_key_file="{dir}/a.key"), files={"a.key": "\r\n"}),
    Row("a directory for a key file", USAGE, r"AccessRuleKeyFile: {dir} can't be read: Is a directory", client(rule_key_file="{dir}")),
    Row("two lines in a key file", USAGE, r"AccessRuleKeyFile: {dir}/a.key has more than one line; it must contain the key and nothing else",
        client(rule_key_file="{dir}/a.key"), files={"a.key": f"# the key\n{SECRET}\n"}),
    Row("key file in UTF-16", USAGE, r"AccessRuleKeyFile: {dir}/a.key is UTF-16; save it as UTF-8",
        client(rule_key_file="{dir}/a.key"), files={"a.key": SECRET.encode("utf-16").decode("latin-1")}),
    Row("missing CA", USAGE, r"--ca: PortBridge:ServiceNamespace:CaFile: {dir}/absent.pem can't be read: No such file", client(ca="{dir}/absent.pem")),
    Row("a directory for a CA", USAGE, r"CaFile: {dir} is a (folder|directory); name the PEM file in it", client(ca="{dir}")),
    Row("CA that is none", USAGE, r"{dir}/a.pem: holds no CA certificate in PEM form", client(ca="{dir}/a.pem"), files={"a.pem": "rubbish"}),
    Row("CA in UTF-16", USAGE, r"{dir}/a.pem: is UTF-16; save it as UTF-8", client(ca="{dir}/a.pem"), files={"a.pem": "\xff\xfeB\0"}),
    Row("relay without a certificate", USAGE, r"Relay:Tls: the relay has no certificate and no private key; .*--cert and --key", relay(cert=None, key=None)),
    Row("certificate without its key", USAGE, r"Relay:Tls:KeyFile: the certificate has no private key; .*--key", relay(key=None)),
    Row("missing certificate", USAGE, r"--cert: Relay:Tls:CertificateFile: {dir}/absent.crt can't be read: No such file", relay(cert="{dir}/absent.crt")),
    Row("certificate that is none", USAGE, r"{dir}/a.crt: holds no certificate in PEM form", relay(cert="{dir}/a.crt"), files={"a.crt": "rubbish"}),
    Row("key of another certificate", USAGE, r"{other_key}: is not the key of the certificate in {certificate}", relay(key="{other_key}")),
    Row("encrypted private key", USAGE, r"{dir}/a.key: holds no private key in PEM form \(an encrypted one is not supported\)",
        relay(key="{dir}/a.key"), files={"a.key": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"}),
    # -- what a configuration says
    Row("a port mapped twice", USAGE, r"PortBridge:PortMappings: port 5021 on 0.0.0.0 is mapped twice; keep one",
        **of_file("client", '{ "PortBridge": { %, "PortMappings": { "5021": { "EntityPath": "a", "AcceptFromIpAddresses": ["*"] }, '
                  '"05021": { "EntityPath": "b", "AcceptFromIpAddresses": ["*"] } } } }')),
    Row("a mapping's port out of range", USAGE, r"mistake.json.*: PortBridge:PortMappings:70000: .*local port; write a number from 1 to 65535",
        **mapping("", "70000")),
    Row("a key that is no number", USAGE, r"mistake.json:1: PortBridge:PortMappings:5021:RemoteConfigurationKey: not a whole number; write",
        **mapping(', "RemoteConfigurationKey": "x"')),
    Row("no channels", USAGE, r"RelayChannelCount: 0 is out of range; write a number from 1 to 64", **mapping(', "RelayChannelCount": 0')),
    Row("a name to bind", USAGE, r"BindToAddress: 'example.com' is not a valid IP address; write ", **mapping(', "BindToAddress": "example.com"')),
    Row("bad CIDR", USAGE, r"AcceptFromIpAddresses:0: '10.0.0.0/40' needs a prefix length of 0 to 32; write ",
        **of_file("client", '{ "PortBridge": { %, "PortMappings": { "5021": { "EntityPath": "a", "AcceptFromIpAddresses": ["10.0.0.0/40"] } } } }')),
    Row("a value for a section", USAGE, r"PortBridge:PortMappings:5021: a single value does not fit here; write an object",
        **of_file("client", '{ "PortBridge": { %, "PortMappings": { "5021": "simple", "5022": { "EntityPath": "a", "AcceptFromIpAddresses": ["*"] } } } }')),
    Row("no hybrid connection", USAGE, r"PortMappings:5021:EntityPath: the hybrid connection is missing; set it ",
        **of_file("client", '{ "PortBridge": { %, "PortMappings": { "5021": { "AcceptFromIpAddresses": ["*"] } } } }')),
    Row("a truth value that is none", USAGE, r"PortBridge:UseUserMetadata: neither true nor false; write true or false",
        **of_file("service", '{ "PortBridge": { %, "EntityPaths": ["simple"], "UseUserMetadata": "yes" } }')),
    Row("unknown right", USAGE, r"AccessRules:0:Rights:0: .*'Read'.*; the rights are Manage, Listen and Send",
        **rules('{ "Name": "a", "Key": "' + SECRET + '", "Rights": ["Read"] }')),
    Row("a rule without a key", USAGE, r"AccessRules:0:Key: the rule has no key; set Key or KeyFile", **rules('{ "Name": "a", "Rights": ["Send"] }')),
    Row("two rules of one name", USAGE, r"AccessRules:1:Name: another rule has this name; ",
        **rules('{ "Name": "a", "Key": "%s", "Rights": ["Send"] }, { "Name": "A", "Key": "%s", "Rights": ["Send"] }'.replace("%s", SECRET))),
    Row("an address to listen on without a port", USAGE, r"--listen: '0.0.0.0' has no port; write address:port", relay(listen="0.0.0.0")),
    Row("a port to listen on out of range", USAGE, r"--listen: '0.0.0.0:99999' .*0 to 65535; write address:port", relay(listen="0.0.0.0:99999")),
    # -- the first contact
    Row("relay's port in use", FAILED, r"127.0.0.1:{taken}.*(?i:address already in use)", relay(listen="127.0.0.1:{taken}")),
    Row("client's port in use", FAILED, r"127.0.0.1:{taken}.*(?i:address already in use)", client(**{"-L": "127.0.0.1:{taken}:simple"})),
    Row("an address of another machine", FAILED, r"192.0.2.1:.*(?i:cannot assign requested address)", client(**{"-L": "192.0.2.1:0:simple"})),
    Row("wrong key", FAILED, r"relay {authority} refused .*simple: 401 .*; check the access rule's .*key", client(rule_key_file="{dir}/a.key"), files={"a.key": WRONG_KEY}),
    Row("unknown rule", FAILED, r"relay {authority} refused .*simple: 401 .*; check the access rule's name", client(rule="nobody")),
    Row("missing right", FAILED, r"relay {authority} refused .*simple: 40[13] .*Listen.*; check the access rule's rights",
        service(rule="send", rule_key_file="{send_key}")),
    Row("N7: unknown hybrid connection", FAILED, r"relay {authority} refused .*nowhere: 404 .*; check the hybrid connection's name", client(**{"-L": "127.0.0.1:0:nowhere"})),
    Row("unknown hybrid connection of a service", FAILED, r"relay {authority} refused .*nowhere: 404 .*; check the hybrid connection's name", service(**{"-T": "nowhere/h:1"})),
    Row("N7: expired token", FAILED, r"relay {authority} refused .*simple: 401 ExpiredToken.*; check this machine's clock; .*SharedAccessSignature",
        client(**connection_string("SharedAccessSignature={expired}"))),
    Row("N7: token for another address", FAILED, r"relay {authority} refused .*simple: 401 .*[Aa]udience.*; use a name of the relay that it accepts in tokens",
        client(**connection_string("SharedAccessSignature={astray}"))),
    Row("N7: user information in the address", USAGE, r"--relay: .*127.0.0.1.*no user and password; those are the access rule's name and key",
        client(relay="sb://root:" + SECRET + "@127.0.0.1:1/")),
    Row("N7: unreachable proxy", RUNS, r"WARN .*cannot reach the proxy 127.0.0.1:{closed} \(on the way to {authority}\): .*refused.*; ",
        client(proxy="http://127.0.0.1:{closed}", log_level="warn")),
    Row("N7: no TLS with a relay that speaks it", RUNS, r"WARN .*{authority}.*speaks TLS.*; .*https://",
        client(relay="http://{authority}/", ca=None, log_level="warn")),
    Row("a token that is demanded", FAILED, r"relay {authority} refused .*simple: 401 MissingToken.*requires client authorization: .*--rule",
        client(rule=None, rule_key_file=None, no_auth=True)),
    Row("a certificate of a stranger", FAILED, r"127.0.0.1:.*certificate.*", client(ca="{other_ca}")),
    Row("no user metadata", FAILED, r"deep/er: no target to connect to; set the hybrid connection's UserMetadata, or Targets .*, or -T",
        **of_file("service", '{ "PortBridge": { %, "EntityPaths": ["deep/er"] } }')),
    Row("user metadata that lost its quotes", FAILED, r"bad: user metadata: line 1, column 19: text needs quotes around it",
        **of_file("service", '{ "PortBridge": { %, "EntityPaths": ["bad"] } }')),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, certificates, request):
    """One relay for all rows, and the names that they may use."""
    bench = Bench(tmp_path_factory.mktemp("messages"), certificates)
    options = bench.relay_options()
    options["Relay"]["HybridConnections"]["bad"] = {"UserMetadata": "[{key:5011, value:tcp:localhost:5011}]"}
    running = bench.relay(options=options)
    send_key = bench.directory / "send.key"
    send_key.write_text(product.SEND_KEY)
    send_key.chmod(0o600)
    unreadable = bench.directory / "unreadable.json"
    unreadable.write_text("{}")
    unreadable.chmod(0)
    taken = socket.create_server(("127.0.0.1", 0))
    certificate, private_key = certificates.server
    (_, closed), keep_closed = apps.refused_address()
    yield types.SimpleNamespace(
        bench=bench, authority=f"{running.host}:{running.port}", relay=f"sb://{running.host}:{running.port}/",
        key=bench.key_file, send_key=send_key, ca=certificates.ca, other_ca=certificates.other_ca,
        certificate=certificate, private_key=private_key, other_key=certificates.wrong_host[1],
        # Nothing is unreadable to root but what fails to be read.
        unreadable="/proc/self/mem" if os.geteuid() == 0 else unreadable, taken=taken.getsockname()[1], closed=closed,
        expired=running.token(seconds=-600), astray=sas.token("http://elsewhere.test/simple/", "root", product.ROOT_KEY))
    taken.close()
    keep_closed.close()
    bench.end()


def filled(text, names):
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_mistake_is_answered_by_one_line(place, tmp_path, row):
    names = {name: str(value) for name, value in vars(place).items() if name != "bench"}
    names.update(dir=str(tmp_path), file=str(tmp_path / "mistake.json"))
    for name, text in row.files.items():
        path = tmp_path / name
        path.write_bytes(filled(text, names).encode("latin-1"))
        path.chmod(0o600)
    process = place.bench.start("row", *(filled(part, names) for part in row.arguments),
                                env={name: filled(text, names) for name, text in row.env.items()})
    if row.code is RUNS:
        process.wait_error(r"\n", 10)
        code = RUNS if process.running() else process.popen.returncode
        process.stop()
    else:
        code = process.wait_exit(20)
    lines = [line for line in process.errors.splitlines() if line.strip()]
    assert len(lines) == 1, f"{len(lines)} lines instead of one:\n{process.errors[-3000:]}"
    pattern = filled(row.pattern, {name: re.escape(value) for name, value in names.items()})
    assert re.search(pattern, lines[0]), f"/{pattern}/ does not match: {lines[0]}"
    assert code == row.code, f"exit code {code} instead of {row.code}: {lines[0]}"
    assert process.output == "" or row.code is RUNS
    process.check_clean((*product.SECRETS, SECRET, WRONG_KEY, "sig="))
