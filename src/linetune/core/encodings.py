"""Which encoding a text that is not UTF-8 has, as far as its bytes show.

Nearly any bytes decode without an error in several encodings, so this alone proves nothing. What counts is
whether the decoded text looks like writing (``plausible``).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass

from linetune.core import plausible

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16, because it begins with the mark of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FIELD_SEPARATORS = re.compile(rb'[\t,;"]+')
"""None of these bytes is part of a longer character in the encodings here."""
_COMPARED_ROWS = 1000
_SHOWN_CHARACTERS = 30
_SIGN_IN_WORD = re.compile(r"[a-z][^\x00-ſ][a-z]")
"""A character that is no Latin letter, in the middle of a Latin word."""
_UTF8 = re.compile(r"[a-zA-Z][À-ž]|[À-ž][a-zA-Z]|[^\x00-ſ]{2}")
"""What real UTF-8 text contains. Two bytes of another encoding that are UTF-8 by chance seldom do."""


@dataclass(frozen=True)
class Judgement:
    """The possible encodings of a text that is not UTF-8."""

    encoding: str | None
    """The one encoding that is clearly likelier than all others."""
    readings: dict[str, str]
    """One of its texts, decoded with every plausible encoding."""
    damaged: bool
    """Nearly all of it is UTF-8, so the rest is damaged and not in another encoding."""
    utf8_line: int | None = None
    """The first line that is in UTF-8, from 1, if files of two encodings were joined."""


def bom_encoding(data: bytes) -> str | None:
    """Return the encoding that a byte order mark at the beginning names, or None without a mark."""
    return next((name for mark, name in _BOMS.items() if data.startswith(mark)), None)


def unmarked_utf16(data: bytes) -> str | None:
    """Return the byte order of UTF-16 without a mark, found by the zero bytes of its ASCII characters."""
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[first::2].count(0) * 4 > len(data):
            return name
    return None


def judge(data: bytes) -> Judgement:
    """Return the possible encodings of bytes that are not UTF-8.

    GBK is the only encoding that can be certain. Then all characters are in GB2312, at least half of them are
    frequent, and in no other encoding the text is plausible. Among all others, a person has to choose.
    """
    if name := unmarked_utf16(data):
        return _uncertain([name], data.split("\n".encode(name)))
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # Other encodings often decode a few broken bytes among many good characters as well, to nonsense.
    if sum(character > "\x7f" for character in text) - broken > broken:
        return Judgement(None, {}, True)
    rows = [row for row in data.split(b"\n") if not row.isascii()]
    joined = b"\n".join(rows)
    decoded = {name: joined.decode(name, "replace") for name in plausible.ENCODINGS}
    names = [
        name
        for name, looks_right in plausible.ENCODINGS.items()
        if looks_right(decoded[name]) and not _SIGN_IN_WORD.search(decoded[name])
    ]
    numbered = enumerate(data.split(b"\n"), 1)
    utf8_line = next((number for number, row in numbered if _looks_like_utf8(row)), None)
    gbk_alone = "gbk" in names and _weak_beside_gbk(joined, decoded).issuperset(names)
    if gbk_alone and not (utf8_line and _are_really_utf8(rows)):
        text = joined.decode("gbk")
        if plausible.is_gb2312(text) and plausible.is_frequent_chinese(text):
            return Judgement("gbk", {}, False)
    if utf8_line:
        return Judgement(None, {}, False, utf8_line)
    return _uncertain(names, rows)


def _weak_beside_gbk(data: bytes, decoded: dict[str, str]) -> set[str]:
    """Return GBK and the encodings in which Chinese text in GBK may look right by chance."""
    # Nearly all pairs of Thai letters are possible, so many Chinese characters look like such pairs.
    weak = {"gbk", "cp874"}
    # Any two letters of an alphabet are a possible word. Where all words have two, each may be one character.
    if all(len(run) == 2 for run in re.findall(rb"[\x80-\xff]+", data)):
        weak.update(plausible.ALPHABETS)
    return weak | {name for name, proof in plausible.PROOF.items() if not proof.search(decoded[name])}


def _looks_like_utf8(row: bytes) -> bool:
    text = row.decode("utf-8", "replace")
    return "\ufffd" not in text and _UTF8.search(text) is not None


def _are_really_utf8(rows: Sequence[bytes]) -> bool:
    """Return whether rows are UTF-8 by more than chance: one in ten is, and would be rare Chinese in GBK."""
    utf8 = [row for row in rows if _looks_like_utf8(row)]
    as_chinese = b"\n".join(utf8).decode("gbk", "replace")
    return 10 * len(utf8) >= len(rows) and not plausible.is_frequent_chinese(as_chinese)


def _uncertain(names: Sequence[str], rows: Sequence[bytes]) -> Judgement:
    """Return the readings of the field that tells most of these encodings apart."""
    best: dict[str, str] = {}
    for field in (field for row in rows[:_COMPARED_ROWS] for field in _fields(row) if field):
        readings: dict[str, str] = {}
        for name in names:
            # Of encodings with the same reading we keep the first, which is the most usual one.
            readings.setdefault(field.decode(name, "replace").strip("\r\n\0 ")[:_SHOWN_CHARACTERS], name)
        best = max(best, readings, key=len)
    return Judgement(None, {name: text for text, name in best.items()}, False)


def _fields(row: bytes) -> list[bytes]:
    """Return the fields of a row that are not ASCII, or the complete row in UTF-16."""
    if b"\0" in row:
        return [row]
    return [field for field in _FIELD_SEPARATORS.split(row) if not field.isascii()]
