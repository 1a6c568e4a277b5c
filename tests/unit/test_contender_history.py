"""The history of a contender: which step between neighbours is a change, which is none, of which nothing is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framebench.dataset.against_edition import against_edition
from framebench.dataset.contender_history import (
    History,
    Step,
    changes,
    differing,
    histories,
    version,
)
from framebench.dataset.grouping import results
from harness.record import Contender, Outcome, OwnBuild, Protocol, Record
from tests.record_factory import CASE, STEP_NS, make_trials, sha

TORCH = Contender(stack="torch", mode="eager")
TWIN = Contender(stack="torch", mode="eager", twin=True)
JAX = Contender(stack="keras-jax", mode="compiled", variant="loop")
ALL = (TORCH, TWIN, JAX)


def measured(
    torch: str, day: int, times: float = 1.0, contenders: Sequence[Contender] = ALL, **changes: Any
) -> list[Record]:
    """A campaign of a day in November: PyTorch of this version, ``times`` as long as at first."""
    step_ns = STEP_NS | {"torch-eager": times * STEP_NS["torch-eager"]}
    records = make_trials(contenders, seed=day, spread=0.001, step_ns=step_ns, **changes)
    return [_of(record, torch, day) for record in records]


def _of(record: Record, torch: str, day: int) -> Record:
    fields: dict[str, Any] = {"started_utc": f"2026-11-{day:02d}{record.started_utc[10:]}"}
    if record.contender.stack == "torch" and record.software is not None:
        name = f"torch-{torch}-cpu-py311"
        fields["image"] = msgspec.structs.replace(record.image, name=name, lock_sha256=sha(name))
        fields["software"] = msgspec.structs.replace(
            record.software, framework=torch, packages={"torch": torch, "numpy": "2.4.1"}
        )
    return msgspec.structs.replace(record, **fields)


def told(records: Sequence[Record], slug: str = "torch-eager") -> list[History]:
    return [one for one in histories(results(records)) if one.contender.slug == slug]


def only(records: Sequence[Record]) -> Step:
    (history,) = told(records)
    (step,) = history.steps
    return step


@pytest.mark.parametrize(
    ("times", "kind"), [(1.1, "slower"), (1.0, "unchanged"), (0.9, "faster"), (1.3, "slower")]
)
def test_a_change_has_a_direction_and_noise_is_none(times: float, kind: str) -> None:
    step = only([*measured("2.12.0", 3), *measured("2.13.0", 9, times)])
    assert (step.kind, step.because) == (kind, "")
    assert step.times is not None and step.times.value == pytest.approx(times, rel=0.01)
    assert step.times.low is not None and step.times.low < step.times.value
    assert step.is_change == (kind != "unchanged")
    assert differing(step) == {"torch": ("2.12.0", "2.13.0")}


@settings(max_examples=15, deadline=None)
@given(st.floats(0.8, 1.25))
def test_exchanging_the_versions_turns_the_answer_round(times: float) -> None:
    one = only([*measured("2.12.0", 3), *measured("2.13.0", 9, times)])
    other = only([*measured("2.13.0", 3), *measured("2.12.0", 9, times)])
    turned = {"slower": "faster", "faster": "slower"}
    assert turned.get(one.kind, one.kind) == other.kind


@settings(max_examples=15, deadline=None)
@given(st.floats(0.9, 1.15), st.integers(0, 2), st.floats(0.97, 1.03))
def test_it_is_slower_where_the_gate_fails(times: float, more: int, apart: float) -> None:
    """Also where several campaigns tell how far campaigns lie apart on this machine. The gate's family is larger: JAX
    is in it, of which nothing changed, and which is no step here."""
    old = [one for day in range(3, 4 + more) for one in measured("2.12.0", day, apart ** (day - 3))]
    new = measured("2.13.0", 20, times)
    (held,) = [
        one for one in against_edition(new, old).held if one.new.contender == TORCH and not one.new.superseded
    ]
    step = only([*old, *new])
    fails = held.answer == "fail" or "among so many" in held.because
    assert (step.kind == "slower") == fails
    assert step.times == held.times


def test_versions_stand_in_their_order_whenever_they_were_measured() -> None:
    records = [*measured("2.9.1", 20, 1.2), *measured("2.10.0", 3), *measured("2.13.0", 9, 1.2)]
    (history,) = told(records)
    assert [version(one) for one in history.results] == ["2.9.1", "2.10.0", "2.13.0"]
    assert [step.kind for step in history.steps] == ["faster", "slower"]
    found = changes([history])
    assert [step.new.started_utc[:10] for step in found] == ["2026-11-03", "2026-11-09"]
    assert found[0].known_utc.startswith("2026-11-20")


def test_another_machine_is_another_history() -> None:
    records = [*measured("2.12.0", 3), *measured("2.13.0", 9, 1.5, host_id="other-2c-8g-000000")]
    assert [(one.host_id[:5], one.steps) for one in told(records)] == [("epyc-", []), ("other", [])]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"protocol": Protocol(name="cpu", measure_blocks=7)}, "another protocol"),
        ({}, "the work is another"),
    ],
)
def test_of_other_work_or_another_protocol_nothing_is_said(change: dict[str, Any], why: str) -> None:
    later = measured("2.13.0", 9, 1.5, **change)
    if not change:
        later = [
            msgspec.structs.replace(
                one, provenance=msgspec.structs.replace(one.provenance, work_hash=sha("another"))
            )
            for one in later
        ]
    step = only([*measured("2.12.0", 3), *later])
    assert step.kind == "apart" and why in step.because and step.times is None and not step.is_change


def test_neighbours_of_one_work_are_found_past_results_of_another() -> None:
    older = [
        msgspec.structs.replace(
            one, provenance=msgspec.structs.replace(one.provenance, work_hash=sha("older"))
        )
        for one in measured("2.12.0", 3)
    ]
    (history,) = told([*older, *measured("2.13.0", 9, 1.1), *measured("2.12.0", 15)])
    assert [(version(one), one.started_utc[8:10]) for one in history.results] == [
        ("2.12.0", "03"),
        ("2.12.0", "15"),
        ("2.13.0", "09"),
    ]
    assert [step.kind for step in history.steps] == ["apart", "slower"]


def test_nothing_is_claimed_on_a_machine_whose_own_spread_is_unknown() -> None:
    alone = (TORCH, JAX)
    step = only([*measured("2.12.0", 3, contenders=alone), *measured("2.13.0", 9, 1.1, contenders=alone)])
    assert step.kind == "undecided" and "spread is unknown" in step.because


def test_what_the_whole_machine_did_is_no_change() -> None:
    faster = STEP_NS | {slug: 1.2 * time for slug, time in STEP_NS.items()}
    later = [_of(one, "2.13.0", 9) for one in make_trials(ALL, seed=9, spread=0.001, step_ns=faster)]
    step = only([*measured("2.12.0", 3), *later])
    assert step.kind == "undecided" and "the machine itself changed" in step.because


def test_what_breaks_and_what_works_again_are_changes() -> None:
    def broken(records: Sequence[Record]) -> list[Record]:
        return [
            msgspec.structs.replace(
                one, outcome=Outcome(status="crashed", reason="<b>signal</b> 11"), timing=None, parity=None
            )
            if one.contender == TORCH and one.kind == "timing"
            else one
            for one in records
        ]

    records = [
        *measured("2.12.0", 3),
        *broken(measured("2.13.0", 9)),
        *broken(measured("2.14.0", 12)),
        *measured("2.15.0", 15),
    ]
    (history,) = told(records)
    assert [step.kind for step in history.steps] == ["broke", "undecided", "mended"]
    assert [step.times for step in history.steps] == [None, None, None]
    assert "signal" in history.steps[0].because and "neither has a time" in history.steps[1].because


def test_of_one_result_and_of_none_there_is_no_step() -> None:
    (history,) = told(measured("2.12.0", 3))
    assert len(history.results) == 1 and history.steps == []
    assert histories([]) == [] and changes([history]) == []


def test_twins_and_own_builds_have_no_history() -> None:
    wheel = OwnBuild(distribution="torch", version="2.14.0", file="torch-2.14.0.whl", sha256=sha("wheel"))
    own = [
        msgspec.structs.replace(
            one, image=msgspec.structs.replace(one.image, own_builds=[wheel], lock_sha256=sha("own"))
        )
        for one in measured("2.14.0", 9, 1.5)
    ]
    assert all(len(one.results) == 1 for one in histories(results([*measured("2.12.0", 3), *own])))
    assert not [one for one in histories(results(own)) if one.contender.twin]


def test_packages_of_both_locks_are_told_where_both_are_at_hand() -> None:
    step = only([*measured("2.12.0", 3), *measured("2.13.0", 9, 1.1)])
    old, new = (one.image.lock_sha256 or "" for one in (step.old, step.new))
    locked = {
        old: {"sympy": "1.13", "torch": "2.12.0"},
        new: {"sympy": "1.14", "torch": "2.13.0", "mpmath": "1.3"},
    }
    assert differing(step, locked) == {
        "mpmath": (None, "1.3"),
        "sympy": ("1.13", "1.14"),
        "torch": ("2.12.0", "2.13.0"),
    }
    assert differing(step, {old: locked[old]}) == {"torch": ("2.12.0", "2.13.0")}
    assert CASE.path == step.new.case.path
