"""What a record is held against: the other records, the history, and the time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import msgspec

from framebench.checking.history import History
from framebench.dataset.aa_pairs import host_noise
from framebench.dataset.paired_rounds import Pair, pairs, timed_trials
from framebench.records.identity import gate_key
from framebench.records.manifest_document import Manifest
from framebench.records.manifests import Listed, listed
from framebench.records.step_time import step_ns
from framebench.records.versions import version_of
from harness.record import Record

Fact = Callable[[Record], Hashable]
Odd = dict[str, tuple[Hashable, Hashable]]


@dataclass
class Known:
    """``records``: the checked ones and those that the repository has, by trial id. ``published``: the folder of what
    is published; ``paths`` where each of them lies; ``again`` are trials of reproductions; ``manifests`` say what was
    handed in."""

    history: History
    records: dict[str, Record]
    paths: dict[str, Path]
    published: Path
    again: set[str] = field(default_factory=set)
    manifests: list[Manifest] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    _pairs: dict[tuple[str, str], list[Pair]] = field(default_factory=dict)
    _noises: dict[tuple[str, str], float | None] = field(default_factory=dict)

    def is_published(self, record: Record) -> bool:
        return self.paths[record.trial_id].resolve().is_relative_to(self.published.resolve())

    def version(self, record: Record) -> int:
        """Of the schema that its file is written in: records are brought to today's when they are read."""
        path = self.paths[record.trial_id]
        return version_of(path.read_bytes()) if path.is_file() else record.record_version

    @cached_property
    def rewritten(self) -> set[Path]:
        return self.history.rewritten(self.published)

    @cached_property
    def listed(self) -> Listed:
        """By place: the SHA-256 that a file had when it was handed in."""
        return listed(self.manifests)

    @cached_property
    def campaign_of(self) -> dict[Path, str]:
        """The campaign of each record by its absolute path."""
        return {self.paths[trial].absolute(): record.campaign_id for trial, record in self.records.items()}

    @cached_property
    def handed_in(self) -> set[str]:
        """Campaigns with a manifest."""
        return {manifest.campaign_id for manifest in self.manifests}

    def group(self, key: Fact) -> dict[Hashable, list[Record]]:
        """The records by a fact of theirs, each group in the order of their ids."""
        groups: dict[Hashable, list[Record]] = defaultdict(list)
        for _, record in sorted(self.records.items()):
            groups[key(record)].append(record)
        return groups

    @cached_property
    def following(self) -> dict[str, Record]:
        """By trial id: what the same campaign did next on the same machine."""
        groups = self.group(lambda record: (record.provenance.host_id, record.campaign_id)).values()
        return {one.trial_id: after for group in groups for one, after in pairwise(group)}

    @cached_property
    def alike(self) -> dict[Hashable, list[str]]:
        """Trials by the times that they took."""
        return self._ids(measured)

    @cached_property
    def same_trial(self) -> dict[Hashable, list[str]]:
        """Trials by which of their campaign's they are."""
        return self._ids(planned)

    @cached_property
    def rounds(self) -> dict[Hashable, set[int]]:
        """By campaign, case and contender: the rounds that it was timed in, however that ended."""
        groups = self.group(lambda one: one_contender(one) if one.kind == "timing" else None)
        return {key: {one.round for one in group} for key, group in groups.items() if key is not None}

    @cached_property
    def rss_peaks(self) -> dict[Hashable, float]:
        """By campaign, case and contender: the most memory (bytes) that the sampler saw of a timed trial."""
        peaks: dict[Hashable, float] = {}
        for record in self.records.values():
            metric = record.telemetry.metrics.get("rss_peak") if record.telemetry else None
            if metric is not None and metric.maximum is not None:
                key = one_contender(record)
                peaks[key] = max(metric.maximum, peaks.get(key, 0.0))
        return peaks

    @cached_property
    def gates(self) -> dict[Hashable, list[Record]]:
        """Trials of the gate, by what they have in common with the times behind them."""
        groups = self.group(lambda one: gate_key(one) if one.kind == "parity" else None)
        return {key: group for key, group in groups.items() if key is not None}

    @cached_property
    def other_digest(self) -> Odd:
        """Trials whose image is said to be another than that of trials in the same one."""
        groups = self.group(lambda one: same_image(one) if one.image.config_digest else None)
        return odd_ones(
            (group for key, group in groups.items() if key is not None), lambda one: one.image.config_digest
        )

    @cached_property
    def other_campaign(self) -> Odd:
        """Trials that cannot be of the campaign that they name."""
        return odd_ones(self.group(lambda one: one.campaign_id).values(), one_campaign)

    @cached_property
    def other_machine(self) -> Odd:
        """Trials whose machine is not that of the others of their campaign."""
        groups = self.group(lambda one: one.campaign_id if one.hardware else None)
        return odd_ones((group for key, group in groups.items() if key is not None), hardware_of)

    @cached_property
    def of_results(self) -> list[Record]:
        """Trials of results, without those that repeat them."""
        return [one for one in self.records.values() if one.trial_id not in self.again]

    @cached_property
    def timed(self) -> list[Record]:
        """Trials that the times of results are made of."""
        return timed_trials(self.of_results)

    def pairs_before(self, result_id: str, trial_id: str) -> list[Pair]:
        """A result with each contender that was timed beside it, of the trials that were there when one got its id."""
        key = result_id, trial_id
        if key not in self._pairs:
            self._pairs[key] = pairs([one for one in self.timed if one.trial_id < trial_id], result_id)
        return self._pairs[key]

    def noise_before(self, host_id: str, trial_id: str) -> float | None:
        """A/A noise (ln) of a host by the trials that were there when a trial got its id; null without an A/A pair."""
        key = host_id, trial_id
        if key not in self._noises:
            mine = [one for one in self.of_results if one.provenance.host_id == host_id]
            self._noises[key] = host_noise((one for one in mine if one.trial_id < trial_id), host_id)
        return self._noises[key]

    def _ids(self, key: Fact) -> dict[Hashable, list[str]]:
        return {fact: [one.trial_id for one in group] for fact, group in self.group(key).items()}

    @cached_property
    def ceilings(self) -> dict[tuple[str, str, int], float]:
        """FLOP/s of the best product by host, precision and cores, of those whose trial ended well."""
        best: dict[tuple[str, str, int], float] = {}
        for record in self.records.values():
            if record.ceiling is not None and record.outcome.status == "ok":
                for precision, rate in record.ceiling.matmul_flops_per_s.items():
                    place = record.provenance.host_id, precision, record.case.cores
                    best[place] = max(rate, best.get(place, 0.0))
        return best

    @cached_property
    def steps(self) -> dict[Hashable, dict[str, float]]:
        """By what is compared on one kind of machine: the time of a step of each of its trials."""
        return {
            key: {record.trial_id: step for record in group if (step := step_ns(record)) is not None}
            for key, group in self.group(same_measurement).items()
        }


def odd_ones(groups: Iterable[list[Record]], fact: Fact) -> Odd:
    """By trial id: what a record says and what most of its group say, or its first where as many say either."""
    odd: Odd = {}
    for group in groups:
        counted = Counter(fact(record) for record in group)
        common = counted.most_common(1)[0][0]
        odd |= {one.trial_id: (fact(one), common) for one in group if fact(one) != common}
    return odd


def same_measurement(record: Record) -> Hashable:
    """What ought to take about the same time: a contender or its twin in a case, on one kind of machine."""
    slug = record.contender.slug.removesuffix("-twin")
    return record.provenance.host_id, record.case.path, slug, bool(record.image.own_builds)


def measured(record: Record) -> bytes:
    """The times of a trial; its id where it took none, as one that its host wrote."""
    if not record.phases and record.timing is None:
        return record.trial_id.encode()
    blocks = record.timing.blocks if record.timing else []
    return msgspec.json.encode([blocks or record.phases])


def planned(record: Record) -> tuple[str, ...]:
    """Which of a campaign's trials it is; an attempt that failed may be made again."""
    mine = "" if record.outcome.status == "ok" else record.trial_id
    return (
        record.campaign_id,
        record.kind,
        record.case.path,
        record.contender.slug,
        str(record.round),
        record.provenance.work_hash,
        mine,
    )


def same_image(record: Record) -> Hashable:
    """Equal where two images are the same bit for bit."""
    image = record.image
    return image.name, image.lock_sha256, image.base_sha256, record.provenance.harness_tree_sha256


def one_contender(record: Record) -> Hashable:
    """Equal for all that a campaign measured of a contender in a case."""
    return record.campaign_id, record.case.path, record.contender.slug


def hardware_of(record: Record) -> Hashable:
    """What stays the same of a machine, or of another of its type: they share an id on purpose."""
    hardware = record.hardware
    if hardware is None:
        return None
    # one of several may go away in mid-campaign
    names = sorted({gpu.name or "unknown" for gpu in hardware.gpus})
    gpus = ", ".join(names) if record.case.device == "gpu" else "any GPU"
    return f"{hardware.cpu_model}, {hardware.architecture}, {hardware.virtualisation}, {gpus or 'no GPU'}"


def one_campaign(record: Record) -> Hashable:
    """What a campaign's id is made of, as far as trials tell: it is the same in all of them."""
    provenance = record.provenance
    return provenance.host_id, provenance.executor, provenance.harness_tree_sha256, record.protocol.name
