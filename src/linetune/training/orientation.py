"""How many of the real crops stand upside down, and ``half_turn: auto`` set by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from linetune.config.schema import Config
from linetune.data.dataset import Dataset
from linetune.decode.read import deployed_batches
from linetune.image import Crop, half_turned
from linetune.records import spread
from linetune.training.losses import ctc_losses
from linetune.training.reporter import Reporter, count
from linetune.weights.store import Model

MOST = 200
"""Crops that are looked at: the share within 5 points, in a few seconds."""
DECIDED = 1.0
"""Least difference of log-likelihoods; with less, a crop reads either way (0, 8, I) or not at all."""
CLEAR = 0.5
"""Least share of decided crops; with fewer, the model reads them either way up, having been trained to."""
EITHER = 0.1
"""``half_turn: auto`` where the model cannot tell: it keeps what it can."""
LEAST = 0.03
"""Share from which crops are turned in training; below, it may be a few bad labels."""


def with_half_turns(config: Config, model: Model, crops: Dataset, reporter: Reporter) -> Config:
    """The configuration with a number for every ``half_turn: auto``.

    Args:
        config: the run.
        model: the base model with the run's charset, on the CPU.
        crops: real ones.
        reporter: told what was found.
    """
    if all(stage.augment.half_turn != "auto" for stage in config.stages):
        return config
    share = turned_share(model, crops, lambda total: count(reporter, "which way up", total))
    if share is None:
        half_turn, found = EITHER, "the base model reads the real crops either way up"
    else:
        half_turn = round(share, 2) if share >= LEAST else 0.0
        found = f"about {share:.0%} of the real crops stand upside down"
    reporter.say(f"{found}, so half_turn: auto is {half_turn:g}")
    stages = [
        stage.model_copy(update={"augment": stage.augment.model_copy(update={"half_turn": half_turn})})
        if stage.augment.half_turn == "auto"
        else stage
        for stage in config.stages
    ]
    return config.model_copy(update={"stages": stages})


def turned_share(
    model: Model,
    crops: Dataset,
    progress: Callable[[int], Callable[[int], None]] = lambda total: lambda done: None,
) -> float | None:
    """Share of crops, 0 to 1, whose label the model finds likelier when they are turned by half.

    Only crops count whose label the model can write, and 0 is the share of none; None where most of
    them do not speak clearly for one way.
    """
    texts = crops.texts
    chosen = [i for i in spread(range(len(crops)), MOST) if not model.charset.missing(texts[i])]
    if not chosen:
        return 0.0
    told = progress(2 * len(chosen))
    labels = [model.charset.encode(texts[i]) for i in chosen]
    upright = [crops.crops[i] for i in chosen]
    turned = [half_turned(crop) for crop in upright]
    # Infinite where no frames suffice, either way: the difference is no number, and speaks for neither.
    losses = _losses(model, upright + turned, labels * 2, told).reshape(2, -1)
    with np.errstate(invalid="ignore"):
        gain = losses[0] - losses[1]
    clear = np.abs(gain) > DECIDED
    return float((gain[clear] > 0).mean()) if clear.mean() >= CLEAR else None


def _losses(
    model: Model, crops: Sequence[Crop], labels: Sequence[Sequence[int]], told: Callable[[int], None]
) -> NDArray[np.float64]:
    losses, done = np.zeros(len(crops)), 0
    for members, batch in deployed_batches(crops):
        # Probabilities of exactly 0 would make every label with such a frame impossible.
        likely = torch.from_numpy(model.network.run(batch)).clamp_min(1e-12).log()
        losses[members] = ctc_losses(likely, [labels[i] for i in members])
        done += len(members)
        told(done)
    return losses
