"""Records and logs of others cannot steer the terminal that they are shown on."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from framebench.campaign.plan import Plan
from framebench.commands.campaign_progress import CampaignProgress
from framebench.commands.terminal import Terminal
from framebench.errors import visible

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "\x1b]0;owned\x07\x1b[2J\r1,000 samples/s\x9b31m \u202efast \u2066 [red]x[/nothing] :smile:"


def shown(text: str) -> str:
    screen = io.StringIO()
    Terminal(file=screen, force_terminal=True, soft_wrap=True, highlight=False, emoji=False).print(
        text, markup=False
    )
    return screen.getvalue()


def test_what_steers_is_written_out_and_the_rest_stays() -> None:
    said = shown(HOSTILE)
    assert not set(said) & set("\x1b\x07\r\x9b\u202e\u2066")
    assert "\\x1b[2J\\x0d1,000 samples/s\\x9b31m \\u202efast" in said
    assert shown("Größe: 3 µs\t快\n  second line") == "Größe: 3 µs\t快\n  second line\n".expandtabs(8)


def test_a_trials_log_beside_the_bars_neither_steers_nor_is_taken_for_markup() -> None:
    screen = io.StringIO()
    console = Terminal(file=screen, force_terminal=True, width=200)
    with CampaignProgress(console) as progress:
        progress.start(Plan([], [], 0, [], 0.0))
        progress.log(HOSTILE)
        progress.log("[/nothing]")
    said = screen.getvalue()
    assert "[/nothing]" in said
    assert not set(said) & set("\x07\x9b\u202e\u2066")
    assert "\x1b]0;owned" not in said and "\x1b[2J" not in said


@pytest.mark.parametrize("command", [["check"], ["unpack"], ["show"]])
def test_an_error_shows_a_hostile_name(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "framebench.cli", *command, "\x1b[31mname"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "\x1b" not in done.stderr + done.stdout
    assert visible("\x1b[31mname") in done.stderr
