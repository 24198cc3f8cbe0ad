"""Read the label files and check labels by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linetune.core import labelfile
from linetune.core.aliases import NONE, Aliases
from linetune.core.charset import SPACE, Charset, show
from linetune.core.errors import LinetuneError
from linetune.core.image import frames_needed
from linetune.core.labelfile import Line
from linetune.core.reading_order import MARKS, is_right_to_left, to_logical, to_visual
from linetune.data.check import origins
from linetune.data.check.characters import CharacterChecks
from linetune.data.check.findings import Finding, Severity, error, warning

HELD_OUT = {"val", "valid", "validation", "dev", "eval", "test"}
"""Words in a split's name that mean that linetune does not train on it."""
_KINDS = {
    labelfile.NO_TAB: "no-tab",
    labelfile.NO_PATH: "no-path",
    labelfile.NO_TEXT: "empty-label",
    labelfile.THIRD_COLUMN: "third-column",
    labelfile.CARRIAGE_RETURN: "carriage-return",
}

_DECODED_AS = {"cp1252": "\x80", "cp1251": "\x80", "gbk": "\u0800"}
"""Encodings that programs decode UTF-8 with by mistake, and the lowest character that then proves it.

The GBK bytes of common characters may be a UTF-8 letter of two bytes by chance, but hardly one of three.
"""
_ACCENTS = re.compile("[À-ÖØ-öø-ÿ]{4}")
"""Four accented Latin letters in a row, which no language writes."""
_REVERSED = re.compile(r"(?<!\w)[ךםןףץ](?=[א-ת])|(?<!\w)[ةى](?=[ء-ي])")
"""Hebrew and Arabic letters that only end words, at the beginning of a word."""


@dataclass(frozen=True)
class Split:
    """The lines of one split."""

    name: str
    lines: list[Line]

    @property
    def held_out(self) -> bool:
        """Whether linetune only scores the lines and does not train on them."""
        return bool(HELD_OUT & self._words)

    @property
    def rank(self) -> int:
        """Which split keeps an image that several have: the lowest rank, so that test crops change least."""
        return 0 if "test" in self._words else 1 if self.held_out else 2

    @property
    def _words(self) -> set[str]:
        return set(re.split(r"[^a-z]+", self.name.lower()))


def read_splits(files: Mapping[str, Sequence[Path]]) -> tuple[list[Split], list[Finding]]:
    """Return the splits, and a finding for every line that is not a label.

    Args:
        files: the label files of each split.

    Raises:
        LinetuneError: a label file is missing, UTF-16 or empty, or is in two splits.
    """
    splits, findings = [], []
    split_of: dict[Path, str] = {}
    for name, paths in files.items():
        lines: list[Line] = []
        for path in dict.fromkeys(paths):
            if (other := split_of.setdefault(path.resolve(), name)) != name:
                what, hint = f"the label file is in both {other} and {name}", "divide it with linetune split"
                raise LinetuneError(what, path, hint)
            labels, errors = labelfile.scan_labels(path)
            lines += labels
            # All other errors concern the encoding.
            findings += [
                error(_KINDS.get(e.what, "encoding"), source, e.what, e.hint) for source, e in errors.items()
            ]
        splits.append(Split(name, lines))
    return splits, findings


@dataclass(frozen=True)
class LabelChecks:
    """The checks of single labels.

    Args:
        characters: the checks of their characters.
        charset: the characters that a model may output, or None if they are collected from the labels.
        objection: returns how a text breaks the sequence rule, as a clause, or None if it follows the rule.
        aliases: the characters that the model reads as others.
    """

    characters: CharacterChecks
    charset: Charset | None = None
    objection: Callable[[str], str | None] | None = None
    aliases: Aliases = NONE

    def findings(self, line: Line, held_out: bool) -> Iterator[Finding]:
        """Yield everything that is wrong with one label."""
        text, source = line.text, line.source
        if not self.characters.repaired(text):
            yield error("empty-label", source, f"the label has no visible text: {text!a}")
            return
        yield from self._characters(text, source)
        if not self.follows_rule(text):
            yield from origins.findings(text, source)
        if self.characters.has_edges(text):
            yield warning("edge-space", source, f"{text!r} begins or ends with a space")
        if SPACE * 2 in text.strip(SPACE):
            yield warning("double-space", source, f"{text!r} has two spaces in a row")
        missing = self.charset.missing(text) if self.charset else []
        if missing:
            # As in training, where a held-out line counts as a wrong reading.
            severity = Severity.warning if held_out else Severity.error
            yield Finding("charset", severity, source, f"{show(*missing)} not in the charset: {text!r}")
        if read := self.aliases.objection(text):
            yield error("alias", source, f"{read}: {text!r}", "change the label, or remove read_as")
        if self.objection and (broken := self.objection(text)):
            yield warning("rule", source, f"{text!r} {broken}")

    def follows_rule(self, text: str) -> bool:
        """Return whether the data set has a sequence rule and the text follows it."""
        return self.objection is not None and self.objection(text) is None

    def frames_needed(self, text: str) -> int:
        """Return the number of frames that CTC needs for a text."""
        if self.charset and not self.charset.missing(text):
            return frames_needed(self.charset.encode(text))
        return frames_needed([ord(c) for c in text])

    def _characters(self, text: str, source: str) -> Iterator[Finding]:
        if text.isascii() and text.isprintable():
            return
        if invisible := self.characters.invisible(text):
            kept = self.characters.ordering(text)
            hint = f"--fix keeps {show(*kept)}, which may decide the order of the text" if kept else None
            yield warning("invisible", source, f"invisible {show(*invisible)} in {text!a}", hint)
        if garbled := self.characters.garbled(text):
            hint = "an earlier program read the text with the wrong encoding"
            yield warning("garbled", source, f"broken character {show(*garbled)} in {text!r}", hint)
        for character, plain in self.characters.lookalikes(text).items():
            message = f"{show(character)} looks like {show(plain)} in {text!r}"
            yield warning("lookalike", source, message)
        if apart := self.characters.decomposed(text):
            shorter = ", ".join(f"{show(short)} instead of {show(letter)}" for letter, short in apart.items())
            message = f"{text!r} has accents or parts of letters as separate characters"
            yield warning("decomposed", source, message, f"write {shorter}")
        yield from _wrongly_decoded(text, source)
        if _REVERSED.search(text):
            message = f"{text!r} seems reversed: a word begins with a letter that only ends words"
            yield warning("order", source, message, "write labels in the order in which people type them")
        unmarked = "".join(c for c in text if c not in MARKS)
        if (read := to_logical(to_visual(text))) != unmarked and is_right_to_left(text):
            message = f"{text!r} looks the same as {read!r}, which the model will read"
            yield warning("order", source, message, f"write {read!r} if this is the text of the crop")


def _wrongly_decoded(text: str, source: str) -> Iterator[Finding]:
    """Yield a finding if an earlier program decoded the text with the wrong encoding."""
    for encoding, lowest in _DECODED_AS.items():
        try:
            meant = text.encode(encoding).decode()
        except UnicodeError:
            continue
        if meant != text and meant.isprintable() and any(c >= lowest for c in meant):
            message = f"{text!r} is UTF-8 that a program decoded as {encoding}"
            yield warning("garbled", source, message, f"write {meant!r}")
            return
    if _ACCENTS.search(text):
        message = f"{text!r} has many accents in a row, as if a program decoded it as cp1252 by mistake"
        yield warning("garbled", source, message, "import the original file again, with --encoding")
