"""The learning curve of finished runs: each was trained on more labels than the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linetune.analysis.learning_curve import Curve, point
from linetune.core import untrusted
from linetune.core.errors import LinetuneError, os_errors
from linetune.formats.header import read_header
from linetune.formats.origin import records
from linetune.formats.store import NAME
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
    curve, held_out, seen = Curve(folders[-1]), None, set[Path]()
    for folder in folders:
        refuse_incomplete(folder)
        data = _data(folder / NAME)
        scored_on = [data.get(split) for split in ("val", "test")]
        if "train" not in data:
            raise LinetuneError("the model does not say how many crops it was trained on", folder)
        if held_out and scored_on != held_out:
            what = f"its validation or test crops are not those of {folders[0]}"
            raise LinetuneError(what, folder, "train both on the same data.val and data.test")
        held_out = scored_on
        crops = int(data["train"]["lines"])
        if folder.resolve() in seen:
            raise LinetuneError("the run is named twice", folder, "name it once")
        seen.add(folder.resolve())
        if crops in [each.crops for each in curve.points]:
            raise LinetuneError(f"another run has {crops} training crops too", folder, "name one of them")
        results = folder / RESULTS
        curve.points.append(point(crops, untrusted.parse_json(untrusted.read(results), results)))
    curve.points.sort(key=lambda each: each.crops)
    return curve


def _data(path: Path) -> Mapping[str, Any]:
    """Return what a model file says of the crops of its training. Its header has it: no network is loaded."""
    with os_errors("cannot read the model", path):
        found = records(read_header(path), path).get("provenance", {}).get("data", {})
    return found if isinstance(found, dict) else {}
