"""From records to what a page shows: nothing vanishes, nothing is compared that must not be."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from framebench import dataset
from framebench.errors import UserError
from framebench.records import store
from framebench.records.identity import result_id
from harness.flags import EMULATED, NOISY, NOT_STEADY, UNRANKED
from harness.record import Contender, Metric, Outcome, Record, Telemetry
from tests.record_factory import (
    CASE,
    CONTENDERS,
    MLP_CASE,
    learning,
    make_failed,
    make_record,
    make_trials,
    parity,
    trial_id,
)

TWIN = Contender(stack="torch", mode="eager", twin=True)
ALL_KINDS = ("parity", "memory", "cold-start", "timing")


def by_slug(results: list[dataset.Result]) -> dict[str, dataset.Result]:
    return {result.contender.slug: result for result in results}


def changed(record: Record, **changes: object) -> Record:
    return msgspec.structs.replace(record, **changes)


class TestResults:
    def test_one_result_gathers_all_kinds_of_trials(self) -> None:
        found = by_slug(dataset.results(make_trials(kinds=ALL_KINDS)))["torch-eager"]
        assert {kind: len(trials) for kind, trials in found.trials.items()} == {
            "parity": 1,
            "memory": 1,
            "cold-start": 1,
            "timing": 5,
        }
        assert found.status == "ok" and found.ranked and found.container and found.dirty is False
        assert found.time_ns is not None and found.throughput is not None and found.cpu_ns is not None
        assert found.time_ns.n == 5
        assert found.throughput.value == pytest.approx(16e9 / found.time_ns.value)
        assert found.memory is not None and found.memory.allocator_peak is None
        assert found.first_steps == dataset.FirstSteps(0.5e9, 0.5e9, 1, 5)
        assert found.parity is not None and found.parity.passed
        assert found.latency is not None and found.latency.p99 is None
        assert found.wait_share == pytest.approx(0.06 / 5.46)

    @pytest.mark.parametrize(("rounds", "interval"), [(9, False), (10, True)])
    def test_latency_has_an_interval_from_ten_trials_on(self, rounds: int, interval: bool) -> None:
        records = make_trials(contenders=CONTENDERS[:1], rounds=rounds)
        (found,) = dataset.results(records)
        assert found.latency is not None and found.latency.p99 is None
        assert found.latency.steps == 120 * rounds
        p95 = [r.timing.latency.p95_ns for r in records if r.timing and r.timing.latency]
        assert found.latency.p95.value == pytest.approx(math.exp(np.log(p95).mean()))
        assert found.latency.p95.n == rounds and (found.latency.p95.low is not None) is interval
        frame = dataset.results_frame([found])
        assert frame["latency_p95_ns"].tolist() == [found.latency.p95.value]
        assert frame["latency_p95_ns_low"].notna().tolist() == [interval]
        assert frame["latency_bootstrap_seed"].notna().tolist() == [interval]
        assert dataset.results(records[::-1])[0].latency == found.latency  # the seed is the result's own

    def test_the_order_of_records_does_not_matter(self) -> None:
        records = make_trials(kinds=ALL_KINDS, cases=(CASE, MLP_CASE))
        assert dataset.results(records) == dataset.results(records[::-1])

    @pytest.mark.parametrize(
        "status", ["oom", "timeout", "crashed", "unsupported", "invalid", "interrupted", "not_comparable"]
    )
    def test_a_failure_is_a_result_with_its_reason(self, status: str) -> None:
        (found,) = dataset.results([make_failed(status, "it said why")])
        assert (found.status, found.reason, found.mend) == (status, "it said why", "read the reason")
        assert found.time_ns is None and not found.ranked and len(found.failures) == 1
        (case,) = dataset.comparisons([found])
        assert case.rows == [] and case.absent == [found] and case.baseline is None
        assert dataset.overall([case]) == []

    def test_one_failed_round_does_not_hide_the_others(self) -> None:
        records = make_trials(contenders=CONTENDERS[:1])
        records[-1] = make_failed("timeout", "600 s", trial_id=records[-1].trial_id, round=5)
        (found,) = dataset.results(records)
        assert found.status == "ok" and found.time_ns is not None and found.time_ns.n == 4
        assert [record.outcome.status for record in found.failures] == ["timeout"]

    def test_a_failed_gate_is_never_ranked_whatever_was_timed(self) -> None:
        gate = make_record(
            kind="parity",
            trial_id=trial_id(9),
            parity=parity(passed=False),
            outcome=Outcome(status="not_comparable", reason="logits differ"),
        )
        timed = [record for record in make_trials() if record.kind == "timing"]
        found = dataset.results([*timed, gate])
        torch = by_slug(found)["torch-eager"]
        assert torch.status == "not_comparable" and not torch.ranked and torch.time_ns is not None
        (case,) = dataset.comparisons(found)
        assert torch in case.absent and "torch-eager" not in {r.result.contender.slug for r in case.rows}

    def test_without_a_gate_there_is_no_rank(self) -> None:
        (found,) = dataset.results(make_trials(contenders=CONTENDERS[:1], kinds=("timing",)))
        assert found.unranked_because == "parity not checked"

    def test_the_gate_of_a_contender_counts_for_its_twin(self) -> None:
        records = make_trials(contenders=(CONTENDERS[0], TWIN))
        records = [r for r in records if r.kind == "timing" or not r.contender.twin]
        assert all(found.ranked for found in dataset.results(records))

    def test_a_noisy_host_is_shown_but_not_ranked(self) -> None:
        for flags, ranked in ([UNRANKED], False), ([NOISY], True):
            records = [
                changed(record, flags=flags) if record.kind == "timing" else record
                for record in make_trials(contenders=CONTENDERS[:1])
            ]
            (found,) = dataset.results(records)
            assert found.ranked is ranked and found.flags == {flags[0]: 5}
            (case,) = dataset.comparisons([found])
            assert len(case.rows) == 1 and (case.best is not None) is ranked

    def test_one_emulated_trial_is_enough_to_rank_the_result_nowhere(self) -> None:
        records = [
            changed(record, flags=[EMULATED]) if record.kind == "timing" and record.round == 1 else record
            for record in make_trials(contenders=CONTENDERS[:1])
        ]
        (found,) = dataset.results(records)
        assert (found.ranked, found.unranked_because) == (False, EMULATED)
        (case,) = dataset.comparisons([found])
        assert len(case.rows) == 1 and case.best is None

    def test_trials_on_a_busy_host_are_set_aside_where_three_quiet_ones_remain(self) -> None:
        records = [
            changed(record, flags=[UNRANKED]) if record.kind == "timing" and record.round <= 2 else record
            for record in make_trials(contenders=CONTENDERS[:1])
        ]
        (found,) = dataset.results(records)
        assert [record.round for record in found.timed] == [3, 4, 5]
        assert found.ranked and found.flags == {dataset.SET_ASIDE: 2}
        (all_noisy,) = dataset.results(
            [changed(r, flags=[UNRANKED]) if r.kind == "timing" and r.round <= 3 else r for r in records]
        )
        assert len(all_noisy.timed) == 5 and not all_noisy.ranked

    def test_noise_is_judged_by_what_the_trial_measured_not_by_its_flag(self) -> None:
        """An older rule took a framework's own threads, which wait for each other, for neighbours."""
        telemetry = Telemetry(
            hz=10.0,
            ticks=30,
            missed_ticks=0,
            window_ns=3_000_000_000,
            metrics={
                name: Metric(support="ok", unit="ns", delta=delta)
                for name, delta in [
                    ("run_queue_wait", 2.0e9),
                    ("on_cpu", 5.0e9),
                    ("host_busy", 5.02e9),
                    ("cpu_time", 5.0e9),
                ]
            },
        )
        records = [
            changed(record, flags=[UNRANKED, NOT_STEADY], telemetry=telemetry)
            if record.kind == "timing"
            else record
            for record in make_trials(contenders=CONTENDERS[:1])
        ]
        (found,) = dataset.results(records)
        assert found.ranked and found.flags == {NOT_STEADY: 5}

    def test_container_and_venv_are_two_results(self) -> None:
        records = [*make_trials(seed=1), *make_trials(seed=2, executor="venv")]
        found = [r for r in dataset.results(records) if r.contender.slug == "torch-eager"]
        assert {(r.executor, r.container) for r in found} == {("docker", True), ("venv", False)}
        assert len(dataset.comparisons(dataset.results(records))) == 2

    def test_a_dirty_trial_makes_a_dirty_result(self) -> None:
        clean, dirty = make_record(), make_record(trial_id=trial_id(2))
        dirty = changed(dirty, provenance=msgspec.structs.replace(dirty.provenance, dirty=True))
        assert dataset.results([clean, dirty])[0].dirty is True

    def test_after_a_change_of_the_work_only_the_newest_is_compared(self) -> None:
        old = make_trials(seed=1)
        new = [
            changed(
                record,
                provenance=msgspec.structs.replace(record.provenance, work_hash="f" * 64),
                started_utc="2026-12-01T00:00:00Z",
            )
            for record in make_trials(seed=2, contenders=CONTENDERS[:1])
        ]
        found = dataset.results([*new, *old])
        torch = [r for r in found if r.contender.slug == "torch-eager"]
        assert [r.superseded for r in torch] == [True, False]
        (case,) = dataset.comparisons(found)
        assert len(case.rows) == len(CONTENDERS)
        assert {row.method for row in case.rows} == {"Welch t", None}  # no round is shared with the new one

    def test_learning_is_summed_up_over_the_rounds(self) -> None:
        records = [
            changed(record, learning=learning(0.97 if record.round < 5 else 0.90))
            for record in make_trials(cases=(MLP_CASE,), contenders=CONTENDERS[:1])
        ]
        (found,) = dataset.results(records)
        assert found.learning is not None
        assert (found.learning.reached, found.learning.trials) == (4, 5)
        assert found.learning.final_score.value == pytest.approx((4 * 0.97 + 0.90) / 5)


class TestComparisons:
    def test_ratios_verdicts_and_places(self) -> None:
        (case,) = dataset.comparisons(dataset.results(make_trials(rounds=7)))
        rows = {row.result.contender.slug: row for row in case.rows}
        assert [row.place for row in case.rows] == [1, 2, 3, 4] and case.declared
        assert case.best is rows["torch-compiled"].result
        ratio = rows["torch-compiled"].time_ratio
        assert ratio is not None and ratio.low is not None and ratio.high is not None
        assert ratio.low < 0.75 < ratio.high and ratio.n == 7
        assert rows["torch-compiled"].verdict == "faster"
        assert rows["keras-jax-compiled-loop"].verdict == "slower"
        assert rows["torch-eager"].is_baseline and rows["torch-eager"].time_ratio is None
        assert rows["torch-eager"].relative_to_best == pytest.approx(1 / 0.75, rel=0.02)

    def test_one_round_gives_ratios_and_no_verdicts(self) -> None:
        (case,) = dataset.comparisons(dataset.results(make_trials(rounds=1)))
        assert {row.verdict for row in case.rows} == {"no verdict", None}
        assert all(row.time_ratio is None or row.time_ratio.low is None for row in case.rows)

    def test_the_same_contender_twice_is_tied_and_gives_the_noise(self) -> None:
        found = dataset.results(make_trials(contenders=(*CONTENDERS, TWIN), spread=0.002, rounds=7))
        (case,) = dataset.comparisons(found)
        twin = next(row for row in case.rows if row.result.contender.twin)
        assert twin.verdict == "tied" and twin.place is None and twin.adjusted_p is None
        assert case.noise is not None and case.noise.rounds == 7 and 0 < case.noise.limit < 0.01
        assert case.equal_within == pytest.approx(math.log(1.01))

    def test_a_noisy_hosts_own_noise_is_its_margin(self) -> None:
        records = make_trials(contenders=(*CONTENDERS, TWIN), spread=0.05)
        noise = dataset.host_noise(records, "epyc-2c-ab12cd34")
        (case,) = dataset.comparisons(dataset.results(records))
        assert noise is not None and noise > 0.01 and case.equal_within == noise
        assert dataset.host_noise(records, "another-host") is None

    def test_another_baseline_stands_in_and_says_so(self) -> None:
        records = [r for r in make_trials() if r.contender.slug != "torch-eager"]
        (case,) = dataset.comparisons(dataset.results(records))
        assert not case.declared and case.baseline is not None
        assert case.baseline.contender.slug == "keras-jax-compiled-loop"

    def test_accuracy_is_compared_in_pairs_of_rounds(self) -> None:
        records = [
            changed(record, learning=learning(0.97 + 0.001 * (record.round % 2)))
            if record.kind == "timing"
            else record
            for record in make_trials(cases=(MLP_CASE,))
        ]
        (case,) = dataset.comparisons(dataset.results(records))
        assert {row.accuracy.answer for row in case.rows if row.accuracy} == {"equivalent"}

    def test_overall_names_the_case_that_is_missing(self) -> None:
        records = [
            record
            for record in make_trials(cases=(CASE, MLP_CASE))
            if not (record.case == MLP_CASE and record.contender.slug == "torch-compiled")
        ]
        records.append(
            make_failed("crashed", "exit code 139", case=MLP_CASE, contender=CONTENDERS[1], round=1)
        )
        whole = dataset.overall(dataset.comparisons(dataset.results(records)))
        compiled = next(entry for entry in whole if entry.contender == "torch-compiled")
        assert compiled.time_ratio.missing == (MLP_CASE.path,) and compiled.time_ratio.n == 1
        baseline = next(entry for entry in whole if entry.contender == "torch-eager")
        assert baseline.time_ratio.value == 1.0

    def test_two_results_compare_as_their_case_does(self) -> None:
        found = dataset.results(make_trials())
        slugs = by_slug(found)
        comparison, verdict = dataset.compare_two(found, slugs["torch-compiled"], slugs["torch-eager"])
        assert verdict == "faster" and math.exp(comparison.log_ratio) == pytest.approx(0.75, rel=0.02)

    def test_what_is_not_the_same_work_is_refused(self) -> None:
        found = dataset.results(make_trials(cases=(CASE, MLP_CASE)))
        with pytest.raises(UserError, match=r"case .* differ"):
            dataset.compare_two(found, found[0], found[-1])
        with pytest.raises(UserError, match="with itself"):
            dataset.compare_two(found, found[0], found[0])
        (failed,) = dataset.results([make_failed("oom", "killed", contender=CONTENDERS[1])])
        with pytest.raises(UserError, match="no time to compare: oom, killed"):
            dataset.compare_two(found, failed, by_slug(dataset.results(make_trials()))["torch-eager"])


class TestFrames:
    records = [
        *make_trials(cases=(CASE, MLP_CASE), kinds=ALL_KINDS),
        make_failed("oom", "killed, at 7 GB", contender=TWIN, trial_id=trial_id(0)),
    ]

    def test_every_trial_is_a_row_whatever_became_of_it(self) -> None:
        frame = dataset.trials_frame(self.records)
        assert len(frame) == len(self.records)
        failed = frame[frame["status"] == "oom"].iloc[0]
        assert (
            failed["reason"] == "killed, at 7 GB" and pd.isna(failed["step_ns"]) and pd.isna(failed["blocks"])
        )

    def test_a_missing_value_is_empty_or_null_and_never_zero(self) -> None:
        frame = dataset.trials_frame(self.records)
        first = json.loads(dataset.to_json(frame))[0]
        assert first["status"] == "oom" and first["step_ns"] is None and first["allocator_peak_bytes"] is None
        read = pd.read_csv(io.BytesIO(dataset.to_csv(frame)))
        assert pd.isna(read.loc[0, "step_ns"])

    def test_the_three_formats_say_the_same(self) -> None:
        frame = dataset.results_frame(dataset.results(self.records))
        csv = pd.read_csv(io.BytesIO(dataset.to_csv(frame)))
        parquet = pd.read_parquet(io.BytesIO(dataset.to_parquet(frame)))
        rows = json.loads(dataset.to_json(frame))
        assert list(csv.columns) == list(parquet.columns) == list(rows[0])
        for column in ("step_ns", "units_per_s_high", "final_score"):
            expected = frame[column].to_numpy(float, na_value=math.nan)
            assert csv[column].to_numpy(float) == pytest.approx(expected, rel=1e-12, nan_ok=True)
            assert parquet[column].to_numpy(float) == pytest.approx(expected, rel=0, nan_ok=True)

    def test_the_same_records_give_the_same_bytes(self) -> None:
        def frames(records: list[Record]) -> list[bytes]:
            found = dataset.results(records)
            tables = [
                dataset.trials_frame(records),
                dataset.results_frame(found),
                dataset.comparisons_frame(dataset.comparisons(found)),
            ]
            writers = (dataset.to_csv, dataset.to_parquet, dataset.to_json)
            return [write(table) for table in tables for write in writers]

        assert frames(self.records) == frames(self.records[::-1])

    def test_no_records_are_no_rows(self) -> None:
        assert json.loads(dataset.to_json(dataset.trials_frame([]))) == []


class TestLoad:
    def test_from_files_to_everything(self, tmp_path: Path) -> None:
        paths = [store.write(record, tmp_path) for record in make_trials(cases=(CASE, MLP_CASE))]
        paths[0].write_text("{")
        found = dataset.load([tmp_path])
        assert len(found.records) == len(paths) - 1 and [b.path for b in found.broken] == [paths[0]]
        assert len(found.comparisons) == 2 and len(found.overall) == len(CONTENDERS)
        assert set(found.frames()) == {
            f"{table}.{kind}"
            for table in ("trials", "results", "comparisons", "ladder", "scaling")
            for kind in ("csv", "parquet", "json")
        }
        record = found.records[5]
        assert found.find(record.trial_id) == (found.result(result_id(record)), record)
        with pytest.raises(UserError, match="no result"):
            found.result("aaaaaaaaaa")

    def test_an_empty_folder_is_an_empty_dataset(self, tmp_path: Path) -> None:
        found = dataset.load([tmp_path])
        assert found.results == [] and found.comparisons == [] and set(found.frames())
