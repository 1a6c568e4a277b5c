"""Why git cannot say what a checkout is, and what mends that: a sentence for each cause."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

NO_HISTORY = "{root} is no git checkout (an unpacked archive has no history): clone the repository with git"
SHALLOW = "this clone is shallow: fetch the whole history (`git fetch --unshallow`) and run again"


def refusal(root: Path) -> str | None:
    """Why git has nothing to say of the checkout at ``root``; null if it answers."""
    if not (root / ".git").exists():
        return NO_HISTORY.format(root=root)
    try:
        done = subprocess.run(["git", "rev-parse", "--git-dir"], cwd=root, text=True, capture_output=True)
    except FileNotFoundError:
        return "there is no git on the path: install it (for example `apt install git`)"
    return words(root, done.stderr) if done.returncode else None


def words(root: Path, said: str) -> str:
    """What git said, as a sentence with the mend where the cause is known."""
    if "dubious ownership" in said:
        trust = f"git config --global --add safe.directory {shlex.quote(str(root))}"
        return f"git does not trust {root}, which belongs to another user: `{trust}`"
    return f"git cannot read {root}: {said.strip() or 'it says nothing'}"


def missing_commit(root: Path, commit: str, said: str) -> str:
    """Why a commit cannot be had here."""
    if why := refusal(root):
        return why
    asked = ["git", "rev-parse", "--is-shallow-repository"]
    if subprocess.run(asked, cwd=root, text=True, capture_output=True).stdout.strip() == "true":
        return f"commit {commit} is not in this clone, and {SHALLOW}"
    return (
        f"commit {commit} is not in this clone ({said.strip()}): fetch it from the repository that holds it "
        f"(`git fetch REPOSITORY {commit}`) and run again"
    )
