"""The dataset: all that site and terminal read, from one call. Nothing after it computes a statistic."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from framebench.dataset.aa_pairs import host_noises
from framebench.dataset.answers import Answer, answers
from framebench.dataset.case_comparisons import BASELINE, CaseComparison, comparisons
from framebench.dataset.contender_history import History, histories
from framebench.dataset.device_share import MeasuredCeiling, Place, ceilings
from framebench.dataset.editions import Edition, dated
from framebench.dataset.every_baseline import Against, Group, every_baseline
from framebench.dataset.file_formats import as_files
from framebench.dataset.frames import comparisons_frame, results_frame, trials_frame
from framebench.dataset.grouping import results
from framebench.dataset.ladder import Ladder, ladders
from framebench.dataset.ladder_frame import ladder_frame
from framebench.dataset.news import News, news
from framebench.dataset.observer_effect import observer_ratio
from framebench.dataset.overall_ratios import Overall, overall
from framebench.dataset.result import Result
from framebench.dataset.scaling import scaling, scaling_frame
from framebench.dataset.signers import Signers, signers
from framebench.errors import UserError
from framebench.records import store
from framebench.records.manifest_document import Manifest
from framebench.records.placing import ALLOWED_SIGNERS
from framebench.records.reproduction_document import Reproduction
from framebench.records.selftest_document import SelfTest
from framebench.records.waivers import WAIVERS, Waiver, read_waivers
from framebench.statistics.interval import Estimate
from framebench.statistics.noise import Noise
from harness.record import Record


@dataclass(frozen=True)
class Dataset:
    """Records with their files and everything that follows from them.

    ``paths`` maps trial ids to files, ``reproductions`` result ids to reproductions, oldest first;
    ``broken`` are files that could not be used, which a page must show. ``selftests``: by host, oldest
    first. ``manifests`` say what was handed in. ``published``: the folder whose ``allowed_signers`` are believed,
    null for none; ``waivers`` are that folder's. ``observers``: by host, the time of a step with the sampler
    over without it, where trials measured it.
    """

    records: list[Record]
    paths: dict[str, Path]
    results: list[Result]
    comparisons: list[CaseComparison]
    overall: list[Overall]
    noises: dict[str, Noise]
    ceilings: dict[Place, MeasuredCeiling]
    observers: dict[str, Estimate]
    reproductions: dict[str, list[Reproduction]]
    broken: list[store.Broken]
    selftests: dict[str, list[SelfTest]]
    manifests: list[tuple[Path, Manifest]]
    published: Path | None
    waivers: list[Waiver]

    @functools.cached_property
    def signers(self) -> Signers:
        """Whose signatures vouch for each trial and reproduction, as far as the published folder names them."""
        return signers(self.manifests, self.published / ALLOWED_SIGNERS if self.published else None)

    @functools.cached_property
    def baselines(self) -> dict[Group, Against]:
        """Each group of results against every baseline that a reader may choose."""
        return every_baseline(self.results, self.noises, self.comparisons)

    @functools.cached_property
    def answers(self) -> list[Answer]:
        """What to use for which work, one answer per question."""
        return answers(self.comparisons, self.baselines)

    @functools.cached_property
    def ladders(self) -> list[Ladder]:
        """All contenders over all cases of a machine and precision, the one over most kinds of work first."""
        return ladders(self.comparisons)

    @functools.cached_property
    def histories(self) -> list[History]:
        """Each contender in each case over versions and time."""
        return histories(self.results)

    @functools.cached_property
    def editions(self) -> list[Edition]:
        """What was measured alike, the newest first."""
        return dated(self.results)

    @functools.cached_property
    def news(self) -> list[News]:
        """The campaigns, the newest first."""
        return news(self.results)

    def result(self, result_id: str) -> Result:
        """The result with exactly this id; ``UserError`` if there is none."""
        for result in self.results:
            if result.id == result_id:
                return result
        raise UserError(f"no result has the id {result_id!r}; `framebench show` lists them")

    def find(self, text: str) -> tuple[Result, Record | None]:
        """The result that an id, a unique prefix or a trial id names, and the trial in the last case."""
        named = store.find([(self.paths[record.trial_id], record) for record in self.records], text)
        return self.result(named.result_id), named.trial[1] if named.trial else None

    def frames(self) -> dict[str, bytes]:
        """``{file name: bytes}`` of all downloads: trials, results, comparisons, ladder, scaling as CSV and so on."""
        tables = {
            "trials": trials_frame(self.records),
            "results": results_frame(self.results),
            "comparisons": comparisons_frame(self.comparisons),
            "ladder": ladder_frame(self.ladders),
            "scaling": scaling_frame(scaling(self.results, self.results)),
        }
        return {
            file: content for name, table in tables.items() for file, content in as_files(name, table).items()
        }


def load(
    paths: Iterable[Path],
    baseline: str = BASELINE,
    published: Path | None = None,
    retired: Collection[str] = (),
) -> Dataset:
    """Read records below ``paths`` and compute everything; broken files are reported, never fatal.

    Below the folder ``published`` a record of somebody's own build is one. ``retired``: names of images whose results
    take no part in comparisons.
    """
    loaded = store.load(paths, published)
    records = [record for _, record in loaded.records]
    every_result = [
        replace(result, retired=True) if result.image.name in retired else result
        for result in results(records)
    ]
    noises = host_noises(every_result)
    cases = comparisons(every_result, baseline, noises)
    reproductions: dict[str, list[Reproduction]] = defaultdict(list)
    for _, reproduction in sorted(loaded.reproductions, key=lambda pair: pair[1].reproduction_id):
        reproductions[reproduction.result_id].append(reproduction)
    selftests: dict[str, list[SelfTest]] = defaultdict(list)
    for _, selftest in sorted(loaded.selftests, key=lambda pair: pair[1].selftest_id):
        selftests[selftest.host_id].append(selftest)
    waivers, faults = _waivers(published)
    return Dataset(
        records=records,
        paths={record.trial_id: path for path, record in loaded.records},
        results=every_result,
        comparisons=cases,
        overall=overall(cases),
        noises=noises,
        ceilings=ceilings(records),
        observers=_observers(records),
        reproductions=dict(reproductions),
        broken=sorted([*loaded.faults, *faults]),
        selftests=dict(selftests),
        manifests=loaded.manifests,
        published=published,
        waivers=waivers,
    )


def _waivers(published: Path | None) -> tuple[list[Waiver], list[store.Broken]]:
    if published is None:
        return [], []
    try:
        return read_waivers(published), []
    except UserError as error:
        path = published / WAIVERS
        return [], [store.Broken(path, str(error).removeprefix(f"{path}: ").removeprefix(f"{path} "))]


def _observers(records: Iterable[Record]) -> dict[str, Estimate]:
    of_host: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        of_host[record.provenance.host_id].append(record)
    ratios = {host_id: observer_ratio(trials) for host_id, trials in of_host.items()}
    return {host_id: ratio for host_id, ratio in ratios.items() if ratio is not None}
