"""``framebench ci-matrix``: a campaign as jobs of GitHub Actions, GitLab CI or Buildkite, one for each part.

A job is the same line of ``framebench run`` in each; what the services differ in is how a job is written down.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from framebench.commands.parted import PartsRequest, parts, run_arguments
from framebench.errors import UserError

Service = Literal["github", "gitlab", "buildkite"]

RECORDS = "own-results"
"""Where each job's records go: a folder without any others, so that all of it may be kept."""
SET_UP = "make .venv"
MOST_OF_GITHUB = 256
"""Jobs of one matrix that GitHub Actions takes (docs.github.com, *Running variations of jobs in a workflow*)."""


class Job(NamedTuple):
    """One part: ``2/4``, the line that measures it, and the minutes it may take."""

    shard: str
    line: str
    minutes: int


def run(root: Path, service: Service, request: PartsRequest) -> None:
    """Print the text. ``UserError`` for a suite, case or contender that does not exist."""
    sys.stdout.write(written(service, jobs(root, request), request.suite) + "\n")


def jobs(root: Path, request: PartsRequest) -> list[Job]:
    """One for each part that has a case: of more parts than cases the rest would measure nothing."""
    whole = parts(root, request)
    if len(whole.seconds) > len(whole.cases):
        whole = parts(root, request._replace(shards=len(whole.cases)))
    count = len(whole.seconds)
    return [
        Job(
            shard,
            shlex.join([".venv/bin/framebench", *run_arguments(request, shard), "--results", RECORDS]),
            limit,
        )
        for shard, limit in (
            (f"{number}/{count}", limit) for number, limit in enumerate(whole.limits, start=1)
        )
    ]


def written(service: Service, every: Sequence[Job], suite: str) -> str:
    """The text that the service reads; for GitHub on one line, which a job's output has to be."""
    if service == "github" and len(every) > MOST_OF_GITHUB:
        raise UserError(
            f"a matrix of GitHub Actions has at most {MOST_OF_GITHUB} jobs, these are {len(every)}; "
            f"give --shards {MOST_OF_GITHUB} or fewer"
        )
    document = _WRITERS[service](every, suite)
    # JSON is YAML but for escapes in two halves, as of an emoji
    return json.dumps(document, ensure_ascii=False, indent=None if service == "github" else 2)


def _github(every: Sequence[Job], suite: str) -> Any:
    return {"include": [{"shard": job.shard, "run": job.line, "minutes": job.minutes} for job in every]}


def _gitlab(every: Sequence[Job], suite: str) -> Any:
    return {
        f"{suite} {job.shard}": {
            "script": [SET_UP, job.line],
            "timeout": f"{job.minutes} minutes",
            "artifacts": {"when": "always", "paths": [f"{RECORDS}/"]},
        }
        for job in every
    }


def _buildkite(every: Sequence[Job], suite: str) -> Any:
    return {
        "steps": [
            {
                "label": f"{suite} {job.shard}".replace("$", "$$"),
                "command": [SET_UP, job.line.replace("$", "$$")],  # an upload puts variables in
                "timeout_in_minutes": job.minutes,
                "artifact_paths": [f"{RECORDS}/**/*"],
            }
            for job in every
        ]
    }


_WRITERS: dict[Service, Callable[[Sequence[Job], str], Any]] = {
    "github": _github,
    "gitlab": _gitlab,
    "buildkite": _buildkite,
}
