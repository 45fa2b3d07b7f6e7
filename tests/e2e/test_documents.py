"""N3: scripts/check_docs.py, which `make lint` runs: the documents are in order, and each kind of fault is found (a
checker that cannot fail is none). And what `make package` needs."""

import re
import shutil
import subprocess
import sys

import pytest
from hpbtest.proc import REPOSITORY

ARCHITECTURE, CONFIGURATION, MANUAL = "docs/architecture.md", "docs/configuration.md", "docs/man/hpb.1"


def check(root):
    return subprocess.run([sys.executable, "-B", REPOSITORY / "scripts/check_docs.py", root], capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path):
    """What the checker reads, to be broken."""
    for path in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CMakeLists.txt", "Makefile", "LICENSE"):
        shutil.copy(REPOSITORY / path, tmp_path / path)
    ignored = shutil.ignore_patterns("node_modules", "__pycache__", "corpus", "build", "results")
    for folder in ("docs", "apps", "src", "bench", "tools", "scripts", "tests", "cmake"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=ignored)
    return tmp_path


def test_the_documents_are_in_order():
    done = check(REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


def replace(root, name, old, new):
    path = root / name
    text = path.read_text()
    assert old in text, f"{old!r} is no longer in {name}"
    path.write_text(text.replace(old, new))


#: what is broken (file, old text or None to append, new text), and what has to be found where
FAULTS = {
    "dead anchor": ("README.md", "configuration.md#counters", "configuration.md#no-such-heading",
                    r"README.md:\d+: the link to docs/configuration.md#no-such-heading leads to no heading"),
    "dead anchor of its own": (CONFIGURATION, None, "\nSee [there](#nowhere).\n", "#nowhere leads to no heading"),
    "dead file": ("CONTRIBUTING.md", None, "\nSee [there](docs/gone.md).\n", "docs/gone.md leads to no file"),
    "heading renamed": (CONFIGURATION, "\n## Signals\n", "\n## Signs\n", "#signals leads to no heading"),
    "flag in an example": ("README.md", "hpb relay --listen", "hpb relay --listne",
                           r"README.md:\d+: hpb has no flag --listne"),
    "flag in text": ("README.md", None, "\nUse `--no-such-flag`.\n", "nothing has a flag --no-such-flag"),
    "flag in the manual page": (MANUAL, ".Op Fl -ca Ar file", ".Op Fl -cafile Ar file", "hpb has no flag --cafile"),
    "flag that is new": ("apps/hpb/cli.cpp", None, '\nconst char* const more = "--brand-new";\n',
                         "the flag --brand-new of hpb is not here"),
    "key in text": ("README.md", None, "\nSet PortBridge:NoSuchKey to 1.\n", "the key PortBridge:NoSuchKey is not known"),
    "key in a table": (CONFIGURATION, "| `MaxListeners` |", "| `MaxListener` |", "the key MaxListener is not known"),
    "key in an example": (CONFIGURATION, '"KeyFile": "relay.key"', '"KeysFile": "relay.key"',
                          "the key Relay:Tls:KeysFile is not known"),
    "key of the environment": (CONFIGURATION, "PortBridge__ServiceNamespace__AccessRuleKey=", "PortBridge__Rule=",
                               "the key PortBridge:Rule is not known"),
    "key that is new": ("src/config/known_keys.cpp", '"Relay:Listen",', '"Relay:Listen", "Relay:BrandNew",',
                        "the key Relay:BrandNew is not here"),
    "example that is no JSON": (CONFIGURATION, '"Tls": {', '"Tls": {{', "this is not JSON"),
    "counter in a table": (CONFIGURATION, "| `resumes` |", "| `resumptions` |", "nothing logs the counter resumptions"),
    "counter that is new": ("src/agent/session_metrics.hpp", "resumes={}", "brand_new={}",
                            "the counter brand_new is in no table"),
    "limit in the table": (ARCHITECTURE, "| `late_hellos` |", "| `late_greetings` |",
                           r"docs/architecture.md:\d+: nothing counts the limit late_greetings"),
    "limit that left the table": (ARCHITECTURE, "| `late_hellos` |", "| – |", "the limit late_hellos is in no row of Limits"),
    "limit without a counter's cell": (ARCHITECTURE, "| `late_hellos` |", "|", "a row of Limits has five cells"),
    "limit that is new": ("src/ops/limits.hpp", "    late_hellos,", "    late_hellos,\n    brand_new,",
                          "the limit brand_new is in no row of Limits"),
    "limit under another name": ("src/ops/limits.cpp", '"late_hellos"', '"late_greetings"',
                                 "the limit late_hellos is told under another name"),
    "limit that nobody counts": ("src/agent/service/session_host.cpp", "ops::reached(ops::Limit::late_hellos);", ";",
                                 "nothing counts the limit late_hellos"),
    "constant in the table of limits": (ARCHITECTURE, "`SessionHost::kHelloLimit`", "`SessionHost::kHelloTime`",
                                        "there is no constant kHelloTime"),
    "constant that is new": ("src/agent/client/bridge.hpp", "kMaxSessions = 256;",
                             "kMaxSessions = 256;\n    static constexpr std::size_t kMaxBrandNew = 1;",
                             "src/agent/client/bridge.hpp:1: the limit kMaxBrandNew is in no row of Limits"),
    "counters without their limits": (CONFIGURATION, "[limits](architecture.md#limits)", "limits",
                                      "Counters does not lead to the table of limits"),
    "function that answers": ("src/session/session_channels.cpp", "void Session::on_timeout(", "void Session::on_time(",
                              r"docs/architecture.md:\d+: src/session/session_channels.cpp defines no function "
                              "Session::on_timeout"),
    "file that answers": (ARCHITECTURE, "`src/relay/access.cpp`", "`src/relay/tokens.cpp`",
                          "there is no file src/relay/tokens.cpp"),
    "exit code in text": ("README.md", None, "\nIt ends with exit code 7.\n", "hpb has no exit code 7"),
    "exit code that is new": ("apps/hpb/cli.hpp", "kExitUsage = 2;", "kExitUsage = 2;\ninline constexpr int kExitNew = 3;",
                              "the exit code 3 is not explained"),
    "environment variable in text": ("README.md", None, "\nSet `HPB" "_NO_SUCH=1`.\n",
                                     "nothing reads the environment variable HPB.NO_SUCH"),
    "environment variable that is new": ("apps/hpb/main.cpp", None, '\nconst char* const more = "HPB_BRAND_NEW";\n',
                                         "no document has the environment variable HPB_BRAND_NEW"),
}


def test_every_kind_of_fault_is_found(copy):
    assert check(copy).returncode == 0, check(copy).stdout
    originals = {}
    for what, (name, old, new, _) in FAULTS.items():
        originals.setdefault(name, (copy / name).read_text())
    missed = []
    for what, (name, old, new, pattern) in FAULTS.items():
        if old is None:
            with open(copy / name, "a") as file:
                file.write(new)
        else:
            replace(copy, name, old, new)
        done = check(copy)
        (copy / name).write_text(originals[name])
        lines = "\n".join(done.stdout.splitlines())
        if done.returncode != 1 or not re.search(pattern, lines):
            missed.append((what, done.returncode, lines[-400:]))
    assert not missed, missed


def test_a_package_needs_what_a_build_needs():
    """N9: `make package` installs no database, no sshd, no Node.js, no clang-tidy."""
    def packages(level):
        script = REPOSITORY / "scripts/setup.sh"
        return set(subprocess.run([script, level, "--list"], capture_output=True, text=True, check=True).stdout.split())

    assert packages("package") == packages("build") | {"dpkg-dev"}
    assert {"postgresql", "clang-tidy"} <= {name.rsplit("-1", 1)[0] for name in packages("dev")}
    plan = subprocess.run(["make", "-n", "package"], cwd=REPOSITORY, capture_output=True, text=True).stdout
    assert set(re.findall(r"setup\.sh (\w+)", plan)) == {"package", "build"}, plan
