#!/usr/bin/env python3
"""Checks that src/ keeps the dependency direction which CMakeLists.txt states.

hpb_library(folder DEPS …) names each folder's *direct* dependencies. For every #include of every file
below src/ the other folder has to be named there, and each name has to be used: a dependency that comes
along with another one is stated all the same. The folders listed in HPB_CORES do no I/O, read no clock
and start no thread, and depend on each other only. docs/architecture.md shows the same in a picture, which is
compared too. Prints each offence as file:line and exits 1 if there is one.

Usage: scripts/check_layers.py [--picture | --deps] [ROOT]
  --picture  prints what belongs into docs/architecture.md
  --deps     prints what each hpb_library() has to say
"""
import pathlib
import re
import sys

FORBIDDEN_IN_PURE = re.compile(
    r"boost/(asio|beast)|openssl/(ssl|bio)\.h|spdlog/|CLI/|"
    r"(thread|mutex|condition_variable|future|semaphore|stop_token)$|"
    r"sys/(socket|epoll|un)\.h|netinet/|arpa/|(netdb|poll|pthread)\.h")
# Beast's HTTP parser needs no Asio at run time, only its buffer types; all of it stays behind http.
EXCEPTIONS = {"http": re.compile(r"boost/beast/|boost/asio/buffer\.hpp")}
CLOCK = re.compile(r"_clock::now\(|\btime\((nullptr|NULL|0)\)|\bgettimeofday\(|\bclock_gettime\(")

LIBRARY = re.compile(r"^\s*hpb_library\(([\w/]+)(?:\s+DEPS\s+([^)]*))?\)", re.M)
CORES = re.compile(r"^set\(HPB_CORES\s+([^)]*)\)", re.M)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
PICTURE = re.compile(r"<!-- scripts/check_layers.py --picture -->\n```\n(.*?)```\n", re.S)


class Layers:
    """What CMakeLists.txt states, and what the sources use."""

    def __init__(self, root):
        self.root = root
        text = (root / "CMakeLists.txt").read_text(encoding="utf-8")
        names = [name for name, _ in LIBRARY.findall(text)]
        by_target = {"hpb_" + name.replace("/", "_"): name for name in names}
        self.stated = {name: {by_target[word] for word in dependencies.split() if word in by_target}
                       for name, dependencies in LIBRARY.findall(text)}
        found = CORES.search(text)
        self.cores = found.group(1).split() if found else []
        self.used = {name: set() for name in names}
        self.offences = []
        self.files = 0
        for path in sorted((root / "src").rglob("*")):
            if path.suffix in (".hpp", ".cpp"):
                self.files += 1
                self.read(path)

    def folder_of(self, path):
        """The innermost library that a path relative to src/ belongs to."""
        parts = path.split("/")[:-1]
        while parts and "/".join(parts) not in self.stated:
            parts.pop()
        return "/".join(parts) or None

    # config is as pure as the cores, but also knows the plain option types of the shells it configures.
    def is_pure(self, folder):
        return folder in self.cores or folder == "config"

    def read(self, path):
        where = path.relative_to(self.root)
        folder = self.folder_of(str(path.relative_to(self.root / "src")))
        if folder is None:
            self.offences.append(f"{where}: no hpb_library() in CMakeLists.txt has this folder")
            return
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if self.is_pure(folder) and CLOCK.search(line):
                self.offences.append(f"{where}:{number}: {folder} does no I/O: pass the time in as an argument")
            match = INCLUDE.match(line)
            if match:
                self.include(folder, f"{where}:{number}", *match.groups())

    def include(self, folder, where, quote, header):
        if quote == "<":
            exception = EXCEPTIONS.get(folder)
            if self.is_pure(folder) and FORBIDDEN_IN_PURE.search(header) and not (exception and exception.search(header)):
                self.offences.append(f"{where}: {folder} does no I/O: <{header}> does not belong in it")
            return
        other = self.folder_of(header)
        if other is None:
            self.offences.append(f'{where}: include "{header}" with its path from src/')
        elif other != folder:
            self.used[folder].add(other)
            if other not in self.stated[folder]:
                self.offences.append(f"{where}: {folder} does not name {other} in its DEPS (CMakeLists.txt)")

    def check(self):
        for name in self.stated:
            for other in sorted(self.stated[name] - self.used[name]):
                self.offences.append(f"CMakeLists.txt: {name} names {other} in its DEPS and uses nothing of it")
            if name in self.cores:
                for other in sorted(self.stated[name] - set(self.cores)):
                    self.offences.append(f"CMakeLists.txt: {name} is in HPB_CORES and may not depend on {other}")
        document = self.root / "docs/architecture.md"
        if document.exists():
            found = PICTURE.search(document.read_text(encoding="utf-8"))
            if not found or found.group(1) != self.picture():
                self.offences.append(f"{document.relative_to(self.root)}: the picture of the layers is not what "
                                     "scripts/check_layers.py --picture prints")

    def floor(self, name, seen=()):
        if name in seen:
            raise SystemExit("check_layers: a cycle: " + " -> ".join([*seen, name]))
        return max([1 + self.floor(other, (*seen, name)) for other in self.stated[name]], default=0)

    def picture(self):
        floors = {}
        for name in self.stated:
            floors.setdefault(self.floor(name), []).append(name)
        lines = []
        for floor in sorted(floors, reverse=True):
            for name in sorted(floors[floor]):
                mark = "*" if name in self.cores else " "
                lines.append(f"{floor:2} {mark} {name:16} {' '.join(sorted(self.stated[name]))}".rstrip())
        return "\n".join(lines) + "\n"


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    layers = Layers(pathlib.Path(words[0] if words else pathlib.Path(__file__).parent.parent))
    if "--picture" in sys.argv:
        print(layers.picture(), end="")
        return 0
    if "--deps" in sys.argv:
        for name, used in layers.used.items():
            print(f"hpb_library({name} DEPS {' '.join('hpb_' + other.replace('/', '_') for other in sorted(used))})")
        return 0
    layers.check()
    for offence in layers.offences:
        print(offence)
    print(f"layers: {layers.files} files, {len(layers.offences)} offences")
    return 1 if layers.offences else 0


if __name__ == "__main__":
    sys.exit(main())
