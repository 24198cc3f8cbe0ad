"""Validating a network in training, and scoring any model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import Charset
from linetune.data.dataset import Dataset
from linetune.decode import Reading, default_decoder
from linetune.decode.read import Run, read_batches, read_crops, run_deployed
from linetune.evaluation.metrics import Score, score
from linetune.formats.model import Model
from linetune.models.both_ways import BothWays
from linetune.models.network import Network
from linetune.training.context import Context
from linetune.training.features import HeldOutFeatures
from linetune.training.losses import label_losses
from linetune.training.state import Validation

CLOSE = 0.01
"""How much worse the CER may be on a tie. The misread crops of a few have a character more or less wrong by
chance."""


class Validator:
    """Validates networks that share one backbone or none.

    Args:
        context: has the validation crops.
        start: the score of the model that the stage starts from. Without it, every validation helps.
        features: the stored features of the validation crops, for a frozen backbone. Without them, images are
            read with the deployment preprocessing.
        wins_ties: whether a score with the exact match of the start and about its CER helps.
    """

    def __init__(
        self,
        context: Context,
        start: Score | None = None,
        features: HeldOutFeatures | None = None,
        wins_ties: bool = False,
    ) -> None:
        self._context, self._start, self._features = context, start, features
        self._wins_ties = wins_ties

    def __call__(self, network: Network) -> Validation:
        val, charset = self._context.val, self._context.charset
        probability = np.zeros(len(val))

        def batches() -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
            for members, probabilities in self._probabilities(network):
                losses = label_losses(probabilities, [val.texts[i] for i in members], charset)
                # A ruined network gives NaN: it makes no label probable.
                probability[members] = np.nan_to_num(np.exp(-losses))
                yield members, probabilities

        readings = read_batches(batches(), default_decoder(charset), len(val))
        found = score([reading.text for reading in readings], val.texts)
        start = self._start
        helps = start is None or found > start
        if start is not None and self._wins_ties and found.exact_match == start.exact_match:
            helps = found.cer <= start.cer + CLOSE
        return Validation(helps, float(probability.mean()), found)

    def _probabilities(self, network: Network) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield (crop numbers, class probabilities) of all validation crops."""
        if self._features is not None:
            yield from self._features.read(network)
            return
        reader = BothWays(network) if self._context.both_ways else network
        yield from run_deployed(reader.run, self._context.val.crops)


def score_of(run: Run, data: Dataset, charset: Charset) -> Score:
    """Return the score of any function that reads packed images, with the deployment preprocessing."""
    return score(
        [reading.text for reading in read_crops(run, data.crops, default_decoder(charset))], data.texts
    )


def readings_of(models: Sequence[Model], data: Dataset) -> list[list[Reading]]:
    """Read with models that have the same backbone. Where they read equally many ways up, it runs once."""
    if len({model.both_ways for model in models}) > 1:
        return [read_crops(model.reader.run, data.crops, default_decoder(model.charset)) for model in models]
    features = HeldOutFeatures(models[0].network, data.crops, models[0].both_ways)
    return [
        read_batches(features.read(model.network), default_decoder(model.charset), len(data))
        for model in models
    ]
