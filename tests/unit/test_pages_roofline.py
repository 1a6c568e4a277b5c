"""Shares of peak and ceiling on the pages, and the table of GPUs, without MkDocs."""

from __future__ import annotations

import html
import re
from pathlib import Path

from framebench import dataset
from framebench.pages import result, shell
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.records import store
from harness import roofline
from tests.record_factory import CONTENDERS, make_record, make_trials
from tests.unit.test_plan import ROOT


def pages(folder: Path, ceiling: bool) -> dict[str, str]:
    """Markdown of all pages of three timed rounds, without its markup."""
    records = make_trials(contenders=CONTENDERS[:1], rounds=3)
    if ceiling:
        records.append(make_record(kind="ceiling", round=0, trial_id="0" * 26))
    for record in records:
        store.write(record, folder)
    evidence = gather(ROOT, dataset.load([folder]))
    files = render(evidence)
    for one in evidence.dataset.results:
        files[f"results/{one.id}.md"] = result.page(one, evidence).content
    del files[shell.SOURCE]
    return {
        name: html.unescape(re.sub("<[^>]+>", " ", text))
        for name, text in files.items()
        if name.endswith(".md") and isinstance(text, str)
    }


def one(found: dict[str, str], start: str) -> str:
    """The only page of a folder, its index left out."""
    (text,) = (
        text for name, text in found.items() if name.startswith(start) and not name.endswith("index.md")
    )
    return re.sub(r"\s+", " ", text)


def test_a_measured_ceiling_is_on_the_pages_of_host_result_and_workload(tmp_path: Path) -> None:
    found = pages(tmp_path, ceiling=True)
    host, result = one(found, "hosts/"), one(found, "results/")
    assert "CPU, 2 cores fp32 91.0 GFLOP/s 23.0 GB/s 1" in host
    # 3.5 GFLOP in about 80 ms, of 91 GFLOP/s
    assert re.search(r"Of this device's measured ceiling 4\d % of 91\.0 GFLOP/s, fp32", result)
    assert "MFU, of the data sheet's peak – (no data sheet states a peak for a CPU)" in result
    assert re.search(
        r"MFU of the measured ceiling Precision PyTorch, eager 4\d\.\d GFLOP/s – 4\d % fp32",
        re.sub(r"\s+", " ", found["workloads/convstack.md"]),
    )


def test_without_a_ceiling_the_reason_stands_in_its_place(tmp_path: Path) -> None:
    found = pages(tmp_path, ceiling=False)
    assert "Ceiling" not in one(found, "hosts/")
    assert "ceiling – (no ceiling has been measured on this device)" in one(found, "results/")
    assert "How much of the machine" not in found["workloads/convstack.md"]


def test_the_table_of_gpus_is_the_data(tmp_path: Path) -> None:
    text = re.sub(r"\s+", " ", str(render(gather(ROOT, dataset.load([tmp_path])))["gpus.md"]))
    for gpu in roofline.table():
        row = text[text.index(f"<code>{gpu.name}</code>") :].split("</tr>")[0]
        for figure in (*gpu.pci, gpu.url, f">{gpu.fp32:g}<", f">{gpu.fp16:g}<", f">{gpu.tdp:g}<"):
            assert figure in row
        assert (gpu.tf32 is None) == (">–<" in row)
