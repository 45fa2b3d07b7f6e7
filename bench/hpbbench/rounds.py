"""The order of samples: contenders take turns, so that what disturbs the machine disturbs all of them."""

import tempfile
import pathlib
import sys

from .certificates import Certificates
from .contenders import ALL as CONTENDERS
from .loads import ALL as WORK_LOADS
from .stage import Settings
from .units import show
from .waiting import Failed


def plan(options, absent):
    """[(round, work load, contender class)]; in each round the contenders are in another order."""
    contenders = [CONTENDERS[name] for name in options.contenders if name not in absent]
    steps = []
    for number in range(1, options.rounds + 1):
        turn = (number - 1) * max(1, len(contenders) // max(1, options.rounds)) % max(1, len(contenders))
        order = contenders[turn:] + contenders[:turn]
        for load in (WORK_LOADS[name] for name in options.work_loads):
            if number == 1 or not load.once:
                steps += [(number, load, c) for c in order if load.applies_to(c)]
    return steps


def run(options, results):
    """Takes all samples. Failures are results, and the next sample follows."""
    steps = plan(options, results.absent)
    with tempfile.TemporaryDirectory(prefix="hpb-bench-") as folder:
        directory = pathlib.Path(folder)
        settings = Settings(directory, Certificates(directory), options.seconds, options.warm_up,
                            options.saturate_minutes)
        for index, (number, load, contender) in enumerate(steps, 1):
            sample = _sample(settings, load, contender)
            results.add(number, load.name, contender.name, sample)
            print(f"{index}/{len(steps)} round {number} {load.name} {contender.name}: {_headline(load, sample)}",
                  file=sys.stderr, flush=True)


def _sample(settings, load, contender):
    try:
        return load.measure(settings, contender)
    except Failed as failed:
        reason = str(failed)
    except Exception as error:  # a fault of this program must not cost the other contenders their samples
        reason = f"{type(error).__name__}: {error}"
    return {"failed": reason.replace(str(settings.directory), "…")}


def _headline(load, sample):
    if "failed" in sample:
        return f"failed: {sample['failed']}"
    metrics = load.metrics(sample)
    return ", ".join(f"{heading} {show(metrics.get(key), unit)}" for key, heading, unit in load.columns)
