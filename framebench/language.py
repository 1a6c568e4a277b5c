"""The language of the pages: gettext's catalogues in ``site/locale``, one spoken at a time.

What a page says in English is also its name in the catalogue. ``_`` gives it in the language that is being spoken;
``N_`` only marks it, where a constant is made before anybody has chosen a language: ``_`` follows at its use.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from framebench.errors import UserError


class Language(NamedTuple):
    """One of the site's languages: its code in HTML and in ``site/locale``, its own name, and its folder in the site
    with a slash at its end (empty for the language that the sources are written in)."""

    code: str
    name: str
    folder: str


ENGLISH = Language("en", "English", "")
CHINESE = Language("zh", "中文", "zh/")
LANGUAGES = (ENGLISH, CHINESE)


class _Speech(NamedTuple):
    language: Language
    catalogue: Mapping[str, str]


_ENGLISH_SPEECH = _Speech(ENGLISH, {})
_speech: contextvars.ContextVar[_Speech] = contextvars.ContextVar("speech")


def _(text: str) -> str:
    """The text in the language that is spoken; in English where its catalogue does not have it."""
    return _speech.get(_ENGLISH_SPEECH).catalogue.get(text, text)


def N_(text: str) -> str:
    """The text as it is: marked for the catalogue, to be passed through ``_`` where it is shown."""
    return text


class Sentence(str):
    """A sentence whose ``{gaps}`` are filled when it is made, before anybody has chosen a language: as a string it is
    English, ``in_words`` says it in the language that is spoken. The text is marked by ``N_``."""

    _text: str
    _gaps: dict[str, object]

    def __new__(cls, text: str, **gaps: object) -> Sentence:
        made = super().__new__(cls, text.format(**gaps))
        made._text, made._gaps = text, gaps
        return made

    @property
    def in_words(self) -> str:
        said = {name: one.in_words if isinstance(one, Sentence) else one for name, one in self._gaps.items()}
        return _(self._text).format(**said)


def prose(text: str) -> str:
    """A text of several paragraphs, each of which the catalogue knows by itself."""
    return "\n\n".join(_(paragraph) for paragraph in text.split("\n\n"))


def spoken() -> Language:
    """The language of the page that is being made."""
    return _speech.get(_ENGLISH_SPEECH).language


@contextlib.contextmanager
def speaking(language: Language, root: Path) -> Iterator[None]:
    """Every ``_`` answers in ``language``, by the catalogue of the checkout ``root``."""
    found = {} if language == ENGLISH else catalogue(locale(root, language) / "messages.po")
    token = _speech.set(_Speech(language, found))
    try:
        yield
    finally:
        _speech.reset(token)


def locale(root: Path, language: Language) -> Path:
    """The folder with what is written in this language: ``messages.po``, ``docs``, ``templates``."""
    return root / "site" / "locale" / language.code


@functools.cache
def catalogue(file: Path) -> dict[str, str]:
    """English text → translation; an entry that is empty or marked as fuzzy is none. ``UserError`` where the file is
    missing or broken."""
    from babel.messages.pofile import PoFileError, read_po

    try:
        with file.open("rb") as stream:
            read = read_po(stream, abort_invalid=True)
    except (OSError, PoFileError, ValueError) as error:
        raise UserError(f"{file}: not a gettext catalogue that can be read ({error})") from error
    return {str(one.id): str(one.string) for one in read if one.id and one.string and not one.fuzzy}
