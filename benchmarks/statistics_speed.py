"""What the statistics costs: 10,000 results of 5 trials each, every verdict within its case, on one core.

Twice: on arrays (``framebench.statistics`` alone), then from records to comparisons as the site does it. Bound: 3 s of
CPU and 500 MB of memory. The numbers are synthetic; one committed record is the pattern of all.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import msgspec
import numpy as np

from framebench.dataset.case_comparisons import comparisons
from framebench.dataset.grouping import results
from framebench.dataset.overall_ratios import overall
from framebench.records import store
from framebench.statistics.family import judge_case
from framebench.statistics.geomean import LogRatio, geometric_mean
from framebench.statistics.interval import throughput_interval, time_interval
from framebench.statistics.noise import aa_noise
from framebench.statistics.verdict import margin
from harness.record import Block, Contender, Record

ROOT = Path(__file__).resolve().parent.parent
RESULTS, TRIALS, CONTENDERS = 10_000, 5, 20
CASES = RESULTS // CONTENDERS


def main() -> None:
    """Print CPU seconds and peak memory of both."""
    random = np.random.default_rng(0)
    times = (
        18.0 + random.normal(0.0, 0.3, (CASES, 1, CONTENDERS)) + random.normal(0.0, 0.05, (CASES, TRIALS, 1))
    )
    times += random.normal(0.0, 0.01, times.shape)
    start = time.process_time()
    verdicts = on_arrays(times)
    report("on arrays", verdicts, time.process_time() - start)
    records = synthetic(times)
    before = peak_mb()
    start = time.process_time()
    found = results(records)
    cases = comparisons(found)
    overall(cases)
    verdicts = sum(row.verdict is not None for case in cases for row in case.rows)
    report(
        f"from {len(records):,} records (themselves {before:.0f} MB)", verdicts, time.process_time() - start
    )


def on_arrays(times: np.ndarray) -> int:
    """Intervals, noise, verdicts and geometric means of (cases, rounds, contenders) ln times; counts verdicts."""
    noise = aa_noise([table[:, -1] - table[:, 0] for table in times])
    equal_within = margin(noise.limit if noise else None)
    verdicts = 0
    ratios: list[dict[str, LogRatio | None]] = [{} for _ in range(CONTENDERS)]
    for number, table in enumerate(times):
        for column in np.exp(table).T.tolist():
            time_interval(column)
            throughput_interval(column, 16)
        for contender, judged in enumerate(judge_case(table, 0, equal_within, [CONTENDERS - 1])):
            if judged is not None:
                verdicts += 1
                ratios[contender][str(number)] = LogRatio(*judged.comparison[:3])
    for of_contender in ratios[1:]:
        geometric_mean(of_contender)
    return verdicts


def synthetic(times: np.ndarray) -> list[Record]:
    """A record for each of the (cases, rounds, contenders) ln times."""
    pattern = next(
        record
        for _, record in store.load([ROOT / "results"]).records
        if record.kind == "timing" and record.outcome.status == "ok"
    )
    assert pattern.timing is not None
    names = [Contender(stack="torch", mode="eager")]
    names += [Contender(stack="torch", mode="compiled", variant=f"v{i}") for i in range(CONTENDERS - 2)]
    names += [Contender(stack="torch", mode="eager", twin=True)]
    records = []
    for number, table in enumerate(times):
        case = msgspec.structs.replace(pattern.case, preset=f"preset{number}")
        for (row, column), value in np.ndenumerate(table):
            step = round(float(np.exp(value)))
            blocks = [Block(steps=10, wall_ns=10 * step, cpu_ns=19 * step, wait_ns=None)] * 10
            records.append(
                msgspec.structs.replace(
                    pattern,
                    trial_id=f"{len(records):026d}",
                    round=row + 1,
                    case=case,
                    contender=names[column],
                    timing=msgspec.structs.replace(pattern.timing, blocks=blocks),
                    sidecar=None,
                )
            )
    return records


def peak_mb() -> float:
    """Largest resident memory of this process so far (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(what: str, verdicts: int, seconds: float) -> None:
    """One line."""
    print(
        f"statistics {what}: {RESULTS:,} results x {TRIALS} trials, {verdicts:,} verdicts: "
        f"{seconds:.2f} s of CPU, peak {peak_mb():.0f} MB"
    )


if __name__ == "__main__":
    main()
