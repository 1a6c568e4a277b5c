"""Which baseline a recorded result is measured again with."""

from __future__ import annotations

from pathlib import Path

from framebench.campaign import suites
from framebench.dataset.paired_rounds import Pair, pairs, timed_trials
from framebench.errors import UserError
from framebench.records.identity import result_id
from harness.record import Record


def find_pair(root: Path, records: list[Record], wanted_id: str) -> Pair:
    """The result's timed trials and those of the baseline of its case, of the campaign with most shared rounds."""
    timed = timed_trials(records)
    sample = next((record for record in timed if result_id(record) == wanted_id), None)
    if sample is None:
        raise UserError(
            f"result {wanted_id} has no timed trial that ended well; there is nothing to reproduce"
        )
    preferred = _baseline_slug(root, sample)

    def weight(pair: Pair) -> tuple[bool, int, str]:
        slug = pair.any()[1].contender.slug
        return slug == preferred, len(pair.shared()), slug

    pair = max(pairs(timed, wanted_id), key=weight, default=None)
    if pair is None:
        raise UserError(
            f"result {wanted_id} was timed alone: no other contender of {sample.case.path} has a trial in the same "
            "campaign, so there is no ratio to reproduce"
        )
    return pair


def _baseline_slug(root: Path, record: Record) -> str | None:
    if record.protocol.name not in suites.available(root):
        return None
    return suites.load(root, record.protocol.name).baseline
