"""Reproductions: every trial that one names is there, of its result and its baseline, and they say what it says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known
from framebench.dataset.judged_again import judge_again
from framebench.dataset.paired_rounds import Pair, timed_again
from framebench.errors import quoted
from framebench.records.identity import result_key
from framebench.records.manifests import place
from framebench.records.placing import REPRODUCTIONS
from framebench.records.reproduction_document import Reproduction
from framebench.records.start_time import CLOCKS, identified, made, moment
from harness.record import Record

MEND = "a reproduction is never edited; restore the file, or delete it and reproduce the result again"
LACKING = "add what is missing, or delete it and reproduce the result again"
SAME = 1e-6  # of a figure calculated again, relative


def doubts(path: Path, document: Reproduction, known: Known) -> Iterator[Doubt]:
    """Nothing in it is believed that its trials, or those of the result, tell."""
    if path.absolute() in known.rewritten:
        yield refuse("file", "it was changed after it had been committed", MEND)
    yield from _moments(document, known)
    trials = _there(document, known)
    wanting = sorted({*document.trial_ids} - {one.trial_id for one in trials})
    if wanting:
        more = f" and {len(wanting) - 1} more" if len(wanting) > 1 else ""
        yield refuse("trial_ids", f"{wanting[0]}{more}: no such trial below {_folder(document)}", LACKING)
    twice = [one for one, count in Counter(document.trial_ids).items() if count > 1]
    if twice:
        yield refuse("trial_ids", f"{twice[0]} is named twice", MEND)
    recorded = known.pairs_before(document.result_id, min(document.trial_ids))
    if not recorded:
        yield refuse(
            "result_id", f"{document.result_id}: no pair of it was timed before these trials", LACKING
        )
    elif not wanting and not twice:
        yield from _repeated(document, recorded, trials, known)


def _moments(document: Reproduction, known: Known) -> Iterator[Doubt]:
    """It is written, and gets its id, when the last of its trials has ended."""
    written, identity = moment(document.reproduced_utc), made(document.reproduction_id)
    if written is None:
        yield refuse("reproduced_utc", f"there is no moment {quoted(document.reproduced_utc)}", MEND)
        return
    if written > known.now + CLOCKS:
        yield refuse("reproduced_utc", f"{document.reproduced_utc} has not come yet", MEND)
    if identity is None or abs(written - identity) > CLOCKS:
        yield refuse("reproduced_utc", f"{document.reproduced_utc} is not when its id was made", MEND)
    later = [
        one for one in _there(document, known) if (begun := identified(one)) and begun > written + CLOCKS
    ]
    if later:
        yield refuse("trial_ids", f"{later[0].trial_id} was measured after it had been written", MEND)


def _folder(document: Reproduction) -> str:
    return f"{REPRODUCTIONS}/{document.result_id}/trials"


def _there(document: Reproduction, known: Known) -> list[Record]:
    """Those of its trials that lie where trials of its result's reproductions do."""
    found = (known.records[one] for one in document.trial_ids if one in known.again)
    return [one for one in found if _lies_there(one, document, known)]


def _lies_there(record: Record, document: Reproduction, known: Known) -> bool:
    return place(known.paths[record.trial_id]).startswith(f"{_folder(document)}/")


def _repeated(
    document: Reproduction, recorded: Sequence[Pair], trials: Sequence[Record], known: Known
) -> Iterator[Doubt]:
    """Against the campaign that the recorded ratio is of, or else the one with most rounds."""
    sides = document.contender, document.baseline
    named = [pair for pair in recorded if tuple(one.contender.slug for one in pair.any()) == sides]
    if not named:
        beside = ", ".join(sorted({pair.any()[1].contender.slug for pair in recorded}))
        who = recorded[0].any()[0].contender.slug
        yield refuse(
            "baseline",
            f"{document.contender} against {document.baseline}; {who} was timed beside {beside}",
            MEND,
        )
        return
    pair = max(named, key=lambda one: (_same(document.recorded_ratio, _ratio(one)), len(one.shared())))
    faults = [*_of_the_pair(document, pair, trials), *_all_of_them(document, pair, trials, known)]
    yield from faults
    new = timed_again(trials, *(one.contender for one in pair.any()))
    if not new.shared():
        yield refuse("rounds", "no round of both ended well, so there is no verdict", MEND)
    else:
        yield from _figures(document, pair, new, known)


def _of_the_pair(document: Reproduction, pair: Pair, trials: Sequence[Record]) -> Iterator[Doubt]:
    """The very image, work and protocol of the recorded trials, on one machine."""
    contender, _ = pair.any()
    keys = {result_key(one)[1:] for one in pair.any()}  # a result's key begins with its host
    strange = [one for one in trials if one.kind != "timing" or result_key(one)[1:] not in keys]
    if strange:
        yield refuse(
            "trial_ids", f"{strange[0].trial_id} repeats no timed trial of this result or its baseline", MEND
        )
    here = contender.provenance.host_id
    hosts = sorted({one.provenance.host_id for one in trials})
    digests = sorted({str(one.image.config_digest) for one in trials if one.contender == contender.contender})
    for field, said, told in (
        ("host_id", document.host_id, " and ".join(hosts)),
        ("executor", document.executor, contender.provenance.executor),
        ("config_digest", str(document.config_digest), " and ".join(digests)),
        ("same_hardware", document.same_hardware, hosts == [here]),
    ):
        if said != told:
            yield refuse(field, f"{said}, its trials say {told}", MEND)


def _all_of_them(
    document: Reproduction, pair: Pair, trials: Sequence[Record], known: Known
) -> Iterator[Doubt]:
    """One campaign of its own, with its gates, of which no round is kept back."""
    campaigns = {one.campaign_id for one in trials}
    if len(campaigns) > 1:
        yield refuse("trial_ids", f"they are of {len(campaigns)} campaigns, a reproduction is one", MEND)
    beside = [
        one
        for trial in known.again
        if (one := known.records[trial]).campaign_id in campaigns and _lies_there(one, document, known)
    ]
    kept_back = sorted(
        one.trial_id for one in beside if one.kind == "timing" and one.trial_id not in document.trial_ids
    )
    if kept_back:
        yield refuse("trial_ids", f"{kept_back[0]} of the same campaign is left out", MEND)
    for side in pair.any():
        if not any(
            one.kind == "parity" and one.contender == side.contender and one.outcome.status == "ok"
            for one in beside
        ):
            yield refuse("trial_ids", f"no gate of {side.contender.slug} passed in their campaign", LACKING)


def _figures(document: Reproduction, pair: Pair, new: Pair, known: Known) -> Iterator[Doubt]:
    """Calculated as ``framebench reproduce`` does.

    The clone that wrote the document may have had other A/A trials of the host: another bound weighs what it decides.
    """
    ratios = pair.log_ratios()
    for field, told in judge_again(ratios, new, math.log1p(document.bound)).figures().items():
        said = getattr(document, field)
        said = said or 0 if field == "busy_rounds" else said
        if not _same(said, told):
            yield refuse(field, f"{said}, its trials say {told}", MEND)
    contender, _ = pair.any()
    noise = known.noise_before(contender.provenance.host_id, min(document.trial_ids))
    judged = judge_again(ratios, new, noise).verdict
    if _same(document.bound, judged.bound):
        return
    words = f"{document.bound:g}, the A/A trials of {contender.provenance.host_id} say {judged.bound:g}"
    if judged.verdict != document.verdict:
        yield refuse("bound", f"{words}, by which it is {judged.verdict}", LACKING)
    else:
        yield warn(
            "bound", words, "the verdict is the same; add the A/A trials that it rests on, if there are any"
        )


def _ratio(pair: Pair) -> float:
    return math.exp(pair.log_ratios().mean())


def _same(said: object, told: object) -> bool:
    if isinstance(said, float) and isinstance(told, float):
        return math.isclose(said, told, rel_tol=SAME)
    return said == told
