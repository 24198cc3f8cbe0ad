"""Whether a stage on rendered crops will help, found on a few of them before the rest are rendered.

Rendered crops help as far as they look like the real ones. Whether they do cannot be told from fonts and
looks alone, but the real crops' own labels tell it soon: a head that was trained on a thousand rendered
crops either finds these labels more probable than before, or less (docs/recipe.md has the measurements).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

from linetune.config.schema import Stage
from linetune.core.progress import Silent
from linetune.data.dataset import Dataset
from linetune.models.network import Network
from linetune.training.stage import Setting, train_stage, validate

PASSES = 4
"""Times that a trial's crops are seen."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Mean probability of the validation labels before and after a trial, 0 to 1."""

    crops: int
    before: float
    after: float

    @property
    def helps(self) -> bool:
        """Whether the labels became more probable."""
        return self.after > self.before

    def sentence(self) -> str:
        """What it came to."""
        change = f"{self.before:.1%} to {self.after:.1%}"
        told = f"{self.crops} rendered crops take the mean probability of the validation labels from {change}"
        return told if self.helps else f"skipped: {told}"


def tried(network: Network, stage: Stage, number: int, rendered: Dataset, setting: Setting) -> Trial:
    """Train a copy of the network on a few rendered crops.

    Args:
        network: what the stage would start from.
        stage: a stage on rendered crops.
        number: its place in the run.
        rendered: a few of them.
        setting: what the stages share.
    """
    _, before = validate(network, setting)
    length = {"epochs": PASSES, "steps": None, "patience": None, "name": f"{stage.name}-trial"}
    quiet = replace(setting, reporter=Silent())
    found = train_stage(copy.deepcopy(network), stage.model_copy(update=length), number, rendered, quiet)
    return Trial(len(rendered), before, found.label_probability)
