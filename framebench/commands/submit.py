"""``framebench submit``: check a campaign, list its files with their hashes, sign the list, and sum it up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from framebench import checking
from framebench.checking import History
from framebench.commands.saying import Sayer
from framebench.commands.submission_summary import summary
from framebench.errors import UserError, quoted
from framebench.images import known_digests
from framebench.records import provenance, store
from framebench.records.manifests import campaigns, compose, listed, place
from framebench.records.placing import ALLOWED_SIGNERS
from framebench.records.signature import judge, sign


def run(root: Path, results: Path, campaign: str | None, key: Path | None, console: Console) -> int:
    """Exit code 0 when the manifest is written; 1, and nothing is, when a file is refused."""
    say = Sayer(console)
    loaded = store.load([results], published=results)
    there = listed(manifest for _, manifest in loaded.manifests)
    of_campaign = campaigns(loaded)
    if loaded.faults and not of_campaign:
        return _refuse(map(str, loaded.faults), say)
    left = {
        one: fresh
        for one, paths in of_campaign.items()
        if (fresh := [p for p in paths if place(p) not in there])
    }
    chosen = _chosen(results, campaign, list(of_campaign), list(left))
    manifest = compose(chosen, left[chosen], provenance.commit(root))
    earlier = [path for path, one in loaded.manifests if one.campaign_id == chosen]
    checked = checking.check(
        [*of_campaign[chosen], *earlier], results, History(root), known_digests(root), [manifest]
    )
    # who lies in a folder with what is handed in would be handed in with it, were it sound
    folders = {path.parent for path in (*of_campaign[chosen], *earlier)}
    own = [
        fault for fault in loaded.faults if fault.path.parent in folders or fault.path.parent.name == chosen
    ]
    if own or checked.refused:
        return _refuse(map(str, (*own, *checked.refused)), say)
    say.skipped(fault for fault in loaded.faults if fault not in own)
    signature = None if key is None else sign(store.document_bytes(manifest), key)
    path = store.write_manifest(manifest, signature, results)
    trials = [(one, record) for one, record in loaded.every_trial if place(one) in manifest.files]
    say(summary(path, manifest, trials, checked.warnings, judge(path, results / ALLOWED_SIGNERS)))
    return 0


def _refuse(lines: Iterable[str], say: Sayer) -> int:
    """Exit code 1, when all that speaks against it was said."""
    for line in lines:
        say(line)
    say("nothing was handed in: mend what is said above first")
    return 1


def _chosen(results: Path, campaign: str | None, every: list[str], left: list[str]) -> str:
    """The campaign to hand in: the newest that has files in no manifest, unless one is named."""
    if not every:
        raise UserError(f"{results} holds no records; measure first (`framebench run`)")
    if campaign is not None and campaign not in every:
        raise UserError(
            f"--campaign {quoted(campaign)}: {results} has no record of it; it has {', '.join(map(quoted, every[:5]))}"
        )
    if campaign is not None and campaign not in left:
        raise UserError(
            f"--campaign {campaign}: all its files are in a manifest already; to sign it after all, delete that one "
            "before anybody has it, and submit again"
        )
    if not left:
        raise UserError(
            f"{results}: every file of every campaign is in a manifest already; measure something new"
        )
    return campaign or left[0]
