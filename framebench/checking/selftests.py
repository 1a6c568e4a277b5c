"""Self-tests: when and of which harness, figures that can be true, and each check as its figures answer it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from framebench.checking.doubt import Doubt, refuse, warn
from framebench.checking.known import Known
from framebench.dataset import selftest_checks
from framebench.dataset.selftest_checks import FAULTS, LOOKS, SAMPLER_CHECK, SAMPLER_SHARE
from framebench.errors import quoted
from framebench.records.selftest_document import Check, Planted, Ratio, SelfTest
from framebench.records.start_time import CLOCKS, made, moment
from framebench.statistics.binomial import clopper_pearson
from framebench.statistics.comparison import MIN_ROUNDS
from framebench.statistics.power import MOST_ROUNDS
from framebench.statistics.verdict import margin

MEND = "a self-test is never edited; restore the file, or delete it and test again (`framebench selftest`)"
SAME = 1e-6  # of a figure calculated again, relative


def doubts(path: Path, document: SelfTest, known: Known) -> Iterator[Doubt]:
    """Its trials are not kept, so the figures that come of them alone are believed; what follows from those is not."""
    if path.absolute() in known.rewritten:
        yield refuse("file", "it was changed after it had been committed", MEND)
    yield from _moments(document, known)
    yield from _commit(document, known)
    impossible = [*_counts(document), *_rows(document)]
    yield from impossible
    for name, ratio in (("observer", document.observer), ("real_pair", document.real_pair)):
        if ratio is not None:
            yield from _ratio(name, ratio)
    if not impossible:
        yield from _checks(document)


def _moments(document: SelfTest, known: Known) -> Iterator[Doubt]:
    """The id is made before the first trial, the moment is that of the last."""
    tested, begun = moment(document.tested_utc), made(document.selftest_id)
    if tested is None:
        yield refuse("tested_utc", f"there is no moment {quoted(document.tested_utc)}", MEND)
        return
    if tested > known.now + CLOCKS:
        yield refuse("tested_utc", f"{document.tested_utc} has not come yet", MEND)
    if begun is None or abs(tested - timedelta(seconds=document.duration_s) - begun) > CLOCKS:
        words = f"{document.tested_utc} is not {document.duration_s:g} s after its id was made"
        yield refuse("tested_utc", words, MEND)
    commit = document.git_commit
    if commit and document.dirty is False and known.history.known(commit):
        committed = known.history.committed(commit)
        if tested < committed - CLOCKS:
            words = f"{document.tested_utc} is before its commit {commit[:8]} of {committed:%Y-%m-%dT%H:%MZ}"
            yield refuse("tested_utc", words, MEND)


def _commit(document: SelfTest, known: Known) -> Iterator[Doubt]:
    commit = document.git_commit
    if commit is None or document.dirty is not False:
        yield warn(
            "git_commit", "tested outside a commit: nothing of its code can be looked up", "test in a clone"
        )
    elif not known.history.known(commit):
        yield warn("git_commit", f"{commit[:12]} is not in this history", "fetch the whole history")
    elif document.harness_tree_sha256 != known.history.harness_tree(commit):
        yield refuse("harness_tree_sha256", f"is not the harness of commit {commit[:8]}", MEND)


def _counts(document: SelfTest) -> Iterator[Doubt]:
    """Parts are no more than the whole, and an interval is that of its share."""
    rate = document.false_winners
    yield from _no_more("disturbed", document.disturbed or 0, document.trials)
    yield from _no_more("false_winners.comparisons", rate.comparisons, document.trials)
    beyond = [*_no_more("false_winners.false_winners", rate.false_winners, rate.comparisons)]
    yield from beyond
    if not beyond:
        interval = clopper_pearson(rate.false_winners, rate.comparisons)
        yield from _interval("false_winners", (rate.low, rate.high), interval)
    if (document.real_pair is None) != (document.real_contender is None):
        yield refuse(
            "real_contender", f"{document.real_contender}, with a ratio it is named and else not", MEND
        )
    if document.form == "quick" and document.real_pair is not None:
        yield refuse("real_pair", "is there, and the quick form has none", MEND)
    if bool(document.planted) != (document.form == "full"):
        yield refuse("planted", "the full form has rows, the quick one has none", MEND)


def _rows(document: SelfTest) -> Iterator[Doubt]:
    """Every slow-down after as many rounds as the others, each share with its interval."""
    rows = document.planted
    percents = {row.percent for row in rows}
    asked = {(percent, rounds) for percent in percents | {3} for rounds in LOOKS} if rows else set()
    if sorted(asked) != sorted((row.percent, row.rounds) for row in rows):
        yield refuse(
            "planted", f"each slow-down, 3 % too, has one row for {LOOKS[0]} and for {LOOKS[1]} rounds", MEND
        )
    for number, row in enumerate(rows):
        yield from _row(f"planted.{number}", row, len(rows))
        yield from _no_more(f"planted.{number}.campaigns", row.campaigns, document.trials)
    for rounds in LOOKS:
        if len({row.equal_within_ln for row in rows if row.rounds == rounds}) > 1:
            yield refuse("planted", f"equal_within_ln is not the same in all rows of {rounds} rounds", MEND)


def _row(field: str, row: Planted, rows: int) -> Iterator[Doubt]:
    beyond = [*_no_more(f"{field}.found", row.found + row.called_faster, row.campaigns)]
    yield from beyond
    if not beyond:
        told = selftest_checks.planted_interval(row.found, row.campaigns, rows)
        yield from _interval(field, (row.low, row.high), told)
    if row.equal_within_ln < margin(None) * (1 - SAME):
        yield refuse(
            f"{field}.equal_within_ln", f"{row.equal_within_ln:g}, it is at least {margin(None):g}", MEND
        )
    needed = row.rounds_needed
    if needed is not None and not MIN_ROUNDS <= needed <= MOST_ROUNDS:
        words = f"{needed}, a simulation has {MIN_ROUNDS} to {MOST_ROUNDS}"
        yield refuse(f"{field}.rounds_needed", words, MEND)
    elif needed is not None and math.log1p(row.percent / 100) <= row.equal_within_ln:
        words = f"{needed}, no number of rounds finds what counts as equal"
        yield refuse(f"{field}.rounds_needed", words, MEND)


def _ratio(field: str, ratio: Ratio) -> Iterator[Doubt]:
    """One pair has no interval; that of several has its ratio in the middle, on the scale of logarithms."""
    if (ratio.low is None) != (ratio.pairs == 1) or (ratio.high is None) != (ratio.pairs == 1):
        yield refuse(field, f"{ratio.pairs} pairs with the interval {ratio.low} to {ratio.high}", MEND)
    elif ratio.low and ratio.high:
        middle = math.sqrt(ratio.low) * math.sqrt(ratio.high)
        if ratio.low > ratio.high or not math.isclose(middle, ratio.value, rel_tol=SAME):
            words = f"{ratio.value:g} is not the middle of its interval {ratio.low:g} to {ratio.high:g}"
            yield refuse(field, words, MEND)


def _checks(document: SelfTest) -> Iterator[Doubt]:
    """None is left out or made up, and each ends as its figures have it."""
    said = {check.name: check for check in document.checks}
    told = {check.name: check for check in _expected(document, said)}
    twice = [name for name, count in Counter(check.name for check in document.checks).items() if count > 1]
    if twice:
        yield refuse("checks", f"{quoted(twice[0])} is there twice", MEND)
    for name in sorted(told.keys() - said.keys()):
        yield refuse("checks", f"{quoted(name)} is missing", MEND)
    for name in sorted(said.keys() - told.keys()):
        yield refuse("checks", f"the {document.form} form has no {quoted(name)}", MEND)
    for name in sorted(said.keys() & told.keys()):
        for field in ("answer", "bound", "found"):
            one, other = getattr(said[name], field), getattr(told[name], field)
            if one != other:
                words = f"{field} of {quoted(name)} is {quoted(one)}, its figures say {quoted(other)}"
                yield refuse("checks", words, MEND)


def _expected(document: SelfTest, said: dict[str, Check]) -> Iterator[Check]:
    """Every check of its form. How a trial on a fault ended, and why a real stack was not timed, stands in words
    alone."""

    def found(name: str) -> str:
        return said[name].found if name in said else ""

    words = found(selftest_checks.sound_stack("ok", None).name)
    yield selftest_checks.sound_stack("ok" if words == "ok" else "failed", words or None)
    for variant in FAULTS:
        status, _, reason = found(selftest_checks.refused_fault(variant, "", None).name).partition(": ")
        yield selftest_checks.refused_fault(variant, status, reason or None)
    yield selftest_checks.equals(document.false_winners)
    if document.planted:
        yield from selftest_checks.planted(document.planted, document.false_winners.spread_ln)
    yield selftest_checks.observer(document.observer)
    yield _sampler(document.sampler_share, said.get(SAMPLER_CHECK))
    if document.form == "full":
        refusal = found(selftest_checks.real_pair(None, None).name)
        yield selftest_checks.real_pair(document.real_pair, refusal or None)


def _sampler(share: float | None, said: Check | None) -> Check:
    """The document has no interval of it: what is said has to begin with the mean, and not to contradict it."""
    none = selftest_checks.sampler_cost(None)
    if share is None or said is None:
        return none
    answer = said.answer
    if answer != "undecided":
        answer = "pass" if share <= SAMPLER_SHARE else "fail"
    found = said.found if said.found.startswith(f"{share:.2%}, ") else f"{share:.2%}, …"
    return Check(name=none.name, answer=answer, bound=none.bound, found=found)


def _no_more(field: str, part: int, whole: int) -> Iterator[Doubt]:
    if part > whole:
        yield refuse(field, f"{part} of {whole}", MEND)


def _interval(field: str, said: tuple[float, float], told: tuple[float, float]) -> Iterator[Doubt]:
    for name, one, other in zip(("low", "high"), said, told, strict=True):
        if not math.isclose(one, other, rel_tol=SAME, abs_tol=1e-12):
            yield refuse(f"{field}.{name}", f"{one:g}, the interval of its share has {other:g}", MEND)
