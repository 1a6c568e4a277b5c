"""``framebench reproduce``: measure a result again, in its very image against its baseline; say whether it holds."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from framebench import dataset
from framebench.campaign.campaign import host_record
from framebench.campaign.recorded_pair import Pair, find_pair
from framebench.campaign.same_image import prepare_as_recorded
from framebench.commands.phrases import minutes, outcome_line
from framebench.commands.saying import sayer
from framebench.errors import UserError
from framebench.executors import Executor, Failure, machine
from framebench.executors.choose import choose
from framebench.records import store
from framebench.records.reproduction_document import Reproduction
from framebench.statistics.ratio_of_ratios import Reproduced, reproduced
from harness.record import ImageRef, Record, TrialKind, TrialSpec

Say = Callable[[str], None]


def run(root: Path, results: Path, wanted: str, rounds: int, console: Console) -> int:
    """Reproduce one result; exit code 0 for a verdict of any kind, 1 when no trial could be timed."""
    say = sayer(console)
    loaded = store.load([results])
    wanted_id = store.find(loaded.records, wanted).result_id
    records = [record for _, record in loaded.records]
    pair = find_pair(root, records, wanted_id)
    contender, baseline = pair.any()
    recorded = pair.log_ratios()
    say(
        f"{wanted_id}: {contender.contender.slug} against {baseline.contender.slug} in {contender.case.path}, "
        f"recorded time ratio {math.exp(recorded.mean()):.3f} over {len(recorded)} rounds"
    )
    here = machine.host_id()
    same_hardware = here == contender.provenance.host_id
    if not same_hardware:
        say(
            f"other hardware: recorded on {contender.provenance.host_id}, this is {here}; only ratios compare"
        )
    if machine.cores_allowed() < contender.case.cores:
        raise UserError(
            f"this result used {contender.case.cores} cores, this machine allows {machine.cores_allowed()}: "
            "reproduce it on a machine with as many"
        )
    executor = choose(root, contender.provenance.executor, say)
    source = prepare_as_recorded(root, executor, [contender, baseline], say)
    new, trial_ids = _measure(executor, [contender, baseline], rounds, results, wanted_id, here, say)
    if not len(new.log_ratios()):
        say("no round could be timed, so there is no verdict; the lines above say why")
        return 1
    verdict = reproduced(
        recorded, new.log_ratios(), dataset.host_noise(records, contender.provenance.host_id)
    )
    document = Reproduction(
        reproduction_id=store.new_trial_id(),
        result_id=wanted_id,
        reproduced_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        host_id=here,
        same_hardware=same_hardware,
        executor=executor.name,
        config_digest=contender.image.config_digest,
        image_source=source,
        rounds=len(new.log_ratios()),
        contender=contender.contender.slug,
        baseline=baseline.contender.slug,
        recorded_ratio=math.exp(recorded.mean()),
        new_ratio=math.exp(new.log_ratios().mean()),
        ratio_of_ratios=verdict.ratio,
        low=verdict.low,
        high=verdict.high,
        bound=verdict.bound,
        verdict=verdict.verdict,
        rounds_needed=verdict.rounds_needed,
        trial_ids=trial_ids,
    )
    path = store.write_reproduction(document, results)
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
    if verdict.verdict == "undecided":
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


def _measure(
    executor: Executor, trials: list[Record], rounds: int, results: Path, wanted_id: str, here: str, say: Say
) -> tuple[Pair, list[str]]:
    """Gates first (they also fill the compile caches), then rounds of both in shuffled order."""
    folder = results / store.REPRODUCTIONS / wanted_id / "trials"
    campaign_id = store.new_trial_id()[:12]

    def one(kind: TrialKind, trial: Record, number: int) -> Record:
        spec = _spec(kind, trial, number, campaign_id, here)
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        answer = executor.run(spec, lambda line: None)
        record = host_record(spec, answer, started) if isinstance(answer, Failure) else answer
        store.write(record, folder)
        say(
            f"round {number} {kind} {trial.contender.slug}: {outcome_line(record)} "
            f"({minutes(record.duration_ns / 1e9)})"
        )
        return record

    for trial in trials:
        gate = one("parity", trial, 0)
        if gate.outcome.status != "ok":
            raise UserError(
                f"the parity gate of {trial.contender.slug} ended {gate.outcome.status}: "
                f"{gate.outcome.reason or 'see its record'}; nothing was timed"
            )
    timed: tuple[dict[int, Record], dict[int, Record]] = ({}, {})
    ids: list[str] = []
    for number in range(1, rounds + 1):
        order = [0, 1]
        random.Random(f"{wanted_id} {number}").shuffle(order)
        for index in order:
            record = one("timing", trials[index], number)
            ids.append(record.trial_id)
            if record.outcome.status == "ok":
                timed[index][number] = record
    return Pair(*timed), ids


def _spec(kind: TrialKind, trial: Record, number: int, campaign_id: str, here: str) -> TrialSpec:
    """The recorded trial's own spec, but for its ids, its round and the machine."""
    return TrialSpec(
        kind=kind,
        trial_id=store.new_trial_id(),
        campaign_id=campaign_id,
        round=number,
        seed=number,
        case=trial.case,
        contender=trial.contender,
        protocol=trial.protocol,
        image=ImageRef(**msgspec.structs.asdict(trial.image)),
        provenance=msgspec.structs.replace(trial.provenance, host_id=here),
    )
