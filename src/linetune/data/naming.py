"""Give crops file names that are unique and valid on every system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_ACCENTS = re.compile("[\u0300-\u036f]+")
_LETTER = re.compile(r"[^\W_a-zA-Z0-9]")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows reserves for devices, with any suffix."""
_MAX_LENGTH = 80


class Names:
    """A source of unique names. Two names differ by more than upper and lower case.

    Args:
        taken: names that are already in use.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in taken}
        self._next: dict[str, int] = {}

    def take(self, stem: str, suffix: str) -> str:
        """Return ``stem`` and ``suffix`` as a name, with a number between them if the name is taken."""
        name, key = f"{stem}{suffix}", f"{stem}{suffix}".lower()
        # Continue after the last number: with one folder for each label, thousands may be called 1.png.
        number = self._next.get(key, 2)
        while name.lower() in self._taken:
            name = f"{stem}-{number}{suffix}"
            number += 1
        self._next[key] = number
        self._taken.add(name.lower())
        return name


def safe(stem: str) -> str:
    """Return a name like ``stem`` in ASCII letters, digits, full stops, dashes and underscores.

    Accents are dropped. Other letters become code points (``u4eac``), so that names do not become equal.
    """
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", stem))
    coded = _LETTER.sub(lambda letter: f"u{ord(letter[0]):x}", unicodedata.normalize("NFC", bare))
    plain = _UNSAFE.sub("_", coded).strip("._-")[:_MAX_LENGTH].rstrip("._-") or "crop"
    return f"crop_{plain}" if _RESERVED.fullmatch(plain) else plain
