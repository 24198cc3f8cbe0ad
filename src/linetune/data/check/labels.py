"""What is wrong with the labels alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linetune.core import labelfile
from linetune.core.charset import SPACE, Charset, show
from linetune.core.errors import LinetuneError
from linetune.core.image import frames_needed
from linetune.core.labelfile import Line
from linetune.core.reading_order import MARKS, is_right_to_left, to_logical, to_visual
from linetune.data.check import origins
from linetune.data.check.characters import Suspects
from linetune.data.check.findings import Finding, Severity, error, warning

HELD_OUT = {"val", "valid", "validation", "dev", "eval", "test"}
"""Words in a split's name that say that nothing is trained on it."""
_KINDS = {
    labelfile.NO_TAB: "no-tab",
    labelfile.NO_PATH: "no-path",
    labelfile.NO_TEXT: "empty-label",
    labelfile.THIRD_COLUMN: "third-column",
    labelfile.CARRIAGE_RETURN: "carriage-return",
}

_DECODED_AS = {
    "cp1252": ("encoded twice", "\x80"),
    "cp1251": ("UTF-8, and decoded as cp1251", "\x80"),
    "gbk": ("UTF-8, and decoded as GBK", "\u0800"),
}
"""Encodings that UTF-8 is taken for: how that is told, and the least of the characters that then prove it.

In GBK two bytes of common characters may be a letter in UTF-8, three hardly ever.
"""
_ACCENTS = re.compile("[À-ÖØ-öø-ÿ]{4}")
"""No language writes four such letters in a row."""
_REVERSED = re.compile(r"(?<!\w)[ךםןףץ](?=[א-ת])|(?<!\w)[ةى](?=[ء-ي])")
"""Hebrew and Arabic letters that stand at the ends of words, at the beginning of one."""


@dataclass(frozen=True)
class Split:
    """The lines of one purpose."""

    name: str
    lines: list[Line]

    @property
    def held_out(self) -> bool:
        """Whether the lines are only scored."""
        return bool(HELD_OUT & self._words)

    @property
    def rank(self) -> int:
        """Whose copy of an image stays, the lowest first: what is measured on should change least."""
        return 0 if "test" in self._words else 1 if self.held_out else 2

    @property
    def _words(self) -> set[str]:
        return set(re.split(r"[^a-z]+", self.name.lower()))


def read_splits(files: Mapping[str, Sequence[Path]]) -> tuple[list[Split], list[Finding]]:
    """The splits' lines, and a finding for every line that is no label.

    Raises:
        LinetuneError: a label file is missing, UTF-16 or empty, or two splits name it.
    """
    splits, findings = [], []
    taken: dict[Path, str] = {}
    for name, paths in files.items():
        lines: list[Line] = []
        for path in dict.fromkeys(paths):
            if (other := taken.setdefault(path.resolve(), name)) != name:
                hint = "linetune split divides one file into several"
                raise LinetuneError(f"the label file of both {other} and {name}", path, hint)
            good, bad = labelfile.scan_labels(path)
            lines += good
            # What is wrong otherwise is the encoding.
            findings += [
                error(_KINDS.get(e.what, "encoding"), source, e.what, e.hint) for source, e in bad.items()
            ]
        splits.append(Split(name, lines))
    return splits, findings


@dataclass(frozen=True)
class LabelChecks:
    """What the labels of a data set have to keep to.

    Args:
        suspects: which characters are not what they look like.
        charset: characters a model may output; ``None`` where they are collected from the labels.
        objection: how a text breaks the sequence rule, a clause; ``None`` where it keeps it.
    """

    suspects: Suspects
    charset: Charset | None = None
    objection: Callable[[str], str | None] | None = None

    def findings(self, line: Line, held_out: bool) -> Iterator[Finding]:
        """Everything wrong with one label."""
        text, source = line.text, line.source
        if not self.suspects.repaired(text):
            yield error("empty-label", source, f"nothing to see in the label {text!a}")
            return
        yield from self._characters(text, source)
        if not self.is_wanted(text):
            yield from origins.findings(text, source)
        if self.suspects.has_edges(text):
            yield warning("edge-space", source, f"{text!r} begins or ends with a space")
        if SPACE * 2 in text.strip(SPACE):
            yield warning("double-space", source, f"{text!r} has two spaces in a row")
        missing = self.charset.missing(text) if self.charset else []
        if missing:
            # As in training: a held-out line counts as a wrong reading.
            severity = Severity.warning if held_out else Severity.error
            yield Finding("charset", severity, source, f"{show(*missing)} not in the charset: {text!r}")
        if self.objection and (broken := self.objection(text)):
            yield warning("rule", source, f"{text!r} {broken}")

    def is_wanted(self, text: str) -> bool:
        """Whether there is a sequence rule and the text keeps it."""
        return self.objection is not None and self.objection(text) is None

    def frames_needed(self, text: str) -> int:
        """Frames that CTC needs for the text."""
        if self.charset and not self.charset.missing(text):
            return frames_needed(self.charset.encode(text))
        return frames_needed([ord(c) for c in text])

    def _characters(self, text: str, source: str) -> Iterator[Finding]:
        if text.isascii() and text.isprintable():
            return
        if invisible := self.suspects.invisible(text):
            stays = self.suspects.ordering(text)
            hint = f"--fix leaves {show(*stays)}, which may decide on the order" if stays else None
            yield warning("invisible", source, f"{show(*invisible)} in {text!a}", hint)
        if garbled := self.suspects.garbled(text):
            hint = "the file was once read in the wrong encoding"
            yield warning("garbled", source, f"{show(*garbled)} in {text!r}", hint)
        for character, plain in self.suspects.lookalikes(text).items():
            message = f"{show(character)} looks like {show(plain)}: {text!r}"
            yield warning("lookalike", source, message)
        if apart := self.suspects.decomposed(text):
            shorter = ", ".join(f"{show(short)} for {show(letter)}" for letter, short in apart.items())
            yield warning("decomposed", source, f"{text!r} is longer than it looks", f"write {shorter}")
        yield from _wrongly_decoded(text, source)
        if _REVERSED.search(text):
            message = f"{text!r} begins a word with a letter that only ends words; is it reversed?"
            yield warning("order", source, message, "write labels as they are typed, in logical order")
        seen = "".join(c for c in text if c not in MARKS)
        if (read := to_logical(to_visual(text))) != seen and is_right_to_left(text):
            message = f"{text!r} is displayed as {read!r} is, and will be read as that"
            yield warning("order", source, message, f"write {read!r} if that is what the crop says")


def _wrongly_decoded(text: str, source: str) -> Iterator[Finding]:
    """Whether a text was decoded with another encoding than its own, at some time before."""
    for encoding, (told, wider) in _DECODED_AS.items():
        try:
            meant = text.encode(encoding).decode()
        except UnicodeError:
            continue
        if meant != text and meant.isprintable() and any(c >= wider for c in meant):
            message = f"{text!r} was {told}"
            yield warning("garbled", source, message, f"write {meant!r}")
            return
    if _ACCENTS.search(text):
        message = f"{text!r}: letters with accents in a row, as where another encoding was read as cp1252"
        yield warning("garbled", source, message, "import the file again that was converted, with --encoding")
