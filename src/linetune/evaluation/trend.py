"""Fit a power law to a learning curve: how the error falls with the number of crops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import linear_regression

from linetune.evaluation.metrics import Score

POINTS = 3
"""Fewest points for a fit. A power law always passes through two points."""
LEAST_FALL = 0.5
"""Least fall of the error in the last step, as a share of the fall that the law predicts."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """The law: error = scale * crops ** -exponent."""

    scale: float
    exponent: float

    def error(self, crops: float) -> float:
        """Return the predicted share of crops that are misread."""
        return self.scale * math.pow(crops, -self.exponent)


def power_law(scores: Mapping[int, Score]) -> PowerLaw | None:
    """Return the power law that the error follows (Hestness et al. 2017, arXiv 1712.00409).

    The fit is least squares on logarithms. The law fails when only wrong labels and illegible crops remain,
    so its prediction for many more crops is too good.

    Args:
        scores: the score for each number of training crops, all on the same held-out crops.

    Returns:
        None in each of these cases: there are fewer than 3 points; a point has no errors; the error does not
        fall; in the last step it falls by less than half of what the law predicts; the law does not pass
        through the 95 % interval of every point.
    """
    if len(scores) < POINTS or any(score.exact_match == 1 for score in scores.values()):
        return None
    points = [(math.log(crops), math.log(1 - score.exact_match)) for crops, score in scores.items()]
    slope, intercept = linear_regression(*zip(*points, strict=True))
    law = PowerLaw(math.exp(intercept), -slope)
    within_intervals = all(
        score.interval[0] <= 1 - law.error(crops) <= score.interval[1] for crops, score in scores.items()
    )
    # Nearly every law passes through wide intervals. A curve that becomes flat shows it in its last step.
    (x_before, y_before), (x_last, y_last) = sorted(points)[-2:]
    flattening = y_before - y_last < LEAST_FALL * -slope * (x_last - x_before)
    return law if slope < 0 and within_intervals and not flattening else None
