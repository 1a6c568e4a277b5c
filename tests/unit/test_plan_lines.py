"""What ``framebench plan`` and ``run`` say of a plan."""

from __future__ import annotations

from framebench.commands.plan import WIDTH, left_out


def test_what_a_budget_leaves_out_is_counted_and_then_named_in_short_lines() -> None:
    cases = [f"gpt/cpu-train-b{number}-fp32-cpu1-c2" for number in range(12)]
    dropped = [
        *(f"case {path}" for path in cases),
        "contender jax-eager",
        "all cold-start trials",
        "rounds 4 to 5",
    ]
    first, *named = left_out(dropped)
    assert (
        first == "left out to keep to the budget: 12 cases, 1 contender, all cold-start trials, rounds 4 to 5"
    )
    assert max(map(len, [first, *named])) <= WIDTH
    assert " ".join(line.strip() for line in named) == f"cases: {', '.join(cases)} contenders: jax-eager"


def test_what_is_not_left_out_is_not_said() -> None:
    assert list(left_out(["rounds 4 to 5"])) == ["left out to keep to the budget: rounds 4 to 5"]
