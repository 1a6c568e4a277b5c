"""What all pages read: the dataset, and its cases with every baseline a reader may choose."""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from framebench.dataset import CaseComparison, Dataset, Result, Row
from framebench.dataset.compiled_pairs import CompiledPair, compiled_pairs
from framebench.dataset.contender_history import History
from framebench.dataset.every_baseline import Against, Compared, against_baseline
from framebench.dataset.same_contender import by_case
from framebench.dataset.to_measure_again import MeasureAgain, to_measure_again
from framebench.images import is_locked, load_matrix, lock_sha256
from framebench.images.locks import check_lock
from framebench.images.matrix import Retired
from framebench.images.perf_changelog import Entry, load_perf_changelog
from framebench.images.releases import Release, load_releases
from framebench.language import _
from framebench.pages.publisher import PROJECT, Publisher
from framebench.pages.words import executor_name, precision_name, task_name
from framebench.records import store
from framebench.records.identity import group_key
from framebench.records.versions import version_of
from harness.record import Case, Record, Task


@dataclass(frozen=True)
class Group:
    """One case on one host, by one executor, protocol and edition: what one table shows.

    ``against`` has, for each contender's label as a baseline, the comparison of each other result by its id.
    """

    comparison: CaseComparison
    against: Against = field(default_factory=dict)

    @property
    def case(self) -> Case:
        return self.comparison.case

    @property
    def host_id(self) -> str:
        return self.comparison.host_id

    @property
    def executor(self) -> str:
        return self.comparison.executor

    @property
    def suite(self) -> str:
        return self.comparison.protocol.name

    @functools.cached_property
    def key(self) -> tuple[str, ...]:
        """Unique; what ``group_key`` gives for each of its results."""
        return group_key(self.comparison)

    @functools.cached_property
    def anchor(self) -> str:
        """The group's id on the compare page."""
        name = "-".join(filter(None, self.key)).lower()
        return "".join(letter if letter.isalnum() else "-" for letter in name)

    @property
    def short_title(self) -> str:
        """``mlp training, preset cpu``; with the precision where it is not fp32."""
        text = f"{self.case.workload}: {task_name(self.case.task)}, {_('preset')} {self.case.preset}"
        return text if self.case.precision == "fp32" else f"{text}, {precision_name(self.case)}"

    @property
    def place(self) -> str:
        """Host, executor and suite in one line: what may share a ranking."""
        return f"{self.host_id}, {executor_name(self.executor)}, {_('suite')} {self.suite}"

    @property
    def baseline(self) -> str | None:
        """The label of the contender that all others are compared with."""
        return self.comparison.baseline.label if self.comparison.baseline else None

    @functools.cached_property
    def against_baseline(self) -> dict[str, Compared]:
        """Result id → comparison with the baseline."""
        return against_baseline(self.comparison)

    @functools.cached_property
    def rows(self) -> list[Row]:
        """Those with a time, fastest first, A/A twins left out."""
        return [row for row in self.comparison.rows if not row.result.contender.twin]

    @functools.cached_property
    def timed(self) -> list[Result]:
        """The results with a time, fastest first."""
        return [row.result for row in self.rows]

    @functools.cached_property
    def ranked(self) -> list[Result]:
        """Those of them that may take a place."""
        return [result for result in self.timed if result.ranked]

    @functools.cached_property
    def absent(self) -> list[Result]:
        """The results without a time that could be compared, with their reasons."""
        return [result for result in self.comparison.absent if not result.contender.twin]

    @functools.cached_property
    def compiled_pairs(self) -> list[CompiledPair]:
        """Each compiled contender beside its eager form."""
        return compiled_pairs(self.timed, self.against)


@dataclass(frozen=True)
class Evidence:
    """The dataset of one build, in groups, with the checkout it stands in.

    ``site_url``: where the site will be, with a slash at its end; null where that is not known. ``publisher``: whose
    results they are.
    """

    root: Path
    dataset: Dataset
    groups: list[Group]
    site_url: str | None = None
    publisher: Publisher = PROJECT

    def at(self, site_url: str | None) -> Evidence:
        """The same where the site has another address."""
        return replace(self, site_url=site_url)

    def group_of(self, result: Result) -> Group | None:
        """The group a result stands in; null for one that a newer result has replaced everywhere."""
        return self._by_key.get(group_key(result))

    def history_of(self, result: Result) -> History | None:
        """The history that the result is in; null for one that is in none."""
        return self._history_of.get(result.id)

    @functools.cached_property
    def by_case(self) -> dict[Case, list[Result]]:
        """The results of each case."""
        return by_case(self.dataset.results)

    @functools.cached_property
    def by_host(self) -> dict[str, list[Result]]:
        """The results of each host."""
        found: dict[str, list[Result]] = defaultdict(list)
        for result in self.dataset.results:
            found[result.host_id].append(result)
        return found

    @functools.cached_property
    def _history_of(self) -> dict[str, History]:
        return {one.id: history for history in self.dataset.histories for one in history.results}

    @functools.cached_property
    def releases(self) -> list[Release]:
        """The newest known of what is measured."""
        return load_releases(self.root)

    @functools.cached_property
    def perf_changelog(self) -> list[Entry]:
        """What may have changed speed, the newest first."""
        return load_perf_changelog(self.root)

    @functools.cached_property
    def measure_again(self) -> dict[str, MeasureAgain]:
        """By result id, what the perf-changelog asks for and nobody has measured since."""
        return {one.result.id: one for one in to_measure_again(self.dataset.results, self.perf_changelog)}

    @functools.cached_property
    def retired(self) -> dict[str, Retired]:
        """By image, since when and why nothing is measured in it."""
        return load_matrix(self.root).retired()

    @functools.cached_property
    def locked(self) -> dict[str, dict[str, str]]:
        """Version by package of every lock, by its SHA-256."""
        rows = [row for row in load_matrix(self.root).rows if is_locked(self.root, row)]
        return {
            lock_sha256(self.root, row): dict(
                wheel.pin.split("==", 1) for wheel in check_lock(self.root, row)
            )
            for row in rows
        }

    @functools.cached_property
    def _by_key(self) -> dict[tuple[str, ...], Group]:
        return {group.key: group for group in self.groups}

    def series(self, trial: Record) -> dict[str, Any]:
        """What the trial's sidecar holds; empty where it is not at hand."""
        return store.series(self.dataset.paths[trial.trial_id]) if trial.sidecar else {}

    def written_as(self, trial: Record) -> int:
        """The version that the trial's record was written in; records are read as the newest."""
        return _version(self.dataset.paths[trial.trial_id])


@functools.lru_cache(maxsize=64)  # the page of a result asks in every language
def _version(path: Path) -> int:
    return version_of(path.read_bytes())


def sidecar_file(trial_id: str) -> str:
    """Where the site keeps a trial's sidecar, relative to its root: what a gate compared one by one, or telemetry over
    time."""
    return f"records/{trial_id}.sidecar.json.gz"


def record_file(trial_id: str) -> str:
    """Where the site keeps a trial's record, relative to its root."""
    return f"records/{trial_id}.json"


def gather(
    root: Path, dataset: Dataset, site_url: str | None = None, publisher: Publisher = PROJECT
) -> Evidence:
    """The dataset's cases in reading order, each with every possible baseline."""
    groups = [Group(case, dataset.baselines.get(Group(case).key, {})) for case in dataset.comparisons]
    return Evidence(root, dataset, sorted(groups, key=_in_reading_order), site_url, publisher)


def _in_reading_order(group: Group) -> tuple[str, int, str, str, str, str, str]:
    """By workload, task (training first, phases behind the whole), then preset, host, executor, suite, edition."""
    case = group.case
    task = get_args(Task).index(case.task)
    place = group.host_id, group.executor, group.suite, group.comparison.edition
    return case.workload, task, case.preset, *place
