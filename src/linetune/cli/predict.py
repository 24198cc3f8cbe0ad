"""``linetune predict``"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import BothWaysOption, JsonOption, ModelArgument, load_recogniser, print_json
from linetune.core import files
from linetune.core.errors import LinetuneError, many_errors
from linetune.decode import Reading


def predict(
    model: ModelArgument,
    images: Annotated[
        list[Path],
        # What cannot be read is told beside the readings.
        typer.Argument(
            metavar="IMAGES...", help=f"Crops, or folders of crops: {files.RULE}.", readable=False
        ),
    ],
    charset: Annotated[
        str | None, typer.Option(help="Limit the model to the characters in this file.")
    ] = None,
    both_ways: BothWaysOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read crops: path, text and confidence, separated by tabs; exit code 1 if some cannot be read."""
    from linetune.core import image
    from linetune.core.progress import count
    from linetune.evaluation.acceptance import DIGITS, round_down
    from linetune.report.terminal import terminal

    results: dict[Path, Reading | LinetuneError] = {}
    paths = [path for given in images for path in _expand(given, results)]
    for path in paths:
        if not as_json and {"\t", "\n", "\r"} & set(str(path)):
            what = "a tab or line break in the name would break the columns"
            results[path] = LinetuneError(what, repr(str(path)), "use --json")
    with terminal() as reporter:
        recogniser = load_recogniser(model, charset, reporter, both_ways=both_ways)
        progress = count(reporter, "opening", len(paths))
        crops: dict[Path, image.Crop] = {}
        for number, path in enumerate(paths, 1):
            try:
                if path not in results:
                    crops[path] = image.resize(image.read(path))
            except LinetuneError as error:
                results[path] = LinetuneError(error.what, path, error.hint)
            progress(number)
        readings = recogniser.read(crops.values(), progress=count(reporter, "reading", len(crops)))
        results |= dict(zip(crops, readings, strict=True))
    failed = [result for path in paths if isinstance(result := results[path], LinetuneError)]
    if len(failed) == len(paths):
        raise many_errors(failed, "images cannot be read") if len(failed) > 1 else failed[0]
    if as_json:
        print_json([{"image": str(path)} | _fields(results[path]) for path in paths])
    else:
        for path in paths:
            if isinstance(result := results[path], Reading):
                print(f"{path}\t{result.text}\t{round_down(result.confidence):.{DIGITS}f}")
    for failure in failed:
        print(f"error: {failure}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(paths)} images cannot be read", file=sys.stderr)
        raise typer.Exit(1)


def _fields(result: Reading | LinetuneError) -> dict[str, str | float]:
    if isinstance(result, LinetuneError):
        return {"error": result.what}
    return {"text": result.text, "confidence": result.confidence}


def _expand(path: Path, results: dict[Path, Reading | LinetuneError]) -> list[Path]:
    """A file, or the images of a folder; what is wrong with folders comes into ``results``, by path."""
    from linetune.core import image

    if not os.path.isdir(path):  # noqa: PTH112 - unlike Path's own method, it takes any name
        return [path]
    unreadable: list[LinetuneError] = []
    inside, others = image.in_folder(path, unreadable)
    if not inside and not unreadable:
        hint = f"looked for {', '.join(sorted(image.SUFFIXES))}"
        unreadable.append(LinetuneError("no images in this folder", path, hint))
    failed = {Path(str(error.where)): error for error in unreadable}
    results |= failed
    if others:
        such = f"{len(others)} file{'s' if len(others) > 1 else ''}, such as {others[0]}"
        print(f"{path}: left out what is no image by its name: {such}", file=sys.stderr)
    return [*inside, *failed]
