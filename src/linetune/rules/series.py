"""Characters that go together: where labels hold most of a series, the rest of it may come too."""

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
_OFTEN = 5
"""Times that the letters come on average, from which one is missing by chance in one set of 150 (e^-5)."""
_LISTED = re.compile(r"\[([^\[\]\\^-]+)\]")
"""A class of a pattern that lists its characters one by one."""


@dataclass(frozen=True)
class Gap:
    """What is missing of a series of which at least half is there."""

    series: str
    missing: str
    """Characters that may come."""
    avoided: str
    """Letters that are likely left out on purpose, since they look like digits."""


def gaps(texts: Iterable[str], known: Iterable[str]) -> list[Gap]:
    """What is missing of each series.

    Args:
        texts: the labels, as often as they come.
        known: characters that are there, those of the labels among them.
    """
    times, there = Counter("".join(texts)), set(known)
    found = []
    for name, series in SERIES.items():
        missing = [c for c in series if c not in there]
        if missing and 2 * len(missing) <= len(series):
            avoided = _avoided(missing, series, times)
            rest = "".join(c for c in missing if c not in avoided)
            found.append(Gap(name, rest, "".join(sorted(avoided))))
    return found


def widened(pattern: str, taken: Iterable[str]) -> str:
    """A pattern in which a list of most of a series also holds those of ``taken`` that are of the series."""
    more = set(taken)

    def wider(found: re.Match[str]) -> str:
        listed = found[1]
        rest = "".join(
            c
            for series in SERIES.values()
            if set(listed) <= set(series) and 2 * len(listed) >= len(series)
            for c in series
            if c in more and c not in listed
        )
        return f"[{listed}{rest}]"

    return _LISTED.sub(wider, pattern)


def _avoided(missing: list[str], series: str, times: Counter[str]) -> frozenset[str]:
    """Those of I, O and Q that nobody writes here: I and O are missing where all letters come often."""
    seen = [times[c] for c in series if times[c]]
    often = bool(seen) and sum(seen) >= _OFTEN * len(seen)
    return _LOOK_LIKE_DIGITS & set(missing) if often and {"I", "O"} <= set(missing) else frozenset()
