"""One real profile for each framework that computes: its trace, the costliest operations, what its compiler made."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebench.commands.profile import WARM_UP
from framebench.records.versions import decode_record, encode_spec
from harness import frameworks
from harness.record import Contender
from tests.requirement import require
from tests.unit.test_harness_trials import spec

pytestmark = pytest.mark.frameworks

CODE = {
    "torch": "output_code.py",
    "tensorflow": "_after_optimizations.txt",
    "jax": "_after_optimizations.txt",
}
TRACE = {"torch": "trace.json", "tensorflow": "host.xplane.pb", "jax": "host.trace.json.gz"}
CONTENDERS = [
    Contender(stack="torch", mode="eager"),
    Contender(stack="torch", mode="compiled"),
    Contender(stack="tensorflow", mode="compiled", variant="graph"),
    Contender(stack="tensorflow", mode="compiled", variant="xla"),
    Contender(stack="jax", mode="compiled"),
    Contender(stack="keras-jax", mode="compiled", variant="loop"),
]


def profiled(contender: Contender, cache: Path) -> dict[str, Any]:
    modules = frameworks.info(contender.stack).modules
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    require("frameworks", not absent, f"not installed here: {', '.join(absent)}")
    trial = msgspec.structs.replace(
        spec("profile"), contender=contender, protocol=WARM_UP, cache_dir=str(cache), cache_state="cold"
    )
    answer = subprocess.run(
        [sys.executable, "-m", "harness"],
        input=encode_spec(trial),
        capture_output=True,
        check=True,
        timeout=900,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    record = decode_record(answer.stdout)
    assert record.outcome.status == "ok", record.outcome
    assert (record.timing, record.memory, record.parity) == (None, None, None)
    assert record.sidecar is not None and record.sidecar.inline is not None
    return dict(json.loads(gzip.decompress(base64.b64decode(record.sidecar.inline)))["profile"])


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda one: one.slug)
def test_a_profile_has_its_trace_its_costs_and_the_compilers_output(
    contender: Contender, tmp_path: Path
) -> None:
    profile = profiled(contender, tmp_path)
    info = frameworks.info(contender.stack)
    computes = info.backend or info.framework
    files = profile["files"]
    assert any(name.endswith(TRACE[computes]) for name in files)
    assert all(file["open"] for file in files.values()), "every file says how it is opened"
    costliest = profile["costliest"]
    assert 3 <= len(costliest) <= 10
    assert [cost[2] for cost in costliest] == sorted((cost[2] for cost in costliest), reverse=True)
    assert costliest[0][2] > 0
    multiplied = [
        name
        for name, *_ in costliest
        if any(word in name.lower() for word in ("mm", "matmul", "dot", "fusion"))
    ]
    assert multiplied, costliest  # what an mlp does most
    code = [file["text"] for name, file in files.items() if name.endswith(CODE[computes])]
    writes = contender.mode == "compiled" and contender.variant != "graph"
    assert bool(code) is writes
    if writes:
        assert any(word in code[0] for word in ("HloModule", "def call("))
