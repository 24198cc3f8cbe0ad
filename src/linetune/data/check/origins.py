"""Find what other programs leave in labels, such as JSON, escapes and marks of missing values."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Sequence
from html.entities import html5

from linetune.core import scripts
from linetune.core.aliases import Aliases
from linetune.core.labelfile import Line
from linetune.core.reading_order import is_right_to_left
from linetune.data.check.findings import Finding, Severity, warning

_OTHER_COLUMN = "linetune import FILE --text-column NAME reads the text from another column"
_JSON = re.compile(
    r"""\{\s*(?:["'][^"']*["']\s*:.*)?\}"""  # an object
    r"""|\[\s*(?:[\[{"'].*)\]"""  # a list of texts, lists or objects
    r"""|\(\s*(['"]).*\1\s*,\s*\d\.\d+\s*\)"""  # a Python tuple of text and confidence
    r"""|\[\s*-?\d+(?:\.\d+)?(?:\s*,\s*-?\d+(?:\.\d+)?){3,}\s*\]""",  # a box
    re.DOTALL,
)
_WORDS = (
    "nan NaN NAN -nan null NULL Null None NaT undefined N/A n/a #N/A #N/D #NA <NA> "
    "#REF! #VALUE! #NAME? #DIV/0! #NUM! #NULL! #SPILL! #CALC! #ERROR!"
)
_MISSING = frozenset(_WORDS.split())
"""Marks of a missing value in Python, databases and spreadsheets. NA alone may be a text."""
_ILLEGIBLE = {"###", "#", "[unclear]", "[illegible]", "illegible", "unreadable", "do not care", "don't care"}
"""Marks of an illegible crop in data sets, in lower case."""
_LOST = re.compile(r"\s*\?[?\s]*\?\s*")
_EXPONENT = re.compile(r"[+-]?\d(?:[.,]\d+[eE][+-]|[eE]\+)\d{2,3}")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BACKSLASH = re.compile(r"""\\(?:[tnr"]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2})""")
_DRIVE = re.compile(r"[A-Za-z]:\\")
_URL = re.compile(
    r"(?<!\d)%(?:2[0-9A-F]|3[A-F]|40|5[B-E]|7[B-D])"  # of ASCII; after a digit, it may be a percentage
    r"|%[C-F][0-9A-F]%[89AB][0-9A-F]"  # of UTF-8
)
_DOUBLED = re.compile(r'"(?:[^"]|"")*""(?:[^"]|"")*"')
"""A text with quotes as a CSV file writes it."""
_GUARDED = re.compile(r'="[^"]*"|b(["\']).*\1')
"""How a spreadsheet protects leading zeros, and how Python prints bytes."""
_OF_ALL = {
    "quoted": (
        re.compile(r'".*"', re.DOTALL),
        "are in double quotes",
        "remove the quotes, unless the crops show them",
    ),
    "decimals": (
        re.compile(r"-?\d+\.0"),
        "end in .0",
        "pandas does this to a column with gaps: read the column as text (dtype=str)",
    ),
    "confidence": (
        re.compile(r".*\S[\s,]+(0\.\d+|1\.0*)|(0\.\d+|1\.0*)[\s,]+\S.*"),
        "begin or end with a number from 0 to 1",
        "remove the number if it is a program's confidence",
    ),
}
"""What all labels of a data set may have, by kind of finding: pattern, message and hint."""
_MIN_LETTERS = 100
"""Number of letters below which their case proves nothing."""
_MIN_LABELS = 3
"""Number of labels below which their common form proves nothing."""


def findings(text: str, source: str) -> Iterator[Finding]:
    """Yield at most one finding: what an earlier program left in one label."""
    if _JSON.fullmatch(text.strip()):
        yield warning("json", source, f"{text!r} looks like JSON", _OTHER_COLUMN)
    elif text.strip().lower() in _ILLEGIBLE:
        message = f"{text!r} marks a crop that nobody can read"
        yield warning("illegible", source, message, "remove the line")
    elif _LOST.fullmatch(text):
        message = f"{text!r} has question marks in place of characters that an encoding lacks"
        yield warning("garbled", source, message, "import an earlier file that still has the characters")
    elif text.strip() in _MISSING:
        message = f"{text!r} means 'no value' in many programs"
        yield warning("missing-value", source, message, "remove the line, or write what the crop shows")
    elif _EXPONENT.fullmatch(text.strip()):
        message = f"{text!r} is a number that a spreadsheet has shortened, so digits are lost"
        yield warning("exponent", source, message, "export the column again, formatted as text")
    elif escaped := _escaped(text):
        yield warning("escaped", source, f"{escaped[0]} in {text!r}", escaped[1])


def findings_of_all(
    lines: Sequence[Line], follows_rule: Callable[[str], bool], aliases: Aliases
) -> Iterator[Finding]:
    """Yield what all labels have in common, and notes on right-to-left text and on letters of one case.

    Args:
        lines: the lines of all splits.
        follows_rule: returns whether a text follows the sequence rule.
        aliases: the characters that the model reads as others.
    """
    if len(lines) >= _MIN_LABELS and not all(follows_rule(line.text) for line in lines):
        for kind, (form, what, hint) in _OF_ALL.items():
            if all(form.fullmatch(line.text) for line in lines):
                message = f"all {len(lines)} labels {what}, such as {lines[0].text}"
                yield warning(kind, lines[0].source, message, hint)
    if not any(follows_rule(line.text) for line in lines):
        # A rule says itself which letters its texts have.
        yield from _one_case(lines, aliases)
    if right_to_left := [line for line in lines if is_right_to_left(line.text)]:
        letters = filter(is_right_to_left, set().union(*(line.text for line in right_to_left)))
        message = (
            f"{', '.join(scripts.names(letters))}: the network learns the letters in visual order, from left "
            "to right; label files and readings stay in logical order"
        )
        yield Finding("script", Severity.note, right_to_left[0].source, message)


def _one_case(lines: Sequence[Line], aliases: Aliases) -> Iterator[Finding]:
    """Yield a note if all letters are capitals, or all are small, and the model reads no others as these."""
    letters = "".join(c for line in lines for c in line.text if c.upper() != c.lower())
    if len(letters) < _MIN_LETTERS or not (letters.isupper() or letters.islower()):
        return
    capitals, small = ("capitals", "capitals"), ("small letters", "small_letters")
    (these, name), (others, _) = (capitals, small) if letters.isupper() else (small, capitals)
    if aliases.of(letters[0].swapcase()) != letters[0]:
        message = f"all {len(letters)} letters of the labels are {these}"
        hint = f"if some crops show {others}, set read_as: {name}, and the model reads both"
        first = next(line for line in lines if letters[0] in line.text)
        yield Finding("one-case", Severity.note, first.source, message, hint)


def _escaped(text: str) -> tuple[str, str] | None:
    """Return what is escaped in a text and how to fix it, or None."""
    if _DOUBLED.fullmatch(text):
        meant = text[1:-1].replace('""', '"')
        return 'a doubled ""', f"write {meant!r}: CSV files double the quotes inside a text"
    if _GUARDED.fullmatch(text):
        return f"the wrapping {text[:2]}…{text[-1]}", "remove it"
    entities = [name for name in _ENTITY.findall(text) if name[1] == "#" or name[1:] in html5]
    if entities:
        return f"the HTML entity {entities[0]}", f"write {html.unescape(entities[0])!r} instead"
    if (match := _BACKSLASH.search(text)) and not _DRIVE.match(text):
        return f"the escape sequence {match[0]}", "write the character itself, or a space"
    if match := _URL.search(text):
        return f"the URL encoding {match[0]}", "write the character itself"
    return None
