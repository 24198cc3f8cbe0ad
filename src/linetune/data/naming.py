"""File names that are unique and safe on every system, whatever the crops were called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_ACCENTS = re.compile("[\u0300-\u036f]+")
_LETTER = re.compile(r"[^\W_a-zA-Z0-9]")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever follows a full stop."""
_LONGEST = 80


class Names:
    """Gives names out, each once, though the system take capitals for small letters.

    Args:
        taken: names that are in use already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in taken}
        self._next: dict[str, int] = {}

    def take(self, stem: str, suffix: str) -> str:
        """The name ``stem`` and ``suffix`` make, with a number between them where that is taken."""
        name, key = f"{stem}{suffix}", f"{stem}{suffix}".lower()
        # Where the last of the same name left off: a folder a label may bring thousands of 1.png.
        number = self._next.get(key, 2)
        while name.lower() in self._taken:
            name = f"{stem}-{number}{suffix}"
            number += 1
        self._next[key] = number
        self._taken.add(name.lower())
        return name


def safe(stem: str) -> str:
    """A name like ``stem`` in ASCII letters, digits, full stops, dashes and underscores.

    Other letters become their code points, ``u4eac``, so that different names stay different.
    """
    bare = _ACCENTS.sub("", unicodedata.normalize("NFD", stem))
    coded = _LETTER.sub(lambda letter: f"u{ord(letter[0]):x}", unicodedata.normalize("NFC", bare))
    plain = _UNSAFE.sub("_", coded).strip("._-")[:_LONGEST].rstrip("._-") or "crop"
    return f"crop_{plain}" if _RESERVED.fullmatch(plain) else plain
