"""Measure a recorded result again, in its very image against its baseline, and say whether it holds.

The image is had by its identity, the config digest: local, else pulled by its repo digest, else rebuilt from the
locks and the harness at the record's commit and accepted only if the digest is equal. Never another image.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from rich.console import Console

from framebench import dataset, images
from framebench.campaign import suites
from framebench.campaign.campaign import host_record
from framebench.errors import UserError
from framebench.executors import Executor, Failure, Unavailable, machine
from framebench.executors.choose import choose
from framebench.executors.docker import DockerExecutor
from framebench.progress import minutes, outcome_line
from framebench.records import store
from framebench.records.reproduction_document import Reproduction
from framebench.statistics.ratio_of_ratios import Reproduced, reproduced
from harness.record import ImageRef, Record, TrialKind, TrialSpec, result_id

Say = Callable[[str], None]
Source = Literal["local", "pulled", "rebuilt"]


class Pair(NamedTuple):
    """The timed trials of a result and of its baseline, by round, from one campaign."""

    contender: dict[int, Record]
    baseline: dict[int, Record]

    def log_ratios(self) -> np.ndarray:
        """ln(time of contender / time of baseline) of every round that both have, shape (rounds,)."""
        shared = sorted(self.contender.keys() & self.baseline.keys())
        return np.array([math.log(_step_ns(self.contender[r]) / _step_ns(self.baseline[r])) for r in shared])

    def any(self) -> tuple[Record, Record]:
        """One trial of each: what was measured, and in what."""
        return next(iter(self.contender.values())), next(iter(self.baseline.values()))


def run(root: Path, results: Path, wanted: str, rounds: int, console: Console) -> int:
    """Reproduce one result; exit code 0 for a verdict of any kind, 1 when no trial could be timed."""

    def say(line: str) -> None:
        console.print(line, markup=False)

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
    source = _prepare(root, executor, [contender, baseline], say)
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


def find_pair(root: Path, records: list[Record], wanted_id: str) -> Pair:
    """The result's timed trials and those of the baseline of its case, of the campaign with most shared rounds."""
    timed = [record for result in dataset.results(records) for record in result.timed]
    mine = [record for record in timed if result_id(record) == wanted_id]
    if not mine:
        raise UserError(
            f"result {wanted_id} has no timed trial that ended well; there is nothing to reproduce"
        )
    sample = mine[0]
    preferred = _baseline_slug(root, sample)
    pairs: list[tuple[bool, int, str, Pair]] = []
    for campaign in {record.campaign_id for record in mine}:
        contender = {record.round: record for record in mine if record.campaign_id == campaign}
        others: dict[str, dict[int, Record]] = {}
        for record in timed:
            alike = (record.campaign_id, record.case.path, record.protocol.name) == (
                campaign,
                sample.case.path,
                sample.protocol.name,
            )
            if alike and result_id(record) != wanted_id and not record.contender.twin:
                others.setdefault(record.contender.slug, {})[record.round] = record
        for slug, baseline in others.items():
            shared = len(contender.keys() & baseline.keys())
            if shared:
                pairs.append((slug == preferred, shared, slug, Pair(contender, baseline)))
    if not pairs:
        raise UserError(
            f"result {wanted_id} was timed alone: no other contender of {sample.case.path} has a trial in the same "
            "campaign, so there is no ratio to reproduce"
        )
    return max(pairs, key=lambda entry: entry[:3])[3]


def _baseline_slug(root: Path, record: Record) -> str | None:
    if record.protocol.name not in suites.available(root):
        return None
    return suites.load(root, record.protocol.name).baseline


def _prepare(root: Path, executor: Executor, trials: list[Record], say: Say) -> Source:
    """Everything both trials run in, by identity; says how it was had (the contender's way is recorded)."""
    if isinstance(executor, DockerExecutor):
        executor.remove_leftovers()
        ways: list[Source] = []
        for trial in trials:
            way, engine_name = _image(root, trial, say)
            executor.adopt(trial.image, engine_name)
            ways.append(way)
        return ways[0]
    _same_files(root, trials)
    for stack, found in executor.prepare([trial.contender.stack for trial in trials], say).items():
        if isinstance(found, Unavailable):
            raise UserError(
                f"{stack} cannot run here: {found.reason}" + (f"; {found.mend}" if found.mend else "")
            )
        for trial in trials:
            if trial.contender.stack == stack and trial.image.lock_sha256 != found.lock_sha256:
                raise UserError(
                    f"the lock of {trial.image.name} has changed since the record: "
                    f"git checkout {trial.provenance.git_commit}"
                )
    return "local"


def _same_files(root: Path, trials: list[Record]) -> None:
    """Outside a container the checkout itself is measured: it must be the one of the record."""
    tree = images.harness_tree_sha256(root)
    for trial in trials:
        if trial.provenance.harness_tree_sha256 != tree:
            raise UserError(
                f"harness/ differs from the one that made this record: git checkout {trial.provenance.git_commit}"
            )


def _image(root: Path, trial: Record, say: Say) -> tuple[Source, str]:
    """How the trial's image was had, and what the engine calls it."""
    image = trial.image
    if image.name is None or image.config_digest is None:
        raise UserError(f"trial {trial.trial_id} names no image, so its container cannot be had")
    here = images.find_by_digest(image.config_digest)
    if here:
        say(f"{image.name}: {image.config_digest} is here")
        return "local", here
    if address := image.repo_digest or images.repo_digest(root, image.config_digest):
        say(f"{image.name}: pulling {address}")
        try:
            images.pull(address, image.config_digest)
            return "pulled", address
        except images.Unavailable as error:
            say(f"{image.name}: {error}")
    commit = trial.provenance.git_commit
    if commit is None or trial.provenance.dirty:
        raise UserError(
            f"image {image.config_digest} of {image.name} is not here and cannot be pulled, and its record comes from "
            "a tree that differs from every commit: it cannot be made again"
        )
    say(f"{image.name}: rebuilding from the locks and the harness at {commit[:12]}")
    made = images.rebuild_at(root, commit, image.name, say)
    if made.config_digest != image.config_digest:
        raise UserError(
            f"the rebuilt {image.name} has config digest {made.config_digest}, the record says "
            f"{image.config_digest}: it is not the image that was measured, so nothing was run"
        )
    return "rebuilt", made.tag


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


def _step_ns(record: Record) -> float:
    found = dataset.step_ns(record)
    assert found is not None, "only trials with blocks are paired"
    return found
