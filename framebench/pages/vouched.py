"""Who vouches for what: the words for signatures of trials and of reproductions, and for exceptions to the rules."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import PurePosixPath

from framebench.dataset import Result
from framebench.language import _
from framebench.pages.evidence import Evidence
from framebench.pages.views import Fact
from framebench.records.signature import Signature
from framebench.records.waivers import Waiver


def facts(result: Result, evidence: Evidence) -> list[Fact]:
    """By whom a result is signed, and by whom it was reproduced."""
    return [
        Fact(_("Signed by"), _of_trials(result, evidence)),
        Fact(_("Reproduced by"), _of_reproductions(result, evidence)),
    ]


def signed_by(identity: str, evidence: Evidence) -> str:
    """Who signed a trial or a reproduction, in a few words; *unsigned* where nobody did."""
    signatures = evidence.dataset.signers.get(identity, [])
    return ", ".join(dict.fromkeys(map(_who, signatures))) or _("unsigned")


def exceptions(result: Result, evidence: Evidence) -> list[str]:
    """A sentence for each rule of ``framebench check`` that a trial of the result need not keep."""
    trials = {record.trial_id for record in result.records}
    return [
        _("Trial {trial} need not keep the rule {rule} until {until}: {why} (agreed by {who})").format(
            trial=PurePosixPath(one.file).stem, rule=one.rule, until=one.until, who=one.by, why=one.why
        )
        for one in evidence.dataset.waivers
        if PurePosixPath(one.file).stem in trials and in_force(one)
    ]


def in_force(waiver: Waiver) -> bool:
    """Whether it is when the site is built."""
    return waiver.in_force(datetime.now(UTC).date())


def _of_trials(result: Result, evidence: Evidence) -> str:
    counted = Counter(signed_by(record.trial_id, evidence) for record in result.records)
    if len(counted) == 1:
        (word,) = counted
        return _("nobody: unsigned") if word == _("unsigned") else word
    parts = [
        _("{who} ({count} of {all} trials)").format(who=word, count=count, all=counted.total())
        for word, count in counted.most_common()
    ]
    return "; ".join(parts)


def _of_reproductions(result: Result, evidence: Evidence) -> str:
    held = [one for one in evidence.dataset.reproductions.get(result.id, []) if one.verdict == "reproduced"]
    words = [
        _("{who}, on {host}").format(who=signed_by(one.reproduction_id, evidence), host=one.host_id)
        for one in held
    ]
    return "; ".join(dict.fromkeys(words)) or _("nobody yet")


def _who(signature: Signature) -> str:
    if signature.state == "known":
        return signature.signer or ""
    if signature.state == "unknown":
        return _("a key that nobody here knows, {key}").format(key=signature.key)
    return _("somebody: the signature was not checked when this site was built")
