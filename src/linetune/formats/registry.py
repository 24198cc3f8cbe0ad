"""The formats of model files. Each is a module of this package with a constant ``FORMAT``."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from linetune import formats
from linetune.core.errors import LinetuneError

if TYPE_CHECKING:
    from linetune.core.image import Crop
    from linetune.formats.model import Model
    from linetune.formats.parity import Exported
    from linetune.models.architecture import Official

DEFAULT = "onnx"
"""The format that lists show first."""
PRECISIONS = ("fp32", "fp16", "int8")
"""Precisions of an ONNX file. The other formats are always fp32."""


class Module(Protocol):
    """The functions of a format's module."""

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
    """A format: what the command line has to know before it imports the module."""

    name: str
    ending: str
    """The end of the default path, after the name of the model."""
    files: tuple[str, ...] = ()
    """What an export writes: names of files in a folder, or suffixes. Empty if it writes only its path."""
    package: str | None = None
    """A package that writing needs. It is also the name of the extra of linetune that installs it."""
    both_ways: bool = False
    """Whether a file itself reads both ways up. Other formats have weights only."""
    logical_order: str = "linetune.core.reading_order.to_logical puts it in logical order"
    """How to get right-to-left text in logical order, for notes."""
    stem: str = ""
    """The name of its module in this package."""

    @property
    def module(self) -> Module:
        """The module, imported at the first use."""
        return cast("Module", importlib.import_module(f"{formats.__name__}.{self.stem}"))

    @property
    def available(self) -> bool:
        """Whether the package that writing needs is installed."""
        return self.package is None or importlib.util.find_spec(self.package) is not None

    def writes(self, path: Path) -> list[Path]:
        """Return the files that an export to a path writes."""
        return [path.with_suffix(name) if name.startswith(".") else path / name for name in self.files] or [
            path
        ]

    def export(self, model: Model, path: Path, crops: Sequence[Crop] = (), **options: Any) -> Exported:
        """Write a model, as :meth:`Module.export`, and add notes.

        Raises:
            LinetuneError: also if a package is missing.
        """
        self.require()
        done = self.module.export(model, path, crops, **options)
        notes = list(done.notes)
        if model.charset.right_to_left:
            notes.append(
                "other programs show right-to-left text in visual order, from left to right; "
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
            hint = f"pip install linetune[{self.package}]"
            raise LinetuneError(f"needs the package {self.package!r}", f"--format {self.name}", hint)


def find_formats() -> dict[str, Format]:
    """Return the formats of this package by name.

    The constant is read without running the module. Most modules import torch, and ``linetune --help`` cannot
    wait for that. The arguments of ``Format(...)`` are therefore literals.
    """
    constant = re.compile(r"^FORMAT = (Format\(.*?\))$", re.MULTILINE | re.DOTALL)
    found = []
    for path in (path for folder in formats.__path__ for path in Path(folder).glob("*.py")):
        for text in constant.findall(path.read_text("utf-8")):
            call = ast.parse(text, mode="eval").body
            assert isinstance(call, ast.Call)
            options = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
            form = Format(*map(ast.literal_eval, call.args), **options)
            found.append(replace(form, stem=path.stem))
    found.sort(key=lambda form: (form.name != DEFAULT, form.name))
    return {form.name: form for form in found}


FORMATS = find_formats()
"""The formats that ``linetune export`` writes, by name."""
