"""Real crops that are upside down: found by their labels, and turned upright before training."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.core.progress import Reporter, count
from linetune.data.dataset import Dataset
from linetune.decode.read import deployed_batches
from linetune.formats.model import Model
from linetune.models.both_ways import both_ways
from linetune.training.losses import label_losses

SAMPLE = 200
"""Crops that are looked at to find how many stand upside down: the share within 5 points."""
DECIDED = 1.0
"""Least difference of log-likelihoods; with less, a crop reads either way (0, 8, I) or not at all."""
PLAUSIBLE = math.log(4)
"""Most negative log-likelihood per character, in nats, of a label on the better way up of its crop.

A label that is less plausible either way up compares two readings that are both wrong. Of crops of cable
markers, receipts and seven segments, the base model finds 85 to 99 % of the labels plausible; of Russian and
Arabic crops none, and of 40 plates with two lines three (docs/log.md).
"""
CLEAR = 0.5
"""Least share of clear crops among those whose labels the base model can write. With fewer, it reads the
crops either way up, having been trained to, or not at all."""
FEWEST = 10
"""Labels that count at least in that share, so that a few do not speak for all."""
LEAST = 0.03
"""Share of the clear crops from which it pays to deal with crops that are upside down."""
FEW = 3
"""No more crops than these are a share of anything: they may be bad labels."""


@dataclass(frozen=True)
class WaysUp:
    """What a model says about which way up crops stand."""

    clear: NDArray[np.bool_]
    """The crops it is clear about, shape (crops,)."""
    upside_down: NDArray[np.bool_]
    """Those whose label is likelier upside down, shape (crops,), clear or not."""
    unwritable: int
    """Labels with a character that the model has no row for. They say nothing."""
    plausible: int
    """Of the other labels, those that the model finds plausible on the better way up of their crop."""

    @property
    def doubt(self) -> str | None:
        """Why the model cannot tell which way up the crops stand, one sentence; None where it can."""
        total = len(self.clear)
        writable = total - self.unwritable
        if self.clear.sum() >= CLEAR * max(writable, FEWEST):
            return None
        if self.unwritable > writable:
            why = f"{self.unwritable} of {total} labels hold characters that it has never seen"
        elif self.plausible < CLEAR * writable:
            why = f"it finds {self.plausible} of {writable} labels plausible on their crops"
        else:
            why = "it reads most of them alike both ways up"
        return f"the base model cannot tell which way up the real crops stand: {why}"


def any_upside_down(model: Model, unknown: Collection[str], crops: Dataset, reporter: Reporter) -> bool:
    """Whether so many crops are upside down that it pays to deal with them; says how many.

    Where the model cannot tell, what it does itself is the answer.

    Args:
        model: the base model with the run's charset.
        unknown: characters of the charset that the base model has no row for.
        crops: real ones.
        reporter: told what was found.
    """
    sample = spread(range(len(crops)), SAMPLE)
    progress = count(reporter, "which way up", len(sample))
    ways = ways_up(
        model, unknown, [crops.crops[i] for i in sample], [crops.lines[i].text for i in sample], progress
    )
    if ways.doubt:
        reporter.say(ways.doubt)
        return model.both_ways
    clear, upside_down = int(ways.clear.sum()), int((ways.clear & ways.upside_down).sum())
    of_how_many = f" ({clear} of {len(sample)} can be judged)" if 2 * clear < len(sample) else ""
    reporter.say(f"about {upside_down / clear:.0%} of the real crops stand upside down{of_how_many}")
    pays = upside_down > FEW and upside_down >= LEAST * clear
    if upside_down >= LEAST * clear and not pays:
        reporter.say(f"{upside_down} are too few to go by; both_ways: true turns them and reads both ways up")
    return pays


def stood_upright(model: Model, unknown: Collection[str], crops: Dataset, reporter: Reporter) -> Dataset:
    """The crops, with those rotated by 180 degrees that clearly are upside down; says how many.

    A network that has learnt one way up alone is less sure of a line that is upside down, so that
    reading both ways up finds the right one more often; docs/log.md has the comparison.

    Args:
        model: the base model with the run's charset; where it cannot tell, no crop is turned.
        unknown: characters of the charset that the base model has no row for.
        crops: real ones.
        reporter: told what was done.
    """
    progress = count(reporter, "turning upright", len(crops))
    ways = ways_up(model, unknown, crops.crops, crops.texts, progress)
    if ways.doubt:
        reporter.say(f"{ways.doubt}; none is turned")
        return crops
    reporter.say(f"{ways.upside_down.sum()} of {len(crops)} real crops are turned upright for training")
    return crops.half_turned(ways.upside_down)


def ways_up(
    model: Model,
    unknown: Collection[str],
    crops: Sequence[Crop],
    texts: Sequence[str],
    progress: Callable[[int], None],
) -> WaysUp:
    """Compare the likelihood of each crop's label as the crop stands and upside down.

    Args:
        model: reads the crops, with the charset of the labels.
        unknown: characters that the model has no knowledge of, although its charset holds them.
        crops: at height 48.
        texts: the labels.
        progress: called with the number of crops compared so far.
    """
    beyond = {*unknown}
    writable = np.array([not (beyond & {*text} or model.charset.missing(text)) for text in texts], bool)
    losses, done = np.full((2, len(crops)), np.inf), 0
    for members, batch in deployed_batches(crops):
        probabilities = model.network.run(both_ways(torch.from_numpy(batch)).numpy())
        losses[:, members] = label_losses(
            probabilities, [texts[i] for i in members] * 2, model.charset
        ).reshape(2, -1)
        done += len(members)
        progress(done)
    lengths = np.array([max(1, len(text)) for text in texts])
    # Infinite where the crop has too few frames for its label.
    said = writable & np.isfinite(losses).all(0)
    plausible = said & (losses.min(0) / lengths <= PLAUSIBLE)
    gains = np.where(said, losses[0], 0) - np.where(said, losses[1], 0)
    decided = np.abs(gains) > DECIDED
    return WaysUp(plausible & decided, gains > DECIDED, int((~writable).sum()), int(plausible.sum()))
