"""What a self-test leaves, from the trials that it ran."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from framebench.records.selftest_document import Planted, SelfTest
from framebench.selftest import judging
from framebench.selftest.campaigns import REAL_CONTENDER, SelfTestCampaigns, Trials


def conclude(
    campaigns: SelfTestCampaigns,
    trials: Trials,
    selftest_id: str,
    form: Literal["quick", "full"],
    seconds: float,
) -> SelfTest:
    """Every check and figure of one self-test."""
    checks = judging.canaries(trials)
    false_winners, check = judging.false_winners(trials.aa)
    checks.append(check)
    planted: list[Planted] = []
    if trials.planted:
        planted, of_planted = judging.planted(trials.planted, judging.residuals(trials.aa))
        checks += of_planted
    observer, check = judging.observer(trials.observer)
    checks.append(check)
    sampler_share, check = judging.sampler_cost(trials.observer)
    checks.append(check)
    pair = None
    if form == "full":
        pair, check = judging.real_pair(trials.real, trials.real_refusal)
        checks.append(check)
    ceiling = trials.ceiling.ceiling
    return SelfTest(
        selftest_id=selftest_id,
        form=form,
        tested_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        host_id=campaigns.source.host_id,
        git_commit=campaigns.source.commit,
        dirty=campaigns.source.dirty,
        harness_tree_sha256=campaigns.source.harness_tree,
        duration_s=round(seconds, 1),
        trials=len(trials.every()),
        disturbed=judging.disturbed(trials.every()),
        checks=checks,
        false_winners=false_winners,
        planted=planted,
        observer=observer,
        sampler_share=sampler_share,
        matmul_flops_per_s=ceiling.matmul_flops_per_s.get("fp32") if ceiling else None,
        copy_bytes_per_s=ceiling.copy_bytes_per_s if ceiling else None,
        real_contender=REAL_CONTENDER if pair else None,
        real_pair=pair,
    )
