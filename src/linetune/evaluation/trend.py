"""How an error falls with the number of crops, where it falls by a rule at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from linetune.evaluation.metrics import Score

POINTS = 3
"""Fewest points that a power law is fitted to; two are always met."""
SLOWER = 0.5
"""Share of the law's fall that the last step must show."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """error = scale * crops ** -exponent."""

    scale: float
    exponent: float

    def error(self, crops: float) -> float:
        """Share of crops that are read wrong, 0 to 1."""
        return self.scale * math.pow(crops, -self.exponent)


def power_law(scores: Mapping[int, Score]) -> PowerLaw | None:
    """The power law that the error follows (Hestness et al. 2017, arXiv 1712.00409).

    Least squares of its logarithm. It holds no longer where only wrong labels and illegible crops are left,
    so what it says of many more crops is too good.

    Args:
        scores: by number of crops trained on, all on the same held-out crops.

    Returns:
        None where there are too few points, one without errors, the error does not fall, falls by less than
        half of what the law says in the last step, or leaves a point's 95 % interval.
    """
    if len(scores) < POINTS or any(score.exact_match == 1 for score in scores.values()):
        return None
    points = [(math.log(crops), math.log(1 - score.exact_match)) for crops, score in scores.items()]
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    exponent = -sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    law = PowerLaw(math.exp(mean_y + exponent * mean_x), exponent)
    met = all(
        score.interval[0] <= 1 - law.error(crops) <= score.interval[1] for crops, score in scores.items()
    )
    # Wide intervals meet nearly any law; a curve that is flattening shows in its last step.
    (x_before, y_before), (x_last, y_last) = sorted(points)[-2:]
    flattening = y_before - y_last < SLOWER * exponent * (x_last - x_before)
    return law if exponent > 0 and met and not flattening else None
