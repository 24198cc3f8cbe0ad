"""A model with a calibrated confidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from linetune.core.errors import LinetuneError
from linetune.data.dataset import Dataset
from linetune.decode.read import run_deployed
from linetune.evaluation.calibration import FEWEST, calibrate
from linetune.formats.model import Model


def calibrated(model: Model, data: Dataset, progress: Callable[[int], None] = lambda done: None) -> Model:
    """Return a model with a calibration that is learned from labelled crops. It loses its promise.

    Args:
        model: the model. Its calibration until now does not count.
        data: crops that the network has not learned from.
        progress: called with the number of crops read so far.

    Raises:
        LinetuneError: there are too few crops, or no reading is right.
    """
    plain = replace(model, calibration={}, promise={})
    batches = run_deployed(plain.reader.run, data.crops)
    record = calibrate(batches, data.texts, plain.charset, plain.decoder, progress)
    if not record:
        what = f"{len(data)} crops are too few to calibrate the confidence"
        raise LinetuneError(what, hint=f"it takes {FEWEST} that do not read as empty")
    if not record["right"]:
        what = f"none of {record['readings']} readings is right"
        raise LinetuneError(what, hint="check that the labels belong to these crops")
    return replace(plain, calibration=record)
