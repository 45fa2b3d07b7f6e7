"""Medians and spread of samples."""

import statistics


def summarise(numbers):
    """The median and what lies around it."""
    numbers = sorted(numbers)
    if len(numbers) > 1:
        q1, _, q3 = statistics.quantiles(numbers, n=4, method="inclusive")
    else:
        q1 = q3 = numbers[0]
    return {"median": statistics.median(numbers), "min": numbers[0], "q1": q1, "q3": q3, "max": numbers[-1],
            "samples": len(numbers)}
