"""Manifests, reproductions and self-tests changed at random, as ``fuzz_records`` changes records: what is noticed?

The repository has no reproduction of its own, so one is made of recorded trials under new ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from framebench import checking, dataset
from framebench.checking import History
from framebench.dataset.judged_again import judge_again
from framebench.dataset.paired_rounds import Pair, pairs, timed_trials
from framebench.records import store
from framebench.records.identity import gate_key, result_id
from framebench.records.manifest_document import decode_manifest
from framebench.records.reproduction_document import Reproduction, decode_reproduction
from framebench.records.selftest_document import decode_selftest
from harness.record import Record

ROUNDS = 3
DECODERS: dict[str, Callable[[bytes], Any]] = {
    store.MANIFESTS: decode_manifest,
    store.REPRODUCTIONS: decode_reproduction,
    store.SELFTESTS: decode_selftest,
}


def originals(results: Path, folder: Path) -> list[Path]:
    """The committed manifests and self-tests, and a reproduction that is written below ``folder`` with its trials."""
    committed = [
        path for kind in (store.MANIFESTS, store.SELFTESTS) for path in (results / kind).glob("*/*.json")
    ]
    return [*sorted(committed), plant_reproduction(results, folder)]


def plant_reproduction(results: Path, folder: Path) -> Path:
    """One that says what its trials say."""
    records = [record for _, record in store.load([results]).records]
    timed = timed_trials(records)
    pair = next(
        pair
        for one in dict.fromkeys(map(result_id, timed))
        for pair in pairs(timed, one)
        if len(pair.shared()) >= ROUNDS
    )
    contender, baseline = pair.any()
    gates = [
        next(one for one in records if one.kind == "parity" and gate_key(one) == gate_key(side))
        for side in (contender, baseline)
    ]
    wanted = result_id(contender)
    again = Pair(
        *(
            {number: _again(side[number]) for number in pair.shared()}
            for side in (pair.contender, pair.baseline)
        )
    )
    trials = [*again.contender.values(), *again.baseline.values()]
    for trial in (*trials, *map(_again, gates)):
        store.write(trial, folder / store.REPRODUCTIONS / wanted / "trials")
    host = contender.provenance.host_id
    figures: dict[str, Any] = judge_again(
        pair.log_ratios(), again, dataset.host_noise(records, host)
    ).figures()
    document = Reproduction(
        reproduction_id=store.new_trial_id(),
        result_id=wanted,
        reproduced_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        host_id=host,
        same_hardware=True,
        executor=contender.provenance.executor,
        config_digest=contender.image.config_digest,
        image_source="local",
        contender=contender.contender.slug,
        baseline=baseline.contender.slug,
        trial_ids=[trial.trial_id for trial in trials],
        **figures,
    )
    return store.write_reproduction(document, folder)


def _again(record: Record) -> Record:
    return replace(record, trial_id=store.new_trial_id(), campaign_id="0123456789ab", sidecar=None)


def fates(
    mutants: Sequence[tuple[Path, bytes]], results: Path, planted: Path, folder: Path, history: History
) -> Counter[str]:
    """What becomes of changed documents, each below a folder of its own in ``folder``; ``planted`` has the trials of
    the reproduction. Whatever is raised is what was looked for."""
    written: dict[Path, tuple[Path, bytes]] = {}
    for number, (path, content) in enumerate(mutants):
        mine = folder.joinpath(str(number), *path.parts[-3:])
        mine.parent.mkdir(parents=True)
        mine.write_bytes(content)
        written[mine] = path, content
    checked = checking.check([*written, *planted.glob(f"{store.REPRODUCTIONS}/*/trials")], results, history)
    dataset.load(written)
    refused = {finding.path for finding in checked.refused}
    warned = {finding.path for finding in checked.warnings}
    counted: Counter[str] = Counter()
    for mine, (path, content) in written.items():
        if mine in refused:
            counted["refused"] += 1
        elif mine in warned:
            counted["warned"] += 1
        else:
            counted["unchanged in meaning" if same_meaning(path, content) else "unnoticed"] += 1
    return counted


def same_meaning(path: Path, content: bytes) -> bool:
    """Whether a changed document, which decodes, says what the original does."""
    decode = DECODERS[path.parent.parent.name]
    return bool(decode(path.read_bytes()) == decode(content))
