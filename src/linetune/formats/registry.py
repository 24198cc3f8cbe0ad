"""The formats of model files, by name. A new format is a module here and a line in :data:`FORMATS`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from linetune.core.errors import LinetuneError

if TYPE_CHECKING:
    from linetune.core.image import Crop
    from linetune.formats.model import Model
    from linetune.formats.parity import Exported
    from linetune.models.architecture import Official

PRECISIONS = ("fp32", "fp16", "int8")
"""Precisions of an ONNX file. The other formats are always fp32."""
IN_PYTHON = "linetune.core.reading_order.to_logical puts it in logical order"
IN_RAPIDOCR = "RapidOCR puts it in logical order with Rec.lang_type: arabic (pip install 'rapidocr[rtl]')"
IN_PADDLEOCR = (
    "PaddleOCR's tools put it in logical order if the path of the dictionary contains the word arabic"
)


class Module(Protocol):
    """The functions of a format's module. ``export`` is missing if linetune only reads the format."""

    def recognises(self, path: Path) -> bool:
        """Return whether a path is of this format, without reading tensors."""

    def load(self, path: Path, official: Official | None = None) -> Model:
        """Load the model in a file or folder. ``official`` is its official model, if this is known.

        Raises:
            LinetuneError: the file is damaged, its network unknown, or its dictionary missing.
        """

    def export(self, model: Model, path: Path, crops: Sequence[Crop] = (), **options: Any) -> Exported:
        """Write a model and compare it on crops. Without crops, linetune draws some.

        Raises:
            LinetuneError: the format cannot hold the model, or the written file reads another text.
        """


@dataclass(frozen=True, slots=True)
class Format:
    """A format: what the command line has to know without importing its module."""

    module: str
    """The name of its module in this package. It is imported at the first use."""
    ending: str
    """The end of the default path, after the name of the model."""
    writes: Callable[[Path], Sequence[Path]] = lambda path: (path,)
    """Returns the files that an export to a path writes."""
    package: str | None = None
    """A package that writing needs. It is also the name of the extra of linetune that installs it."""
    both_ways: bool = False
    """Whether a file itself reads both ways up. Other formats have weights only."""
    logical_order: str = IN_PYTHON
    """How to get right-to-left text in logical order, for notes."""

    @property
    def available(self) -> bool:
        """Whether the package that writing needs is installed."""
        return self.package is None or importlib.util.find_spec(self.package) is not None

    def recognises(self, path: Path) -> bool:
        """Return whether a path is of this format."""
        return self._module().recognises(path)

    def load(self, path: Path, official: Official | None = None) -> Model:
        """Load a model, as :meth:`Module.load`."""
        return self._module().load(path, official)

    def export(self, model: Model, path: Path, crops: Sequence[Crop] = (), **options: Any) -> Exported:
        """Write a model, as :meth:`Module.export`, and add notes.

        Raises:
            LinetuneError: also if a package is missing.
        """
        self.require()
        done = self._module().export(model, path, crops, **options)
        notes = list(done.notes)
        if model.charset.right_to_left:
            notes.append(
                "other programs give right-to-left text in visual order, from left to right; "
                f"{self.logical_order}"
            )
        if model.both_ways and not self.both_ways:
            notes.append(
                "reads crops upside down wrong, because only onnx and paddle can read both ways up; "
                "for this format, train with both_ways: false and some half_turn"
            )
        return replace(done, notes=tuple(notes))

    def require(self) -> None:
        """Check that the format can be written here.

        Raises:
            LinetuneError: a package that it needs is not installed.
        """
        if not self.available:
            name = next((name for name, form in FORMATS.items() if form is self), self.module)
            hint = f"pip install linetune[{self.package}]"
            raise LinetuneError(f"needs the package {self.package!r}", f"--format {name}", hint)

    def _module(self) -> Module:
        return cast("Module", importlib.import_module(f"linetune.formats.{self.module}"))


def _paddle_files(path: Path) -> list[Path]:
    return [path / name for name in ("inference.json", "inference.pdiparams", "inference.yml")]


def _pdparams_files(path: Path) -> list[Path]:
    return [path, path.with_suffix(".txt"), path.with_suffix(".yml")]


LINETUNE = Format("store", ".safetensors", both_ways=True)
"""Our own format. ``store.save_model`` writes it."""
FORMATS = {
    "onnx": Format("onnx_file", ".onnx", both_ways=True, logical_order=IN_RAPIDOCR),
    "hf": Format("hf", "-hf"),
    "paddle": Format("paddle", "_paddle", _paddle_files, package="paddle", both_ways=True),
    "pdparams": Format("pdparams", ".pdparams", _pdparams_files, logical_order=IN_PADDLEOCR),
}
"""The formats that ``linetune export`` writes."""
