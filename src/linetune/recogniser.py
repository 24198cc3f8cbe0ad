"""The Python interface: load a model, read images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.device import survive_forks
from linetune.core.errors import LinetuneError
from linetune.core.progress import Reporter, Silent, count
from linetune.decode import Reading
from linetune.decode.read import read_crops
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.sources import Progress
from linetune.formats.transfer import with_charset
from linetune.rules.saved import read as read_rule

NO_RULE = "none"
"""In place of a rule: read without one."""

if TYPE_CHECKING:
    import PIL.Image

Image: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[np.uint8] | PIL.Image.Image"
"""The path or the content of a file, an array (grey, BGR or BGRA), or a PIL image."""


class Recogniser:
    """Reads crops of text lines.

    Several threads can read with one recogniser at the same time. A forked process can use the recogniser of
    its parent, with one thread.

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
        rule: str | Path | None = None,
    ) -> Recogniser:
        """Load a run's folder, a model file, or an official model by name.

        Args:
            model: for example ``runs/mine``, ``model.safetensors`` or ``PP-OCRv6_small_rec``.
            charset: limit the model to these characters. It reads unknown ones badly.
            progress: called with the bytes done and the bytes in total during a download.
            both_ways: read every crop both ways up, whatever the model says.
            rule: a file of the rule to read by (see :func:`linetune.rules.saved.read`), or ``none`` to read
                without a rule. By default, that of the model.

        Raises:
            LinetuneError: the model or the rule does not exist or cannot be used.
        """
        loaded = load_base(str(model), progress)
        if both_ways and not loaded.both_ways:
            # The calibration and the promise hold for the readings of one way up.
            loaded = replace(loaded, both_ways=True, calibration={}, promise={})
        wanted = loaded.rule if rule is None else {} if str(rule) == NO_RULE else read_rule(Path(rule))
        if wanted != loaded.rule:
            loaded = replace(loaded, rule=wanted, calibration={}, promise={})
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
        """Read images. Return one reading for each, in order. A text depends on its image alone.

        Args:
            images: each shows one text line. A path or the content of a file, an array (grey, BGR or BGRA),
                or a PIL image.
            batch_size: largest number of crops that go through the network together.
            progress: called with the number of crops read so far.

        Raises:
            LinetuneError: an image cannot be read, or is not one text line.
        """
        one = isinstance(images, (str, Path, bytes, bytearray)) or getattr(images, "ndim", 4) in (2, 3)
        if one or not isinstance(images, Iterable) or isinstance(images, (dict, set, frozenset)):
            raise LinetuneError(
                f"expected a list of images, got {'one' if one else type(images).__name__}",
                hint="read([image]) reads one image",
            )
        crops = [_crop(each, number) for number, each in enumerate(images)]
        if batch_size < 1:
            raise LinetuneError(f"batch_size is {batch_size}, but must be at least 1")
        return read_crops(self.model.reader.run, crops, self.model.decoder, batch_size, progress)

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
    """Return an image at the network's height."""
    where = source if isinstance(source, (str, os.PathLike)) else f"images[{number}]"
    try:
        return image.resize(image.to_crop(source, where))
    except LinetuneError as error:
        raise error.at(where) from None
