"""results.md: the bars, and a table for each work load."""

from .contenders import ALL as CONTENDERS
from .units import show


def markdown(results, verdicts, plots):
    """The whole page."""
    parts = ["# Benchmark results", _machine(results), _bars(verdicts)]
    parts += [f"![{title}]({file})" for file, title in plots]
    parts += [_work_load(results, load, rows) for load, rows in results.measured()]
    return "\n\n".join([*parts, _contenders(results)]) + "\n"


def _machine(results):
    m, s = results.machine, results.settings
    memory = f", {m['memory_bytes'] / (1 << 30):.0f} GiB" if m["memory_bytes"] else ""
    virtual = " (virtual machine)" if m["virtual"] else ""
    return (f"{m['cpu']}, {m['cores']} cores{memory}{virtual}; {m['system']}, Linux {m['kernel']}. "
            f"{s['rounds']} round{'s' if s['rounds'] > 1 else ''} of {s['seconds']:g} s; everything on 127.0.0.1, the "
            "load generator and the target share the cores. Tables show medians, and the range from the lowest to "
            "the highest sample. Only ratios travel to other machines.\n\n"
            "Versions: " + ", ".join(f"{name} {v}" for name, v in results.versions.items()) + ".")


def _bars(verdicts):
    return "## Bars\n\n" + _table(("work load", "bar", "measured", ""),
                                  [(v.bar, v.wanted, v.measured, v.verdict) for v in verdicts])


def _work_load(results, load, rows):
    heads = ["contender", *(heading for _, heading, _ in load.columns), *([load.detail[1]] if load.detail else [])]
    text = f"## {load.name}: {load.title}\n\n" + _table(heads, [_row(results, load, name) for name in rows])
    notes = [f"* {name}: {note}" for name in rows for note in results.notes(load.name, name)]
    return text + ("\n\n" + "\n".join(notes) if notes else "")


def _row(results, load, name):
    summary, failures = results.summary(load.name, name), results.failures(load.name, name)
    if not summary:
        return [name, "failed: " + _cell(failures[0]), *[""] * (len(load.columns) - 1 + bool(load.detail))]
    cells = [_spread(summary.get(metric), unit) for metric, _, unit in load.columns]
    if load.detail:
        cells.append(_detail(summary, *load.detail))
    if failures:
        cells[0] += f"; {len(failures)} failed: {_cell(failures[0])}"
    return [name, *cells]


def _spread(values, unit):
    if values is None:
        return "–"
    text = show(values["median"], unit)
    return text if values["samples"] == 1 else f"{text} ({show(values['min'], unit)} … {show(values['max'], unit)})"


def _detail(summary, prefix, _heading, unit):
    """A metric of each process in one cell."""
    return ", ".join(f"{metric.removeprefix(prefix + ': ')} {show(values['median'], unit)}"
                     for metric, values in summary.items() if metric.startswith(prefix + ": "))


def _contenders(results):
    rows = [(name, c.role, c.hops, f"absent: {_cell(results.absent[name])}" if name in results.absent else "")
            for name, c in CONTENDERS.items()]
    return "## Contenders\n\n" + _table(("name", "role", "from the entry port to the target", ""), rows)


def _table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(text):
    return text.replace("|", "/").replace("\n", " ")
