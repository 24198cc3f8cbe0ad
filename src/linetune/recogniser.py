"""The Python door: load a model, read images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from linetune import image
from linetune.charset import Charset
from linetune.decode.greedy import Reading
from linetune.decode.read import read_crops
from linetune.errors import LinetuneError
from linetune.weights.official import load_base
from linetune.weights.sources import Progress
from linetune.weights.store import Model
from linetune.weights.transfer import with_charset

Image: TypeAlias = "str | Path | NDArray[np.uint8]"
"""A file, or a BGR uint8 array of shape (height, width, 3)."""


class Recogniser:
    """Reads crops of text lines.

    Example:
        >>> recogniser = Recogniser.load("runs/mine")
        >>> recogniser.read(["crop.jpg"])
        [Reading(text='LOT 4711', confidence=0.98)]
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @classmethod
    def load(
        cls,
        model: str | Path,
        charset: Charset | None = None,
        progress: Progress = lambda done, total: None,
        both_ways: bool = False,
    ) -> Recogniser:
        """Load a run's folder, a model file, or an official model by name.

        Args:
            model: for example ``runs/mine``, ``model.safetensors`` or ``PP-OCRv6_small_rec``.
            charset: limit the model to these characters; those it does not know read badly.
            progress: told of a download.
            both_ways: read every crop upside down too and keep the surer reading, whatever the model says.

        Raises:
            LinetuneError: there is no such model.
        """
        loaded = load_base(str(model), progress)
        loaded.both_ways |= both_ways
        return cls(with_charset(loaded, charset).model if charset else loaded)

    @property
    def charset(self) -> Charset:
        """The characters the model can output."""
        return self.model.charset

    def read(
        self,
        images: Sequence[Image],
        batch_size: int = 32,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Reading]:
        """Texts and confidences, in the order given; no text depends on what else is read.

        Raises:
            LinetuneError: an image cannot be read, or is no single line.
        """
        if isinstance(images, (str, Path, np.ndarray)):
            raise LinetuneError("expected a list of images, got one", hint="read([image]) reads one")
        crops = [_crop(each) for each in images]
        return read_crops(self.model.reader.run, crops, self.charset, batch_size, progress)


def _crop(source: Image) -> NDArray[np.uint8]:
    """An image at the network's height."""
    if isinstance(source, (str, Path)):
        try:
            return image.resize(image.read(Path(source)))
        except LinetuneError as error:
            raise LinetuneError(error.what, source) from None
    if not isinstance(source, np.ndarray):
        hint = "cv2.imread gives None for a file that it cannot read" if source is None else None
        raise LinetuneError(f"expected files or images, got {source!r}", hint=hint)
    if source.dtype != np.uint8 or source.ndim != 3 or source.shape[2] != 3 or 0 in source.shape:
        raise LinetuneError(
            f"expected a BGR uint8 image of shape (height, width, 3), got {source.dtype} {source.shape}"
        )
    return image.resize(source)
