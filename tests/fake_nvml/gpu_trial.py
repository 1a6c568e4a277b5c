"""One whole trial as a process: NumPy for a framework, the fake driver for a GPU.

``python -m tests.fake_nvml.gpu_trial KIND FAULT`` reads protocol changes as JSON from stdin and writes the record to
stdout. The GPU is busy during each ``run(n)``. FAULT ``framework``: with the device lost, the framework raises.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from harness import __main__ as harness
from harness import canaries, frameworks, workloads
from harness.frameworks.numpy.stack import NumpyStack
from harness.record import Canary, ImageRef, Provenance, encode
from tests.fake_nvml import Load
from tests.unit.numpy_mlp import NumpyMlp
from tests.unit.test_harness_trials import spec


class GpuMlp(NumpyMlp):
    """An mlp whose runs keep the fake GPU busy: one real step, and the time that n would take."""

    def __init__(self, job: Any, load: Load, fault: str) -> None:
        self.load, self.error, self.runs = load, fault == "framework", 0
        super().__init__(job)

    def run(self, n: int) -> Any:
        self.runs += 1
        with self.load.working():
            output = super().run(1)
            self.stream.taken += n - 1
            time.sleep(n * STEP_S)
        if self.error and self.runs > 60:
            raise RuntimeError("CUDA error: unspecified launch failure")
        return output


STEP_S = 0.004
CANARIES = [
    Canary(
        name=name,
        passed=True,
        expected="as many words as such a check needs" * 2,
        observed="4.325 ms, 7.8 times",
    )
    for name in ("precision", "sync", "threads")
]


def in_an_image() -> dict[str, Any]:
    """Names and hashes as long as they are in a container: a record's size is one of the things looked at."""
    return {
        "image": ImageRef(
            name="tensorflow-2.21.0-cu130-py311",
            config_digest="sha256:" + "0" * 64,
            lock_sha256="0" * 64,
            compiler="g++ (Debian 12.2.0-14+deb12u1) 12.2.0",
        ),
        "provenance": Provenance(
            executor="docker",
            host_id="intel-xeon-16c-128g-5c0e66",
            git_commit="0" * 40,
            dirty=False,
            harness_tree_sha256="0" * 64,
            work_hash="0" * 64,
        ),
    }


def main() -> None:
    kind, fault = sys.argv[1], sys.argv[2]
    load = Load(Path(os.environ["FAKE_LOAD"]))
    trial = spec(kind, **json.load(sys.stdin))
    case = msgspec.structs.replace(trial.case, device="gpu")
    frameworks.load = lambda name: NumpyStack(frameworks.info(name))
    frameworks.build = lambda job, stack: GpuMlp(job, load, fault)
    workloads.has_file = lambda workload, framework: True
    workloads.file = lambda workload, framework: None  # type: ignore[assignment,return-value]
    canaries.check = lambda *_: CANARIES
    trial = msgspec.structs.replace(
        trial, case=case, trial_id="01kb2fa9ze" * 3, campaign_id="01kb2fa9ze" * 3, **in_an_image()
    )
    record = harness.run(trial)
    sys.stdout.buffer.write(encode(record))


if __name__ == "__main__":
    main()
