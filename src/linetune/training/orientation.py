"""Real crops that stand upside down: found by their labels, and turned upright before training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from linetune.data.dataset import Dataset
from linetune.decode.read import deployed_batches
from linetune.image import Crop
from linetune.models.both_ways import both_ways
from linetune.records import spread
from linetune.training.losses import label_losses
from linetune.training.reporter import Reporter, count
from linetune.weights.store import Model

SAMPLE = 200
"""Crops that are looked at to find how many stand upside down: the share within 5 points."""
DECIDED = 1.0
"""Least difference of log-likelihoods; with less, a crop reads either way (0, 8, I) or not at all."""
CLEAR = 0.5
"""Least share of decided crops; with fewer, the model reads them either way up, having been trained to."""
LEAST = 0.03
"""Share of the decided crops from which it pays to deal with them."""
FEW = 3
"""No more crops than these are a share of anything: they may be bad labels."""


def any_upside_down(model: Model, crops: Dataset, reporter: Reporter) -> bool:
    """Whether so many crops stand upside down that it pays to deal with them; says how many.

    Where the model cannot tell, what it does itself is the answer.

    Args:
        model: the base model with the run's charset.
        crops: real ones.
        reporter: told what was found.
    """
    sample = spread(range(len(crops)), SAMPLE)
    told = count(reporter, "which way up", len(sample))
    gains = turn_gains(model, [crops.crops[i] for i in sample], [crops.lines[i].text for i in sample], told)
    clear = np.abs(gains) > DECIDED
    if clear.mean() < CLEAR:
        reporter.say("the base model cannot tell which way up the real crops stand")
        return model.both_ways
    turned = int((gains[clear] > 0).sum())
    reporter.say(f"about {turned / clear.sum():.0%} of the real crops stand upside down")
    return turned > FEW and turned >= LEAST * int(clear.sum())


def stood_upright(model: Model, crops: Dataset, reporter: Reporter) -> Dataset:
    """The crops, with those turned by half that clearly stand upside down; says how many.

    A network that has learnt one way up alone is less sure of a line that stands on its head, so that
    reading both ways up finds the right one more often; docs/log.md has the comparison.

    Args:
        model: the base model with the run's charset; where it cannot tell, no crop is turned.
        crops: real ones.
        reporter: told what was done.
    """
    told = count(reporter, "turning upright", len(crops))
    gains = turn_gains(model, crops.crops, crops.texts, told)
    if (np.abs(gains) > DECIDED).mean() < CLEAR:
        reporter.say("the base model cannot tell which way up the real crops stand, so none is turned")
        return crops
    turned = gains > DECIDED
    reporter.say(f"{turned.sum()} of {len(crops)} real crops are turned upright for training")
    return crops.half_turned(turned)


def turn_gains(
    model: Model, crops: Sequence[Crop], texts: Sequence[str], progress: Callable[[int], None]
) -> NDArray[np.float64]:
    """By how much the log-likelihood of each crop's label rises when the crop is turned by half.

    0 where nothing can be said: the model cannot write the label, or there are too few frames for it.
    """
    gains, done = np.zeros(len(crops)), 0
    for members, batch in deployed_batches(crops):
        probabilities = model.network.run(both_ways(torch.from_numpy(batch)).numpy())
        losses = label_losses(probabilities, [texts[i] for i in members] * 2, model.charset).reshape(2, -1)
        said = np.isfinite(losses).all(0)
        gains[members[said]] = losses[0, said] - losses[1, said]
        done += len(members)
        progress(done)
    return gains
