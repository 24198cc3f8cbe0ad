"""The sentences of pages in the languages that pages can have."""

from __future__ import annotations

import json
import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from linetune.core.errors import LinetuneError

LANGUAGES = {"en": "en", "zh": "zh-CN"}
"""The languages of pages, and their tags in HTML."""
TEMPLATES = Path(__file__).parent / "templates"
"""Folder with the catalogues of the report."""


@dataclass(frozen=True, slots=True)
class Words:
    """Says sentences in one language. A sentence is known by its English form, with places for values.

    Args:
        language: one of :data:`LANGUAGES`.
        folder: folder with a catalogue for each language but English, such as ``zh.json``.
    """

    language: str = "en"
    folder: Path = TEMPLATES

    def __call__(self, sentence: str, **values: object) -> str:
        """Return a sentence with its values. A sentence without a translation stays English."""
        sentence = self.known.get(sentence, sentence)
        return sentence.format(**values) if values else sentence

    @property
    def known(self) -> Mapping[str, str]:
        """The translations of English sentences, for the script of a page. English needs none."""
        return {} if self.language == "en" else catalogue(self.language, self.folder)

    @property
    def tag(self) -> str:
        """The language in HTML."""
        return LANGUAGES[self.language]


@cache
def catalogue(language: str, folder: Path = TEMPLATES) -> dict[str, str]:
    """Return the translations of English sentences."""
    known: dict[str, str] = json.loads((folder / f"{language}.json").read_text("utf-8"))
    return known


def words(language: str | None = None) -> Words:
    """Return the words of a language, or of the system's language. Other languages give English.

    Raises:
        LinetuneError: pages do not have this language.
    """
    if language is None:
        # The variables first: in a container, the locale that they name is often not installed.
        names = [*map(os.environ.get, ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")), locale.getlocale()[0]]
        system = next(filter(None, names), "").lower()
        # Windows says Chinese (Simplified)_China.
        return Words("zh" if system.startswith(("zh", "chinese")) else "en")
    if language not in LANGUAGES:
        raise LinetuneError(f"no pages in {language!r}", "--lang", f"choose one of {', '.join(LANGUAGES)}")
    return Words(language)
