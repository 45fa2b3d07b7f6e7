"""The command line of bench/run."""

import argparse
import fnmatch
import pathlib
import resource
import signal
import sys

from . import bars, machine, plots, programs, report, rounds
from .contenders import ALL as CONTENDERS
from .loads import ALL as WORK_LOADS
from .prepare import prepare
from .processes import stop_all
from .results import Results


def main(arguments):
    options = _options(arguments)
    if options.list:
        return _list()
    if not options.no_install:
        prepare()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Idle connections need many; what is started here inherits it.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    absent = {name: why for name in options.contenders if (why := CONTENDERS[name].missing())}
    for name, why in absent.items():
        print(f"bench: {name} is absent: {why}", file=sys.stderr)
    results = Results(machine.describe(), machine.versions(), {
        "rounds": options.rounds, "seconds": options.seconds, "warm_up_seconds": options.warm_up}, absent)
    try:
        rounds.run(options, results)
    finally:
        # An interrupted run has results as well.
        stop_all()
        _write(results, options.output)
    return 0


def _write(results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    verdicts = bars.judge(results)
    (directory / "results.json").write_text(results.to_json([v.to_json() for v in verdicts]))
    drawn = plots.draw(results, directory)
    (directory / "results.md").write_text(report.markdown(results, verdicts, drawn))
    met = sum(v.verdict == "met" for v in verdicts)
    unknown = sum(v.verdict == "not measured" for v in verdicts)
    bars_there_are = sum(v.verdict != "for information" for v in verdicts)
    print(f"bench: {met} of {bars_there_are} bars met, {unknown} not measured; "
          f"see {directory / 'results.md'}", file=sys.stderr)


def _options(arguments):
    p = argparse.ArgumentParser(prog="bench/run", description="Measures hpb and its alternatives on this machine.")
    p.add_argument("--quick", action="store_true", help="one round of one second: to see that everything works")
    p.add_argument("--rounds", type=int, help="default 5")
    p.add_argument("--seconds", type=float, help="of each sample, default 3")
    p.add_argument("--warm-up", type=float, default=0.5, metavar="S", help="seconds before each, default 0.5")
    p.add_argument("--contenders", default="*", metavar="A,B", help="names or patterns, default all")
    p.add_argument("--work-loads", default="*", metavar="X,Y", help="names or patterns, default all")
    p.add_argument("--saturate-minutes", type=float, default=0, metavar="N",
                   help="length of `saturated`; 10 shows whether memory grows")
    p.add_argument("--output", type=pathlib.Path, default=programs.REPOSITORY / "bench/results", metavar="DIR")
    p.add_argument("--no-install", action="store_true", help="take what is there")
    p.add_argument("--list", action="store_true", help="list contenders and work loads")
    options = p.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (1.0 if options.quick else 3.0)
    options.contenders = _chosen(p, options.contenders, CONTENDERS)
    options.work_loads = _chosen(p, options.work_loads, WORK_LOADS)
    return options


def _chosen(parser, patterns, known):
    """The names that the patterns mean, in the order of the tables."""
    wanted = set()
    for pattern in patterns.split(","):
        found = fnmatch.filter(known, pattern)
        if not found:
            parser.error(f"nothing is called {pattern!r}; --list shows what there is")
        wanted.update(found)
    return [name for name in known if name in wanted]


def _list():
    print("contenders:")
    for name, contender in CONTENDERS.items():
        missing = contender.missing()
        print(f"  {name:18}{contender.hops}" + (f"  (absent: {missing})" if missing else ""))
    print("work loads:")
    for name, load in WORK_LOADS.items():
        print(f"  {name:18}{load.title}" + (f"  (only {', '.join(load.only)})" if load.only else ""))
    return 0
