"""What every peer prints: one JSON object a line with `bench`, `variant` and `median_ms`."""

import json
import statistics
import time


def times_ms(work, runs, warm_up=1):
    """Milliseconds of each of `runs` calls of `work`, after `warm_up` calls that do not count."""
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def report(bench, variant, times, **notes):
    """Prints one figure: the median of `times` in milliseconds, and further fields."""
    figure = {"bench": bench, "variant": variant, "median_ms": statistics.median(times), "runs": len(times)}
    print(json.dumps(figure | notes), flush=True)
