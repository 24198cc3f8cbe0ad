"""95 % intervals of shares that are counted on few crops."""

from __future__ import annotations

import math
from statistics import NormalDist

CONFIDENCE = 0.95
"""Share of such intervals that contain the true value."""
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def wilson(successes: float, total: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22:209, eq. 6).

    The interval stays within 0 to 1. Unlike share ± 1.96 standard errors, it has a width where the share is 0
    or 1.

    Args:
        successes: crops that count.
        total: all crops, at least 1.

    Returns:
        lower and upper bound, 0 to 1.
    """
    share, spread = successes / total, _Z**2 / total
    centre = share + spread / 2
    half = math.sqrt(spread * (share * (1 - share) + spread / 4))
    low, high = (centre - half) / (1 + spread), (centre + half) / (1 + spread)
    # A rounding error must not leave the share outside its interval.
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def as_text(share: float, interval: tuple[float, float]) -> str:
    """Return a share and its interval in percent, such as ``88.0% (85–91)``."""
    low, high = interval
    return f"{share:.1%} ({low * 100:.0f}–{high * 100:.0f})"


def paired_difference(only_a: int, only_b: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of share B minus share A, both counted on the same crops.

    This is the adjusted Wald interval of Bonett and Price (2012, J. Educ. Behav. Stat. 37:479).

    Args:
        only_a: crops that count in share A only.
        only_b: crops that count in share B only.
        total: all crops.

    Returns:
        lower and upper bound, -1 to 1.
    """
    a, b = (only_a + 1) / (total + 2), (only_b + 1) / (total + 2)
    difference = b - a
    half = _Z * math.sqrt((a + b - difference**2) / (total + 2))
    return max(-1.0, difference - half), min(1.0, difference + half)
