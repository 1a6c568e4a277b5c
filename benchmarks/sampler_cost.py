"""How much CPU the telemetry sampler itself uses at 10 Hz, beside a parent that sleeps and one that computes.

The sampler's own CPU time over each window, as a share of one core, for a process alone and for a process with one
GPU (the tests' fake driver, compiled with gcc: what a real driver adds in its calls is not in it). The number of
windows is fixed beforehand. The 95 % interval of the mean is held against 0.5 %: pass if wholly below, fail if wholly
above, else undecided.
"""

from __future__ import annotations

import math
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from harness.telemetry.recorder import Telemetry
from tests.fake_nvml import GPU, build

HZ = 10.0
WINDOWS = 10
WINDOW_S = 5.0
T_95 = 2.262  # Student's t, 0.975, 9 degrees of freedom
BOUND = 0.005


def shares(gpus: list[str], computing: bool) -> list[float]:
    """The sampler's CPU time over each window's length."""
    found = []
    with Telemetry(HZ) as telemetry:
        telemetry.start(gpus)
        for _ in range(WINDOWS):
            with telemetry.window() as window:
                end = time.monotonic() + WINDOW_S
                while computing and time.monotonic() < end:
                    pass
                time.sleep(max(0.0, end - time.monotonic()))
            if window.sampler_cpu_ns is not None:
                found.append(window.sampler_cpu_ns / (window.end_ns - window.start_ns))
    return found


def report(what: str, found: list[float]) -> None:
    """One line: mean, interval, verdict."""
    mean = statistics.mean(found)
    half = T_95 * statistics.stdev(found) / math.sqrt(len(found))
    verdict = "pass" if mean + half <= BOUND else "fail" if mean - half > BOUND else "undecided"
    low, high = max(0.0, mean - half), mean + half
    print(
        f"sampler at {HZ:g} Hz, {what}: {mean:.2%} of one core [{low:.2%}, {high:.2%}], "
        f"{len(found)} windows of {WINDOW_S:g} s: {verdict}",
        flush=True,
    )


def main() -> None:
    """Print one line per setting."""
    places: list[tuple[str, list[str]]] = [("a process", [])]
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("gcc"):
            os.environ["LD_LIBRARY_PATH"] = str(build(Path(folder) / "driver"))  # for the sampler, not for us
            places.append(("a process and a GPU", [GPU]))
        else:
            print("sampler with a GPU: not measured, there is no gcc for the fake driver")
        for words, gpus in places:
            for computing in (False, True):
                beside = "computes" if computing else "sleeps"
                report(f"{words}, the parent {beside}", shares(gpus, computing))


if __name__ == "__main__":
    main()
