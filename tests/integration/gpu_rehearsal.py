"""What a campaign on a GPU is rehearsed with: a clone whose suites NumPy can run, its pack, what its records must say.

No card is needed: a process that starts CUDA writes down when it computes, and the fake driver's utilization, clocks,
power and energy follow (``tests/fake_nvml``).
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness import flags
from harness.record import Record
from harness.telemetry.energy import MIN_WINDOW_S
from tests.fake_nvml import BUSY_W, REST_W
from tests.integration.numpy_clone import QUICK, commit, copy_tree, framebench
from tests.requirement import require

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CARD = "fake-gpu-0"

ON_A_GPU = """
[[case]]
workload = "planted"
preset = "selftest"
tasks = ["infer"]
batch = 1
device = "gpu"
"""


def suite(name: str, kinds: str, measure_s: float, more: str = "") -> str:
    """A suite of one case on a GPU; ``more`` are lines of its protocol."""
    head = f'''
name = "{name}"
title = "A campaign on a GPU, rehearsed without one"
rounds = 1
verdicts = false
timeout_s = 60
baseline = "numpy-eager"
kinds = {kinds}
contenders = ["numpy-eager"]
'''
    quick = QUICK.format(name=name).replace("measure_s = 0.1", f"measure_s = {measure_s}")
    longer = {"block_ms = 10.0\nblock_max_ms = 20.0": "block_ms = 50.0\nblock_max_ms = 200.0"}
    longer |= {"measure_max_s = 2.0": "measure_max_s = 8.0", "warmup_max_s = 0.3": "warmup_max_s = 20.0"}
    for before, after in longer.items():
        assert before in quick
        quick = quick.replace(before, after)
    return head + quick + more + ON_A_GPU


WATCHED = "telemetry_hz = 20.0\nobserver_blocks = 2\nidle_s = 1.6\n"
SUITES = {
    # energy takes a window of 5 s
    "rehearsal": suite("rehearsal", '["ceiling", "memory", "timing"]', 5.2, WATCHED),
    "contained": suite("contained", '["timing"]', 2.0, WATCHED),
    "two-cards": suite("two-cards", '["timing"]', 0.5),
}


def make_clone(folder: Path) -> str:
    """The working tree with these suites, as one commit; a CPU plays the GPU, so products have a CPU's size."""
    copy_tree(folder)
    for name, text in SUITES.items():
        (folder / "suites" / f"{name}.toml").write_text(text)
    with (folder / "harness" / "canaries.py").open("a") as canaries:
        canaries.write('\n\nSIZES["gpu"] = SIZES["cpu"]\n')
    with (folder / "harness" / "trials" / "ceiling.py").open("a") as ceiling:
        ceiling.write('\n\nSIZE["gpu"], COPY_BYTES["gpu"] = SIZE["cpu"], COPY_BYTES["cpu"]\n')
    return commit(folder)


def make_pack(clone: Path, target: Path) -> None:
    """The clone's pack for this Python, as ``target``."""
    made = framebench(clone, "pack", "--suite", "rehearsal", "--python", PYTHON, "-o", str(target))
    require("wheels", "pip could not fetch" not in made.stderr, made.stderr)
    assert made.returncode == 0, made.stdout + made.stderr


def assert_it_followed_the_steps(trial: Record) -> None:
    """What the driver said of a timed trial is what the trial did."""
    assert trial.outcome.status == "ok", trial.outcome
    assert trial.timing is not None and trial.telemetry is not None and trial.telemetry.gpu_reason is None
    (watched,) = trial.telemetry.gpus
    assert (watched.processes, watched.lost) == (1, None)
    # at work in the blocks (a busy machine may keep the process from its core), at rest beside them
    assert watched.metrics["utilization"].mean > 60
    assert watched.metrics["sm_clock"].maximum == 1980 or watched.metrics["sm_clock"].mean == 1980
    assert (watched.rest_utilization or 0.0) < 40
    energy, window_s = watched.energy, trial.telemetry.window_ns / 1e9
    assert energy.idle_before_w is not None and energy.idle_before_w < 0.5 * (REST_W + BUSY_W)
    if window_s < MIN_WINDOW_S:
        assert energy.total_j is None and "energy needs 5 s" in (energy.reason or "")
    else:
        assert energy.reason is None and energy.source == "counter" and energy.total_j is not None
        assert 0.6 * BUSY_W < energy.total_j / window_s <= 1.05 * BUSY_W
        samples = trial.timing.units_per_step * sum(block.steps for block in trial.timing.blocks)
        assert energy.j_per_sample is not None
        assert abs(energy.j_per_sample * samples / energy.total_j - 1) < 1e-3
    assert trial.timing.observer is not None and trial.timing.observer.settling is not None
    assert flags.STAND_IN in trial.flags
