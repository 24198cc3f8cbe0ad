"""``linetune predict``"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import typer

from linetune.cli import options
from linetune.core import files
from linetune.core.errors import LinetuneError, many_errors
from linetune.decode import Reading


def predict(
    model: options.ModelArgument,
    images: options.ImagesArgument,
    charset: options.CharsetOption = None,
    both_ways: options.BothWaysOption = False,
    rule: options.RuleOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Read crops. Prints path, text and confidence, separated by tabs.

    If the model has a promise of linetune threshold, a fourth column says accept or refer.

    The exit code is 1 if some crops cannot be read, and 2 if none can.

    Example: linetune predict mine/runs/first photo.png folder
    """
    from linetune.evaluation.acceptance import confidence_text
    from linetune.report.terminal import terminal

    errors: dict[Path, LinetuneError] = {}
    paths = [path for argument in images for path in expand(argument, errors)]
    for path in paths:
        if not as_json and {"\t", "\n", "\r"} & set(str(path)):
            what = "a tab or line break in the name would break the columns"
            errors[path] = LinetuneError(what, repr(str(path)), "use --json")
    with terminal(quiet) as reporter:
        recogniser = options.load_recogniser(model, charset, reporter, both_ways=both_ways, rule=rule)
        readable = [path for path in paths if path not in errors]
        results: dict[Path, Reading | LinetuneError] = {**errors, **recogniser.read_files(readable, reporter)}
    failed = [result for path in paths if isinstance(result := results[path], LinetuneError)]
    readings = [result for path in paths if isinstance(result := results[path], Reading)]
    if len(failed) == len(paths):
        raise many_errors(failed, "images cannot be read") if len(failed) > 1 else failed[0]
    if as_json:
        options.print_json([{"image": str(path)} | _as_dict(results[path]) for path in paths])
    else:
        for path in paths:
            if isinstance(result := results[path], Reading):
                verdict = "" if result.accepted is None else f"\t{_verdict(result.accepted)}"
                print(f"{path}\t{result.text}\t{confidence_text(result.confidence)}{verdict}")
    if unruly := sum(reading.admitted is False for reading in readings):
        print(f"{unruly} of {len(readings)} crops follow no rule; their confidence is 0", file=sys.stderr)
    for failure in failed:
        print(f"error: {failure}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} of {len(paths)} images cannot be read", file=sys.stderr)
        raise typer.Exit(1)


def _as_dict(result: Reading | LinetuneError) -> dict[str, Any]:
    if isinstance(result, LinetuneError):
        return {"error": result.what}
    known: dict[str, Any] = {"text": result.text, "confidence": result.confidence}
    if result.score is not None and result.score != result.confidence:
        known |= {"score": result.score, "characters": list(result.characters)}
    if result.admitted is not None:
        known |= {"admitted": result.admitted, "follows": result.follows}
    if result.accepted is not None:
        known["verdict"] = _verdict(result.accepted)
    return known


def _verdict(accepted: bool) -> str:
    return "accept" if accepted else "refer"


def expand(path: Path, errors: dict[Path, LinetuneError]) -> list[Path]:
    """Return a file, or the images of a folder. Folders that cannot be read go into ``errors`` as well."""
    from linetune.core import image

    if not os.path.isdir(path):  # noqa: PTH112 - Path's own method raises an error for some names
        if not path.suffix and not files.exists(path):
            errors[path] = LinetuneError("no such file or folder", path, files.missing_file_hint(path))
        return [path]
    unreadable: list[LinetuneError] = []
    inside, others = image.in_folder(path, unreadable)
    if not inside and not unreadable:
        unreadable.append(image.no_images(path))
    failed = {Path(str(error.where)): error for error in unreadable}
    errors |= failed
    if others:
        number = f"{len(others)} file{'s' if len(others) > 1 else ''}"
        print(
            f"{path}: left out {number} whose name is not that of an image, such as {others[0]}",
            file=sys.stderr,
        )
    return [*inside, *failed]
