"""Series of characters, such as the digits. If labels contain most of a series, the rest may occur later."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

SERIES = {
    "digits": string.digits,
    "capital letters": string.ascii_uppercase,
    "small letters": string.ascii_lowercase,
    "provinces on Chinese plates": "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼",
}
_LOOK_LIKE_DIGITS = frozenset("IOQ")
_FREQUENT = 5
"""Mean number of times that a letter occurs. From this mean on, a letter is missing by chance with a
probability of exp(-5), so its absence is likely on purpose."""
_LISTED = re.compile(r"\[([^\[\]\\^-]+)\]")
"""A class in a pattern that lists its characters one by one."""


@dataclass(frozen=True)
class Gap:
    """The missing characters of a series of which at least half is present."""

    series: str
    """The name of the series, such as ``digits``."""
    missing: str
    """Characters that may occur later."""
    avoided: str
    """Letters that the labels likely avoid because they look like digits."""


def gaps(texts: Iterable[str], known: Iterable[str]) -> list[Gap]:
    """Return a gap for each series that has missing characters, if at most half of the series is missing.

    Args:
        texts: the labels, with repetitions.
        known: all present characters, including those of the labels.
    """
    times, present = Counter("".join(texts)), set(known)
    found = []
    for name, series in SERIES.items():
        missing = [c for c in series if c not in present]
        if missing and 2 * len(missing) <= len(series):
            avoided = _avoided(missing, series, times)
            rest = "".join(c for c in missing if c not in avoided)
            found.append(Gap(name, rest, "".join(sorted(avoided))))
    return found


def widened(pattern: str, taken: Iterable[str]) -> str:
    """Add characters to the classes of a pattern that list at least half of a series.

    Args:
        pattern: the regular expression.
        taken: the characters to add. A class gets only those of its series.
    """
    more = set(taken)

    def widen(found: re.Match[str]) -> str:
        listed = found[1]
        rest = "".join(
            c
            for series in SERIES.values()
            if set(listed) <= set(series) and 2 * len(listed) >= len(series)
            for c in series
            if c in more and c not in listed
        )
        return f"[{listed}{rest}]"

    return _LISTED.sub(widen, pattern)


def _avoided(missing: list[str], series: str, times: Counter[str]) -> frozenset[str]:
    """Return the missing letters of I, O and Q, if I and O are missing and other letters are frequent."""
    counts = [times[c] for c in series if times[c]]
    frequent = bool(counts) and sum(counts) >= _FREQUENT * len(counts)
    return _LOOK_LIKE_DIGITS & set(missing) if frequent and {"I", "O"} <= set(missing) else frozenset()
