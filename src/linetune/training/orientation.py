"""Real crops that are upside down: found by their labels, and turned upright before training."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.core.progress import Reporter, count
from linetune.data.dataset import Dataset
from linetune.decode.read import run_deployed
from linetune.formats.model import Model
from linetune.models.both_ways import both_ways
from linetune.models.network import Network
from linetune.training.losses import label_losses

SAMPLE = 200
"""Crops in the sample that shows the share of crops upside down. It is exact to 5 points."""
FIRST, ENOUGH = (0, 2, 4), 100
"""Of five crops of the sample, those that are read first; and the number of clear ones among all of them at
which none upside down ends the search. Fewer than 3 % of the crops are then upside down, with a probability
of 95 %."""
DECIDED = 1.0
"""Least difference of log-likelihoods. Below it, a crop reads the same both ways up (0, 8, I), or not at
all."""
PLAUSIBLE = math.log(4)
"""Largest negative log-likelihood per character, in nats, of a plausible label, on the better way up of its
crop.

If a label is less plausible than this both ways up, the comparison is between two wrong readings. On cable
markers, receipts and seven-segment displays, the base model finds 85 to 99 % of the labels plausible. On
Russian and Arabic crops it finds none, and on 40 plates with two lines three (docs/log.md).
"""
CLEAR = 0.5
"""Least share of clear crops among those whose labels the base model can write. If there are fewer, the model
reads the crops equally well both ways up, because it was trained to, or not at all."""
FEWEST = 10
"""Least number of labels in that share, so that a few labels do not decide."""
LEAST = 0.03
"""Least share of crops upside down among the clear ones for which reading both ways up pays."""
FEW = 3
"""Up to this number, crops that seem upside down may as well have wrong labels."""


@dataclass(frozen=True)
class WaysUp:
    """Which crops are upside down, according to a model."""

    clear: NDArray[np.bool_]
    """The crops for which the model is clear, shape (crops,)."""
    upside_down: NDArray[np.bool_]
    """The crops whose label is more probable upside down, clear or not, shape (crops,)."""
    unwritable: int
    """Number of labels with a character that the model does not know. They show nothing."""
    plausible: int
    """Number of the other labels that the model finds plausible on the better way up of their crop."""

    def __add__(self, other: WaysUp) -> WaysUp:
        """Join what is known of two sets of crops."""
        return WaysUp(
            np.concatenate((self.clear, other.clear)),
            np.concatenate((self.upside_down, other.upside_down)),
            self.unwritable + other.unwritable,
            self.plausible + other.plausible,
        )

    @property
    def doubt(self) -> str | None:
        """Why the model cannot tell which crops are upside down, one sentence. None if it can."""
        total = len(self.clear)
        writable = total - self.unwritable
        if self.clear.sum() >= CLEAR * max(writable, FEWEST):
            return None
        if self.unwritable > writable:
            why = f"{self.unwritable} of {total} labels have characters that it has never seen"
        elif self.plausible < CLEAR * writable:
            why = f"it finds {self.plausible} of {writable} labels plausible on their crops"
        else:
            why = "it reads most of them equally well both ways up"
        return f"the base model cannot tell which real crops are upside down: {why}"


def any_upside_down(model: Model, unknown: Collection[str], crops: Dataset, reporter: Reporter) -> bool:
    """Return whether so many crops are upside down that reading both ways up pays. Report how many are.

    If the model cannot tell, return what the model itself was trained for.

    Args:
        model: the base model with the run's charset.
        unknown: the unknown characters of the charset.
        crops: real crops.
        reporter: gets the share of crops that are upside down.
    """
    sample = spread(range(len(crops)), SAMPLE)
    first = [number for place, number in enumerate(sample) if place % 5 in FIRST]
    rest = [number for place, number in enumerate(sample) if place % 5 not in FIRST]
    ways = _sampled(model, unknown, crops, first, reporter)
    if ways.upside_down[ways.clear].any() or ways.clear.sum() < ENOUGH:
        ways += _sampled(model, unknown, crops, rest, reporter)
    if ways.doubt:
        reporter.say(ways.doubt)
        return model.both_ways
    clear, upside_down = int(ways.clear.sum()), int((ways.clear & ways.upside_down).sum())
    total = len(ways.clear)
    among = f" ({clear} of {total} crops are clear)" if 2 * clear < total else ""
    pays = upside_down > FEW and upside_down >= LEAST * clear
    few = f", or have a wrong label; below {LEAST:.0%} they do not matter"
    reporter.say(
        f"about {upside_down / clear:.0%} of the real crops are upside down{among}"
        f"{few if 0 < upside_down < LEAST * clear else ''}"
    )
    if upside_down >= LEAST * clear and not pays:
        reporter.say(
            f"{upside_down} are too few to be sure; both_ways: true turns them upright and reads both ways up"
        )
    return pays


def _sampled(
    model: Model, unknown: Collection[str], crops: Dataset, sample: Sequence[int], reporter: Reporter
) -> WaysUp:
    """Compare some of the crops, by their numbers."""
    progress = count(reporter, "which way up", len(sample))
    images, texts = [crops.crops[i] for i in sample], [crops.lines[i].text for i in sample]
    return ways_up(model, unknown, images, texts, progress)


def turned_upright(model: Model, unknown: Collection[str], crops: Dataset, reporter: Reporter) -> Dataset:
    """Return the crops, with those that are clearly upside down turned upright. Report how many were turned.

    A network that has learned only upright crops is less sure of a line upside down. Reading both ways up
    then finds the right one more often (docs/log.md has the comparison).

    Args:
        model: the base model with the run's charset. If it cannot tell, no crop is turned.
        unknown: the unknown characters of the charset.
        crops: real crops.
        reporter: gets the number of turned crops.
    """
    progress = count(reporter, "turning upright", len(crops))
    ways = ways_up(model, unknown, crops.crops, crops.texts, progress)
    if ways.doubt:
        reporter.say(f"{ways.doubt}; no crop is turned")
        return crops
    reporter.say(f"{ways.upside_down.sum()} of {len(crops)} real crops are turned upright for training")
    return crops.half_turned(ways.upside_down)


def both_ways_up(network: Network, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the class probabilities of images upright, and then of the same images upside down."""
    return network.run(both_ways(torch.from_numpy(images)).numpy())


def ways_up(
    model: Model,
    unknown: Collection[str],
    crops: Sequence[Crop],
    texts: Sequence[str],
    progress: Callable[[int], None],
) -> WaysUp:
    """Compare the likelihood of the label of each crop, upright and upside down.

    Args:
        model: reads the crops. Its charset has the characters of the labels.
        unknown: characters of its charset that the model does not know.
        crops: images at height 48.
        texts: their labels.
        progress: called with the number of crops compared so far.
    """
    beyond = {*unknown}
    writable = np.array([not (beyond & {*text} or model.charset.missing(text)) for text in texts], bool)
    losses, done = np.full((2, len(crops)), np.inf), 0
    both = partial(both_ways_up, model.network)
    for members, probabilities in run_deployed(both, crops):
        losses[:, members] = label_losses(
            probabilities, [texts[i] for i in members] * 2, model.charset
        ).reshape(2, -1)
        done += len(members)
        progress(done)
    lengths = np.array([max(1, len(text)) for text in texts])
    # A loss is infinite if the crop has too few frames for its label.
    said = writable & np.isfinite(losses).all(0)
    plausible = said & (losses.min(0) / lengths <= PLAUSIBLE)
    gains = np.where(said, losses[0], 0) - np.where(said, losses[1], 0)
    decided = np.abs(gains) > DECIDED
    return WaysUp(plausible & decided, gains > DECIDED, int((~writable).sum()), int(plausible.sum()))
