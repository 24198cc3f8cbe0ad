"""How far a share counted on few crops can be trusted."""

from __future__ import annotations

import math
from statistics import NormalDist

CONFIDENCE = 0.95
"""Of every interval: so many of a hundred such intervals hold the true share."""
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def wilson(right: float, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22:209, eq. 6).

    It stays within 0 to 1 and has a width where all or none are right, unlike share ± 1.96 standard errors.

    Args:
        right: how many are right.
        of: of how many.

    Returns:
        lower and upper bound, 0 to 1.
    """
    share, spread = right / of, _Z**2 / of
    centre = share + spread / 2
    half = math.sqrt(spread * (share * (1 - share) + spread / 4))
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    # A rounding error must not leave the share itself outside.
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def as_text(share: float, interval: tuple[float, float]) -> str:
    """A share and its interval for people: ``88.0% (85–91)``."""
    low, high = interval
    return f"{share:.1%} ({low * 100:.0f}–{high * 100:.0f})"


def paired_difference(only_first: int, only_second: int, of: int) -> tuple[float, float]:
    """The 95 % interval of the second share minus the first, both counted on the same crops.

    The adjusted Wald interval of Bonett and Price (2012, J. Educ. Behav. Stat. 37:479).

    Args:
        only_first: crops that count in the first share only.
        only_second: crops that count in the second share only.
        of: all crops.

    Returns:
        lower and upper bound, -1 to 1.
    """
    first, second = (only_first + 1) / (of + 2), (only_second + 1) / (of + 2)
    difference = second - first
    half = _Z * math.sqrt((first + second - difference**2) / (of + 2))
    return max(-1.0, difference - half), min(1.0, difference + half)
