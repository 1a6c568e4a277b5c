"""A self-test's document for tests only: plausible figures that nobody measured."""

from __future__ import annotations

from typing import Any

from framebench.records.selftest_document import Check, FalseWinners, Planted, Ratio, SelfTest


def selftest(**changes: Any) -> SelfTest:
    """One check of each answer, one planted row."""
    fields: dict[str, Any] = {
        "selftest_id": "01kb2fa9ze0000000000000001",
        "form": "full",
        "tested_utc": "2026-11-24T08:00:00+00:00",
        "host_id": "epyc-2c-ab12cd34",
        "git_commit": "cf6bcef0cf6bcef0cf6bcef0cf6bcef0cf6bcef0",
        "dirty": False,
        "harness_tree_sha256": "0" * 64,
        "duration_s": 2100.0,
        "trials": 1850,
        "disturbed": 7,
        "checks": [
            Check(name="canaries pass a sound stack", answer="pass", bound="the trial ends ok", found="ok"),
            Check(name="observer effect", answer="fail", bound="0.99 to 1.01", found="1.05"),
            Check(
                name="A/A of a real stack", answer="undecided", bound="no winner", found="no pair was timed"
            ),
        ],
        "false_winners": FalseWinners(
            comparisons=100, rounds=3, false_winners=1, low=0.0, high=0.05, noise_ln=0.02, spread_ln=0.01
        ),
        "planted": [
            Planted(
                percent=3,
                rounds=10,
                campaigns=20,
                found=19,
                called_faster=0,
                low=0.7,
                high=0.99,
                predicted=0.95,
                equal_within_ln=0.01,
                rounds_needed=10,
            )
        ],
        "observer": Ratio(value=1.001, low=0.998, high=1.004, pairs=40),
        "sampler_share": 0.003,
        "matmul_flops_per_s": 9e10,
        "copy_bytes_per_s": 1.1e10,
        "real_contender": None,
        "real_pair": None,
    }
    return SelfTest(**(fields | changes))
