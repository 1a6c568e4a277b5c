"""New records held against an edition's: slower, not slower, or not to be known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framebench.commands import against
from framebench.commands.terminal import Terminal
from framebench.dataset.against_edition import AgainstEdition, against_edition
from framebench.dataset.new_against_old import Held
from framebench.errors import UserError
from framebench.records import store
from harness import flags
from harness.record import Contender, OwnBuild, Record
from tests import record_factory
from tests.record_factory import STEP_NS, make_failed, make_trials, sha

TORCH = Contender(stack="torch", mode="eager")
TWIN = Contender(stack="torch", mode="eager", twin=True)
JAX = Contender(stack="keras-jax", mode="compiled", variant="loop")
ALL = (TORCH, TWIN, JAX)


def campaign(
    seed: int, contenders: Sequence[Contender] = ALL, torch: float = 1.0, **changes: Any
) -> list[Record]:
    """Five quiet rounds, ``torch`` times as long for PyTorch as it was."""
    step_ns = STEP_NS | {"torch-eager": torch * STEP_NS["torch-eager"]}
    return make_trials(contenders, seed=seed, spread=0.001, step_ns=step_ns, **changes)


def upgraded(records: Sequence[Record], stack: str = "torch") -> list[Record]:
    """The same, in another environment of a stack."""

    def one(record: Record) -> Record:
        if record.contender.stack != stack:
            return record
        image = msgspec.structs.replace(
            record.image, lock_sha256=sha("upgraded"), name="torch-2.14.0-cpu-py311"
        )
        return msgspec.structs.replace(record, image=image)

    return [one(record) for record in records]


def moved(record: Record, **changes: Any) -> Record:
    return msgspec.structs.replace(record, **changes)


def only(found: AgainstEdition, slug: str = "torch-eager") -> Held:
    (held,) = [one for one in found.held if one.new.contender.slug == slug]
    return held


def calibrated(records: Sequence[Record], times: float) -> list[Record]:
    """On a machine whose own kernels take so many times as long."""

    def one(record: Record) -> Record:
        if record.calibration is None:
            return record
        kernels = {
            name: int(getattr(record.calibration, name) * times)
            for name in ("matmul_before_ns", "matmul_after_ns", "copy_before_ns", "copy_after_ns")
        }
        return moved(record, calibration=msgspec.structs.replace(record.calibration, **kernels))

    return [one(record) for record in records]


@pytest.mark.parametrize(("times", "answer"), [(1.2, "fail"), (1.0, "pass"), (0.7, "pass")])
def test_slower_fails_and_equal_or_faster_passes(times: float, answer: str) -> None:
    found = against_edition(upgraded(campaign(2, torch=times)), campaign(1))
    held = only(found)
    assert (held.answer, found.answer) == (answer, answer)
    assert held.times is not None and held.times.value == pytest.approx(times, rel=0.01)
    assert {one.new.contender.twin for one in found.held} == {False}
    assert not found.apart and not found.missing


@given(st.floats(0.5, 2.0), st.floats(0.5, 2.0), st.integers(1, 1000))
@settings(max_examples=15, deadline=None)
def test_no_answer_is_firm_within_what_the_machine_itself_changed(
    torch: float, machine: float, seed: int
) -> None:
    new = calibrated(upgraded(campaign(seed + 1, torch=torch)), machine)
    held = only(against_edition(new, campaign(seed)))
    assert held.times and held.times.low and held.times.high
    if held.answer == "fail":
        assert held.times.low > max(machine, 1 / machine) * 0.99
    if held.answer == "pass":
        assert held.times.high * max(machine, 1 / machine) < 1.02


def test_a_single_campaign_on_each_side_fails_nothing_where_the_machines_spread_is_unknown() -> None:
    alone = (TORCH, JAX)
    held = only(against_edition(upgraded(campaign(2, alone, torch=1.2)), campaign(1, alone)))
    assert held.answer == "undecided"
    assert "twin" in held.because


def test_campaigns_far_apart_leave_undecided_what_rounds_alone_would_call_slower() -> None:
    edition = [
        record for seed, torch in ((1, 1.0), (2, 1.1), (3, 0.9)) for record in campaign(seed, torch=torch)
    ]
    new = upgraded(campaign(4, torch=1.1))
    assert only(against_edition(new, campaign(1))).answer == "fail"
    held = only(against_edition(new, edition))
    assert (held.answer, held.by) == ("undecided", "campaigns")


def test_the_same_command_on_another_day_is_another_campaign() -> None:
    """It has the same campaign id, on both sides and twice in the edition."""
    other_id = [moved(record, campaign_id="a" * 12) for record in campaign(1)]
    days = [
        moved(record, campaign_id="a" * 12, started_utc=record.started_utc.replace("11-23", f"11-2{day}"))
        for day, torch in ((4, 1.1), (5, 0.9))
        for record in campaign(day, torch=torch)
    ]
    new = [moved(record, campaign_id="a" * 12) for record in upgraded(campaign(9, torch=1.1))]
    held = only(against_edition(new, [*other_id, *days]))
    assert (held.answer, held.by) == ("undecided", "campaigns")


def test_what_did_not_change_says_how_much_the_machine_did() -> None:
    slower = STEP_NS | {"torch-eager": 1.2 * STEP_NS["torch-eager"], JAX.slug: 1.2 * STEP_NS[JAX.slug]}
    found = against_edition(upgraded(make_trials(ALL, seed=2, spread=0.001, step_ns=slower)), campaign(1))
    changed, control = only(found), only(found, JAX.slug)
    assert (changed.answer, control.answer) == ("undecided", "undecided")
    assert "the machine itself changed by 2" in changed.because
    assert "the machine did" in control.because


def test_a_contender_that_no_longer_runs_fails_and_a_machine_that_broke_does_not() -> None:
    for status, answer in (
        ("crashed", "fail"),
        ("oom", "fail"),
        ("timeout", "undecided"),
        ("interrupted", "undecided"),
    ):
        new = [make_failed(status, "it ended", contender=TORCH, trial_id=record_factory.trial_id(77))]
        held = only(against_edition(new, campaign(1)))
        assert held.answer == answer, status
        assert "it ended" in held.because


def test_some_trials_that_broke_are_no_pass() -> None:
    crashed = make_failed("crashed", "now and then", contender=TORCH, trial_id=record_factory.trial_id(77))
    held = only(against_edition([crashed, *campaign(2)], campaign(1)))
    assert (held.answer, held.because) == ("undecided", "of the new trials 1 crashed")


def test_nothing_follows_from_trials_whose_machine_or_gate_is_in_doubt() -> None:
    drifted = [moved(record, flags=[flags.DRIFTED]) for record in campaign(2)]
    assert "speed changed during trials in 5 of 5" in only(against_edition(drifted, campaign(1))).because
    ungated = campaign(2, kinds=("timing",))
    for new, old, side in ((ungated, campaign(1), "new"), (campaign(1), ungated, "recorded")):
        held = only(against_edition(new, old))
        assert (held.answer, held.because) == ("undecided", f"{side}: the gate was not run")


def test_two_rounds_decide_nothing() -> None:
    held = only(against_edition(campaign(2, torch=3.0, rounds=2), campaign(1)))
    assert (held.answer, held.because) == ("undecided", "fewer than 3 rounds on one side")


def test_other_work_or_another_place_is_not_compared_and_says_why() -> None:
    edition = campaign(1)
    for change, why in (
        ({"host_id": "another"}, "other machines"),
        ({"executor": "venv"}, "executor"),
        ({"protocol": msgspec.structs.replace(edition[0].protocol, measure_blocks=99)}, "protocol"),
        ({"case": msgspec.structs.replace(edition[0].case, batch=3)}, "not in the edition"),
    ):
        more = {"cases": [change["case"]]} if "case" in change else change
        found = against_edition(campaign(2, **more), edition)
        assert not found.held
        assert {why in one.because for one in found.apart} == {True}, found.apart[0].because
    rewritten = [
        moved(one, provenance=msgspec.structs.replace(one.provenance, work_hash=sha("rewritten")))
        for one in edition
    ]
    assert "the harness has changed" in against_edition(campaign(2), rewritten).apart[0].because


def test_what_was_not_measured_anew_is_named_and_stands_in_nothings_way() -> None:
    found = against_edition(campaign(2, (TORCH, TWIN)), campaign(1))
    assert [one.contender.slug for one in found.missing] == [JAX.slug]
    assert found.answer == "pass"


def test_an_own_build_is_held_against_its_own_row_and_not_against_a_newer_one() -> None:
    wheel = OwnBuild(distribution="torch", version="2.13.0+mine", file="torch.whl", sha256=sha("wheel"))

    def own(record: Record) -> Record:
        image = moved(
            record.image, own_builds=[wheel], name="torch-2.13.0-own-0a1b2c3d-cpu-py311", lock_sha256=sha("w")
        )
        return moved(record, image=image)

    newer = [
        moved(record, started_utc=record.started_utc.replace("11-23", "11-25"))
        for record in upgraded(campaign(3, (TORCH, TWIN), torch=0.5))
    ]
    found = against_edition([own(one) for one in campaign(2, (TORCH, TWIN))], [*campaign(1), *newer])
    held = only(found)
    assert held.old.image.name == "torch-2.13.0-cpu-py311"
    assert held.answer == "pass"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name, records in (("edition", campaign(1)), ("new", upgraded(campaign(2)))):
        (tmp_path / name).mkdir()
        for record in records:
            store.write(record, tmp_path / name)
    return tmp_path / "new", tmp_path / "edition"


def said(new: Path, edition: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = against.run([new], edition, Terminal(soft_wrap=True, highlight=False, emoji=False))
    return code, capsys.readouterr().out


def test_exit_codes(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, edition = folders
    code, out = said(new, edition, capsys)
    assert (code, out.splitlines()[-1]) == (0, "pass: 2 pass, 0 fail, 0 undecided")
    for seed, more, code in ((5, {"torch": 1.3}, 1), (6, {"rounds": 2}, 3)):
        for record in upgraded(campaign(seed, **more)):
            store.write(record, tmp_path / str(seed))
        assert said(tmp_path / str(seed), edition, capsys)[0] == code


def test_a_new_file_that_cannot_be_read_may_be_the_slower_one(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    new, edition = folders
    (new / "half.json").write_text('{"kind": ')
    code, out = said(new, edition, capsys)
    assert code == 3
    assert "half.json" in out and "1 new files could not be read" in out


def test_what_something_outside_ended_says_nothing_of_the_contender(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, edition = folders
    for number, (signal, code) in enumerate((("SIGSEGV", 1), ("SIGKILL", 3))):
        ended = make_failed(
            "crashed", f"killed by {signal}", contender=TORCH, trial_id=record_factory.trial_id(80 + number)
        )
        ended = msgspec.structs.replace(ended, outcome=msgspec.structs.replace(ended.outcome, signal=signal))
        store.write(ended, tmp_path / signal)
        assert said(tmp_path / signal, edition, capsys)[0] == code


def test_nothing_compared_is_no_pass(folders: tuple[Path, Path], tmp_path: Path) -> None:
    new, edition = folders
    console = Terminal()
    (tmp_path / "empty").mkdir()
    for paths, against_what, says in (
        ([tmp_path / "empty"], edition, "no timed trial"),
        ([new], tmp_path / "empty", "nothing for any of the 2 new results"),
        ([new], new, "on both sides"),
        ([new], tmp_path / "nowhere", "no such file"),
        ([tmp_path / "nowhere"], edition, "no such file"),
    ):
        with pytest.raises(UserError, match=re.escape(says)):
            against.run(paths, against_what, console)


def test_a_strangers_words_do_not_steer_the_terminal(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, edition = folders
    evil = make_failed(
        "crashed", "\x1b[2J[red]gone\nfar", contender=TORCH, trial_id=record_factory.trial_id(78)
    )
    store.write(evil, tmp_path / "evil")
    code, out = said(tmp_path / "evil", edition, capsys)
    assert code == 1
    assert "\x1b" not in out and "[red]gone far" in out
