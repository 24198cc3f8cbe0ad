"""The one input shape of an ONNX file for programs without dynamic axes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.decode import default_decoder
from linetune.decode.read import Run, read_crops

if TYPE_CHECKING:
    from linetune.formats.model import Model


@dataclass(frozen=True, slots=True)
class Shape:
    """The one input shape of a file for programs without dynamic axes: (batch, 3, 48, width)."""

    batch: int
    width: int
    """px, with the padding."""

    @classmethod
    def parse(cls, text: str) -> Shape:
        """Return the shape that ``1x320`` means.

        Raises:
            LinetuneError: the text is not a shape, or the network cannot read its width.
        """
        found = re.fullmatch(rf"(\d{{1,4}})[x×](?:3[x×]{image.HEIGHT}[x×])?(\d{{1,5}})", text)
        batch, width = map(int, found.groups()) if found else (0, 0)
        if text == f"{image.HEIGHT}x{width}":
            # Other programs write the height and the width.
            batch = 0
        if not batch or not image.HEIGHT <= width <= image.MAX_WIDTH or width % 8:
            raise LinetuneError(
                f"{text!r} is not an input shape",
                "--static",
                f"write BATCHxWIDTH, such as 1x320, with a width from {image.HEIGHT} to {image.MAX_WIDTH} px "
                "that 8 divides",
            )
        return cls(batch, width)

    def fit(self, crop: Crop) -> Crop:
        """Return a crop at the network's height, squashed to the shape's width where it is wider."""
        resized = image.resize(crop)
        if resized.shape[1] <= self.width:
            return resized
        size = (self.width, image.HEIGHT)
        return np.asarray(cv2.resize(resized, size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def at_width(self, run: Run) -> Run:
        """Return ``run`` at the width of the shape, for batches of any width."""

        def padded(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            fixed = np.zeros((*batch.shape[:3], self.width), np.float32)
            kept = min(self.width, batch.shape[3])
            fixed[..., :kept] = batch[..., :kept]
            return run(fixed)

        return padded

    def in_batches(self, run: Run) -> Run:
        """Return ``run`` in batches of the shape's size. Empty images fill the last batch."""

        def batched(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            missing = -len(batch) % self.batch
            full = np.concatenate((batch, np.zeros((missing, *batch.shape[1:]), np.float32)))
            pieces = [run(full[i : i + self.batch]) for i in range(0, len(full), self.batch)]
            return np.concatenate(pieces)[: len(batch)]

        return batched


def compare_widths(model: Model, crops: Sequence[Crop], shape: Shape) -> tuple[str, ...]:
    """Return notes on crops whose text at the fixed width differs from that at their own width."""
    fitting = [shape.fit(crop) for crop in crops]
    squashed = sum(image.line_width(*crop.shape[:2]) > shape.width for crop in crops)
    decoder = default_decoder(model.charset)
    own = read_crops(model.reader.run, crops, decoder)
    fixed = read_crops(shape.at_width(model.reader.run), fitting, decoder)
    changed = sum(a.text != b.text for a, b in zip(own, fixed, strict=True))
    what = f"batches of {shape.batch}, input {shape.batch} x 3 x {image.HEIGHT} x {shape.width}"
    if not squashed and not changed:
        return (what,)
    return (
        what,
        f"at a width of {shape.width} px, {changed} of {len(crops)} crops have another text than at their "
        f"own width, and {squashed} are squashed to fit",
    )
