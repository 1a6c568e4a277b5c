"""What cannot take part is found out before anything is fetched, by cause; the others are not affected."""

from __future__ import annotations

from pathlib import Path

import pytest

from framebench.campaign import suites
from framebench.campaign.unsupported import broken_folders, supported, unsupported
from framebench.executors import StackOn, Unavailable
from harness import frameworks, workloads

ROOT = Path(__file__).resolve().parents[2]
NO_GPU = Unavailable("this machine shows no GPU", "install the driver")


class Anything:
    """An executor on which every stack runs, but on no GPU."""

    def refusal(self, wanted: StackOn, count: int = 1) -> Unavailable | None:
        return NO_GPU if wanted.device == "gpu" else None


def pairs(name: str) -> list[tuple[object, object]]:
    suite = suites.load(ROOT, name)
    return [
        (case, entrant)
        for case in suite.expand(2)
        for entrant in suite.entrants()
        if suite.admits(case, entrant)
    ]


def test_a_machine_without_a_gpu_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "has_file", lambda workload, framework: True)
    (one,) = unsupported(pairs("gpu"), Anything())  # type: ignore[arg-type]
    assert one.here and one.cause is NO_GPU and len(one.pairs) == len(pairs("gpu"))
    assert one.sentence().endswith("more contenders: this machine shows no GPU; install the driver")


def test_a_workload_without_a_file_is_one_cause_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        workloads, "has_file", lambda workload, framework: (workload, framework) != ("mlp", "jax")
    )
    asked = pairs("smoke")
    (one,) = unsupported(asked, Anything())  # type: ignore[arg-type]
    assert not one.here and "mlp has no file for jax" in one.sentence()
    takes_part = supported(asked, [one])  # type: ignore[arg-type]
    left = [(case.path, entrant.slug) for case, entrant in asked if takes_part(case, entrant)]  # type: ignore
    assert len(left) == len(asked) - len(one.pairs)


def test_broken_folders_are_named_with_their_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = {"gpt": "SyntaxError: line 3", "elsewhere": "NameError: no"}  # one of them is in the suite
    monkeypatch.setattr(workloads, "broken", lambda: errors)
    monkeypatch.setattr(frameworks, "broken", lambda: {"jax": "ImportError: no"})
    sound = {name: info for name, info in frameworks.stacks().items() if info.framework != "jax"}
    monkeypatch.setattr(frameworks, "stacks", lambda: sound)
    monkeypatch.setattr(workloads, "has_file", lambda workload, framework: True)
    suite = suites.load(ROOT, "smoke")
    lines = [*broken_folders(suite)]
    assert "workload elsewhere: its folder cannot be imported: NameError: no" in lines[0]
    assert "framework jax: its folder cannot be imported" in lines[1]
    assert lines[2].startswith("unsupported: jax-eager and jax-compiled: no framework") and len(lines) == 3
    found = unsupported(pairs("smoke"), Anything())  # type: ignore[arg-type]
    assert {case.workload for one in found for case, _ in one.pairs} == {"gpt"}
    assert "the workload gpt cannot be imported: SyntaxError: line 3" in found[0].sentence()
