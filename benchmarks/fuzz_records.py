"""``python -m benchmarks.fuzz_records --mutants N [--seed S]``: real records, changed at random; what is noticed?

Each mutant is a committed record with one change that knows the structure: another type, an impossible or an
unlikely number, strange text, a field swapped with another record's, something left out, added or repeated, nested
deeply, or damage to the bytes. ``framebench check`` is asked about it beside the committed records, and what shows
results (tables, and the source of every page) shows it. The last line sums up; the lines before it say which fields
may be changed unnoticed, and by which kind of change. That is asked of what a record says, as if it had not been
handed in; whether the manifests of those that were let a mutant pass is counted by itself. So are mutants of
manifests, reproductions and self-tests (``fuzzed_documents``), one for eight of records.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks import fuzzed_documents
from framebench import checking, dataset
from framebench.checking import History
from framebench.pages import result
from framebench.pages.evidence import gather
from framebench.pages.site import render
from framebench.records import store
from framebench.records.manifests import listed, place
from framebench.records.step_time import step_ns
from framebench.records.store import MANIFESTS, REPRODUCTIONS, SELFTESTS
from framebench.records.versions import decode_record

ROOT = Path(__file__).resolve().parent.parent
BATCH = 1000  # commits are asked once per batch
RECORDS_PER_DOCUMENT = 8
TEXTS = (
    "",
    " ",
    "\n",
    "\0",
    "../../../etc/passwd",
    "-rf",
    "{{ 7 * 7 }}",
    "<script>alert(1)</script>",
    "|`*_[x](y)",
    "ünïcødé \u202eevil \ud83d\ude00",
    "NaN",
    "[bold]",
    "x" * 3000,
)
NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    0.0,
    -0.0,
    1e-300,
    1e300,
    0.5,
)
TYPES: tuple[Any, ...] = (None, True, False, 7, -7, 0.1, "text", [], {}, [[]], [None], {"a": 1})

Place = tuple[Any, ...]
Document = dict[str, Any]


class Mutant(NamedTuple):
    """A changed record: its bytes, what kind of change, and the field that it was made to."""

    content: bytes
    change: str
    field: str


def places(held: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value of a document and where it is, containers too."""
    if place:
        yield place, held
    inner = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    for key, value in inner:
        yield from places(value, (*place, key))


def put(document: Document, place: Place, value: Any) -> None:
    held: Any = document
    for key in place[:-1]:
        held = held[key]
    held[place[-1]] = value


def holder(document: Document, place: Place) -> Any:
    held: Any = document
    for key in place[:-1]:
        held = held[key]
    return held


def scaled(chance: random.Random, value: Any) -> Any:
    """A number near or far from the old one, of the same type."""
    factor = chance.choice((0.001, 0.1, 0.5, 0.9, 0.99, 1.01, 1.1, 2.0, 10.0, 1000.0))
    return type(value)(value * factor) if chance.random() < 0.9 else value + type(value)(1)


def mutate(chance: random.Random, original: Document, other: Document) -> Mutant:
    """One change of one of eleven kinds, made with ``chance``; ``other`` lends a value to a swap."""
    document = copy.deepcopy(original)
    everywhere = list(places(document))
    numbers = [(at, old) for at, old in everywhere if type(old) in (int, float)]
    texts = [(at, old) for at, old in everywhere if isinstance(old, str)]
    lists = [(at, old) for at, old in everywhere if isinstance(old, list) and old]
    change = chance.choice(
        (
            "scaled",
            "scaled",
            "scaled",
            "number",
            "type",
            "text",
            "swap",
            "drop",
            "add",
            "list" if lists else "nest",
            "nest",
            "bytes",
        )
    )
    at, old = chance.choice(everywhere)
    if change == "scaled":
        at, old = chance.choice(numbers)
        put(document, at, scaled(chance, old))
    elif change == "number":
        at, old = chance.choice(numbers)
        put(document, at, chance.choice(NUMBERS))
    elif change == "type":
        put(document, at, copy.deepcopy(chance.choice(TYPES)))
    elif change == "text":
        at, old = chance.choice(texts)
        put(document, at, chance.choice((*TEXTS, old.upper(), old[::-1], old + "x")))
    elif change == "swap":
        same = [(place, value) for place, value in places(other) if place == at] or list(places(other))
        put(document, at, copy.deepcopy(chance.choice(same)[1]))
    elif change == "drop":
        del holder(document, at)[at[-1]]
    elif change == "add":
        put(document, (*at[:-1], "extra"), 1) if isinstance(holder(document, at), dict) else put(
            document, at, 1
        )
    elif change == "list":
        at, old = chance.choice(lists)
        put(document, at, chance.choice((old + old, old[:1], old[::-1], [], old[1:])))
    elif change == "nest":
        deep: Any = 1
        for _ in range(chance.choice((5, 50, 400))):
            deep = [deep]
        put(document, at, deep)
    content = json.dumps(document, separators=(",", ":")).encode()
    if change == "bytes":
        cut = chance.randrange(len(content))
        junk = chance.choice(
            (b"", b"NaN", b"Infinity", b"\xff", b"\xef\xbb\xbf", b'"a":1,', b"}" * 9, b"[" * 9999)
        )
        content = content[:cut] + junk + content[cut + chance.choice((0, 1, 9, len(content))) :]
    return Mutant(content, change, ".".join(str(key) for key in at if isinstance(key, str)))


class Tally:
    """What became of mutants."""

    def __init__(self) -> None:
        self.fates: Counter[str] = Counter()
        self.unnoticed: Counter[tuple[str, str]] = Counter()
        self.moved: Counter[str] = Counter()
        self.past_manifests = 0
        self.documents: Counter[str] = Counter()
        self.tracebacks: list[str] = []

    def line(self) -> str:
        fates = ", ".join(
            f"{self.fates[fate]} {fate}"
            for fate in ("refused", "warned", "unchanged in meaning", "unnoticed")
        )
        moved = f"{self.moved['noticed']} of {self.moved.total()} other times of a step noticed"
        past = f"{self.past_manifests} of handed-in files passed their manifests"
        documents = ", ".join(f"{count} {fate}" for fate, count in sorted(self.documents.items()))
        other = f"{self.documents.total()} of other documents: {documents}"
        return f"{self.fates.total()} mutants: {fates}; {moved}; {past}; {other}; tracebacks {len(self.tracebacks)}"


def fuzz(
    mutants: int, seed: int, history: History, progress: Callable[[str], object] = lambda line: None
) -> Tally:
    """Make and judge that many mutants; the same for the same seed."""
    results = ROOT / "results"
    chance, tally = random.Random(seed), Tally()
    others = {MANIFESTS, REPRODUCTIONS, SELFTESTS}
    paths = sorted(path for path in results.rglob("*.json") if not others & {*path.parts})
    originals = {path: json.loads(path.read_bytes()) for path in paths}
    handed_in = listed(manifest for _, manifest in store.load([results]).manifests)
    with tempfile.TemporaryDirectory() as planted:
        documents = fuzzed_documents.originals(results, Path(planted))
        for _ in range(0, mutants, BATCH):
            count = min(BATCH, mutants) // RECORDS_PER_DOCUMENT
            judge_documents(
                [mutant_of(chance, documents) for _ in range(count)], Path(planted), history, tally
            )
    left = mutants
    while left > 0:
        chosen = chance.sample(paths, min(BATCH, left, len(paths)))
        left -= len(chosen)
        batch = {path: mutate(chance, originals[path], originals[chance.choice(paths)]) for path in chosen}
        with tempfile.TemporaryDirectory() as folder:
            judge(batch, results, Path(folder), history, tally, handed_in)
        progress(tally.line())
    return tally


def mutant_of(chance: random.Random, documents: Sequence[Path]) -> tuple[Path, Mutant]:
    """One of the documents, each kind as often, with one change."""
    kinds = sorted({path.parent.parent.name for path in documents})
    of_kind = chance.choice(kinds)
    alike = [path for path in documents if path.parent.parent.name == of_kind]
    path, other = chance.choice(alike), chance.choice(alike)
    return path, mutate(chance, json.loads(path.read_bytes()), json.loads(other.read_bytes()))


def judge_documents(
    batch: Sequence[tuple[Path, Mutant]], planted: Path, history: History, tally: Tally
) -> None:
    """Ask about all of them, and count; where something is raised, about each half."""
    contents = [(path, mutant.content) for path, mutant in batch]
    try:
        with tempfile.TemporaryDirectory() as folder:
            tally.documents += fuzzed_documents.fates(
                contents, ROOT / "results", planted, Path(folder), history
            )
    except Exception:
        if len(batch) > 1:
            for half in (batch[::2], batch[1::2]):
                judge_documents(half, planted, history, tally)
            return
        tally.tracebacks.append(f"{batch[0][0]}: {batch[0][1]}\n{traceback.format_exc()}")
        tally.documents["traceback"] += 1


def judge(
    batch: dict[Path, Mutant],
    results: Path,
    folder: Path,
    history: History,
    tally: Tally,
    handed_in: Container[str],
) -> None:
    """Write the mutants where their originals would lie, ask about all of them, and count.

    ``handed_in`` are the places of files that have a manifest.
    """
    written: dict[Path, Path] = {}
    for path, mutant in batch.items():
        written[path] = folder / path.relative_to(results)
        written[path].parent.mkdir(parents=True, exist_ok=True)
        written[path].write_bytes(mutant.content)
        sidecar = path.with_suffix(".sidecar.json.gz")
        if sidecar.exists():
            (written[path].parent / sidecar.name).write_bytes(sidecar.read_bytes())
    try:
        checked = checking.check(written.values(), results, history)
        said = [finding for finding in checked.findings if finding.doubt.field != "manifest"]
        refused = {finding.path for finding in said if finding.doubt.refused}
        warned = {finding.path for finding in said if not finding.doubt.refused}
        stopped = {finding.path for finding in checked.refused}
        read(folder)
    except Exception:
        if len(batch) > 1:  # which of them was it?
            halves = list(batch.items())[::2], list(batch.items())[1::2]
            for half in halves:
                with tempfile.TemporaryDirectory() as part:
                    judge(dict(half), results, Path(part), history, tally, handed_in)
            return
        tally.tracebacks.append(
            f"{next(iter(batch))}: {next(iter(batch.values()))}\n{traceback.format_exc()}"
        )
        tally.fates["traceback"] += 1
        return
    for path, mutant in batch.items():
        fate = "unnoticed"
        if written[path] in refused:
            fate = "refused"
        elif written[path] in warned:
            fate = "warned"
        elif same_meaning(path.read_bytes(), mutant.content):
            fate = "unchanged in meaning"
        tally.fates[fate] += 1
        changed = path.read_bytes() != mutant.content
        tally.past_manifests += changed and place(path) in handed_in and written[path] not in stopped
        if fate == "unnoticed":
            tally.unnoticed[mutant.field, mutant.change] += 1
        if moved(path.read_bytes(), mutant.content):
            tally.moved["unnoticed" if fate == "unnoticed" else "noticed"] += 1


def read(folder: Path) -> None:
    """What shows results: tables, and the source of every page."""
    data = dataset.load([folder])
    data.frames()
    evidence = gather(ROOT, data)
    render(evidence)
    for one in data.results:
        result.page(one, evidence)


def moved(original: bytes, mutated: bytes) -> bool:
    """Whether the mutant is a whole record with another time of a step, by more than 0.1 %."""
    before = step_ns(decode_record(original))
    try:
        after = step_ns(decode_record(mutated))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return before is not None and after is not None and abs(after / before - 1.0) > 0.001


def same_meaning(original: bytes, mutated: bytes) -> bool:
    """Whether both say the same, as ``1`` and ``1.0`` do."""
    try:
        return decode_record(original) == decode_record(mutated)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 if one of the mutants ended in a traceback."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    start = time.monotonic()
    tally = fuzz(asked.mutants, asked.seed, History(ROOT))
    for words in tally.tracebacks:
        print(words)
    for (field, change), count in tally.unnoticed.most_common(40):
        print(f"unnoticed {count:>4}  {field} ({change})")
    print(f"{time.monotonic() - start:.0f} s")
    print(tally.line())
    return 1 if tally.tracebacks else 0


if __name__ == "__main__":
    sys.exit(main())
