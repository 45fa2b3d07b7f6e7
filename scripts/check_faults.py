#!/usr/bin/env python3
"""Checks that every fault that tests/FAULTS.md names has a test that carries its name, and that no
test uses a name which is not there. Prints each offence and exits 1 if there is one.
Usage: scripts/check_faults.py [ROOT]
"""
import pathlib
import re
import sys

ROW = re.compile(r"^\| ([DISNF]\d+) \|", re.M)
# In a comment or a docstring, followed by a colon: "D1: …" or "D1, D7: …".
NAMES = re.compile(r"(?://|#|\"\"\"|'''|\()\s*((?:[DISNF]\d{1,2}(?:, | and )?)+)\b")
NAME = re.compile(r"\b[DISNF]\d{1,2}\b")
SUFFIXES = {".py", ".cpp", ".hpp", ".js", ".go", ".java"}


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1])
    known = set(ROW.findall((root / "tests/FAULTS.md").read_text(encoding="utf-8")))
    tested = {}
    for path in sorted((root / "tests").rglob("*")):
        if path.suffix not in SUFFIXES or "node_modules" in path.parts:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for match in NAMES.findall(line):
                for name in NAME.findall(match):
                    tested.setdefault(name, f"{path.relative_to(root)}:{number}")
    offences = [f"tests/FAULTS.md: {name} has no test" for name in known - tested.keys()]
    offences += [f"{tested[name]}: {name} is not in tests/FAULTS.md" for name in tested.keys() - known]
    for offence in sorted(offences):
        print(offence)
    print(f"faults: {len(known)} names, {len(offences)} offences")
    sys.exit(1 if offences or not known else 0)


if __name__ == "__main__":
    main()
