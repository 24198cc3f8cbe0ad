"""What an export writes: the formats, their files, and the places of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linetune.core.errors import LinetuneError, did_you_mean
from linetune.formats.registry import FORMATS, PRECISIONS

if TYPE_CHECKING:
    from linetune.core.image import Crop
    from linetune.formats.model import Model
    from linetune.formats.parity import Exported

ALL = "all"
"""In place of a format: every format whose packages are installed."""


@dataclass(frozen=True, slots=True)
class Target:
    """One format to write."""

    format: str
    path: Path
    """The file or folder."""
    options: Mapping[str, Any]
    """Options of the format, such as the fixed shape of an ONNX file."""

    def export(self, model: Model, crops: Sequence[Crop]) -> Exported:
        """Write a model, and compare it on crops."""
        return FORMATS[self.format].export(model, self.path, crops, **self.options)

    @property
    def files(self) -> Sequence[Path]:
        """Files and folders that the export writes."""
        return FORMATS[self.format].writes(self.path)


def export_targets(
    model: str,
    form: str,
    output: Path | None = None,
    precision: str = PRECISIONS[0],
    static: str | None = None,
    cut: bool = False,
) -> list[Target]:
    """Return what an export of a model writes.

    Args:
        model: a run folder, a model file or an official name. Its name is the name of the output.
        form: a format, or :data:`ALL`.
        output: the file or folder to write. For ``ALL``, the folder for all files. By default, the place is
            beside the model.
        precision: one of :data:`~linetune.formats.registry.PRECISIONS`. Only ONNX has others than the first.
        static: the one input shape of an ONNX file, such as ``1x320``.
        cut: whether an ONNX file cuts off its own padding.

    Raises:
        LinetuneError: a format, precision or shape is unknown, they do not fit together, a package is
            missing, or ``output`` is a file where a folder is needed.
    """
    if form not in (*FORMATS, ALL):
        raise LinetuneError(f"no format {form!r}", "--format", did_you_mean(form, (*FORMATS, ALL)))
    if precision not in PRECISIONS:
        raise LinetuneError(f"no precision {precision!r}", "--precision", did_you_mean(precision, PRECISIONS))
    if precision != "fp32" and form != "onnx":
        raise LinetuneError(f"only for --format onnx, not {form}", f"--precision {precision}")
    if static is not None and (form != "onnx" or precision != "fp32"):
        raise LinetuneError("only for --format onnx in fp32", f"--static {static}")
    if cut and (form != "onnx" or static is not None):
        raise LinetuneError("only for --format onnx without --static", "--cut-padding")
    options = {}
    if static is not None:
        from linetune.formats.onnx_shape import Shape  # imports torch, which only this option needs here

        options["shape"] = Shape.parse(static)
    names = [name for name in FORMATS if FORMATS[name].available] if form == ALL else [form]
    folder, stem = _beside(model)
    if output is not None and form == ALL:
        if output.exists() and not output.is_dir():
            raise LinetuneError("not a folder", output, "--format all writes several files into a folder")
        folder, output = output, None
    suffix = "".join(
        f"-{part}" for part in (precision, static, "cut" if cut else None) if part not in ("fp32", None)
    )
    for name in names:
        FORMATS[name].require()
    return [
        Target(name, output or folder / f"{stem}{suffix}{FORMATS[name].ending}", options) for name in names
    ]


def _beside(model: str) -> tuple[Path, str]:
    """Return the folder and the name of an export without a path of its own."""
    path = Path(model)
    if path.is_dir():
        return path, "model"
    return (path.parent, path.stem) if path.is_file() else (Path(), path.name)
