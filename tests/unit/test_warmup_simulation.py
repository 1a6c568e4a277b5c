"""The warm-up rule on the simulated series of its study: what follows it is at the end level, within 0.3 %."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import warmup_rule
from benchmarks.warmup_rule import DEFAULT, SERIES, Fixed, simulate
from harness import steadiness
from harness.record import Protocol

ROOT = Path(__file__).resolve().parents[2]


def test_the_default_rule_is_the_protocols_own() -> None:
    own = Protocol(name="any")
    assert (own.warmup_window, own.warmup_tolerance, own.warmup_agreements) == (20, 0.01, 2)
    assert (DEFAULT.warmup_window, DEFAULT.warmup_tolerance, DEFAULT.warmup_agreements) == (20, 0.01, 2)


QUIET = [name for name, series in SERIES.items() if series.noise == warmup_rule.NOISE]


@pytest.mark.parametrize("name", QUIET)
def test_residual_bias_of_the_default_rule(name: str) -> None:
    found = simulate(DEFAULT, SERIES[name])
    assert abs(found.bias) <= 0.003
    assert found.capped <= 0.01
    assert 2 * DEFAULT.warmup_window + 10 <= found.discarded <= DEFAULT.warmup_max_blocks / 2


@pytest.mark.parametrize("name", [name for name in SERIES if name not in QUIET])
def test_noise_does_not_hold_the_rule_up(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the rule that knows no noise: fewer runs end at the cap, and what follows is no further off."""
    found = simulate(DEFAULT, SERIES[name], runs=60)
    monkeypatch.setattr(steadiness, "noise", lambda times: 0.0)
    strict = simulate(DEFAULT, SERIES[name], runs=60)
    assert strict.capped > 0.25 > 5 * found.capped
    assert found.discarded < strict.discarded
    assert abs(found.bias) <= abs(strict.bias)


def test_a_few_discarded_blocks_are_not_enough() -> None:
    """The simulation can fail: without a rule the same series leave 2 to 10 %."""
    for name in ("decay, τ = 12", "heats up 4 %, τ = 40", "10 % faster at 45"):
        assert abs(simulate(Fixed(3), SERIES[name], runs=20).bias) > 0.01


def test_the_methods_table_is_the_simulations() -> None:
    """``python -m benchmarks.warmup_rule --write`` after a change of the rule."""
    page = (ROOT / "site" / "templates" / "method.md.j2").read_text()
    shown = page.partition(warmup_rule.BEGIN)[2].partition(warmup_rule.END)[0]
    row = next(row for row in shown.splitlines() if "default" in row)
    for cell, series in zip(row.split("|")[2:-1], SERIES.values(), strict=True):
        found = simulate(DEFAULT, series)
        assert cell.strip() == f"{found.discarded:.0f} / {100 * found.bias:+.1f}".replace("-", "−")
