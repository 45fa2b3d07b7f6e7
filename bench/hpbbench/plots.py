"""SVG plots. Without matplotlib there are none; the tables have the same numbers."""

from .contender import CEILING
from .contenders import ALL as CONTENDERS

_DIRECTIONS = ("up", "down", "both")


def draw(results, directory):
    """Writes what there are samples for. @return [(file name, title)]"""
    try:
        import matplotlib
    except ImportError:
        return []
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "hpb"  # the same numbers make the same file
    wanted = ((_throughput, "throughput.svg", "Throughput"), (_rates, "rates.svg", "Connections and requests"),
              (_latency, "latency.svg", "Latency"), (_memory, "memory.svg", "Memory of idle connections"))
    done = []
    for plot, file, title in wanted:
        figure = plot(results)
        if figure:
            figure.suptitle(title)
            figure.tight_layout()
            figure.savefig(directory / file, metadata={"Date": None})
            done.append((file, title))
    return done


def _colour(name):
    from matplotlib import colormaps
    return "black" if name == "hpb" else colormaps["tab20"](list(CONTENDERS).index(name))


def _panels(count, width, height):
    from matplotlib.figure import Figure
    figure = Figure(figsize=(width * count, height))
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _bars(axes, title, entries, scale):
    """Horizontal bars of medians; whiskers from the lowest to the highest sample."""
    for row, (name, s) in enumerate(reversed(entries)):
        median = s["median"] / scale
        spread = [[median - s["min"] / scale], [s["max"] / scale - median]]
        axes.barh(row, median, color=_colour(name), xerr=spread, ecolor="grey", capsize=2)
    axes.set_yticks(range(len(entries)), [name for name, _ in reversed(entries)], fontsize=7)
    axes.set_title(title, fontsize=9)


def _bar_figure(results, wanted):
    """wanted: [(work load, metric, title, scale)], a panel for each that was measured."""
    present = {load.name: rows for load, rows in results.measured()}
    panels = []
    for load, metric, title, scale in wanted:
        entries = [(name, s) for name in present.get(load, ())
                   if (s := results.summary(load, name).get(metric))]
        if entries:
            panels.append((title, entries, scale))
    if not panels:
        return None
    figure, axes = _panels(len(panels), 3.6, 4.5)
    for one, panel in zip(axes, panels):
        _bars(one, *panel)
    return figure


def _throughput(results):
    return _bar_figure(results, [(f"bulk-{n}-{d}", "bytes_per_second", f"{n} stream{'s' * (n > 1)}, {d}: GB/s", 1e9)
                                 for n in (1, 8) for d in _DIRECTIONS])


def _rates(results):
    return _bar_figure(results, [("rate-1", "per_second", "1 in flight: 1000 connections/s", 1e3),
                                 ("rate-64", "per_second", "64 in flight: 1000 connections/s", 1e3),
                                 ("http", "per_second", "32 connections: 1000 requests/s", 1e3)])


def _latency(results):
    loads = [(load, rows) for load, rows in results.measured() if load.name.startswith("latency")]
    if not loads:
        return None
    figure, panels = _panels(len(loads), 5.5, 5)
    for axes, (load, rows) in zip(panels, loads):
        for name in rows:
            counts = {}
            for sample in results.of(load.name, name):
                for upper, count in sample["values"].get("histogram", ()):
                    counts[upper] = counts.get(upper, 0) + count
            _distribution(axes, name, sorted(counts.items()))
        axes.set(xscale="log", yscale="log", xlabel="µs", title=load.title)
        axes.set_ylabel("part of the round trips that take longer")
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    return figure


def _distribution(axes, name, counts):
    """What is left beyond each time: the tail is what matters, and a plain CDF hides it."""
    total = left = sum(count for _, count in counts)
    points = []
    for upper, count in counts:
        left -= count
        if left > 0:
            points.append((upper, left / total))
    if points:
        axes.plot(*zip(*points), drawstyle="steps-post", label=name, color=_colour(name),
                  linewidth=2 if name == "hpb" else 1)


def _memory(results):
    loads = [(load, rows) for load, rows in results.measured() if load.name.startswith("idle")]
    if not loads:
        return None
    lines = {}
    for load, rows in loads:
        for name in (row for row in rows if CONTENDERS[row].role != CEILING):
            for sample in results.of(load.name, name):
                v = sample["values"]
                lines.setdefault(name, []).append((v["open"], sum(v["held"].values()) - sum(v["before"].values())))
    if not lines:
        return None
    figure, (axes,) = _panels(1, 7, 5)
    for name, points in lines.items():
        xs, ys = zip(*((n, max(b, 4096) / (1 << 20)) for n, b in sorted(points)))
        axes.plot(xs, ys, marker="o", label=name, color=_colour(name), linewidth=2 if name == "hpb" else 1)
    axes.set(xscale="log", yscale="log", xlabel="idle connections", ylabel="MiB more than before, all processes")
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    return figure
