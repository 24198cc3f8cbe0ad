"""``linetune export``"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core.outputs import refuse_existing
from linetune.formats.registry import FORMATS, PRECISIONS
from linetune.formats.targets import ALL, export_targets

if TYPE_CHECKING:
    from linetune.formats.parity import Exported
    from linetune.formats.rounded import Rounded

FormatOption = Annotated[
    str,
    typer.Option(
        "--format", metavar="FORMAT", help=f"{', '.join(FORMATS)}, or {ALL} of them that can be written here."
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help=f"The file or folder to write; for {ALL}, the folder for all files. The default is beside "
        "the model.",
    ),
]
CompareOnOption = Annotated[
    Path | None,
    typer.Option(
        metavar="LABELS", help="Compare on the crops of this label file. The default is drawn crops."
    ),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        metavar="PRECISION",
        help=f"{', '.join(PRECISIONS)}. fp16 and int8 are for onnx, and are measured against fp32.",
    ),
]
MaxLossOption = Annotated[
    float,
    typer.Option(
        min=0, max=100, help="Points of exact match that fp16, int8 or --cut-padding may lose at most."
    ),
]
StaticOption = Annotated[
    str | None,
    typer.Option(
        metavar="BATCHxWIDTH",
        help="Write onnx with one fixed input shape, such as 1x320, for programs without dynamic axes: "
        "OpenCV's DNN, RKNN. Wider lines have to be squashed to it.",
    ),
]
CutOption = Annotated[
    bool,
    typer.Option(
        "--cut-padding",
        help="Write onnx with a graph that cuts off its own padding. Every program then reads short lines "
        "faster. Some texts change: the file is measured against fp32 with all padding.",
    ),
]


def export(
    model: options.ModelArgument,
    form: FormatOption = "onnx",
    output: OutputOption = None,
    compare_on: CompareOnOption = None,
    charset: options.CharsetOption = None,
    precision: PrecisionOption = "fp32",
    max_loss: MaxLossOption = 0.5,
    static: StaticOption = None,
    cut_padding: CutOption = False,
    overwrite: options.OverwriteOption = False,
    both_ways: options.BothWaysOption = False,
    rule: options.RuleOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Write a model for other programs, and check that it reads the same texts.

    onnx is for onnxruntime and RapidOCR, hf for transformers, paddle for PaddleOCR, and pdparams for training
    in PaddleOCR. If the texts differ, the export fails and leaves no file.

    Example: linetune export mine/runs/first --format onnx --output codes.onnx
    """
    from linetune.core.labelfile import read_labels
    from linetune.data.dataset import load_dataset
    from linetune.report.terminal import terminal

    targets = export_targets(model, form, output, precision, static, cut_padding)
    for path in (path for target in targets for path in target.files):
        refuse_existing(path, overwrite, folder=True)
    with terminal(quiet) as reporter:
        recogniser = options.load_recogniser(model, charset, reporter, both_ways=both_ways, rule=rule)
        data = load_dataset(read_labels(compare_on), None) if compare_on else None
        crops, texts = (data.crops, data.texts) if data else ([], [])
        if precision != "fp32" or cut_padding:
            from linetune.formats.rounded import Faster, export_rounded

            path, faster = targets[0].path, Faster(precision, cut_padding)
            rounded = export_rounded(recogniser.model, path, faster, crops, texts, max_loss)
            _print_rounded(rounded, as_json)
            return
        exported = {target.format: target.export(recogniser.model, crops) for target in targets}
    left_out = [name for name in FORMATS if name not in exported] if form == ALL else []
    if as_json:
        results = {name: _as_dict(result) for name, result in exported.items()}
        options.print_json({"formats": results, "left_out": left_out} if form == ALL else results[form])
        return
    for result in exported.values():
        print(
            f"wrote {result.path}: same texts on {result.crops} crops, probabilities within "
            f"{result.difference:.1e}"
        )
        for note in result.notes:
            print(f"  {note}")
    for name in left_out:
        print(f"left out {name}: pip install linetune[{FORMATS[name].package}]")


def _as_dict(result: Exported) -> dict[str, object]:
    return {
        "path": str(result.path),
        "crops": result.crops,
        "largest_difference": result.difference,
        "notes": result.notes,
    }


def _print_rounded(rounded: Rounded, as_json: bool) -> None:
    if as_json:
        options.print_json(
            {
                **{key: value for key, value in dataclasses.asdict(rounded).items() if key != "form"},
                "path": str(rounded.path),
                "precision": rounded.form.precision,
                "cut_padding": rounded.form.cut,
                "speedup": rounded.speedup,
            }
        )
        return
    measured = (
        f"{rounded.alike} of {rounded.crops} drawn crops read as in fp32"
        if rounded.exact is None or rounded.exact_fp32 is None
        else f"{rounded.exact:.1%} exact, {rounded.exact_fp32:.1%} in fp32 on {rounded.crops} crops"
    )
    print(f"wrote {rounded.path}")
    print(
        f"{rounded.form}: {measured}, {rounded.speedup:.1f} times as fast "
        f"({rounded.crops_per_second:.0f} and {rounded.crops_per_second_fp32:.0f} crops a second, one thread)"
        f", {rounded.bytes / 1e6:.1f} of {rounded.bytes_fp32 / 1e6:.1f} MB"
    )
    if rounded.exact is None:
        print("  accuracy not measured: --compare-on LABELS measures it, and int8 adapts to these crops")
