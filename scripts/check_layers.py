#!/usr/bin/env python3
"""Checks that src/ keeps the dependency direction which CMakeLists.txt states.

For every #include of every file below src/: a folder may include its own headers and those of the
folders that its hpb_library(... DEPS ...) reaches, and nothing else of ours; the sans-IO cores may in
addition include nothing that does I/O, reads a clock or starts a thread. Prints each offence as
file:line and exits 1 if there is one. Usage: scripts/check_layers.py [ROOT]
"""
import pathlib
import re
import sys

# The folders that have to run the same in a unit test, a fuzzer and the program. They build on each
# other only; config, as pure as they are, also knows the plain option types of the shells it configures.
CORES = {"base", "http", "crypto", "tls", "websocket", "hc", "v1", "session"}
PURE = CORES | {"config"}
FORBIDDEN_IN_PURE = re.compile(
    r"boost/(asio|beast)|openssl/(ssl|bio)\.h|spdlog/|CLI/|"
    r"(thread|mutex|condition_variable|future|semaphore|stop_token)$|"
    r"sys/(socket|epoll|un)\.h|netinet/|arpa/|(netdb|poll|pthread)\.h")
# Beast's HTTP parser needs no Asio at run time, only its buffer types; all of it stays behind http.
EXCEPTIONS = {"http": re.compile(r"boost/beast/|boost/asio/buffer\.hpp")}
CLOCK = re.compile(r"_clock::now\(|\btime\((nullptr|NULL|0)\)|\bgettimeofday\(|\bclock_gettime\(")

LIBRARY = re.compile(r"^\s*hpb_library\((\w+)(?:\s+DEPS\s+([^)]*))?\)", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def stated_dependencies(cmake_lists):
    """{folder: folders it may include}, with what its dependencies may include."""
    direct = {}
    for name, dependencies in LIBRARY.findall(cmake_lists):
        direct[name] = {word[4:] for word in dependencies.split() if word.startswith("hpb_")}
    # hpb_json and hpb_asio are third-party packages by another name.
    direct = {name: wanted & direct.keys() for name, wanted in direct.items()}

    def reach(name, seen):
        for wanted in direct[name] - seen:
            seen.add(wanted)
            reach(wanted, seen)
        return seen

    return {name: reach(name, set()) for name in direct}


def offences_of(path, folder, allowed):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if folder in PURE and CLOCK.search(line):
            yield number, f"{folder} does no I/O: pass the time in as an argument"
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        if quote == '"':
            other = header.split("/")[0] if "/" in header else None
            if other is None:
                yield number, f'include "{header}" with its path from src/'
            elif other != folder and other not in allowed[folder]:
                yield number, f"{folder} may not depend on {other} (CMakeLists.txt states the order)"
        elif folder in PURE and FORBIDDEN_IN_PURE.search(header):
            exception = EXCEPTIONS.get(folder)
            if not (exception and exception.search(header)):
                yield number, f"{folder} does no I/O: <{header}> does not belong in it"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    allowed = stated_dependencies((root / "CMakeLists.txt").read_text(encoding="utf-8"))
    offences = []
    for name in sorted(CORES & allowed.keys()):
        for other in sorted(allowed[name] - CORES):
            offences.append(f"CMakeLists.txt: {name} is a sans-IO core and may not depend on {other}")
    files = 0
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in (".hpp", ".cpp"):
            continue
        files += 1
        folder = path.relative_to(root / "src").parts[0]
        where = path.relative_to(root)
        if folder not in allowed:
            offences.append(f"{where}: no hpb_library({folder} ...) in CMakeLists.txt")
            continue
        offences += [f"{where}:{number}: {what}" for number, what in offences_of(path, folder, allowed)]
    for offence in offences:
        print(offence)
    print(f"layers: {files} files, {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
