"""Check characters: the character of a code that follows from the others.

Printed codes are often set in groups. A check therefore ignores spaces, hyphens and all other characters that
do not count, and leaves them in place.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linetune.config.synth import CheckName

_DIGITS = frozenset(string.digits)
_LETTERS_AND_DIGITS = _DIGITS | frozenset(string.ascii_letters)


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of code: its form, and its check character."""

    form: str
    """The form in words, for messages."""
    pattern: re.Pattern[str]
    """The form of the counted characters, without the others between them."""
    counted: frozenset[str]
    """The characters that count. All others are ignored."""
    lengths: frozenset[int]
    """Possible numbers of counted characters in a code."""
    position: int
    """Index of the check character among the counted characters."""
    compute: Callable[[str], str]
    """Function that returns the check character of a code with any character in its place."""
    step: Callable[[int, int, int, str], int | None]
    """The same one character after the other, for :mod:`linetune.rules.automaton`. Takes the remainder so far
    (0 at the start), the index of the character among the counted ones, the number of counted characters of
    the code, and the character. Returns the next remainder, which is 0 after a correct code. None if no code
    has this character here."""

    def corrected(self, text: str) -> str | None:
        """Return a text with the correct check character, or None if the text is not such a code."""
        counted = [i for i, character in enumerate(text) if character in self.counted]
        if len(counted) not in self.lengths:
            return None
        position = counted[self.position]
        check = self.compute("".join(text[i] for i in counted))
        corrected = text[:position] + check + text[position + 1 :]
        return corrected if self.pattern.fullmatch("".join(corrected[i] for i in counted)) else None


# python-stdnum has no vehicle identification numbers. Tables III and IV of 49 CFR 565.15.
_VIN_VALUES: Mapping[str, int] = dict(zip(string.digits, range(10), strict=True)) | dict(
    zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True)
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def _vin(code: str) -> str:
    """Return the check character of a vehicle identification number, as 49 CFR 565.15 (c) defines it."""
    values = (_VIN_VALUES.get(character, 0) for character in code)
    return "0123456789X"[sum(w * v for w, v in zip(_VIN_WEIGHTS, values, strict=True)) % 11]


def _vin_step(remainder: int, index: int, length: int, character: str) -> int | None:
    if index == 8:
        value = "0123456789X".find(character)
        return (remainder - value) % 11 if value >= 0 else None
    number = _VIN_VALUES.get(character)
    return None if number is None else (remainder + number * _VIN_WEIGHTS[index]) % 11


# ISO 6346 counts the letters from 10 on, without the multiples of 11.
_CONTAINER_VALUES = dict(zip(string.digits, range(10), strict=True)) | dict(
    zip(string.ascii_uppercase, (n for n in range(10, 39) if n % 11), strict=True)
)
_CONTAINER_FORM = (string.ascii_uppercase,) * 3 + ("JUZ",) + (string.digits,) * 7


# Functions with names, because lambdas cannot be sent to the processes that render. They import the library,
# because reading by a rule does without it.
def _container(code: str) -> str:
    from stdnum import iso6346

    return str(iso6346.calc_check_digit(code[:-1]))


def _luhn(code: str) -> str:
    from stdnum import luhn

    return str(luhn.calc_check_digit(code[:-1]))


def _ean(code: str) -> str:
    from stdnum import ean

    return str(ean.calc_check_digit(code[:-1]))


def _container_step(remainder: int, index: int, length: int, character: str) -> int | None:
    if character not in _CONTAINER_FORM[index]:
        return None
    if index == 10:  # a remainder of 10 gives the check digit 0
        return 0 if remainder % 10 == int(character) else None
    return (remainder + (_CONTAINER_VALUES[character] << index)) % 11


def _luhn_step(remainder: int, index: int, length: int, character: str) -> int:
    """Every second digit from the right is doubled, and the digits of the result are added."""
    doubled = int(character) * (1 + (length - 1 - index) % 2)
    return (remainder + doubled // 10 + doubled % 10) % 10


def _ean_step(remainder: int, index: int, length: int, character: str) -> int:
    """Every second digit from the right counts three times."""
    return (remainder + int(character) * (1 + 2 * ((length - 1 - index) % 2))) % 10


CHECKS: Mapping[CheckName, Check] = {
    "iso6346": Check(
        form="3 letters, U, J or Z, and 7 digits",
        pattern=re.compile("[A-Z]{3}[JUZ][0-9]{7}"),
        counted=_LETTERS_AND_DIGITS,
        lengths=frozenset({11}),
        position=-1,
        compute=_container,
        step=_container_step,
    ),
    "vin": Check(
        form="17 digits and letters other than I, O and Q",
        pattern=re.compile("[0-9A-HJ-NPR-Z]{17}"),
        counted=_LETTERS_AND_DIGITS,
        lengths=frozenset({17}),
        position=8,
        compute=_vin,
        step=_vin_step,
    ),
    "luhn": Check(
        form="2 digits or more",
        pattern=re.compile("[0-9]+"),
        counted=_DIGITS,
        lengths=frozenset(range(2, 101)),
        position=-1,
        compute=_luhn,
        step=_luhn_step,
    ),
    "ean": Check(
        form="8, 12, 13 or 14 digits",
        pattern=re.compile("[0-9]+"),
        counted=_DIGITS,
        lengths=frozenset({8, 12, 13, 14}),
        position=-1,
        compute=_ean,
        step=_ean_step,
    ),
}
