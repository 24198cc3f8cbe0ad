"""The Python interface: load a model, read images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.install import needs_train
from linetune.core.progress import Reporter, Silent, count
from linetune.decode import Decoder, Reading
from linetune.decode.read import Run, read_crops, run_deployed
from linetune.formats.onnx_reader import OnnxReader, open_reader
from linetune.formats.origin import VOID

NO_RULE = "none"
"""In place of a rule: read without one."""

if TYPE_CHECKING:
    import PIL.Image

    from linetune.formats.model import Model

Probabilities: TypeAlias = NDArray[np.float32]
Image: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[np.uint8] | PIL.Image.Image"
"""The path or the content of a file, an array (grey, BGR or BGRA), or a PIL image."""


class Reader(Protocol):
    """What reads: a model in torch, or an exported file in onnxruntime."""

    @property
    def charset(self) -> Charset:
        """The characters it can output."""

    @property
    def decoder(self) -> Decoder:
        """Turns its class probabilities into readings."""

    @property
    def promise(self) -> Mapping[str, Any]:
        """The promise that decides which readings are accepted. Empty if there is none."""

    @property
    def run(self) -> Run:
        """Computes the class probabilities of packed images."""


class Recogniser:
    """Reads crops of text lines.

    An ONNX file that linetune exported needs the small installation only. Any other model needs
    ``pip install 'linetune[train]'``.

    Several threads can read with one recogniser at the same time. It can be pickled, for the processes of
    ``multiprocessing``; that of an ONNX file opens the file again there. A forked process can use the
    recogniser of its parent, with one thread.

    Example:
        >>> recogniser = Recogniser.load("runs/mine")
        >>> recogniser.read(["crop.jpg"])
        [Reading(text='LOT 4711', confidence=0.98)]
    """

    def __init__(self, reader: Reader, lost: Sequence[str] = ()) -> None:
        self._reader = reader
        self.lost = lost
        """``calibration`` and ``promise``, if the model has them and they do not hold for another rule."""

    @classmethod
    def load(
        cls,
        model: str | Path,
        charset: Charset | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
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
            LinetuneError: the model or the rule does not exist or cannot be used, or it needs torch, which is
                not installed.
        """
        path, wanted = Path(model), _rule(rule)
        if path.suffix == ".onnx" and not path.is_dir() and not charset:
            reader = open_reader(path, wanted)
            if reader and (reader.reads_both_ways or not both_ways):
                return cls(reader, reader.lost)
        with needs_train():
            from linetune.core.device import survive_forks
            from linetune.formats.model import with_rule
            from linetune.formats.official import load_base
            from linetune.formats.transfer import with_charset
        survive_forks()
        loaded = before = load_base(str(model), progress)
        if both_ways and not loaded.both_ways:
            # The calibration and the promise hold for the readings of one way up.
            loaded = replace(loaded, both_ways=True, calibration={}, promise={})
        if wanted is not None:
            loaded = with_rule(loaded, wanted)
        lost = [key for key in VOID if getattr(before, key) and not getattr(loaded, key)]
        return cls(with_charset(loaded, charset).model if charset else loaded, lost)

    @property
    def in_onnxruntime(self) -> bool:
        """Whether onnxruntime reads, instead of torch."""
        return isinstance(self._reader, OnnxReader)

    @property
    def model(self) -> Model:
        """The model in torch, for example to export it.

        Raises:
            LinetuneError: torch is not installed, or the weights of an ONNX file are rounded.
        """
        with needs_train():
            from linetune.formats.model import Model, with_rule
            from linetune.formats.official import load_base
        if isinstance(self._reader, OnnxReader):
            return with_rule(load_base(str(self._reader.path)), self._reader.rule)
        assert isinstance(self._reader, Model)
        return self._reader

    @property
    def charset(self) -> Charset:
        """The characters the model can output."""
        return self._reader.charset

    @property
    def promise(self) -> Mapping[str, Any]:
        """The record of the promise of ``linetune threshold``. Empty if there is none."""
        return self._reader.promise

    @cached_property
    def decoder(self) -> Decoder:
        """Turns class probabilities into readings."""
        # Once for all readings: a rule takes up to seconds to compile.
        return self._reader.decoder

    def probabilities(self, crops: Sequence[image.Crop]) -> Iterator[tuple[NDArray[np.int64], Probabilities]]:
        """Yield batches of (crop numbers, class probabilities of shape (batch, frames, classes)).

        Args:
            crops: BGR uint8 images of any size. See :func:`linetune.core.image.resize`.
        """
        return run_deployed(self._reader.run, crops)

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
        crops = [_crop(each, number)[0] for number, each in enumerate(images)]
        if batch_size < 1:
            raise LinetuneError(f"batch_size is {batch_size}, but must be at least 1")
        return read_crops(self._reader.run, crops, self.decoder, batch_size, progress)

    def read_files(
        self, paths: Iterable[Path], reporter: Reporter | None = None
    ) -> dict[Path, Reading | LinetuneError]:
        """Read image files. A file that cannot be read has its error in place of a reading.

        Args:
            paths: image files of one line each.
            reporter: shows the progress, and which images look like whole photos; None for neither.
        """
        reporter = reporter or Silent()
        paths = list(dict.fromkeys(paths))
        progress = count(reporter, "opening", len(paths))
        crops: dict[Path, image.Crop] = {}
        errors: dict[Path, LinetuneError] = {}
        photos: list[Path] = []
        for number, path in enumerate(paths, 1):
            try:
                crops[path], is_photo = _crop(path, number)
                if is_photo:
                    photos.append(path)
            except LinetuneError as error:
                errors[path] = error
            progress(number)
        if photos:
            reporter.say(image.photo_warning(photos, len(paths)))
        readings = self.read(crops.values(), progress=count(reporter, "reading", len(crops)))
        return errors | dict(zip(crops, readings, strict=True))


def _rule(rule: str | Path | None) -> Mapping[str, Any] | None:
    """Return the rule of a file, an empty one for ``none``, and None for that of the model."""
    if rule is None or str(rule) == NO_RULE:
        return None if rule is None else {}
    from linetune.rules.saved import read

    with needs_train():
        return read(Path(rule))


def _crop(source: Image, number: int) -> tuple[image.Crop, bool]:
    """Return an image at the network's height, and whether it looks like a whole photo."""
    where = source if isinstance(source, (str, os.PathLike)) else f"images[{number}]"
    try:
        whole = image.to_crop(source, where)
        return image.resize(whole), image.is_photo(*whole.shape[:2])
    except LinetuneError as error:
        raise error.at(where) from None
