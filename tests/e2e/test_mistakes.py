"""What people do wrong, and the line that they read: each mistake is a row with its one line and exit code.
The line names the place, what is wrong, and what to do."""

import json
import re
import socket

import pytest
from hpbtest import product
from hpbtest.waiting import deadline

RUN_TIME, CONFIGURATION = 1, 2
NAMESPACE = {"ServiceNamespace": "127.0.0.1:1", "AccessRuleName": "root", "AccessRuleKey": product.ROOT_KEY}
MAPPING = {"EntityPath": "simple", "BindToAddress": "127.0.0.1", "AcceptFromIpAddresses": ["*"]}


@pytest.fixture(scope="module")
def files(tmp_path_factory, certificates):
    """Files that rows name as {name}, and an address where somebody listens, {taken}."""
    folder = tmp_path_factory.mktemp("mistakes")
    certificate, key = certificates.server

    def write(name, content):
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o600)
        return str(path)

    def bridge(name, **section):
        return write(name, json.dumps({"PortBridge": {"ServiceNamespace": NAMESPACE, **section}}))

    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as gone:
        free = gone.getsockname()[1]
        gone.close()
        yield {
            "folder": str(folder), "absent": str(folder / "absent"), "free": str(free),
            "taken": str(listener.getsockname()[1]),
            "key": write("root.key", product.ROOT_KEY + "\n"), "empty": write("empty", ""),
            "two_lines": write("two.key", "one\ntwo\n"), "text": write("notes.txt", "no certificate\n"),
            "utf16": write("utf16.key", product.ROOT_KEY.encode("utf-16")),
            "ca": str(certificates.ca), "cert": str(certificate), "cert_key": str(key),
            "comma": write("comma.json", '{ "PortBridge": {\n  "EntityPaths": [ "a" "b" ] } }'),
            "open_end": write("open.json", '{ "PortBridge": { "EntityPaths": [ "a" ]'),
            "twice": write("twice.json", '{ "Relay": {},\n "relay": {} }'),
            "utf16_json": write("utf16.json", "{}".encode("utf-16")),
            "array": write("array.json", "[]"), "nothing": write("nothing.json", "{}"),
            "bad_ttl": bridge("ttl.json", PortMappings={"5021": {**MAPPING, "RelayConnectionTtlSeconds": "soon"}}),
            "bad_bind": bridge("bind.json", PortMappings={"5021": {**MAPPING, "BindToAddress": "example.com"}}),
            "bad_allow": bridge("allow.json",
                                PortMappings={"5021": {**MAPPING, "AcceptFromIpAddresses": ["10.0.0.300"]}}),
            "bad_port": bridge("port.json", PortMappings={"99999": MAPPING}),
            "no_entity": bridge("entity.json", PortMappings={"5021": {"BindToAddress": "127.0.0.1"}}),
            "bad_target": bridge("target.json", EntityPaths=["simple"], Targets={"5011": "localhost"}),
            "bad_target_key": bridge("target-key.json", EntityPaths=["simple"], Targets={"web": "localhost:80"})}


RELAY = "--cert {cert} --key {cert_key} --rule root --rule-key-file {key} --connection simple"
AGENT = "--relay sb://127.0.0.1:1/ --ca {ca} --rule root --rule-key-file {key}"
CLIENT = f"client {AGENT} -L 127.0.0.1:0:simple"
SERVICE = f"service {AGENT} -T simple/localhost:80"

#: (what is typed, the line's pattern, exit code). Words in {braces} are files and ports of the fixture.
ROWS = [
    # -- commands and options
    ("clent", "unknown command 'clent'; did you mean client\\?", 2),
    ("", "no command given; see 'hpb --help'", 2),
    ("-V", "unknown option -V; did you mean --version\\?", 2),
    (f"client {AGENT} -T simple/localhost:80", "unknown option -T: the target is named by the service agent, with "
     "'hpb service -T'; .* -L \\[bind:\\]port:name", 2),
    (f"service {AGENT} -L 1:simple", "unknown option -L: the client agent listens, with 'hpb client -L'", 2),
    (f"client {AGENT} -R 1:a:2", "unknown option -R: there is no remote forwarding in one command; run 'hpb client "
     "-L port:name' .*'hpb service -T name/host:port'", 2),
    (f"client {AGENT} --port 80", "unknown option --port; the local port is part of -L \\[bind:\\]port:name", 2),
    ("relay --port 443", "unknown option --port; the port is part of --listen address:port", 2),
    (f"{CLIENT} --insecure", "unknown option --insecure: an agent always checks the relay's certificate; .*--ca", 2),
    (f"{CLIENT} --log-levle debug", "unknown option --log-levle; did you mean --log-level\\?", 2),
    (f"{CLIENT} --listen 1", "unknown option --listen: it is an option of 'hpb relay'", 2),
    (f"{CLIENT} stray", "unexpected argument 'stray'; see 'hpb client --help'", 2),
    (f"{CLIENT} --channels 99", "--channels: '99' is not a number from 1 to 64", 2),
    (f"{CLIENT} --ttl soon", "--ttl: 'soon' is not a number from 0 to 31536000", 2),
    (f"{CLIENT} --ca {{ca}}", "--ca was given 2 times; give it once", 2),
    ("relay --cert", "--cert needs a value: FILE", 2),
    ("demo --port 80000", "--port: '80000' is not a number from 0 to 65535", 2),
    ("demo --once --target 127.0.0.1:{free}", "the target 127.0.0.1:{free} cannot be reached: .*[Cc]onnection refused", 1),
    ("demo --target nothing", "--target: target 'nothing': expected .*host:port", 2),
    # -- -L and -T
    (f"client {AGENT} -L 25001:simple/5011", "-L: '25001:simple/5011' has its key on the wrong side; write "
     "25001/5011:simple", 2),
    (f"client {AGENT} -L 15432:localhost:5432", "-L: '15432:localhost:5432' is the form of ssh; .* write -L 15432:NAME, "
     "and 'hpb service -T NAME/localhost:5432' there", 2),
    (f"client {AGENT} -L simple", "-L: 'simple' names no hybrid connection; write \\[bind:\\]port", 2),
    (f"client {AGENT} -L 70000:simple", "-L: '70000:simple' needs a port from 0 \\(any\\) to 65535", 2),
    (f"client {AGENT} -L 1.2.3.400:1:simple", "'1.2.3.400:1:simple' has a bind address that is not an IP address", 2),
    (f"client {AGENT} -L 80/web:simple", "'80/web:simple' has a key that is not a number", 2),
    (f"service {AGENT} -T localhost:80", "-T: 'localhost:80' names no hybrid connection; write NAME/localhost:80", 2),
    (f"service {AGENT} -T simple/localhost", "target 'localhost': expected .*host:port", 2),
    (f"service {AGENT} -T simple/localhost:99999", "target 'localhost:99999': the port must be 1 to 65535", 2),
    # -- values
    (f"{CLIENT} --log-format xml", "--log-format: unknown format 'xml'; the formats are text and json", 2),
    (f"{CLIENT} --log-level loud", "--log-level: unknown level 'loud'; the levels are trace, debug", 2),
    (f"{CLIENT} --protocol v3", "--protocol: PortBridge:Protocol: unknown protocol 'v3'; write auto, v1 or v2", 2),
    (f"{CLIENT} --proxy socks5://h:1", "Proxy: not a valid proxy address", 2),
    (f"{CLIENT} --PortBridge:MaxConnections=many", "PortBridge:MaxConnections: not a whole number; write one from 1 to", 2),
    (f"{CLIENT} -x Endpoint=foo", "'Endpoint' must be a URI such as sb://host/", 2),
    (f"relay --listen example.com:443 {RELAY}", "--listen: 'example.com:443' does not begin with an IP address; write", 2),
    (f"relay --listen 127.0.0.1:99999 {RELAY}", "--listen: '127.0.0.1:99999' has no port from 0 to 65535", 2),
    # -- files
    (f"{CLIENT} --config {{absent}}", "{absent}: can't be read: No such file or directory", 2),
    (f"{CLIENT} --config {{folder}}", "{folder}: can't be read: Is a directory", 2),
    (f"{CLIENT} --config {{comma}}", "comma\\.json:2: PortBridge:EntityPaths:1: not JSON at column 24: unexpected "
     "character; look for a missing comma", 2),
    (f"{CLIENT} --config {{open_end}}", "open\\.json:1: .*not JSON at column 41: the text ends too early", 2),
    (f"{CLIENT} --config {{twice}}", "twice\\.json:2: relay: .*twice", 2),
    (f"{CLIENT} --config {{utf16_json}}", "the file is UTF-16; save it as UTF-8", 2),
    (f"{CLIENT} --config {{array}}", "array\\.json:1: a configuration file contains one object", 2),
    (f"{CLIENT} --config {{empty}}", "the file is empty; \\{{\\}} is the shortest valid file", 2),
    ("check --config {nothing}", "nothing\\.json: there is nothing to run; add Relay, PortBridge:EntityPaths or", 2),
    ("client --relay h --rule root --rule-key-file {key} -L 0:simple --ca absent.pem",
     "absent\\.pem can't be read: No such file or directory; the name is relative to the working directory, /", 2),
    ("client --relay h --rule root --rule-key-file {key} -L 0:simple --ca {folder}", "{folder} is a folder", 2),
    ("client --relay h --rule root --rule-key-file {key} -L 127.0.0.1:0:simple --ca {text}",
     "notes\\.txt.* holds no .*certificate", 2),
    ("client --relay h --rule root --rule-key-file {absent} -L 0:simple",
     "--rule-key-file: .*{absent} can't be read: No such file or directory", 2),
    ("client --relay h --rule root --rule-key-file {two_lines} -L 0:simple", "two\\.key has more than one line", 2),
    ("client --relay h --rule root --rule-key-file {empty} -L 0:simple", "empty is empty", 2),
    # -- configuration
    ("client --config {bad_ttl}", "ttl\\.json:1: .*RelayConnectionTtlSeconds: not a whole number", 2),
    ("client --config {bad_bind}", "BindToAddress: 'example.com' is not a valid IP address; write an address of this "
     "host", 2),
    ("client --config {bad_allow}", "AcceptFromIpAddresses:0: '10.0.0.300' .*; write \\*, an IP address", 2),
    ("client --config {bad_port}", "PortMappings:99999: the key of a mapping is its local port; write a number", 2),
    ("client --config {no_entity}", "5021:EntityPath: the hybrid connection is missing; set it", 2),
    ("service --config {bad_target}", "Targets:5011: target 'localhost': expected", 2),
    ("service --config {bad_target_key}", "Targets:web: .*key is not a number; use the client's", 2),
    # -- what the system says
    (f"relay --listen 127.0.0.1:{{taken}} {RELAY}", "cannot listen on 127.0.0.1:{taken}: Address already in use; another "
     "program is listening there", 1),
    (f"relay --listen 192.0.2.1:8443 {RELAY}", "cannot listen on 192.0.2.1:8443: .*; this machine has no such address: "
     "check Relay:Listen", 1),
]


@pytest.mark.parametrize("typed, pattern, code", ROWS, ids=[row[0][:60] or "nothing" for row in ROWS])
def test_a_mistake_is_answered_with_one_line(bench, files, typed, pattern, code):
    """N6, N7, N11, N12: what is typed, the line, the exit code."""
    process = bench.start("hpb", *(word.format(**files) for word in typed.split()))
    assert process.wait_exit(30) == code, process.errors
    errors = [line for line in process.errors.splitlines() if line.startswith("hpb: error: ")]
    assert len(errors) == 1, process.errors
    pattern = re.sub(r"\{(\w+)\}", lambda match: re.escape(files[match[1]]) if match[1] in files else match[0], pattern)
    assert re.search(pattern.replace("\\{{", "\\{").replace("\\}}", "\\}"), errors[0]), f"/{pattern}/ is not in {errors[0]}"


@pytest.mark.parametrize("arguments", [
    ["clent", "--log-format", "json"], ["client", "--nonsense-option", "--log-format=json"],
    ["client", "--relay", "h", "--rule", "r", "--rule-key-file", "/absent", "-L", "1:a", "--log-format", "json"]])
def test_the_fatal_line_is_json_where_the_log_is(bench, arguments):
    """N11: whoever collects JSON lines finds the reason of a failed start there too."""
    process = bench.start("hpb", *arguments)
    assert process.wait_exit(30) == CONFIGURATION
    lines = [json.loads(line) for line in process.errors.splitlines()]
    assert lines and lines[0]["level"] == "error" and lines[0]["component"] == "hpb" and lines[0]["message"]


def test_a_port_that_needs_a_privilege(bench, files):
    """N11: port 443 as a user: a plain sentence with the remedy."""
    start = open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read().strip()
    if int(start) <= 443:
        pytest.skip(f"every user may listen on port 443 here ({start})")
    import subprocess
    arguments = [word.format(**files) for word in f"relay --listen 127.0.0.1:443 {RELAY}".split()]
    drop = ["setpriv", "--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"]
    from hpbtest.proc import binary
    run = subprocess.run([*drop, binary(), *arguments], capture_output=True, text=True, timeout=deadline(30))
    assert run.returncode == RUN_TIME, run.stderr
    assert re.search("cannot listen on 127.0.0.1:443: Permission denied; ports below 1024 need root or the capability "
                     "CAP_NET_BIND_SERVICE", run.stderr)
