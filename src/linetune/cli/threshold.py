"""``linetune threshold``"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from linetune.cli import options
from linetune.core.errors import LinetuneError

if TYPE_CHECKING:
    from linetune.formats.model import Model


def threshold(
    model: options.OwnModelArgument,
    labels: options.LabelsArgument,
    max_error: Annotated[
        str,
        typer.Option(metavar="SHARE", help="The largest share of wrong readings to accept: 1% or 0.01."),
    ],
    skip_bad: options.SkipBadOption = False,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Promise that few accepted readings are wrong, and say which readings to accept.

    Finds a threshold for which labelled crops prove, with 95% confidence, that at most this share of the
    accepted readings is wrong. It accepts as many readings as possible. Writes it into the model file.
    linetune predict then says accept or refer. The promise holds for crops like these. Use crops that the
    model has not seen in training and validation.

    Example: linetune threshold mine/runs/first mine/crops/test.txt --max-error 1%
    """
    from dataclasses import replace

    from linetune.evaluation.calibration import FEWEST, hash_of_labels
    from linetune.evaluation.promise import as_record, percent, promise
    from linetune.formats.notes import load_own, rewrite

    share = _share(max_error)
    own = load_own(model)
    data, (evaluation,) = options.evaluate_models({"reading": model}, labels, None, skip_bad, quiet=quiet)
    if known := _seen(own, hash_of_labels(data.texts)):
        print(f"warning: these are the {known} labels of the model, which flatter it", file=sys.stderr)
    confidences = [reading.confidence for reading in evaluation.readings]
    try:
        found = promise(confidences, evaluation.score.correct, share)
    except LinetuneError as error:
        raise error.at(", ".join(map(str, labels))) from None
    paths = rewrite(replace(own, promise=as_record(found, confidences, data.texts)))
    if as_json:
        options.print_json({**found.as_dict(), "model": str(paths[0])})
        return
    print(found.as_text())
    print(
        f"accepted {found.accepted} of {found.readings} ({found.coverage:.1%}), {found.wrong} of them wrong; "
        f"the error is at most {percent(found.bound)}"
    )
    if not own.calibration:
        kind = "what the network believes" if own.rule else "PaddleOCR's score"
        print(f"the confidence is {kind}; linetune calibrate makes it a probability, from {FEWEST} crops on")
    for path in paths:
        print(f"wrote {path}")


def _share(text: str) -> float:
    """Return the share of a text such as ``1%`` or ``0.01``.

    Raises:
        LinetuneError: the text is not a share, or the share is too small or too large.
    """
    from linetune.evaluation.promise import LARGEST, SMALLEST

    number = text.strip().removesuffix("%")
    try:
        share = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        share = math.nan
    if not SMALLEST <= share <= LARGEST:
        what = f"{text!r} is not a share from {SMALLEST} to {LARGEST}"
        raise LinetuneError(what, "--max-error", "write one such as 1% or 0.01")
    return share


def _seen(model: Model, labels: str) -> str:
    """Return which labels of the model have this hash: training, validation or calibration. Empty if none."""
    data = model.provenance.get("data")
    data = data if isinstance(data, dict) else {}
    known = {"training": data.get("train"), "validation": data.get("val"), "calibration": model.calibration}
    return next((k for k, v in known.items() if isinstance(v, dict) and v.get("labels") == labels), "")
