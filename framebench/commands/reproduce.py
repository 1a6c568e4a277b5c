"""``framebench reproduce``: measure a result again, in its very image against its baseline; say whether it holds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from framebench import dataset
from framebench.campaign.plan import Planned
from framebench.campaign.recorded_pair import find_pair
from framebench.campaign.reproducing import measure_again
from framebench.campaign.same_image import prepare_as_recorded
from framebench.commands.phrases import minutes, outcome_line
from framebench.commands.saying import Sayer
from framebench.dataset.judged_again import judge_again
from framebench.dataset.paired_rounds import Pair
from framebench.dataset.quiet import too_busy
from framebench.errors import UserError
from framebench.executors import Executor
from framebench.executors.alone import alone
from framebench.executors.cards import host_of
from framebench.executors.choose import choose
from framebench.records import store
from framebench.records.reproduction_document import Reproduction
from framebench.statistics.ratio_of_ratios import Reproduced
from harness.record import Record


def run(root: Path, results: Path, wanted: str, rounds: int, console: Console) -> int:
    """Reproduce one result; exit code 0 for a verdict of any kind, 1 when no trial could be timed."""
    say = Sayer(console)
    loaded = store.load([results])
    say.skipped(loaded.broken)
    wanted_id = store.find(loaded.records, wanted).result_id
    records = [record for _, record in loaded.records]
    pair = find_pair(root, records, wanted_id)
    contender, baseline = pair.any()
    for build in (*contender.image.own_builds, *baseline.image.own_builds):
        raise UserError(
            f"result {wanted_id} was measured with {build}, somebody's own build: measure it again with "
            f"`framebench run --wheel {build.file}`"
        )
    recorded = pair.log_ratios()
    say(
        f"{wanted_id}: {contender.contender.slug} against {baseline.contender.slug} in {contender.case.path}, "
        f"recorded time ratio {math.exp(recorded.mean()):.3f} over {len(recorded)} rounds"
    )
    executor = choose(root, contender.provenance.executor, say)
    allowed = executor.machine().cores_allowed
    if allowed < contender.case.cores:
        raise UserError(
            f"this result used {contender.case.cores} cores, this machine allows {allowed}: "
            "reproduce it on a machine with as many"
        )
    store.require_writable(results)
    with alone(root, say):
        return _reproduce(root, results, wanted_id, rounds, records, pair, executor, say)


def _reproduce(
    root: Path,
    results: Path,
    wanted_id: str,
    rounds: int,
    records: list[Record],
    pair: Pair,
    executor: Executor,
    say: Sayer,
) -> int:
    contender, baseline = pair.any()
    recorded = pair.log_ratios()
    source = prepare_as_recorded(root, executor, [contender, baseline], say)
    # a far machine's processor is known once its image is there
    here = host_of(executor.machine().host_id, contender.case.device, contender.case.device_count)
    same_hardware = here == contender.provenance.host_id
    if not same_hardware:
        say(
            f"other hardware: recorded on {contender.provenance.host_id}, this is {here}; only ratios compare"
        )

    def ended(trial: Planned, record: Record) -> None:
        say(
            f"round {trial.round} {trial.kind} {trial.contender.slug}: {outcome_line(record)} "
            f"({minutes(record.duration_ns / 1e9)})"
        )

    folder = results / store.REPRODUCTIONS / wanted_id / "trials"
    new, trial_ids = measure_again(executor, pair, rounds, folder, wanted_id, here, ended)
    if not new.shared():
        say("no round could be timed, so there is no verdict; the lines above say why")
        return 1
    judged = judge_again(recorded, new, dataset.host_noise(records, contender.provenance.host_id))
    verdict = judged.verdict
    figures: dict[str, Any] = judged.figures()
    document = Reproduction(
        reproduction_id=store.new_trial_id(),
        result_id=wanted_id,
        reproduced_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        host_id=here,
        same_hardware=same_hardware,
        executor=executor.name,
        config_digest=contender.image.config_digest,
        image_source=source,
        contender=contender.contender.slug,
        baseline=baseline.contender.slug,
        trial_ids=trial_ids,
        **figures,
    )
    path = store.write_reproduction(document, results)
    if judged.left_out:
        say(f"others took the cores in {judged.left_out} rounds, which do not count")
    say(sentence(verdict, document))
    say(f"written to {path}")
    return 0


def sentence(verdict: Reproduced, document: Reproduction) -> str:
    """The verdict in words, with its interval."""
    interval = (
        "no interval"
        if verdict.low is None or verdict.high is None
        else f"95 % interval {verdict.low:.3f} to {verdict.high:.3f}"
    )
    words: str = verdict.verdict
    if too_busy(document.busy_rounds or 0, document.rounds):
        words += (
            f", for this machine is too busy to judge: others took the cores in {document.busy_rounds} of "
            f"{document.rounds} rounds. Reproduce it when nothing else runs here, or on another machine"
        )
    elif verdict.verdict == "undecided":
        words += (
            f", {verdict.rounds_needed} more rounds needed"
            if verdict.rounds_needed
            else ", and more rounds would not decide: the recorded rounds are too few or too spread"
        )
    hardware = "" if document.same_hardware else " (on other hardware)"
    return (
        f"new / recorded ratio to {document.baseline}: {verdict.ratio:.3f}, {interval}, "
        f"bound ± {verdict.bound:.1%}: {words}{hardware}"
    )
