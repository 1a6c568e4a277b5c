"""A campaign with its plan, its estimates and its budget, ready to run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from framebench.campaign import plan as planning
from framebench.campaign.campaign import Campaign
from framebench.campaign.estimate import Estimator
from framebench.campaign.plan import Plan, Planned
from framebench.campaign.request import Request, Resolved, Say, parse_budget
from framebench.campaign.side_by_side import at_a_time
from framebench.campaign.suites import Suite
from framebench.executors import Executor, StackOn
from framebench.executors.cards import host_of
from framebench.records import index, store
from framebench.records.identity import campaign_id
from harness.record import Case, ImageRef, Record


class Bench(NamedTuple):
    """Everything a campaign needs, ready."""

    suite: Suite
    campaign: Campaign
    plan: Plan
    estimator: Estimator
    budget_s: float | None

    def seconds(self, trial: Planned) -> float:
        """Estimated seconds that a trial adds to a campaign: a part of its own where it runs beside others."""
        protocol = self.suite.protocol_of(trial.case)
        alone = self.estimator.seconds(trial.kind, trial.case, trial.contender, protocol)
        return alone / at_a_time(trial.kind, trial.case, self.campaign.executor.machine())

    def has_number(self, cases: Iterable[Case]) -> bool:
        """Whether anything that the plan compares in these cases was measured, now or earlier."""
        pairs = [(case, entrant) for case in cases for entrant in self.plan.compared.get(case.path, ())]
        return self.campaign.ledger.has_number(self.suite.kinds, pairs)


def open_campaign(request: Request, resolved: Resolved, images: dict[StackOn, ImageRef], say: Say) -> Bench:
    """Campaign and plan in these environments; stacks without one take no part."""
    budget_s = parse_budget(request.budget)
    # an image that was just made may have told which processor the engine's machine has
    source = resolved.checkout._replace(host_id=resolved.executor.machine().host_id)
    campaign = Campaign(
        resolved.suite,
        resolved.executor,
        images,
        source,
        request.results,
        campaign_id(
            resolved.suite,
            [
                request.budget,
                repr(request.case_globs),
                repr(request.contender_globs),
                *request.image_names,
                *([f"{request.cores} cores"] if request.cores else []),
                *sorted(build.sha256 for build in resolved.own_builds),
            ],
            resolved.executor.name,
            source.host_id,
            source.harness_tree,
            once=store.new_trial_id() if request.force else "",
        ),
    )
    records: list[Record] = []
    if request.results.exists():
        loaded = store.load([request.results], index=index.of(request.root, request.results))
        records = [record for _, record in loaded.records]
        for fault in loaded.broken:
            say(f"warning: skipped {fault}")
    if not request.force:
        kept = [one for one in records if one.outcome.status == "ok"] if request.retry_failed else records
        campaign.ledger.remember(kept)
    devices = {(case.device, case.device_count) for case in resolved.cases}
    hosts = {host_of(source.host_id, device, count) for device, count in devices}
    estimator = Estimator(_like_this(records, hosts, resolved.executor))
    bench = Bench(resolved.suite, campaign, Plan([], [], 0, [], 0.0), estimator, budget_s)
    plan = planning.make(
        resolved.suite,
        resolved.cases,
        resolved.contenders,
        seconds=bench.seconds,
        done=campaign.ledger.done,
        settled=campaign.ledger.settled,
        budget_s=budget_s,
        seed=int(hashlib.sha256(campaign.campaign_id.encode()).hexdigest()[:8], 16),
        takes_part=lambda case, entrant: (
            StackOn(entrant.stack, case.device) in images and resolved.takes_part(case, entrant)
        ),
    )
    return bench._replace(plan=plan)


def _like_this(records: list[Record], hosts: set[str], executor: Executor) -> list[Record]:
    """Records of these hosts and this executor if there are any, else all of them: the best guess there is."""
    same = [
        record
        for record in records
        if record.provenance.host_id in hosts and record.provenance.executor == executor.name
    ]
    return same or records
