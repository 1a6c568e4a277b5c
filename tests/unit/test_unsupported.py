"""What cannot take part is found out before anything is fetched, by cause; the others are not affected."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import msgspec
import pytest

from framebench.campaign import suites
from framebench.campaign.card_fit import least_bytes, misfit
from framebench.campaign.request import _say_gpus
from framebench.campaign.unsupported import broken_folders, supported, unsupported
from framebench.executors import StackOn, Unavailable, cards
from framebench.executors.cards import Facts
from framebench.executors.machine import Card
from harness import frameworks, workloads
from harness.record import Case

ROOT = Path(__file__).resolve().parents[2]
GPT = workloads.get("gpt")
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


CARD = Facts(
    uuid="GPU-1",
    card=Card("Tesla T4", "0" * 64),
    memory_bytes=16 << 30,
    capability=(7, 5),
    processes=(),
    persistence=True,
    power_limit_w=70.0,
    default_power_limit_w=70.0,
)


class AnyGpu(Anything):
    """One on which every stack runs, on GPUs too."""

    def refusal(self, wanted: StackOn, count: int = 1) -> Unavailable | None:
        return None


def test_a_precision_that_the_card_lacks_is_said_of_each_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "has_file", lambda workload, framework: True)
    monkeypatch.setattr("framebench.campaign.unsupported.facts", lambda count: [CARD] * count)
    asked = pairs("gpu")
    refused = unsupported(asked, AnyGpu())  # type: ignore[arg-type]
    assert {case.precision for one in refused for case, _ in one.pairs} == {"tf32", "bf16"}  # type: ignore[attr-defined]
    assert all(one.here for one in refused)
    (bf16,) = [one for one in refused if one.cause.reason.startswith("bf16")]
    assert bf16.cause.reason == "bf16 takes a GPU of compute capability 8.0 or higher, and Tesla T4 has 7.5"
    assert "name another GPU with --gpu" in bf16.sentence()
    newer = CARD._replace(capability=(9, 0))
    monkeypatch.setattr("framebench.campaign.unsupported.facts", lambda count: [newer])
    assert unsupported(asked, AnyGpu()) == []  # type: ignore[arg-type]


def test_a_case_that_surely_does_not_fit_is_said_with_what_it_holds() -> None:
    case = Case(workload="gpt", preset="gpu", task="train", batch=8, precision="fp32", device="gpu", cores=2)
    small = CARD._replace(memory_bytes=1 << 30)
    weights = sum(math.prod(one.shape) for one in workloads.get("gpt").tensors(GPT.presets["gpu"]).values())
    assert 16 * weights < least_bytes(case) < 17 * weights  # weights, gradients, and AdamW's two moments
    assert 4 * weights < least_bytes(msgspec.structs.replace(case, task="prefill")) < 5 * weights
    refused = misfit(case, [small])
    assert refused is not None
    assert refused.reason == (
        f"it holds at least {least_bytes(case) / 2**30:,.1f} GiB (weights, what training keeps of each, one batch), "
        "and Tesla T4 has 1.0 GiB"
    )
    shared, half = (msgspec.structs.replace(case, **one) for one in ({"device_count": 2}, {"batch": 4}))
    assert misfit(shared, [CARD, CARD]) is None and misfit(shared, [CARD, small]) is not None
    assert (
        least_bytes(shared) == least_bytes(half) < least_bytes(case)
    )  # each has all weights, and half of the batch
    assert misfit(case, [CARD]) is None and misfit(case, [CARD._replace(memory_bytes=None)]) is None
    assert (
        least_bytes(msgspec.structs.replace(case, workload="nothing")) == 0
    )  # another sentence is about that


def test_every_workload_says_what_its_cases_hold_at_least() -> None:
    for name in workloads.names():
        workload = workloads.get(name)
        for preset, task in itertools.product(workload.presets, workload.tasks):
            assert (
                least_bytes(Case(workload=name, preset=preset, task=task, batch=8, device="gpu", cores=2)) > 0
            )


def test_the_cards_of_the_largest_case_are_named_or_the_first_where_there_are_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [msgspec.structs.replace(row, count=[1, 2]) for row in suites.load(ROOT, "gpu-smoke").cases]
    suite = msgspec.structs.replace(suites.load(ROOT, "gpu-smoke"), cases=rows)
    for there in (2, 1):
        monkeypatch.setattr(
            cards, "facts", lambda count, there=there: [CARD] * count if count <= there else []
        )
        said: list[str] = []
        _say_gpus(suite, said.append)
        assert [line for line in said if line.startswith("GPU: ")] == ["GPU: Tesla T4, GPU-1"] * there


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
