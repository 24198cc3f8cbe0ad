"""``linetune export``"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import (
    JsonOption,
    ModelArgument,
    OverwriteOption,
    load_recogniser,
    print_json,
    refuse_existing,
)


class Format(str, Enum):
    """Formats a model can be exported to."""

    onnx = "onnx"
    hf = "hf"


ENDINGS = {Format.onnx: ".onnx", Format.hf: "-hf"}
"""How the name of what is written ends."""


def export(
    model: ModelArgument,
    form: Annotated[
        Format, typer.Option("--format", help="onnx, or hf: a folder for transformers.")
    ] = Format.onnx,
    output: Annotated[
        Path | None, typer.Option(help="The file or folder to write; beside the model by default.")
    ] = None,
    compare_on: Annotated[
        Path | None, typer.Option(help="Label file of real crops to compare on; drawn crops by default.")
    ] = None,
    charset: Annotated[
        str | None, typer.Option(help="Limit the model to the characters in this file.")
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a model for other programs; fails unless the file reads what the model reads."""
    from linetune.data.dataset import load_dataset
    from linetune.export.formats import FORMATS
    from linetune.records import read_labels
    from linetune.report.terminal import terminal

    path = output or _beside(model, form)
    refuse_existing(path, overwrite)
    with terminal() as reporter:
        recogniser = load_recogniser(model, charset, reporter)
        crops = load_dataset(read_labels(compare_on), None).crops if compare_on else []
        exported = FORMATS[form.value](recogniser.model, path, crops)
    if as_json:
        print_json(
            {
                "path": str(exported.path),
                "crops": exported.crops,
                "largest_difference": exported.difference,
                "unchecked": exported.unchecked,
            }
        )
        return
    print(
        f"wrote {exported.path}: same texts on {exported.crops} crops, "
        f"probabilities within {exported.difference:.1e}"
    )
    if exported.unchecked:
        print(f"not compared in the program it is for: {exported.unchecked}")


def _beside(model: str, form: Format) -> Path:
    path, ending = Path(model), ENDINGS[form]
    if path.is_dir():
        return path / f"model{ending}"
    return path.with_name(f"{path.stem if path.is_file() else path.name}{ending}")
