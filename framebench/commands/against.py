"""``framebench check --against``: are new records slower than an edition's? A gate for whoever works on a framework."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from framebench.commands.phrases import interval
from framebench.commands.saying import Sayer
from framebench.dataset.against_edition import AgainstEdition, against_edition
from framebench.dataset.new_against_old import Held
from framebench.errors import UserError, named
from framebench.records import store

EXIT = {"pass": 0, "fail": 1, "undecided": 3}
"""2 is bad input, as everywhere."""


def run(paths: Sequence[Path], edition: Path, console: Console) -> int:
    """Exit code 0 if all passed, 1 if one failed, 3 if none failed and not all are decided."""
    say = Sayer(console)
    if not edition.exists():
        raise UserError(
            f"--against {named(edition)}: no such file or folder; give an edition's folder of records"
        )
    new, recorded = store.load(paths), store.load([edition])
    say.skipped([*new.faults, *recorded.faults])
    both = {one.trial_id for _, one in new.records} & {one.trial_id for _, one in recorded.records}
    if both:
        raise UserError(
            f"trial {min(both)} is on both sides of --against {edition}; a campaign cannot be held against itself: "
            "give the folder of the new records alone, and an edition without them"
        )
    found = against_edition([one for _, one in new.records], [one for _, one in recorded.records])
    _refuse_empty(found, paths, edition)
    place = None
    for held in found.held:
        if place != (here := (held.new.host_id, held.new.case.path)):
            place = here
            equal = math.expm1(held.equal_within)
            say(f"\n{held.new.case.path} on {held.new.host_id}, where up to {equal:.1%} counts as equal")
        say(_line(held))
    say("")
    for apart in found.apart:
        say(f"not compared: {apart.new.case.path} {apart.new.label} on {apart.new.host_id}: {apart.because}")
    if found.missing:
        names = ", ".join(f"{one.case.path} {one.contender.slug}" for one in found.missing[:3])
        more = f" and {len(found.missing) - 3} more" if len(found.missing) > 3 else ""
        say(f"note: in the edition and not measured anew: {names}{more}")
    answer = found.answer
    if answer == "pass" and new.faults:
        answer = "undecided"
        say(f"note: {len(new.faults)} new files could not be read, so that not everything can have passed")
    counts = {word: sum(one.answer == word for one in found.held) for word in EXIT}
    say(f"{answer}: " + ", ".join(f"{count} {word}" for word, count in counts.items()))
    return EXIT[answer]


def _refuse_empty(found: AgainstEdition, paths: Sequence[Path], edition: Path) -> None:
    """Nothing compared is no pass."""
    if found.held:
        return
    here = ", ".join(map(str, paths))
    if not found.apart:
        raise UserError(
            f"{here}: no timed trial is there; measure some with `framebench run --results FOLDER`"
        )
    one = found.apart[0]
    raise UserError(
        f"--against {edition}: it has nothing for any of the {len(found.apart)} new results; the first, "
        f"{one.new.case.path} {one.new.label} on {one.new.host_id}: {one.because}; give an edition that was measured "
        "on this kind of machine with this harness"
    )


def _line(held: Held) -> str:
    build = held.new.image.own_builds
    name = held.new.contender.slug + (f" ({build[0].file})" if build else "")
    told = ""
    if held.times is not None:
        told = f"{interval(held.times, '.3f')} times as long over {held.times.n} rounds"
        told += " and campaigns" if held.by == "campaigns" else ""
        told += f"; the machine itself ±{math.expm1(held.slack):.1%}" if held.slack else ""
    why = f"{'; ' if told else ''}{held.because}" if held.because else ""
    return f"  {held.answer:<9}  {name:<40} {told}{why}"
