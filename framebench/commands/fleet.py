"""``framebench fleet``: is a node of the cluster slower than the others of its kind?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from framebench.commands.phrases import interval
from framebench.commands.saying import Sayer
from framebench.dataset.fleet import Node, fleet
from framebench.errors import UserError, quoted
from framebench.records import store

APART = 2.0
"""Per cent by which a node may be slower than the others of its kind."""
SAID = {"fail": "SLOWER", "pass": "alike", "undecided": "undecided: more trials would tell"}
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def run(paths: Sequence[Path], percent: float, console: Console) -> int:
    """Exit code 0 if no node is surely slower by more than ``percent``, 1 if one is, 3 if some are undecided."""
    say = Sayer(console)
    nodes = nodes_of(paths, percent, say)
    place = None
    for one in nodes:
        if place != (place := (one.host_id, one.kernel)):
            say(f"\n{one.host_id}: time of the {one.kernel} kernel over the other nodes' [95 % interval]")
        trials = f"{one.times.n} trial{'s' * (one.times.n != 1)}"
        say(f"  {one.node:<24} {interval(one.times, '.3f')}  {trials}  {SAID[one.answer]}")
    slow = slower(nodes)
    say("")
    for name in slow:
        say(f"{name} is slower than the others by more than {percent:g} %: leave it out of a campaign")
    if slow:
        return 1
    undecided = sum(one.answer == "undecided" for one in nodes)
    say(f"{undecided} undecided" if undecided else f"all nodes are alike to {percent:g} %")
    return 3 if undecided else 0


def nodes_of(paths: Sequence[Path], percent: float, say: Sayer) -> list[Node]:
    """What the records below ``paths`` say of each node. ``UserError`` where no two can be compared."""
    loaded = store.load(paths)
    say.skipped(loaded.faults)
    nodes = fleet([record for _, record in loaded.every_trial], percent / 100)
    if not nodes:
        raise UserError(
            f"{', '.join(map(str, paths))}: no kind of machine has trials on two named nodes; run the suite fleet on "
            "each node of a Slurm allocation first (the page Slurm says how)"
        )
    return nodes


def slower(nodes: Sequence[Node]) -> list[str]:
    """Names of nodes that are surely slower, as Slurm takes them. ``UserError`` for a name that no node can have."""
    names = sorted({one.node for one in nodes if one.answer == "fail"})
    for name in names:
        if not _NODE.fullmatch(name):
            raise UserError(
                f"cluster_job.node is {quoted(name)}, which names no node; restore the record or delete it"
            )
    return names
