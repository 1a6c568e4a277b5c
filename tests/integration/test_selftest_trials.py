"""A small self-test for real: processes, records, canaries and verdicts; and what a stranger reads of it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from framebench.commands import selftest as proof
from framebench.records import store
from framebench.selftest.campaigns import Form

ROOT = Path(__file__).parents[2]
SMALL = Form(
    aa_campaigns=1, aa_rounds=3, planted_campaigns=1, planted_rounds=10, observer_trials=2, real_rounds=0
)


@pytest.mark.slow  # .ci/run has the whole quick one as a stage
def test_a_small_self_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "QUICK", SMALL)
    said = io.StringIO()
    code = proof.run(ROOT, tmp_path, "quick", Console(file=said, soft_wrap=True))
    text = said.getvalue()
    loaded = store.load([tmp_path])
    assert not loaded.broken and not loaded.records  # its trials are no results
    ((_, document),) = loaded.selftests
    answers = {check.name: check.answer for check in document.checks}
    for name in (
        "canaries pass a sound stack",
        "sync canary refuses nowait",
        "precision canary refuses tf32",
        "precision canary refuses bf16",
        "threads canary refuses oversubscribed",
        "planted: never called faster",
    ):
        assert answers[name] == "pass", text
    assert code == ("fail" in answers.values())
    assert document.trials == 6 + 2 + 6 + 60
    assert {(row.percent, row.rounds) for row in document.planted} == {
        (percent, rounds) for percent in (1, 2, 3, 5) for rounds in (5, 10)
    }
    assert document.observer is not None and document.sampler_share is not None
    assert document.matmul_flops_per_s is not None and document.matmul_flops_per_s > 1e8
    assert document.copy_bytes_per_s is not None and document.copy_bytes_per_s > 1e8
    assert text.rstrip().splitlines()[-1].startswith(f"{len(document.checks)} checks: ")
