"""All samples of a run, and their medians."""

import json

from . import spread
from .contenders import ALL as CONTENDERS
from .loads import ALL as WORK_LOADS


class Results:
    """What ends up in results.json. Failures are samples too."""

    def __init__(self, machine, versions, settings, absent):
        self.machine, self.versions, self.settings, self.absent = machine, versions, settings, absent
        self.samples = []

    def add(self, number, work_load, contender, sample):
        self.samples.append({"round": number, "work_load": work_load, "contender": contender, **sample})

    def of(self, work_load, contender):
        """The good samples."""
        return [s for s in self.samples
                if (s["work_load"], s["contender"]) == (work_load, contender) and "failed" not in s]

    def failures(self, work_load, contender):
        return [s["failed"] for s in self.samples
                if (s["work_load"], s["contender"]) == (work_load, contender) and "failed" in s]

    def measured(self):
        """[(work load, [contenders])] in the order of the tables."""
        seen = {(s["work_load"], s["contender"]) for s in self.samples}
        return [(load, rows) for name, load in WORK_LOADS.items()
                if (rows := [c for c in CONTENDERS if (name, c) in seen])]

    def summary(self, work_load, contender):
        """{metric: spread}"""
        load, numbers = WORK_LOADS[work_load], {}
        for sample in self.of(work_load, contender):
            for metric, value in load.metrics(sample).items():
                numbers.setdefault(metric, []).append(value)
        return {metric: spread.summarise(values) for metric, values in numbers.items()}

    def median(self, work_load, contender, metric):
        """None if it was not measured."""
        return self.summary(work_load, contender).get(metric, {}).get("median")

    def notes(self, work_load, contender):
        """What has to be said about its samples, each once."""
        return list(dict.fromkeys(n for s in self.of(work_load, contender) for n in s.get("notes", [])))

    def to_json(self, bars):
        return json.dumps({
            "machine": self.machine, "versions": self.versions, "settings": self.settings,
            "contenders": {name: {"hops": c.hops, "role": c.role, "multiplexes": c.multiplexes,
                                  **({"absent": self.absent[name]} if name in self.absent else {})}
                           for name, c in CONTENDERS.items()},
            "bars": bars,
            "summary": {load.name: {c: self.summary(load.name, c) for c in rows} for load, rows in self.measured()},
            "samples": self.samples}, ensure_ascii=False) + "\n"
