"""The Python door: load a model, read images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.device import survive_forks
from linetune.core.errors import LinetuneError
from linetune.core.progress import Reporter, Silent, count
from linetune.decode.greedy import Reading
from linetune.decode.read import read_crops
from linetune.weights.official import load_base
from linetune.weights.sources import Progress
from linetune.weights.store import Model
from linetune.weights.transfer import with_charset

if TYPE_CHECKING:
    import PIL.Image

Image: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[np.uint8] | PIL.Image.Image"
"""A file's path or content, an array (grey, BGR or BGRA) or a PIL image: what ``image.to_crop`` takes."""


class Recogniser:
    """Reads crops of text lines.

    Several threads may read with one recogniser at once. A process that is forked from one that has loaded a
    recogniser reads as well, with one thread.

    Example:
        >>> recogniser = Recogniser.load("runs/mine")
        >>> recogniser.read(["crop.jpg"])
        [Reading(text='LOT 4711', confidence=0.98)]
    """

    def __init__(self, model: Model) -> None:
        survive_forks()
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
        images: Iterable[Image],
        batch_size: int = 32,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Reading]:
        """Texts and confidences, in the order given; no text depends on what else is read.

        Args:
            images: crops of one line each, of any kind that :func:`linetune.core.image.to_crop` takes.
            batch_size: most crops that go through the network together.
            progress: called with the number of crops read so far.

        Raises:
            LinetuneError: an image cannot be read, or is no single line.
        """
        one = isinstance(images, (str, Path, bytes, bytearray)) or getattr(images, "ndim", 4) in (2, 3)
        if one or not isinstance(images, Iterable) or isinstance(images, (dict, set, frozenset)):
            raise LinetuneError(
                f"expected a list of images, got {'one' if one else type(images).__name__}",
                hint="read([image]) reads one",
            )
        crops = [_crop(each, number) for number, each in enumerate(images)]
        if batch_size < 1:
            raise LinetuneError(f"batch_size is {batch_size}, and has to be at least 1")
        return read_crops(self.model.reader.run, crops, self.charset, batch_size, progress)

    def read_files(
        self, paths: Iterable[Path], reporter: Reporter | None = None
    ) -> dict[Path, Reading | LinetuneError]:
        """Read image files. A file that cannot be read has its error in place of a reading.

        Args:
            paths: image files of one line each.
            reporter: shows the progress; None for none.
        """
        reporter = reporter or Silent()
        paths = list(dict.fromkeys(paths))
        progress = count(reporter, "opening", len(paths))
        crops: dict[Path, image.Crop] = {}
        errors: dict[Path, LinetuneError] = {}
        for number, path in enumerate(paths, 1):
            try:
                crops[path] = _crop(path, number)
            except LinetuneError as error:
                errors[path] = error
            progress(number)
        readings = self.read(crops.values(), progress=count(reporter, "reading", len(crops)))
        return errors | dict(zip(crops, readings, strict=True))


def _crop(source: Image, number: int) -> NDArray[np.uint8]:
    """An image at the network's height."""
    where = source if isinstance(source, (str, os.PathLike)) else f"images[{number}]"
    try:
        return image.resize(image.to_crop(source, where))
    except LinetuneError as error:
        raise error.at(where) from None
