"""``framebench new-site``: a repository from which a laboratory publishes its own results under its own title."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import jinja2
from rich.console import Console

from framebench.commands.saying import Sayer
from framebench.errors import UserError, quoted
from framebench.pages.publisher import CONFIG, Publisher, refuse_unfit
from framebench.records import git_refusals, provenance

TEMPLATES = Path(__file__).parent / "templates" / "site"
WORKFLOW = Path(".github") / "workflows" / "pages.yml"


class Pin(NamedTuple):
    """The framebench that a site is built with: where it can be cloned from, and which commit."""

    repository: str
    commit: str


def run(root: Path, folder: Path, publisher: Publisher, console: Console) -> None:
    """Write the repository into ``folder``, which must be empty or not there, and outside of this clone."""
    refuse_unfit(publisher, "--")
    target = folder.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{folder} is there already and not an empty folder: choose another name")
    if target.is_relative_to(root.resolve()):
        raise UserError(f"{folder} lies in this clone of framebench: choose a place outside of it")
    pin = pin_of(root)
    for name, text in skeleton(publisher, pin).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (target / WORKFLOW).parent.mkdir(parents=True)
    shutil.copyfile(root / WORKFLOW, target / WORKFLOW)
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main", str(target)], check=True)
    say = Sayer(console)
    for line in (
        f"written: {folder}, a git repository that has no commit yet",
        f"framebench there: {pin.commit[:12]} of {pin.repository}",
        f"Next, in {folder} (its README.md goes through it):",
        "  make bench-all      measure here, or copy records into results/",
        "  make serve          look at the site",
        "  make publish-dry    after a commit: is it fit to be published?",
        f"Each sets up a framebench of its own first; CLONE={root} behind it takes this one.",
    ):
        say(line)
    if not reachable(pin.repository):
        say(
            "Others cannot clone that: before you publish, write a public address into Makefile, FRAMEBENCH_REPOSITORY"
        )


def skeleton(publisher: Publisher, pin: Pin) -> dict[str, str]:
    """``{file: text}`` of the repository, but for its workflow."""
    values = {
        "title": publisher.title,
        "licence": publisher.licence,
        "toml": {
            name: json.dumps(getattr(publisher, name), ensure_ascii=False)
            for name in publisher.__struct_fields__
        },
        "in_markdown": re.sub(r"([\\`*_\[\]#<>&!|~])", r"\\\1", publisher.title),
        "pin": pin,
        "link": reachable(pin.repository),
    }
    names = {CONFIG: CONFIG, "Makefile": "Makefile", "README.md": "README.md", "results/LICENSE": "LICENSE"}
    files = {name: _filled(template, values) for name, template in names.items()}
    return files | {".gitignore": "/build/\n", ".gitattributes": "* text=auto eol=lf\n*.gz binary\n"}


def pin_of(root: Path) -> Pin:
    """This clone's commit, and the address it was cloned from without a password; its own path where it has none."""
    if why := git_refusals.refusal(root):
        raise UserError(why)
    commit = provenance.commit(root)
    if commit is None:
        raise UserError(f"{root} has no commit: clone the repository with git")
    asked = ["git", "-C", str(root), "config", "--get", "remote.origin.url"]
    origin = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    repository = _address(origin, root) if origin else str(root)
    if not re.fullmatch(r"[\w./:@+~%-]+", repository) or repository.startswith("-"):
        raise UserError(
            f"the address of this clone, {quoted(repository)}, has characters that a Makefile would read: "
            "move the clone, or change it by `git remote set-url origin URL`"
        )
    return Pin(repository, commit)


def reachable(repository: str) -> bool:
    """Whether a workflow could clone from there without a key."""
    return repository.startswith(("https://", "http://"))


def _address(origin: str, root: Path) -> str:
    """Where a clone came from, for whoever stands elsewhere: no password, no relative path."""
    if not re.match(r"[\w+.-]+://|[^/]+:", origin):
        return str((root / origin).resolve())
    parts = urlsplit(origin)
    if parts.scheme in ("http", "https") and "@" in parts.netloc:
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return origin


def _filled(template: str, values: Mapping[str, object]) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string((TEMPLATES / f"{template}.txt").read_text()).render(values)
