"""A trial of rendered crops: whether a stage on them will help, found on a few before the rest are rendered.

Rendered crops help if they look like the real ones. The labels of the real crops show this soon: a head that
was trained on a thousand rendered crops finds these labels more probable than before, or less (docs/recipe.md
has the measurements).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from linetune.core.progress import Silent
from linetune.models.network import Network
from linetune.training.context import Context
from linetune.training.stage import StageTask, train_stage
from linetune.training.standing import TRIAL
from linetune.training.validation import Validator

PASSES = 4
"""Epochs of a trial."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The label probability on the validation crops before and after a trial, 0 to 1."""

    crops: int
    before: float
    after: float

    @property
    def helps(self) -> bool:
        """Whether the labels became more probable."""
        return self.after > self.before

    def sentence(self) -> str:
        """Return the result in one sentence."""
        change = f"the mean probability of the validation labels from {self.before:.1%} to {self.after:.1%}"
        sentence = f"a trial on {self.crops} rendered crops changed {change}"
        return sentence if self.helps else f"skipped: {sentence}"


def try_rendered(network: Network, task: StageTask, context: Context) -> Trial:
    """Train a copy of a network on a few rendered crops.

    Args:
        network: the network that the stage would start from.
        task: a stage on rendered crops, with a few of them.
        context: what all stages share.
    """
    before = Validator(context)(network).label_probability
    stage = task.stage
    short = {"epochs": PASSES, "steps": None, "patience": None, "name": stage.name + TRIAL}
    task = replace(task, stage=stage.model_copy(update=short))
    result = train_stage(copy.deepcopy(network), task, replace(context, reporter=Silent()))
    return Trial(len(task.data), before, result.best.label_probability)
