"""``linetune export``"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli.options import (
    BothWaysOption,
    JsonOption,
    ModelArgument,
    OverwriteOption,
    load_recogniser,
    print_json,
    refuse_existing,
)
from linetune.core.errors import LinetuneError, did_you_mean
from linetune.formats.registry import FORMATS, PRECISIONS

if TYPE_CHECKING:
    from linetune.formats.reduced import Reduced

ALL = "all"


def export(
    model: ModelArgument,
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help=f"{', '.join(FORMATS)}, or {ALL} there are."),
    ] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option(help="The file or folder to write (all: the folder); beside the model by default."),
    ] = None,
    compare_on: Annotated[
        Path | None, typer.Option(help="Label file of real crops to compare on; drawn crops by default.")
    ] = None,
    charset: Annotated[
        str | None, typer.Option(help="Limit the model to the characters in this file.")
    ] = None,
    precision: Annotated[
        str,
        typer.Option(
            metavar="PRECISION", help=f"{', '.join(PRECISIONS)}; the last two for onnx, measured beside fp32."
        ),
    ] = "fp32",
    max_loss: Annotated[
        float, typer.Option(min=0, max=100, help="Most points of exact match that fp16 or int8 may lose.")
    ] = 0.5,
    static: Annotated[
        str | None,
        typer.Option(
            metavar="BATCHxWIDTH",
            help="One fixed input shape for onnx, such as 1x320, for OpenCV's DNN, RKNN and other programs "
            "without dynamic axes. Wider lines have to be squashed to it.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    both_ways: BothWaysOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a model for other programs; fails unless the file reads what the model reads."""
    from linetune.core.labelfile import read_labels
    from linetune.data.dataset import load_dataset
    from linetune.formats.onnx_shape import Shape
    from linetune.report.terminal import terminal

    if form not in (*FORMATS, ALL):
        raise LinetuneError(f"no format {form!r}", "--format", did_you_mean(form, (*FORMATS, ALL)))
    if precision not in PRECISIONS:
        raise LinetuneError(f"no precision {precision!r}", "--precision", did_you_mean(precision, PRECISIONS))
    if precision != "fp32" and form != "onnx":
        raise LinetuneError(f"only for --format onnx, not {form}", f"--precision {precision}")
    if static is not None and (form != "onnx" or precision != "fp32"):
        raise LinetuneError("only for --format onnx in fp32", f"--static {static}")
    names = [name for name, each in FORMATS.items() if each.available] if form == ALL else [form]
    left_out = [name for name in FORMATS if name not in names] if form == ALL else []
    writers = {name: FORMATS[name].export for name in names}
    if static is not None:
        writers["onnx"] = partial(FORMATS["onnx"].export, shape=Shape.parse(static))
    folder, stem = _beside(model)
    if output is not None and form == ALL:
        if output.exists() and not output.is_dir():
            raise LinetuneError("not a folder", output, "--format all writes several files into one")
        folder, output = output, None
    suffix = "".join(f"-{part}" for part in (precision, static) if part not in ("fp32", None))
    for name in names:
        FORMATS[name].require()
    paths = {name: output or folder / f"{stem}{suffix}{FORMATS[name].ending}" for name in names}
    for name, path in paths.items():
        for file in FORMATS[name].writes(path):
            refuse_existing(file, overwrite)
    with terminal() as reporter:
        recogniser = load_recogniser(model, charset, reporter, both_ways=both_ways)
        data = load_dataset(read_labels(compare_on), None) if compare_on else None
        crops = data.crops if data else []
        if precision != "fp32":
            from linetune.formats.reduced import export_reduced

            texts = data.texts if data else []
            reduced = export_reduced(recogniser.model, paths[form], precision, crops, texts, max_loss)
            _print_reduced(reduced, as_json)
            return
        done = {name: writers[name](recogniser.model, path, crops) for name, path in paths.items()}
    if as_json:
        figures = {
            name: {
                "path": str(each.path),
                "crops": each.crops,
                "largest_difference": each.difference,
                "notes": each.notes,
            }
            for name, each in done.items()
        }
        print_json({"formats": figures, "left_out": left_out} if form == ALL else figures[form])
        return
    for each in done.values():
        print(
            f"wrote {each.path}: same texts on {each.crops} crops, probabilities within {each.difference:.1e}"
        )
        for note in each.notes:
            print(f"  {note}")
    for name in left_out:
        print(f"left out {name}: pip install linetune[{FORMATS[name].package}]")


def _print_reduced(done: Reduced, as_json: bool) -> None:
    if as_json:
        print_json({**dataclasses.asdict(done), "path": str(done.path), "speedup": done.speedup})
        return
    measured = (
        f"{done.alike} of {done.crops} drawn crops read as in fp32"
        if done.exact is None or done.exact_fp32 is None
        else f"{done.exact:.1%} exact, {done.exact_fp32:.1%} in fp32 on {done.crops} crops"
    )
    print(f"wrote {done.path}")
    print(
        f"{done.precision}: {measured}, {done.speedup:.1f} times as fast ({done.crops_per_second:.0f} and "
        f"{done.crops_per_second_fp32:.0f} crops a second, one thread), "
        f"{done.bytes / 1e6:.1f} of {done.bytes_fp32 / 1e6:.1f} MB"
    )
    if done.exact is None:
        print("  accuracy was not measured; --compare-on LABELS does, and gives int8 real crops to fit")


def _beside(model: str) -> tuple[Path, str]:
    """Folder and name of an export without ``--output``."""
    path = Path(model)
    if path.is_dir():
        return path, "model"
    return (path.parent, path.stem) if path.is_file() else (Path(), path.name)
