"""A recorded pair measured again: its gates, then its rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from framebench.campaign.plan import Planned
from framebench.campaign.runner import Runner
from framebench.dataset.paired_rounds import Pair, timed_again
from framebench.errors import UserError
from framebench.executors import Executor
from framebench.records import store
from harness.record import Contender, ImageRef, Record, TrialSpec

Ended = Callable[[Planned, Record], None]


class Again(NamedTuple):
    """What was measured anew: the rounds of both that ended well, and the ids of all timing trials."""

    pair: Pair
    trial_ids: list[str]


def measure_again(
    executor: Executor, pair: Pair, rounds: int, folder: Path, wanted_id: str, host_id: str, ended: Ended
) -> Again:
    """Gates first (they also fill the compile caches), then rounds of both in shuffled order."""
    recorded = pair.any()
    runner = Runner(executor, folder, _as_recorded(recorded, host_id), ended)
    contenders = [trial.contender for trial in recorded]
    case = recorded[0].case
    for contender in contenders:
        gate = runner.run(Planned("parity", case, contender, 0))
        if gate.outcome.status != "ok":
            raise UserError(
                f"the parity gate of {contender.slug} ended {gate.outcome.status}: "
                f"{gate.outcome.reason or 'see its record'}; nothing was timed"
            )
    records = runner.rounds(case, contenders, rounds, wanted_id)
    return Again(timed_again(records, *contenders), [record.trial_id for record in records])


def _as_recorded(recorded: Sequence[Record], host_id: str) -> Callable[[Planned], TrialSpec]:
    """The recorded trials' own specs, but for their ids, rounds and the machine."""
    campaign_id = store.new_trial_id()[:12]
    of_contender: dict[Contender, Record] = {trial.contender: trial for trial in recorded}

    def spec(planned: Planned) -> TrialSpec:
        trial = of_contender[planned.contender]
        return TrialSpec(
            kind=planned.kind,
            trial_id=store.new_trial_id(),
            campaign_id=campaign_id,
            round=planned.round,
            seed=planned.round,
            case=trial.case,
            contender=trial.contender,
            protocol=trial.protocol,
            image=ImageRef(**msgspec.structs.asdict(trial.image)),
            provenance=msgspec.structs.replace(trial.provenance, host_id=host_id),
        )

    return spec
