"""Check digits: the character of a code that the others decide.

Printed codes are often set in groups, so characters that a check does not count, such as spaces and
hyphens, stay where they are.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from linetune.config.schema import CheckName

_LETTERS_AND_DIGITS = frozenset(string.ascii_letters + string.digits)


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of code: what it looks like, and its check character."""

    name: CheckName
    shape: str
    """In words, for messages."""
    pattern: re.Pattern[str]
    """What the characters that count look like, taken together."""
    counted: frozenset[str]
    """The characters that count; every other is passed over."""
    lengths: frozenset[int]
    """How many characters that count a code has."""
    place: int
    """Where the check character stands among those that count."""
    character: Callable[[str], str]
    """The right check character for the characters that count; what stands in its place is ignored."""

    def right(self, text: str) -> str | None:
        """The text with the right check character; None where it is no such code."""
        at = [i for i, character in enumerate(text) if character in self.counted]
        code = "".join(text[i] for i in at)
        if len(code) not in self.lengths:
            return None
        place = at[self.place]
        code_place = self.place % len(code)
        right = self.character(code)
        if not self.pattern.fullmatch(code[:code_place] + right + code[code_place + 1 :]):
            return None
        return text[:place] + right + text[place + 1 :]


def _luhn(code: str) -> str:
    """ISO/IEC 7812-1, annex B: every second digit from the right doubled, its digits summed."""
    total = 0
    for place, digit in enumerate(reversed(code[:-1])):
        value = int(digit) * (1 if place % 2 else 2)
        total += value // 10 + value % 10
    return str(-total % 10)


def _ean(code: str) -> str:
    """GS1 General Specifications, 7.9: weights 3 and 1 in turn, from the right."""
    total = sum(int(digit) * (1 if place % 2 else 3) for place, digit in enumerate(reversed(code[:-1])))
    return str(-total % 10)


_CONTAINER: Mapping[str, int] = dict(zip(string.digits, range(10), strict=True)) | dict(
    # ISO 6346, annex A: multiples of 11 are left out.
    zip(string.ascii_uppercase, (value for value in range(10, 39) if value % 11), strict=True)
)


def _iso6346(code: str) -> str:
    """ISO 6346, annex A: values weighted with powers of two, modulo 11; 10 is written 0."""
    total = sum(_CONTAINER.get(character, 0) << place for place, character in enumerate(code[:10]))
    return str(total % 11 % 10)


# 49 CFR 565.15, tables III and IV.
_VEHICLE: Mapping[str, int] = dict(zip(string.digits, range(10), strict=True)) | dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True)
)
_VEHICLE_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def _vin(code: str) -> str:
    """49 CFR 565.15 (c): weighted values modulo 11; 10 is written X."""
    values = (_VEHICLE.get(character, 0) for character in code)
    return "0123456789X"[sum(w * v for w, v in zip(_VEHICLE_WEIGHTS, values, strict=True)) % 11]


_DIGITS = frozenset(string.digits)
CHECKS: Mapping[CheckName, Check] = {
    "iso6346": Check(
        name="iso6346",
        shape="3 letters, U, J or Z, and 7 digits",
        pattern=re.compile("[A-Z]{3}[JUZ][0-9]{7}"),
        counted=_LETTERS_AND_DIGITS,
        lengths=frozenset({11}),
        place=10,
        character=_iso6346,
    ),
    "vin": Check(
        name="vin",
        shape="17 digits and letters other than I, O and Q",
        pattern=re.compile("[0-9A-HJ-NPR-Z]{17}"),
        counted=_LETTERS_AND_DIGITS,
        lengths=frozenset({17}),
        place=8,
        character=_vin,
    ),
    "luhn": Check(
        name="luhn",
        shape="2 digits or more",
        pattern=re.compile("[0-9]+"),
        counted=_DIGITS,
        lengths=frozenset(range(2, 101)),
        place=-1,
        character=_luhn,
    ),
    "ean": Check(
        name="ean",
        shape="8, 12, 13 or 14 digits",
        pattern=re.compile("[0-9]+"),
        counted=_DIGITS,
        lengths=frozenset({8, 12, 13, 14}),
        place=-1,
        character=_ean,
    ),
}
