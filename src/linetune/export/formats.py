"""The formats a model can be exported to, by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from linetune.core.errors import LinetuneError
from linetune.weights import paddle_inference

if TYPE_CHECKING:
    from linetune.core.image import Crop
    from linetune.export.onnx_file import Shape
    from linetune.export.parity import Exported
    from linetune.weights.store import Model

Exporter: TypeAlias = "Callable[[Model, Path, Sequence[Crop]], Exported]"
"""Writes a model to a file or folder, compared on the crops, or on drawn ones where there are none."""

# The exporters are imported when they are called: the command line lists the formats at once.

RAPIDOCR_ORDER = "RapidOCR puts it in logical order with Rec.lang_type: arabic (pip install 'rapidocr[rtl]')"
PADDLEOCR_ORDER = (
    "PaddleOCR's tools put it in logical order when the word arabic stands in the dictionary's path"
)


def _onnx(model: Model, path: Path, crops: Sequence[Crop], shape: Shape | None = None) -> Exported:
    from linetune.export.onnx_file import export_onnx

    return _visual_order(model, export_onnx(model, path, crops, shape), RAPIDOCR_ORDER)


def onnx_of_shape(shape: str) -> Exporter:
    """What writes an ONNX file of one input shape.

    Args:
        shape: such as ``1x320``.

    Raises:
        LinetuneError: it is no shape that the network takes.
    """
    from linetune.export.onnx_file import Shape

    return partial(_onnx, shape=Shape.parse(shape))


def _pdparams(model: Model, path: Path, crops: Sequence[Crop]) -> Exported:
    from linetune.export.pdparams import export_pdparams

    done = _visual_order(model, export_pdparams(model, path, crops), PADDLEOCR_ORDER)
    return _one_way(model, done)


def _paddle(model: Model, path: Path, crops: Sequence[Crop]) -> Exported:
    from linetune.export.paddle import export_paddle

    return _visual_order(model, export_paddle(model, path, crops))


def _hf(model: Model, path: Path, crops: Sequence[Crop]) -> Exported:
    from linetune.export.hf import export_hf

    return _one_way(model, _visual_order(model, export_hf(model, path, crops)))


def _one_way(model: Model, done: Exported) -> Exported:
    """Formats of weights alone, which the program that loads them puts into a network of its own."""
    note = (
        "reads crops as they stand, and those upside down wrong: only onnx and paddle hold reading both ways "
        "up; for this format train with both_ways: false and some half_turn"
    )
    return replace(done, notes=(*done.notes, note)) if model.both_ways else done


def _visual_order(model: Model, done: Exported, way_out: str | None = None) -> Exported:
    """Readers of other programs give the letters in the order of the frames."""
    note = (
        "right-to-left text comes in visual order, from left to right, from programs other than linetune; "
        + (way_out or "linetune.core.reading_order.to_logical puts it in logical order")
    )
    return replace(done, notes=(*done.notes, note)) if model.charset.right_to_left else done


PRECISIONS = ("fp32", "fp16", "int8")
"""Those of an ONNX file; the other formats are fp32."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format, and what the command line has to know before it writes one."""

    export: Exporter
    ending: str
    """What follows the model's name in the path to write, where the user gives none."""
    writes: Callable[[Path], Sequence[Path]] = lambda path: (path,)
    """The files that a path stands for."""
    package: str | None = None
    """The package that it needs and that linetune's own name, as an extra, installs."""

    @property
    def available(self) -> bool:
        """Whether what it needs is installed."""
        return self.package is None or importlib.util.find_spec(self.package) is not None


FORMATS = {
    "onnx": Format(_onnx, ".onnx"),
    "hf": Format(_hf, "-hf"),
    "paddle": Format(
        _paddle, "_paddle", lambda path: [path / name for name in paddle_inference.FILES], "paddle"
    ),
    "pdparams": Format(
        _pdparams, ".pdparams", lambda path: [path, path.with_suffix(".txt"), path.with_suffix(".yml")]
    ),
}


def available(name: str) -> Format:
    """A format that can be written here.

    Raises:
        LinetuneError: it needs a package that is not installed.
    """
    form = FORMATS[name]
    if not form.available:
        raise LinetuneError(
            f"needs the package {form.package!r}", f"--format {name}", f"pip install linetune[{form.package}]"
        )
    return form
