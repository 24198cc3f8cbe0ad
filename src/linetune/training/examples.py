"""A few rendered crops in the run folder, for people to look at."""

from __future__ import annotations

from linetune.config.schema import Config
from linetune.core import image
from linetune.core.labelfile import write_labels
from linetune.synth.generate import LABELS
from linetune.training import plan
from linetune.training.folder import EXAMPLES
from linetune.training.gather import Inputs, uses_rendered

SHOWN = 12
"""Most crops that are saved."""


def save_examples(config: Config, inputs: Inputs) -> None:
    """Save the first rendered crops of a run and their labels in its folder, if it renders any.

    Raises:
        OSError: the folder cannot be written.
    """
    if config.synth is None or not uses_rendered(config):
        return
    # As many as the record of the run has rendered before. No crop is rendered for this.
    rendered = inputs.render(min(plan.FEW, config.synth.count))
    folder, names = config.output / EXAMPLES, [f"{number:02}.png" for number in range(SHOWN)]
    folder.mkdir(exist_ok=True)
    for name, crop in zip(names, rendered.crops, strict=False):
        image.write(folder / name, crop)
    write_labels(folder / LABELS, zip(names, rendered.texts, strict=False))
