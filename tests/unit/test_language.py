"""The Chinese site: every text of the pages goes through the catalogue, and the catalogue has a word for each."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
import pytest

from framebench import dataset, language
from framebench.errors import UserError
from framebench.language import CHINESE, ENGLISH, N_, _, locale, prose, speaking
from framebench.pages import result
from framebench.pages.evidence import Evidence, gather
from framebench.pages.messages import collect
from framebench.pages.render import page
from framebench.pages.site import render
from framebench.pages.words import stacks
from framebench.records import store
from harness.record import Case, Gpu, Metric, Record
from tests.record_factory import (
    CASE,
    CONTENDERS,
    MLP_CASE,
    gpu_telemetry,
    inline_sidecar,
    make_trials,
    sha,
    telemetry,
    telemetry_series,
)

ROOT = Path(__file__).resolve().parents[2]
CHINESE_TEXTS = locale(ROOT, CHINESE)
WHOLE = sorted(
    path.relative_to(CHINESE_TEXTS)
    for name in ("docs", "templates")
    for path in (CHINESE_TEXTS / name).rglob("*.*")
)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("language")
    infer = Case(workload="convstack", preset="cpu", task="infer", batch=16, cores=2)
    for record in make_trials(
        cases=[CASE, infer, MLP_CASE], kinds=("parity", "memory", "cold-start", "timing")
    ):
        store.write(record, folder)
    for record in [*_on_gpus(), *_of_another_version()]:
        store.write(record, folder)
    return gather(ROOT, dataset.load([folder]))


def _on_gpus() -> list[Record]:
    """On one GPU and on two, which run at another clock when compiled, with telemetry over time."""
    alone = msgspec.structs.replace(CASE, device="gpu")
    shared = msgspec.structs.replace(alone, device_count=2)
    series = inline_sidecar(telemetry_series(gpus=2))
    records = make_trials(
        CONTENDERS[:2], [alone, shared], rounds=3, seed=8, kinds=("timing",), sidecar=series
    )
    return [_with_gpus(record) for record in records]


def _with_gpus(record: Record) -> Record:
    clock = Metric(unit="MHz", samples=90, mean=1980.0 if record.contender.mode == "eager" else 1700.0)
    seen = [gpu_telemetry(number) for number in range(record.case.device_count)]
    seen = [msgspec.structs.replace(one, metrics=one.metrics | {"sm_clock": clock}) for one in seen]
    cards = [
        Gpu(
            name="NVIDIA H200",
            uuid_sha256=one.uuid_sha256,
            power_limit_w=600.0,
            default_power_limit_w=700.0,
            capability="9.0",
            persistence=False,
            ecc=number == 0,
        )
        for number, one in enumerate(seen)
    ]
    assert record.hardware is not None
    return msgspec.structs.replace(
        record,
        telemetry=msgspec.structs.replace(telemetry(), gpus=seen, gpu_reason=None),
        hardware=msgspec.structs.replace(record.hardware, gpus=cards),
    )


def _of_another_version() -> list[Record]:
    """What a history says nothing of: the eager one did other work, of the compiled one too little is known."""
    records = []
    for record in make_trials(CONTENDERS[:2], rounds=3, seed=9):
        work = {"work_hash": sha("other work")} if record.contender.mode == "eager" else {}
        image = msgspec.structs.replace(record.image, name="torch-2.12.0-cpu-py311", lock_sha256=sha("old"))
        records.append(
            msgspec.structs.replace(
                record,
                started_utc=record.started_utc.replace("2026", "2025"),
                image=image,
                software=msgspec.structs.replace(record.software, framework="2.12.0"),
                provenance=msgspec.structs.replace(record.provenance, **work),
            )
        )
    return records


def test_a_text_is_said_in_the_language_that_is_spoken_and_in_english_without_a_translation() -> None:
    known = language.catalogue(CHINESE_TEXTS / "messages.po")
    assert _("training") == "training"
    with speaking(CHINESE, ROOT):
        assert _("training") == known["training"] != "training"
        assert N_("training") == "training"
        assert _("nobody ever wrote this") == "nobody ever wrote this"
        assert prose("training\n\nnobody wrote this") == f"{known['training']}\n\nnobody wrote this"
        with speaking(ENGLISH, ROOT):
            assert _("training") == "training"
        assert _("training") == known["training"]
    assert _("training") == "training"


def test_the_catalogue_has_every_text_and_no_other() -> None:
    needed = {str(message.id) for message in collect(ROOT) if message.id}
    known = language.catalogue(CHINESE_TEXTS / "messages.po")
    assert needed - known.keys() == set(), "run `make messages` and translate what it lists"
    assert known.keys() - needed == set(), "run `make messages`"


@pytest.mark.parametrize(
    "pattern",
    [r"\{[^{}]*\}", r"\]\(([^)\s]*)\)", r"</?[a-z]+", r"`[^`\n]+`"],
    ids=["placeholders", "links", "tags", "code"],
)
def test_translations_keep_what_is_not_prose(pattern: str) -> None:
    wrong = {}
    for text, said in language.catalogue(CHINESE_TEXTS / "messages.po").items():
        if "``" in text:  # a docstring: its code is in doubled backticks
            continue
        if sorted(re.findall(pattern, text)) != sorted(re.findall(pattern, said)):
            wrong[text] = said
    assert wrong == {}


def test_no_text_of_a_page_goes_past_the_catalogue(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language, "catalogue", _wordless)
    with speaking(CHINESE, ROOT):
        files = render(evidence)
        files |= {
            f"results/{one.id}.md": result.page(one, evidence).content for one in evidence.dataset.results
        }
    whole = {path.name.removesuffix(".j2") for path in WHOLE if path.parts[0] == "templates"}
    by_hand = {path.relative_to("docs").as_posix() for path in WHOLE if path.parts[0] == "docs"}
    said = {
        name: found
        for name, text in files.items()
        if name.endswith((".md", ".xml", "llms.txt", "compare.json")) and name not in whole | by_hand
        if isinstance(text, str)
        if (found := _english(text))
    }
    assert said == {}


def _wordless(_file: Path) -> dict[str, str]:
    """A catalogue that leaves of each text what is not prose."""
    kept = re.compile(r"(\{[^{}]*\}|`[^`]*`|\]\([^)]*\)|<[^>]*>)")
    return {
        text: "".join(
            part if kept.fullmatch(part) else re.sub(r"&?[A-Za-z]", "", part) for part in kept.split(text)
        )
        or "文"
        for text in (str(message.id) for message in collect(ROOT) if message.id)
    }


def _english(markdown: str) -> list[str]:
    """Three or more English words in a row that are neither code nor marked as English nor a stack's name."""
    text = re.sub(r"^ *(`{3,}).*?^ *\1`*$", "", markdown, flags=re.S | re.M)
    text = re.sub(r'<(pre|code|q|\w+ [^>]*lang="en")(?:\s[^>]*)?>.*?</\w+>', "", text, flags=re.S)
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`\n]*`", "", text))
    shown = re.findall(r'(?:title|aria-label|alt|data-label)="([^"]*)"', text)
    text = "\n".join([re.sub(r"<[^>]*>", "\n", text), *shown])
    for words in ("no reference for batch",):  # of the made-up records: a reason inside a sentence
        text = text.replace(words, "")
    for name in sorted((stack.title for stack in stacks()), key=len, reverse=True):
        text = text.replace(name, "")
    word = r"[A-Za-z][a-z']+"
    return re.findall(rf"{word}(?: {word}){{2,}}", text)


@pytest.mark.parametrize("path", WHOLE, ids=str)
def test_a_page_that_is_translated_as_a_whole_follows_the_english_one(path: Path) -> None:
    said = (CHINESE_TEXTS / path).read_text()
    source = (ROOT / "site" / path).read_bytes()
    now = hashlib.sha256(source).hexdigest()[:12]
    assert f"translated from {now}" in said, (
        f"site/{path} has changed: bring site/locale/zh/{path} up to date, then write {now} into its last line"
    )


def test_every_page_that_people_write_is_there_in_chinese() -> None:
    english = {path.relative_to(ROOT / "site") for path in (ROOT / "site" / "docs").rglob("*.md")}
    assert english - set(WHOLE) == set()


def test_headings_have_the_same_anchors_in_every_language(tmp_path: Path) -> None:
    templates = tmp_path / "site" / "templates"
    templates.mkdir(parents=True)
    lines = ['## {{ _("Results") }}', "", '## {{ _("Results") }}', "", '### {{ _("Method") }} {: #how }', ""]
    (templates / "one.md.j2").write_text("\n".join(lines))
    with speaking(CHINESE, ROOT):
        text = page(templates, "one.md.j2")
        results, method = _("Results"), _("Method")
    assert text.splitlines()[::2] == [
        f"## {results} {{: #results }}",
        f"## {results} {{: #results_1 }}",
        f"### {method} {{: #how }}",
    ]
    assert page(templates, "one.md.j2").splitlines()[::2] == [
        "## Results",
        "## Results",
        "### Method {: #how }",
    ]


@pytest.mark.parametrize("content", [None, "no catalogue at all"])
def test_a_catalogue_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "site" / "locale" / "zh" / "messages.po"
    file.parent.mkdir(parents=True)
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=re.escape(str(file))), speaking(CHINESE, tmp_path):
        pass
