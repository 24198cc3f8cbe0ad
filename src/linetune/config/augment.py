"""The ``augment`` section of a stage."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from linetune.config.fields import Probability, Section


class Augment(Section):
    """Augmentation of the crops of a stage: a probability from 0 to 1 for each operation.

    linetune draws anew for each crop and epoch whether an operation is applied. Each probability is 0 by
    default, which switches the operation off. Lengths in px are lengths at a height of 48 px.
    """

    warp: Probability = 0
    """Distort the crop smoothly; rotate (by up to 4 degrees), slant, zoom and shift it."""
    crop: Probability = 0
    """Cut up to 8 px off the top or the bottom."""
    clip: Probability = 0
    """Cut up to 6 px off the left or the right end, but not more than a quarter of the width."""
    blur: Probability = 0
    """Blur with a Gaussian of sigma 0.3 to 1.5 px."""
    brightness: Probability = 0
    """Change brightness, contrast and tint."""
    colours: Probability = 0
    """Swap the colour channels and reduce the saturation."""
    noise: Probability = 0
    """Add Gaussian noise with a sigma of up to 20 grey levels."""
    invert: Probability = 0
    """Make a negative image."""
    join: Probability = 0
    """Append another crop of the stage and its label, if both together are at most 320 px wide."""
    half_turn: Probability = 0
    """Turn the crop upside down. The label stays the same."""
    heights: Annotated[list[Literal[32, 48, 64]], Field(min_length=1)] = Field([48])
    """Heights of the training images: a list of 32, 48 and 64 px, by default [48]. One is drawn for each
    batch."""

    @property
    def is_off(self) -> bool:
        """Whether images pass unchanged."""
        return self == Augment()


STANDARD = Augment(warp=0.5, crop=0.4, clip=0.2, blur=0.3, brightness=0.5, noise=0.3, invert=0.1, join=0.1)
"""The probabilities of ``augment: standard``."""


def named_augment(value: Any) -> Any:
    """Return the section for the names ``none`` and ``standard``, and any mapping as it is."""
    if isinstance(value, str):
        named = {"none": Augment(), "standard": STANDARD}
        if value not in named:
            raise ValueError("expected none, standard, or a mapping of operations")
        return named[value]
    return value
