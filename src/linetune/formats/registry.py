"""The formats of model files, by name. Adding one is a module here and a line in :data:`FORMATS`."""

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
"""Those of an ONNX file; the other formats are fp32."""
IN_PYTHON = "linetune.core.reading_order.to_logical puts it in logical order"
IN_RAPIDOCR = "RapidOCR puts it in logical order with Rec.lang_type: arabic (pip install 'rapidocr[rtl]')"
IN_PADDLEOCR = (
    "PaddleOCR's tools put it in logical order when the word arabic stands in the dictionary's path"
)


class Module(Protocol):
    """The functions that the module of a format has; ``export`` only where the format can be written."""

    def recognises(self, path: Path) -> bool:
        """Return whether a path is of this format, without reading tensors."""

    def load(self, path: Path, official: Official | None = None) -> Model:
        """Return the model in a file or folder; ``official`` is what it holds, if that is known.

        Raises:
            LinetuneError: it is damaged, its network unknown, or its dictionary missing.
        """

    def export(self, model: Model, path: Path, crops: Sequence[Crop] = (), **options: Any) -> Exported:
        """Write a model, and compare it on the crops, or on drawn ones where there are none.

        Raises:
            LinetuneError: the format cannot hold the model, or what is written reads another text.
        """


@dataclass(frozen=True, slots=True)
class Format:
    """A format, and what the command line has to know before it reads or writes one."""

    module: str
    """Name of its module here, imported at the first use: the command line lists the formats at once."""
    ending: str
    """What follows the model's name in the path to write, where the user gives none."""
    writes: Callable[[Path], Sequence[Path]] = lambda path: (path,)
    """The files that a path stands for."""
    package: str | None = None
    """The package that writing needs and that linetune's own name, as an extra, installs."""
    both_ways: bool = False
    """Whether a file says how to read both ways up. The others hold weights alone."""
    logical_order: str = IN_PYTHON
    """How users of the other program get right-to-left text in logical order."""

    @property
    def available(self) -> bool:
        """Whether what writing needs is installed."""
        return self.package is None or importlib.util.find_spec(self.package) is not None

    def recognises(self, path: Path) -> bool:
        """Return whether a path is of this format."""
        return self._module().recognises(path)

    def load(self, path: Path, official: Official | None = None) -> Model:
        """Read a model; see :meth:`Module.load`."""
        return self._module().load(path, official)

    def export(self, model: Model, path: Path, crops: Sequence[Crop] = (), **options: Any) -> Exported:
        """Write a model; see :meth:`Module.export`.

        Raises:
            LinetuneError: a package is missing, too.
        """
        self.require()
        done = self._module().export(model, path, crops, **options)
        notes = list(done.notes)
        if model.charset.right_to_left:
            notes.append(
                "right-to-left text comes in visual order, from left to right, from programs other than "
                f"linetune; {self.logical_order}"
            )
        if model.both_ways and not self.both_ways:
            notes.append(
                "reads crops as they stand, and those upside down wrong: only onnx and paddle hold reading "
                "both ways up; for this format train with both_ways: false and some half_turn"
            )
        return replace(done, notes=tuple(notes))

    def require(self) -> None:
        """Check that the format can be written here.

        Raises:
            LinetuneError: it needs a package that is not installed.
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
"""Our own format, which ``store.save_model`` writes."""
FORMATS = {
    "onnx": Format("onnx_file", ".onnx", both_ways=True, logical_order=IN_RAPIDOCR),
    "hf": Format("hf", "-hf"),
    "paddle": Format("paddle", "_paddle", _paddle_files, package="paddle", both_ways=True),
    "pdparams": Format("pdparams", ".pdparams", _pdparams_files, logical_order=IN_PADDLEOCR),
}
"""Those that ``linetune export`` writes."""
