"""The product's three processes with the options that the tests need."""

import json
import pathlib
import socket

from . import sas
from .proc import Process, binary

ROOT_KEY = "cm9vdC1rZXktZm9yLXRoZS10ZXN0cw=="
ROOT_SECOND_KEY = "c2Vjb25kYXJ5LWtleS1mb3ItdGVzdHM="
LISTEN_KEY = "bGlzdGVuLW9ubHkta2V5"
SEND_KEY = "c2VuZC1vbmx5LWtleQ=="
ENTITY_KEY = "a2V5LW9mLW9uZS1lbnRpdHk="
SECRETS = (ROOT_KEY, ROOT_SECOND_KEY, LISTEN_KEY, SEND_KEY, ENTITY_KEY)


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago: for configuration files, which cannot say `any`."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Bench:
    """Starts the product's processes in one directory and ends them all at the end."""

    def __init__(self, directory, certificates):
        self.directory = pathlib.Path(directory)
        self.certificates = certificates
        self.key_file = self.directory / "root.key"
        self.key_file.write_text(ROOT_KEY + "\n")
        self.key_file.chmod(0o600)
        self.processes = []

    # -- raw

    def start(self, name, *arguments, **how):
        process = Process([binary(), *arguments], self.directory / "logs", name, **how)
        self.processes.append(process)
        return process

    def write_json(self, name, value):
        path = self.directory / name
        path.write_text(json.dumps(value, indent=1))
        path.chmod(0o600)
        return path

    def end(self):
        """Stops everything; everything must have been clean to the end."""
        for process in reversed(self.processes):  # a relay waits a second for agents that are still there
            process.stop()
        for process in self.processes:
            process.check_clean(SECRETS)

    # -- relay

    def relay_options(self, **more):
        """The Relay section used by most tests; `more` replaces keys."""
        certificate, key = self.certificates.server
        section = {
            "Listen": ["127.0.0.1:0"],
            "RefusalDelayMilliseconds": 50,  # the default, a second, is for peers that retry without a pause
            "Tls": {"CertificateFile": str(certificate), "KeyFile": str(key)},
            "AccessRules": [
                {"Name": "root", "Key": ROOT_KEY, "SecondaryKey": ROOT_SECOND_KEY,
                 "Rights": ["Manage", "Listen", "Send"]},
                {"Name": "listen", "Key": LISTEN_KEY, "Rights": ["Listen"]},
                {"Name": "send", "Key": SEND_KEY, "Rights": ["Send"]}],
            "HybridConnections": {
                "simple": {"UserMetadata": [{"key": "5011", "value": "tcp:localhost:5011"}]},
                "other": {"AccessRules": [{"Name": "own", "Key": ENTITY_KEY, "Rights": ["Listen", "Send"]}]},
                "open": {"RequiresClientAuthorization": False},
                "deep/er": {}, "hyco": {}}}
        section.update(more)
        return {"Relay": section}

    def relay_without_tls(self):
        options = self.relay_options(Insecure=True)
        del options["Relay"]["Tls"]
        relay = self.relay(options=options)
        relay.ca = None
        return relay

    def relay(self, *, options=None, namespace=None, name="relay"):
        """Starts hpb relay. @return RelayProcess, ready."""
        path = self.write_json(f"{name}.json", options or self.relay_options())
        process = self.start(name, "relay", "--config", path, namespace=namespace)
        return RelayProcess(self, process, path)

    def endpoint_options(self, relay):
        """How an agent finds it. A relay whose `ca` is None speaks no TLS."""
        tls = getattr(relay, "ca", True) is not None
        return ["--relay", f"{'sb' if tls else 'http'}://{relay.host}:{relay.port}/",
                *(["--ca", self.certificates.ca] if tls else []), "--rule", "root", "--rule-key-file", self.key_file]

    # -- agents

    def service(self, relay, targets, *, entity="simple", namespace=None, config=None, ready=True, more=()):
        """hpb service with targets {key: (host, port)}."""
        arguments = ["service"]
        if config is not None:
            arguments += ["--config", self.write_json("service.json", config)]
        else:
            arguments += self.endpoint_options(relay)
            for key, (host, port) in targets.items():
                arguments += ["-T", f"{entity}:{key}/{host}:{port}"]
        process = self.start("service", *arguments, *more, namespace=namespace)
        if ready:
            process.wait_ready()
        return process

    def client(self, relay, mappings, *, namespace=None, ready=True, more=()):
        """hpb client with -L mappings, e.g. 127.0.0.1:0/5011:simple. @return process, [(host, port)]."""
        arguments = ["client", *self.endpoint_options(relay)]
        for mapping in mappings:
            arguments += ["-L", mapping]
        process = self.start("client", *arguments, *more, namespace=namespace)
        return process, process.wait_ready() if ready else []

    def client_with(self, relay, mappings, *, more=()):
        """hpb client from a file. mappings: [dict of keys for one port]. @return process, [(host, port)]."""
        ports = [free_port() for _ in mappings]
        section = {"ServiceNamespace": self.service_namespace(relay), "PortMappings": {}}
        for port, keys in zip(ports, mappings):
            section["PortMappings"][str(port)] = {
                "EntityPath": "simple", "RemoteConfigurationKey": 5011, "BindToAddress": "127.0.0.1",
                "AcceptFromIpAddresses": ["*"], **keys}
        path = self.write_json(f"client-{ports[0]}.json", {"PortBridge": section})
        process = self.start("client", "client", "--config", path, *more)
        process.wait_ready()
        return process, [("127.0.0.1", port) for port in ports]

    def service_namespace(self, relay, **more):
        return {"ServiceNamespace": f"{relay.host}:{relay.port}", "AccessRuleName": "root",
                "AccessRuleKey": ROOT_KEY, "CaFile": str(self.certificates.ca), **more}


class RelayProcess:
    """A relay that runs, how to reach it, and how to start it again on the same port."""

    def __init__(self, bench, process, path, host=None):
        self.bench, self.process, self.path = bench, process, path
        self.addresses = process.wait_ready()
        self.host, self.port = self.addresses[0]
        if host:
            self.host = host
        self.ca = bench.certificates.ca

    def restart(self):
        """Starts it again, after kill(), where it was."""
        options = json.loads(self.path.read_text())
        options["Relay"]["Listen"] = [f"{h}:{p}" if ":" not in h else f"[{h}]:{p}" for h, p in self.addresses]
        self.path.write_text(json.dumps(options))
        self.process = self.bench.start(self.process.name, "relay", "--config", self.path)
        self.process.wait_ready()

    def token(self, entity="simple", rule="root", key=ROOT_KEY, **how):
        return sas.token(f"http://{self.host}/{entity}/", rule, key, **how)
