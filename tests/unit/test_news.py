"""What is new: the campaigns that measured last, from the dates of their trials, said the same on home and terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from framebench import dataset
from framebench.commands import answers as command
from framebench.dataset.news import news
from framebench.pages import news as words
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.records import store
from harness.record import Record
from tests.record_factory import CASE, CONTENDERS, MLP_CASE, make_failed, make_trials

ROOT = Path(__file__).resolve().parents[2]
EAGER, TORCH, TENSORFLOW, KERAS = CONTENDERS


def campaign(day: int, **changes: Any) -> list[Record]:
    return [
        msgspec.structs.replace(record, started_utc=f"2026-11-{day:02d}{record.started_utc[10:]}")
        for record in make_trials(seed=day, **changes)
    ]


def test_the_newest_campaign_comes_first_with_what_it_measured() -> None:
    records = campaign(3, cases=[CASE, MLP_CASE]) + campaign(20, contenders=[EAGER, TORCH])
    newest, oldest = words.items(news(dataset.results(records)))
    assert (newest.date, oldest.date) == ("2026-11-20", "2026-11-03")
    assert newest.text == "2 results of convstack in PyTorch"
    # the two that were measured again are no news of the older campaign
    assert oldest.text == "6 results of convstack, mlp in Keras on JAX, PyTorch, TensorFlow"


def test_failures_twins_and_gates_are_no_news() -> None:
    twin = msgspec.structs.replace(EAGER, twin=True)
    records = [*campaign(3, contenders=[EAGER, twin]), make_failed("crashed", "signal 11", contender=TORCH)]
    records += campaign(20, contenders=[KERAS], kinds=("parity",))
    (item,) = words.items(news(dataset.results(records)))
    assert item.text == "one result of convstack in PyTorch"


def test_of_many_campaigns_the_last_ones_are_named() -> None:
    records: list[Record] = []
    for day in range(1, 9):
        records += campaign(day, contenders=[EAGER], rounds=1, host_id=f"host-{day}")
    dates = [one.date for one in words.items(news(dataset.results(records)))]
    assert dates == [f"2026-11-{day:02d}" for day in (8, 7, 6, 5, 4)]


def test_home_and_terminal_say_the_same_and_nothing_new_is_no_heading(tmp_path: Path) -> None:
    assert "What is new?" not in str(render(gather(ROOT, dataset.load([tmp_path])))["index.md"])
    for record in campaign(3):
        store.write(record, tmp_path)
    evidence = gather(ROOT, dataset.load([tmp_path]))
    (item,) = words.items(evidence.dataset.news)
    said = io.StringIO()
    command.run(ROOT, tmp_path, Console(file=said, soft_wrap=True, highlight=False))
    page = str(render(evidence)["index.md"])
    assert f"New on {item.date}, {item.host_id}: {item.text}" in said.getvalue()
    assert "What is new?" in page and item.text in page and f'href="hosts/{item.host_id}/"' in page
