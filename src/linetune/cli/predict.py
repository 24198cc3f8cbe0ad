"""``linetune predict``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linetune.cli.options import BothWaysOption, JsonOption, ModelArgument, load_recogniser, print_json
from linetune.errors import LinetuneError


def predict(
    model: ModelArgument,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Crops, or folders of crops.")],
    charset: Annotated[
        str | None, typer.Option(help="Limit the model to the characters in this file.")
    ] = None,
    both_ways: BothWaysOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read crops: path, text and confidence, separated by tabs."""
    from linetune.evaluation.acceptance import DIGITS, rounded
    from linetune.report.terminal import terminal
    from linetune.training.reporter import count

    paths = [path for given in images for path in _expand(given)]
    for path in paths:
        if not as_json and "\t" in str(path):
            raise LinetuneError("a tab in the name, which would read as the end of it", path, "use --json")
    with terminal() as reporter:
        recogniser = load_recogniser(model, charset, reporter, both_ways=both_ways)
        readings = recogniser.read(list(paths), progress=count(reporter, "reading", len(paths)))
    if as_json:
        print_json(
            [
                {"image": str(path), "text": reading.text, "confidence": reading.confidence}
                for path, reading in zip(paths, readings, strict=True)
            ]
        )
        return
    for path, reading in zip(paths, readings, strict=True):
        print(f"{path}\t{reading.text}\t{rounded(reading.confidence):.{DIGITS}f}")


def _expand(path: Path) -> list[Path]:
    from linetune.image import SUFFIXES

    if not path.is_dir():
        return [path]
    inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
    if not inside:
        raise LinetuneError("no images in this folder", path, f"looked for {', '.join(sorted(SUFFIXES))}")
    return inside
