"""Measures how much rendered crops differ from real ones: in their looks, and in a network's features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from linetune.config import Synth
from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels, spread
from linetune.decode.read import deployed_batches
from linetune.models.network import Network
from linetune.synth.looks import FIGURES, figures_of
from linetune.synth.measure import measure_all
from linetune.synth.render import Renderer

_MOST = 500
"""Largest number of crops of each kind."""
_FEWEST = 20
"""Smallest number of crops of each kind. Fewer say nothing about a share."""
QUANTILES = (0.1, 0.5, 0.9)
"""Quantiles of each figure in a comparison."""
_FOLDS = 5
"""Number of cross-validation folds."""
_RIDGE = 0.3
"""Share of the identity in the features' covariance. It lets a few hundred crops suffice."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing rendered crops with real ones."""

    figures: dict[str, tuple[list[float], list[float]]]
    """:data:`QUANTILES` of each of a look's figures, on the real and on the rendered crops."""
    told_apart: float
    """Balanced accuracy of a linear classifier of real against rendered crops. 0.5 is a guess."""
    real: int
    """Number of real crops."""
    rendered: int
    """Number of rendered crops."""

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON."""
        return {
            "quantiles": list(QUANTILES),
            "figures": {name: {"real": a, "rendered": b} for name, (a, b) in self.figures.items()},
            "told_apart": self.told_apart,
            "real": self.real,
            "rendered": self.rendered,
        }


def real_and_rendered(
    settings: Synth, labels: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[list[Crop], list[Crop]]:
    """Read crops of a label file, spread evenly over it, and render as many.

    Args:
        settings: how to render.
        labels: the label file.
        progress: called with the number of crops done and the number of all crops.

    Returns:
        Real and rendered crops, BGR uint8 of any size.

    Raises:
        LinetuneError: the label file has fewer than :data:`_FEWEST` lines, a crop cannot be read, or crops
            cannot be rendered.
    """
    lines = spread(read_labels(labels), _MOST)
    if len(lines) < _FEWEST:
        raise LinetuneError(
            f"{len(lines)} crops are too few to compare with", labels, f"name {_FEWEST} or more"
        )
    renderer = Renderer.of(settings)
    real, rendered = [], []
    for number, line in enumerate(lines):
        try:
            real.append(image.read(line.image))
        except LinetuneError as error:
            raise LinetuneError(f"{error.what}: {line.image}", line.source, error.hint) from None
        rendered.append(renderer(number)[0])
        progress(number + 1, len(lines))
    return real, rendered


def compare(real: Sequence[Crop], rendered: Sequence[Crop], network: Network) -> Comparison:
    """Compare the looks of real and rendered crops, and classify them by the backbone's features.

    Args:
        real: BGR uint8 images of any size.
        rendered: BGR uint8 images of any size, preferably as many.
        network: the base model's network.
    """
    of_real, of_rendered = (figures_of(measure_all(crops)) for crops in (real, rendered))
    figures = {}
    for name in FIGURES:
        a, b = of_real[name], of_rendered[name]
        if len(a) and len(b):
            figures[name] = np.quantile(a, QUANTILES).tolist(), np.quantile(b, QUANTILES).tolist()
    features = [mean_features(network, crops, deployed_batches(crops)) for crops in (real, rendered)]
    return Comparison(figures, separation_accuracy(*features), len(real), len(rendered))


def separation_accuracy(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the balanced accuracy of a linear discriminant that separates two sets of crops.

    Cross-validation measures it. It is about 0.5 if the sets are alike.

    Args:
        one: features of shape (crops, features).
        other: features of the other set, of the same shape.
    """
    x = np.concatenate([one, other])
    side = np.repeat([1.0, -1.0], [len(one), len(other)])
    # Neighbours are often from one photo, so they stay in one fold. Sets of equal size get equal folds.
    fold = np.concatenate([np.arange(len(s)) * _FOLDS // max(1, len(s)) for s in (one, other)])
    correct = np.zeros(len(x), bool)
    for held_out in range(_FOLDS):
        test = fold == held_out
        mean, deviation = x[~test].mean(0), x[~test].std(0) + 1e-6
        z = (x - mean) / deviation
        train, train_side = z[~test], side[~test]
        means = [train[train_side == s].mean(0) for s in (1.0, -1.0)]
        within = train - np.where(train_side[:, None] > 0, *means)
        covariance = within.T @ within / len(within)
        regular = (1 - _RIDGE) * covariance + _RIDGE * np.eye(len(covariance))
        normal = np.linalg.solve(regular, means[0] - means[1])
        correct[test] = np.sign((z[test] - (means[0] + means[1]) / 2) @ normal) == side[test]
    return float((correct[side > 0].mean() + correct[side < 0].mean()) / 2)


def mean_features(
    network: Network, crops: Sequence[Crop], batches: Iterable[tuple[Iterable[int], NDArray[np.float32]]]
) -> NDArray[np.float64]:
    """Return the backbone's features of each crop, averaged over its frames: shape (crops, channels).

    The frames of the padding do not count.

    Args:
        network: the network.
        crops: BGR uint8 images of any size.
        batches: pairs of crop numbers and the network input of these crops.
    """
    means = np.empty((len(crops), network.backbone.channels))
    for members, batch in batches:
        images = torch.from_numpy(batch).to(network.device, memory_format=torch.channels_last)
        features = network.evaluated(network.backbone, images).squeeze(2)
        for i, of_crop in zip(members, features, strict=True):
            own = max(1, image.frames(image.line_width(*crops[i].shape[:2])))
            means[i] = of_crop[:, :own].mean(1)
    return means
