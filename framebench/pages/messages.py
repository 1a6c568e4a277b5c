"""The catalogues of the pages' texts, brought up to date: ``make messages``.

A text is found where a template or a page passes it through ``_`` or ``N_``, and in what stacks and workloads say of
themselves. A catalogue keeps its translations; a new text comes in without one, a text that is gone goes out.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, get_args, get_type_hints

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from framebench.dataset import defaults
from framebench.errors import UserError
from framebench.language import ENGLISH, LANGUAGES, Language, catalogue, locale
from framebench.pages import source, specification, stack
from framebench.pages.words import stacks
from framebench.records.reproduction_document import Reproduction
from framebench.records.selftest_document import Check, SelfTest
from harness import workloads
from harness.record import Contender, Metric, Record

FOLDERS = {
    "framebench": [("**.py", "framebench.pages.messages:in_python")],
    "site/templates": [("**.j2", "jinja2.ext:babel_extract")],
}
JINJA = {"**.j2": {"trim_blocks": "true", "lstrip_blocks": "true", "extensions": ""}}


def in_python(
    file: BinaryIO, keywords: Collection[str], comments: object, options: object
) -> Iterator[tuple[int, str, str, list[str]]]:
    """What a module passes through one of ``keywords``, as Babel asks for it: line, function, text, no comments.

    Babel's own way does not look into f-strings.
    """
    for node in ast.walk(ast.parse(file.read())):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text))]) if name in keywords:
                yield node.lineno, name, text, []


def collect(root: Path) -> Catalog:
    """Every text of the checkout, in the order of its files, without translations."""
    found = Catalog(project="framebench", charset="utf-8")
    for folder, methods in FOLDERS.items():
        extracted = extract_from_dir(str(root / folder), methods, JINJA, keywords={"_": None, "N_": None})
        for file, _line, text, _comments, _context in sorted(extracted, key=lambda one: (one[0], one[1])):
            found.add(text, locations=[(f"{folder}/{Path(file).as_posix()}", 0)])
    for file, text in _told(root):
        if text:
            found.add(text, locations=[(file, 0)])
    return found


def update(root: Path, language: Language) -> list[str]:
    """Bring the catalogue of one language up to date; the texts that have no translation in it. ``UserError`` where it
    cannot be read: nothing is written then."""
    file = locale(root, language) / "messages.po"
    known = catalogue(file) if file.is_file() else {}
    wanted = collect(root)
    wanted.locale = language.code
    for message in wanted:
        if message.id:
            message.string = known.get(str(message.id), "")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        write_po(stream, wanted, width=100, omit_header=True, include_lineno=False)
    return [str(message.id) for message in wanted if message.id and not message.string]


CODES: list[tuple[type, str]] = [
    (Metric, "support"),
    (Record, "cache_state"),
    (Contender, "mode"),
    (Check, "answer"),
    (SelfTest, "form"),
    (Reproduction, "verdict"),
    (Reproduction, "image_source"),
]
"""Fields whose few words pages print as they are."""


def _told(root: Path) -> Iterator[tuple[str, str]]:
    """What pages print without naming it: file and text.

    Codes of records, and what stacks, workloads and questions say of themselves, paragraph by paragraph.
    """
    for struct, field in CODES:
        words = get_args(get_type_hints(struct)[field])
        yield from ((struct.__module__.replace(".", "/") + ".py", word) for word in words)
    for one in stacks():
        declared = f"harness/frameworks/{one.framework}/__init__.py"
        yield from ((declared, text) for text in (one.about, *one.words.values()))
        driver = next((file for file in stack.files(root, one.name) if file.name == stack.FIRST[0]), None)
        if driver is not None:
            yield from ((driver.path, text) for text in source.docstring(driver.code).split("\n\n"))
    for question in defaults.questions(root):
        told = question.group, question.words, question.unit, question.follows
        yield from (("containers/defaults/questions.toml", text) for text in told)
    for _image, table in defaults.stored(root).values():
        for answer in table.answers.values():
            yield "containers/defaults", answer.value if isinstance(answer.value, str) else ""
            yield "containers/defaults", answer.reason or ""
    for name in workloads.names():
        if name in workloads.broken():
            continue
        folder, spec = f"harness/workloads/{name}", workloads.get(name)
        yield f"{folder}/__init__.py", source.docstring((root / folder / "__init__.py").read_text())
        said = source.docstring((root / folder / "spec.py").read_text())
        yield f"{folder}/spec.py", source.first_line(said)
        yield from (
            (f"{folder}/spec.py", getattr(given.draw, "source", "")) for given in spec.inputs.values()
        )
        for text in said.partition("\n")[2].strip().split("\n\n"):
            yield f"{folder}/spec.py", text
        for key, value in {**spec.decisions, **spec.data_facts}.items():
            yield f"{folder}/spec.py", key
            yield f"{folder}/spec.py", value if isinstance(value, str) else ""
        settings = {key for preset in spec.presets.values() for key in specification.fields(preset)}
        for key in sorted(settings.union(spec.optimizer.__struct_fields__ if "train" in spec.tasks else ())):
            yield f"{folder}/spec.py", key.replace("_", " ")


def main() -> int:
    """Every catalogue of the checkout that this is called in; 2 where one cannot be read."""
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        try:
            missing = update(Path.cwd(), language)
        except UserError as error:
            print(error, file=sys.stderr)  # noqa: T201
            return 2
        print(f"{language.name}: {len(missing)} texts without a translation", *missing, sep="\n  ")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
