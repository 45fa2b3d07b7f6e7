"""Numbers in the form in which people read them."""


def show(value, unit):
    if value is None:
        return "–"
    return {"bytes/s": _rate, "bytes": _bytes, "µs": _micros, "s": lambda v: f"{v:.2f} s",
            "ratio": lambda v: f"{v:.2f} ×", "number": _number}[unit](value)


def _rate(value):
    return f"{value / 1e9:.3f} GB/s" if value >= 1e9 else f"{value / 1e6:.1f} MB/s"


def _bytes(value):
    if abs(value) >= 1 << 20:
        return f"{value / (1 << 20):.1f} MiB"
    return f"{value / 1024:.1f} KiB" if abs(value) >= 1024 else f"{value:.0f} B"


def _micros(value):
    return f"{value / 1000:.2f} ms" if value >= 1000 else f"{value:.0f} µs"


def _number(value):
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.1f}"
