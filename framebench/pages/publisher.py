"""Whose results a site shows: this project's, or those of a laboratory that publishes its own under its own title."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import escape

from framebench.errors import UserError, quoted, visible
from framebench.language import _
from framebench.strict_toml import read_toml

CONFIG = "framebench-site.toml"
MAKES_ONE = "framebench new-site FOLDER --title TITLE makes one"


class Publisher(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``title`` and ``description`` of the site, and the ``licence`` of its data, an SPDX identifier."""

    title: str
    description: str
    licence: str

    @property
    def settings(self) -> dict[str, Any]:
        """What MkDocs is told of it in the language that is spoken; nothing for the project, whose own files say it.

        MkDocs puts them into pages as they are, so they are markup here.
        """
        if self == PROJECT:
            return {}
        return {
            "site_name": escape(self.title),
            "site_description": escape(self.description),
            "copyright": escape(_("Code Apache-2.0 · data {licence}").format(licence=self.licence)),
        }


PROJECT = Publisher(title="framebench", description="", licence="CC BY 4.0")


def read(config: Path) -> Publisher:
    """What the file says; ``UserError`` that names file and key where it cannot be used."""
    found = read_toml(config, Publisher, MAKES_ONE)
    refuse_unfit(found, f"{config}: key ")
    return found


def refuse_unfit(publisher: Publisher, where: str) -> None:
    """``UserError`` for what is no title, description or licence; ``where`` stands before the name of the field."""
    for name, text, longest in (
        ("title", publisher.title, 100),
        ("description", publisher.description, 300),
    ):
        if not text.strip():
            raise UserError(f"{where}{name} is empty: give the site a {name}")
        if len(text) > longest:
            raise UserError(f"{where}{name} has {len(text)} characters: use at most {longest}")
        if visible(text) != text or "\n" in text or "\t" in text or not text.isprintable():
            raise UserError(
                f"{where}{name} {quoted(text)}: use one line, without characters that nobody can see"
            )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,60}", publisher.licence):
        raise UserError(
            f"{where}licence {quoted(publisher.licence)}: expected an SPDX identifier such as CC-BY-4.0"
        )
