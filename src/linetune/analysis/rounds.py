"""The learning curve of finished runs: each was trained on more labels than the one before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from linetune.analysis.learning_curve import Curve, point
from linetune.core import untrusted
from linetune.core.errors import LinetuneError
from linetune.formats.official import load_base
from linetune.training.folder import refuse_incomplete

RESULTS = "results.json"


def rounds(folders: Sequence[Path]) -> Curve:
    """Return the learning curve of finished runs, in the order of their numbers of training crops.

    The runs may differ in their settings, but not in the crops that score them.

    Args:
        folders: the run folders.

    Raises:
        LinetuneError: a path is no run folder, a run is not complete, two runs have as many training crops,
            or the runs have other held-out crops.
    """
    curve, held_out = Curve(folders[-1]), None
    for folder in folders:
        path = folder / RESULTS
        refuse_incomplete(folder)
        data = load_base(str(folder)).provenance.get("data", {})
        scored_on = [data.get(split) for split in ("val", "test")]
        if "train" not in data:
            raise LinetuneError("the model does not say how many crops it was trained on", folder)
        if held_out and scored_on != held_out:
            what = f"its validation or test crops are not those of {folders[0]}"
            raise LinetuneError(what, folder, "train both on the same data.val and data.test")
        held_out = scored_on
        crops = int(data["train"]["lines"])
        if crops in [each.crops for each in curve.points]:
            raise LinetuneError(f"another run has {crops} training crops too", folder, "name one of them")
        curve.points.append(point(crops, untrusted.parse_json(untrusted.read(path), path)))
    curve.points.sort(key=lambda each: each.crops)
    return curve
