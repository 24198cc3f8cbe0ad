"""Comparing rendered crops with real ones: by their looks, and by the network's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.image import Crop
from linetune.decode.read import deployed_batches
from linetune.models.network import Network
from linetune.synth import looks

QUANTILES = (0.1, 0.5, 0.9)
_FOLDS = 5
_RIDGE = 0.3
"""Share of the identity in the covariance of the features, so that a few hundred crops are enough."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of rendered with real crops."""

    figures: dict[str, tuple[list[float], list[float]]]
    """The :data:`QUANTILES` of each figure of a look, on real and on rendered crops."""
    told_apart: float
    """Share of crops that a linear classifier sorts right. 0.5 means that it can only guess."""
    real: int
    """Number of real crops."""
    rendered: int
    """Number of rendered crops."""

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "quantiles": list(QUANTILES),
            "figures": {name: {"real": a, "rendered": b} for name, (a, b) in self.figures.items()},
            "told_apart": self.told_apart,
            "real": self.real,
            "rendered": self.rendered,
        }


def compare(real: Sequence[Crop], rendered: Sequence[Crop], network: Network) -> Comparison:
    """Measure both, and try to tell them apart by the backbone's features.

    Args:
        real: BGR uint8 images of any size.
        rendered: the same, if possible as many.
        network: the network of the base model.
    """
    tables = [looks.as_table(looks.measure_all(crops)) for crops in (real, rendered)]
    figures = {
        name: (
            np.quantile(tables[0][name], QUANTILES).tolist(),
            np.quantile(tables[1][name], QUANTILES).tolist(),
        )
        for name in looks.MEASURED
        if len(tables[0][name]) and len(tables[1][name])
    }
    separability = told_apart(_seen(network, real), _seen(network, rendered))
    return Comparison(figures, separability, len(real), len(rendered))


def told_apart(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the balanced accuracy of a linear discriminant in cross-validation. 0.5 means that the sets are
    alike.

    Args:
        one: features of shape (crops, features).
        other: the same of the other set.
    """
    x = np.concatenate([one, other])
    side = np.repeat([1.0, -1.0], [len(one), len(other)])
    # The same folds for the same sizes. Neighbours stay in one fold, because they are often from one photo.
    fold = np.concatenate([np.arange(len(s)) * _FOLDS // max(1, len(s)) for s in (one, other)])
    right = np.zeros(len(x), bool)
    for held_out in range(_FOLDS):
        test = fold == held_out
        mean, deviation = x[~test].mean(0), x[~test].std(0) + 1e-6
        z = (x - mean) / deviation
        known, sides = z[~test], side[~test]
        middles = [known[sides == s].mean(0) for s in (1.0, -1.0)]
        within = known - np.where(sides[:, None] > 0, *middles)
        covariance = within.T @ within / len(within)
        normal = np.linalg.solve(
            (1 - _RIDGE) * covariance + _RIDGE * np.eye(len(covariance)), middles[0] - middles[1]
        )
        right[test] = np.sign((z[test] - (middles[0] + middles[1]) / 2) @ normal) == side[test]
    return float((right[side > 0].mean() + right[side < 0].mean()) / 2)


@torch.no_grad()
def _seen(network: Network, crops: Sequence[Crop]) -> NDArray[np.float64]:
    """Return the backbone's features of each crop, averaged over the frames of its own width."""
    seen = np.empty((len(crops), network.backbone.channels))
    network.eval()
    for members, batch in deployed_batches(crops):
        features = (
            network.backbone(torch.from_numpy(batch).to(network.device)).squeeze(2).float().cpu().numpy()
        )
        for i, of_crop in zip(members, features, strict=True):
            own = max(1, image.frames(image.line_width(*crops[i].shape[:2])))
            seen[i] = of_crop[:, :own].mean(1)
    return seen
