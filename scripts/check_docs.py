#!/usr/bin/env python3
"""Checks that the documents say what is there, and that what is there is in the documents.

* Links: every link of every Markdown file to a file or a heading leads somewhere.
* Flags: every flag that the documents or the manual page give to hpb exists in apps/hpb/cli*.cpp, and the manual page
  has every one of those.
* Keys: every configuration key that is named, in text, in an example's JSON or as an environment variable, is in
  src/config/known_keys.cpp; docs/configuration.md has every one of ours.
* Counters: the tables of "Counters" in docs/configuration.md and the lines that SIGUSR1 asks for have the same names.
* Limits: the table of "Limits" in docs/architecture.md has a row for each counter of src/ops/limits.hpp, each of
  those is counted somewhere, and every constant that the table names, or that is called kMax… in src, is in both.
* Questions: every row of "Questions with their answers" in docs/architecture.md names one file that exists, and the
  functions that it defines.
* Exit codes: those of apps/hpb/cli.hpp, in docs/configuration.md, in the manual page and wherever one is named.
* Environment variables HPB_*: named in a document where the program reads one, and read by something where named.

Prints each offence as file:line and exits 1 if there is one. Usage: scripts/check_docs.py [ROOT]
"""
import json
import pathlib
import re
import sys

ARCHITECTURE = "docs/architecture.md"
CONFIGURATION = "docs/configuration.md"
MANUAL = "docs/man/hpb.1"
QUESTIONS = "Questions with their answers"
SECTIONS = ("PortBridge", "Relay", "Serilog", "AgentMetrics")
#: Read so that nobody is warned, and not carried over: no document has to explain them one by one.
UNEXPLAINED = re.compile(r"AgentMetrics:|Serilog:(Using|Properties|Enrich|Filter|MinimumLevel:Override)")
#: Constants called kMax… that are no limits of their own.
NO_LIMITS = {
    "a range of a key, told in docs/configuration.md or with the error":
        {"kMaxInt32", "kMaxBusyPoll", "kMaxSeconds", "kMaxLinger", "kMaxMegabytes", "kMaxKilobytes", "kMaxIdle",
         "kMaxWindow", "kMaxTimeoutDays", "kMaxKeepAliveSeconds"},
    "a length in a line for people": {"kMaxSchemes", "kMaxTrackerSize", "kMaxDetailSize"},
    "a part of a format, or of another limit": {"kMaxSentPayload", "kMaxName", "kMaxExact", "kMaxPayload"},
    "a cache": {"kMaxFreeSlabs"},
    "below kMaxBody": {"kMaxDocumentSize"},
}
#: What bounds a session is in docs/session-protocol.md; the others are formats of somebody else's.
FOLDERS_WITHOUT_LIMITS = {"session", "websocket", "tls", "bench"}
#: Flags of other programs that the documents name in a code span of their own.
FOREIGN_FLAGS = {"--environment": "the .NET bridge", "--no-install": "npm", "--reverse": "rathole and the like"}
SKIPPED_FOLDERS = {"build", "node_modules", ".git"}


class Document:
    """A Markdown file: its lines, which of them are code, and its headings' anchors."""

    def __init__(self, root, path):
        self.path, self.name = path, str(path.relative_to(root))
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.blocks = []  # (first line's number, language, lines)
        self.text = []  # (number, line) outside of blocks
        fence = None
        for number, line in enumerate(self.lines, 1):
            mark = re.match(r"\s*(```+|~~~+)\s*(\S*)", line)
            if fence is None and mark:
                fence = mark.group(1)
                self.blocks.append((number + 1, mark.group(2), []))
            elif fence is not None and line.strip() == fence:
                fence = None
            elif fence is not None:
                self.blocks[-1][2].append(line)
            else:
                self.text.append((number, line))
        self.anchors = self._anchors()

    def _anchors(self):
        found = {}
        for _, line in self.text:
            heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
            for name in re.findall(r'<a (?:id|name)="([^"]+)"', line):
                found[name] = 1
            if heading:
                slug = slug_of(heading.group(1))
                count = found.get(slug, 0)
                found[slug] = count + 1
                if count:
                    found[f"{slug}-{count}"] = 1
        return set(found)

    def code_spans(self):
        """(number, code) of inline code."""
        for number, line in self.text:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span


def slug_of(heading):
    """The anchor that GitHub makes of a heading."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def check_links(root, documents):
    by_path = {document.path.resolve(): document for document in documents}
    for document in documents:
        for number, line in document.text:
            line = re.sub(r"`[^`]*`", "", line)
            targets = re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", line)
            targets += re.findall(r"^\s*\[[^\]]+\]:\s+(\S+)", line)
            for target in targets:
                if re.match(r"[a-z]+:", target):
                    continue  # another site's, which may be down when this runs
                file, _, anchor = target.partition("#")
                path = (document.path.parent / file).resolve() if file else document.path.resolve()
                if not path.exists():
                    yield document.name, number, f"the link to {target} leads to no file"
                elif anchor and path in by_path and anchor not in by_path[path].anchors:
                    yield document.name, number, f"the link to {target} leads to no heading"


# ---- flags


def flags_of_sources(root, pattern):
    """Every "--flag" and "-x,--flag" that stands alone in a string literal."""
    found = set()
    for path in root.glob(pattern):
        for literal in re.findall(r'["\'](-[-\w,]+)["\']', path.read_text(encoding="utf-8", errors="replace")):
            found.update(part for part in literal.split(",") if re.fullmatch(r"--[a-z][a-z-]+|-[A-Za-z]", part))
    return found


def flags_of_manual(lines):
    for number, line in enumerate(lines, 1):
        if line.startswith("."):
            for flag in re.findall(r"\bFl ((?:-?[A-Za-z][-\w]*)(?: , -[-\w]+)*)", line):
                for part in flag.split(" , "):
                    yield number, "-" + part


def commands_of(block):
    """(offset, command line of hpb) in a block of shell, with continued lines joined."""
    at = 0
    while at < len(block):
        start, line = at, block[at]
        while line.endswith("\\") and at + 1 < len(block):
            at += 1
            line = line[:-1] + " " + block[at]
        at += 1
        for command in re.findall(r"(?:^|[\s/$])hpb +((?:relay|service|client|demo|check|token|bench)\b[^|;&#]*)", line):
            yield start, command


def check_flags(root, documents):
    ours = flags_of_sources(root, "apps/hpb/cli*.cpp") | {"-h", "--help", "--version"}
    others = set(FOREIGN_FLAGS)
    for pattern in ("tools/faults/*.cpp", "bench/**/*.py", "bench/run"):
        others |= flags_of_sources(root, pattern)
    for document in documents:
        for start, _, block in document.blocks:
            for offset, command in commands_of(block):
                for flag in re.findall(r"(?<!\S)(--?[A-Za-z][-\w]*)(?![-\w:])", command):
                    if flag not in ours:
                        yield document.name, start + offset, f"hpb has no flag {flag}"
        for number, span in document.code_spans():
            flag = re.match(r"(--[a-z][-a-z]*)(?![-\w:])", span)
            if flag and flag.group(1) not in ours | others:
                yield document.name, number, f"nothing has a flag {flag.group(1)}"
    manual = root / MANUAL
    lines = manual.read_text(encoding="utf-8").splitlines()
    named = set()
    for number, flag in flags_of_manual(lines):
        named.add(flag)
        if flag not in ours:
            yield MANUAL, number, f"hpb has no flag {flag}"
    aliases = {"--local": "-L", "--target": "-T", "--connection-string": "-x", "-h": "--help", "--version": "--help"}
    for flag in sorted(ours - named):
        if aliases.get(flag) not in named:
            yield MANUAL, 1, f"the flag {flag} of hpb is not here"
    told = " ".join(span for document in documents for _, span in document.code_spans())
    told += " ".join("\n".join(block) for document in documents for _, _, block in document.blocks)
    for flag in sorted(ours - {"-h", "--version"}):
        if not re.search(rf"(?<![-\w]){re.escape(flag)}(?![-\w])", told) and aliases.get(flag, "-") not in told:
            yield CONFIGURATION, 1, f"no document has the flag {flag} of hpb"


# ---- keys


def known_keys(root):
    source = (root / "src/config/known_keys.cpp").read_text(encoding="utf-8")
    table = re.search(r"kKnownKeys\[\]\s*=\s*\{(.*?)\};", source, re.S)
    return re.findall(r'"([^"]+)"', table.group(1)) if table else []


def is_known(path, keys):
    """True if `path` is a key, or the beginning of one."""
    parts = [part for part in path.lower().split(":") if part]
    for key in keys:
        pattern = key.lower().split(":")
        for at, part in enumerate(parts):
            if at >= len(pattern) or (pattern[at] not in ("*", "**", part) and part != "*"):
                break
            if pattern[at] == "**":
                return True
        else:
            return True
    return False


def paths_in(value, above=""):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths_in(inner, f"{above}:{name}" if above else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from paths_in(inner, f"{above}:{number}")
    else:
        yield above


def check_json(document, start, block, keys):
    text = re.sub(r"(?m)(^|\s)//.*$", "", "\n".join(block))
    text = re.sub(r",(\s*[}\]])", r"\1", text)
    for candidate in (text, "{" + text + "}"):
        try:
            value = json.loads(candidate)
            break
        except ValueError as error:
            problem = error
    else:
        yield document.name, start, f"this is not JSON: {problem}"
        return
    for path in paths_in(value):
        if path.split(":")[0] in SECTIONS and not is_known(path, keys):
            yield document.name, start, f"the key {path} is not known"


def keys_named(document):
    """(number, path) of every key with its section, in text, on a command line, or as an environment variable."""
    in_sections = "|".join(SECTIONS)
    for number, line in enumerate(document.lines, 1):
        for path in re.findall(rf"(?<![\w:])((?:{in_sections})(?::[A-Za-z][\w*]*|:\d+|:\*)+)", line):
            yield number, path
        for path in re.findall(rf"(?<!\w)((?:{in_sections})(?:__[A-Za-z0-9]+)+)", line):
            yield number, path.replace("__", ":")


def check_keys(root, documents):
    keys = known_keys(root)
    if not keys:
        yield "src/config/known_keys.cpp", 1, "there is no table kKnownKeys"
    manual = Manual(root)
    for document in [*documents, manual]:
        for number, path in keys_named(document):
            if not is_known(path, keys):
                yield document.name, number, f"the key {path} is not known"
        for start, language, block in document.blocks:
            if language in ("json", "jsonc"):
                yield from check_json(document, start, block, keys)
    document = next((d for d in documents if d.name == CONFIGURATION), None)
    if document is None:
        return
    parts = {part for key in keys for part in key.split(":")}
    # The names below Serilog:WriteTo:*:Args are that of each sink.
    parts.update(re.findall(r'"(\w+)"', (root / "src/config/log_config.cpp").read_text(encoding="utf-8")))
    for number, name in first_column(document, "key"):
        last = [part for part in name.split(":") if part and part[0] not in "<*…"]
        if last and last[-1] not in parts:
            yield document.name, number, f"the key {name} is not known"
    told = set(re.findall(r"\w+", "\n".join(document.lines)))
    for key in keys:
        name = [part for part in key.split(":") if "*" not in part][-1]
        if not UNEXPLAINED.match(key) and name not in told:
            yield document.name, 1, f"the key {key} is not here"


def first_column(document, header):
    """(number, code) of the code spans in the first cells of tables whose first header cell begins with `header`."""
    inside = False
    for number, line in document.text:
        if not line.startswith("|"):
            inside = False
            continue
        cell = re.split(r"(?<!\\)\|", line)[1].strip()
        if re.fullmatch(r":?-+:?", cell):
            continue
        if not inside:
            inside = cell.split(" ")[0] == header
        else:
            for span in re.findall(r"`([^`]+)`", cell):
                yield number, span


class Manual:
    """The manual page, as far as keys go."""

    def __init__(self, root):
        self.name, self.blocks = MANUAL, []
        self.lines = (root / MANUAL).read_text(encoding="utf-8").splitlines()


# ---- counters, exit codes, environment


def counters_of_sources(root):
    """{name} of every line of counters that an agent or a relay logs: `name={}` three times or more."""
    found = set()
    for path in sorted(path for folder in ("agent", "relay") for path in (root / "src" / folder).rglob("*.[ch]pp")):
        text = path.read_text(encoding="utf-8")
        for literals in re.findall(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+', text):
            line = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', literals))
            names = re.findall(r"\b([a-z][a-z_]*)=\{\}", line)
            if len(names) >= 3:
                found.update(names)
    return found


def check_counters(root, documents):
    document = next((d for d in documents if d.name == CONFIGURATION), None)
    if document is None:
        return
    told = {}
    for number, name in first_column(document, "counter"):
        told.setdefault(name, number)
    logged = counters_of_sources(root)
    for name in sorted(told.keys() - logged):
        yield document.name, told[name], f"nothing logs the counter {name}"
    for name in sorted(logged - told.keys()):
        yield document.name, 1, f"the counter {name} is in no table"


def section(document, heading):
    """(number, line) of the text below a heading, up to the next one of its level."""
    inside = False
    for number, line in document.text:
        if re.match(r"##? ", line):
            inside = line == f"## {heading}"
        elif inside:
            yield number, line


def table_rows(document, heading, first):
    """(number, cells) of a section's table, without its head, which begins with the cell `first`, and the rows that are
    headings of groups."""
    for number, line in section(document, heading):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0] != first and not re.match(r"-|\*\*", cells[0]):
            yield number, cells


def constants_of_sources(root):
    """{constant: file} of everything called k… that src defines."""
    found = {}
    for path in sorted((root / "src").rglob("*.[ch]pp")):
        for name in re.findall(r"constexpr [\w:<> ]*?\b(k[A-Z]\w*)[\[\]]* ?[={]", path.read_text(encoding="utf-8")):
            found.setdefault(name, str(path.relative_to(root)))
    return found


def uses_of_limits(root):
    """{name} of every limit that something counts."""
    found = set()
    for path in (root / "src").rglob("*.[ch]pp"):
        if path.name not in ("limits.hpp", "limits.cpp") or path.parent.name != "ops":
            found.update(re.findall(r"\breached\((?:ops::)?Limit::(\w+)", path.read_text(encoding="utf-8")))
    return found


def check_limits(root, documents):
    document = next((d for d in documents if d.name == ARCHITECTURE), None)
    if document is None:
        return
    source = "src/ops/limits.hpp"
    body = re.search(r"enum class Limit\b[^{]*\{(.*?)\n\};", (root / source).read_text(encoding="utf-8"), re.S)
    names = set(re.findall(r"^ +([a-z_]+),", body.group(1), re.M)) if body else set()
    if not names:
        yield source, 1, "there are no limits"
    table = set(re.findall(r'\{Limit::(\w+), "\1"', (root / "src/ops/limits.cpp").read_text(encoding="utf-8")))
    for name in sorted(names - table):
        yield source, 1, f"the limit {name} is told under another name"
    for name in sorted(names - uses_of_limits(root)):
        yield source, 1, f"nothing counts the limit {name}"

    counters = names | counters_of_sources(root)
    constants = constants_of_sources(root)
    told, named = set(), set()
    for number, cells in table_rows(document, "Limits", "limit"):
        if len(cells) != 5 or not cells[3]:
            yield document.name, number, "a row of Limits has five cells, the fourth of them for the counter"
            continue
        for name in re.findall(r"`([^`]+)`", cells[3]):
            told.add(name)
            if name not in counters:
                yield document.name, number, f"nothing counts the limit {name}"
        for name in re.findall(r"\bk[A-Z]\w*", cells[2]):
            named.add(name)
            if name not in constants:
                yield document.name, number, f"there is no constant {name}"
    for name in sorted(names - told):
        yield document.name, 1, f"the limit {name} is in no row of Limits"
    excused = set().union(*NO_LIMITS.values())
    for name, file in sorted(constants.items()):
        if name.startswith("kMax") and len(name) > 4 and name not in named | excused \
                and file.split("/")[1] not in FOLDERS_WITHOUT_LIMITS:
            yield file, 1, f"the limit {name} is in no row of Limits in {ARCHITECTURE}"
    configuration = next((d for d in documents if d.name == CONFIGURATION), None)
    if configuration and not any("architecture.md#limits" in line for _, line in section(configuration, "Counters")):
        yield CONFIGURATION, 1, "Counters does not lead to the table of limits"


def defines(source, function):
    """Does this text define the function, at the beginning of a line, or inline in its class?"""
    if re.search(rf"^(?:\S.*[ *&])?{function}\(", source, re.M):
        return True
    scope, _, name = function.rpartition("::")
    inline = re.search(rf"^(?:class|struct) {scope}\b.*?\n\}};", source, re.M | re.S) if scope else None
    return inline is not None and re.search(rf"^ +\S.*[ *&]{name}\([^;]*\{{", inline.group(), re.M) is not None


def check_questions(root, documents):
    document = next((d for d in documents if d.name == ARCHITECTURE), None)
    if document is None:
        return
    rows = list(table_rows(document, QUESTIONS, "question"))
    if not rows:
        yield document.name, 1, f"there are no {QUESTIONS}"
    for number, cells in rows:
        file, *functions = re.findall(r"`([^`]+)`", cells[-1]) or [""]
        if len(cells) != 3 or not cells[1] or not functions:
            yield document.name, number, "a row of questions has three cells, the last for a file and a function"
        elif not (root / file).is_file():
            yield document.name, number, f"there is no file {file}"
        else:
            source = (root / file).read_text(encoding="utf-8")
            for function in functions:
                if not defines(source, function):
                    yield document.name, number, f"{file} defines no function {function}"


def check_exit_codes(root, documents):
    header = (root / "apps/hpb/cli.hpp").read_text(encoding="utf-8")
    codes = {0} | {int(code) for code in re.findall(r"kExit\w+\s*=\s*(\d+)", header)}
    explained = set()
    for document in documents:
        for number, line in document.text:
            for code in re.findall(r"\bexit (?:code|status) (?:of )?(\d+)", line, re.I):
                if int(code) not in codes:
                    yield document.name, number, f"hpb has no exit code {code}"
            listed = re.search(r"\*\*Exit codes\*\*:(.*)", line)
            if listed and document.name == CONFIGURATION:
                explained = {int(code) for code in re.findall(r"(?:^|;)\s*(\d+) ", listed.group(1))}
    for code in sorted(codes - explained):
        yield CONFIGURATION, 1, f"the exit code {code} is not explained"
    manual = (root / MANUAL).read_text(encoding="utf-8")
    status = re.search(r"^\.Sh EXIT STATUS\n(.*?)^\.Sh ", manual, re.S | re.M)
    in_manual = {int(code) for code in re.findall(r"^\.It (\d+)", status.group(1), re.M)} if status else set()
    for code in sorted(codes ^ in_manual):
        yield MANUAL, 1, f"the exit code {code} is only here or only in apps/hpb/cli.hpp"


def check_environment(root, documents):
    read = {}
    folders = ("apps", "src", "tests", "bench", "scripts", "tools")
    for path in [p for folder in folders for p in (root / folder).rglob("*") if p.is_file()]:
        if path.suffix in (".cpp", ".hpp", ".py", ".sh", ".js", "") and not SKIPPED_FOLDERS & set(path.parts):
            for name in re.findall(r"[\"'{(\[$ ](HPB_[A-Z_]+)\b", path.read_text(encoding="utf-8", errors="replace")):
                read.setdefault(name, path)
    told = {}
    for document in [*documents, Manual(root)]:
        for number, line in enumerate(document.lines, 1):
            for name in re.findall(r"\bHPB_[A-Z_]+\b", line):
                told.setdefault(name, (document.name, number))
    cmake = "".join(p.read_text(encoding="utf-8") for p in [root / "CMakeLists.txt", *root.glob("*/CMakeLists.txt"),
                                                            *root.glob("cmake/*.cmake")] if p.is_file())
    for name, (document, number) in sorted(told.items()):
        if name not in read and name not in cmake:
            yield document, number, f"nothing reads the environment variable {name}"
    for path in sorted([*root.glob("apps/hpb/*.cpp"), *(root / "src").rglob("*.cpp")]):
        for name in re.findall(r'"(HPB_[A-Z_]+)"', path.read_text(encoding="utf-8")):
            if name not in told:
                yield str(path.relative_to(root)), 1, f"no document has the environment variable {name}"


def documents_of(root):
    paths = [path for path in root.rglob("*.md")
             if not SKIPPED_FOLDERS & set(path.relative_to(root).parts) and "corpus" not in path.parts]
    return [Document(root, path) for path in sorted(paths)]


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    documents = documents_of(root)
    offences = []
    for check in (check_links, check_flags, check_keys, check_counters, check_limits, check_questions,
                  check_exit_codes, check_environment):
        offences += check(root, documents)
    for name, number, what in sorted(set(offences)):
        print(f"{name}:{number}: {what}")
    print(f"documents: {len(documents)} files, {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
