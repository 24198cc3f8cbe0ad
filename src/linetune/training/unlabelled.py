"""Crops without labels. A model labels those that it is sure of: the teacher, or the model so far."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import Line, read_labels
from linetune.core.progress import Reporter, count
from linetune.data.check.duplicates import CheckedLine, doubles
from linetune.data.check.labels import Split
from linetune.data.dataset import Dataset, decode_lines
from linetune.decode import Decoder, Reading
from linetune.decode.calibrated import Calibrated, Calibration
from linetune.decode.evidence import OWN
from linetune.decode.read import run_deployed
from linetune.evaluation.drift import distance_and_limit, quantiles
from linetune.formats.model import Model
from linetune.models.both_ways import MARGIN, confidence
from linetune.training.calibrated import calibrated
from linetune.training.orientation import both_ways_up

NAME = "unlabelled"
"""The name that stages use."""
SURE = 0.9
"""Least probability that a whole text is right, at which a reading is a label."""


def unlabelled_crops(
    source: Path,
    labelled: Sequence[CheckedLine],
    unusable: Collection[Path],
    skip_bad: bool,
    reporter: Reporter,
) -> Dataset:
    """Return crops without labels. Their texts and their labels are empty.

    Crops with a label are left out: those of training teach more with it, and those of validation and test
    must not teach. Of the latter, near-duplicates are left out too.

    Args:
        source: a folder, with its subfolders, or a label file whose labels are empty.
        labelled: the crops with a label, of all splits.
        unusable: crops that a review called unusable. They are left out.
        skip_bad: leave out images that cannot be read instead of refusing them.
        reporter: gets the number of crops that are left out, and progress.

    Raises:
        LinetuneError: there are no crops, a crop has a label, no crop is left, or an image cannot be read.
    """
    listed, refused = _listed(source), {path.resolve() for path in unusable}
    lines = [line for line in listed if line.image.resolve() not in refused]
    if known := len(listed) - len(lines):
        reporter.say(f"leaves out {known} of {len(listed)} unlabelled crops, which a review called unusable")
    decoded = decode_lines(lines, count(reporter, "unlabelled crops", len(lines)), compared=True)
    decoded.warn_of_photos(reporter)
    split = Split(NAME, lines)
    found = [CheckedLine.of(split, *each) for each in zip(lines, decoded.summaries, strict=True)]
    seen = _seen([*labelled, *found])
    left = [line for line in lines if line not in seen]
    if seen:
        reporter.say(
            f"leaves out {len(seen)} of {len(lines)} unlabelled crops, which have a label or are there twice"
        )
    if not left:
        raise LinetuneError(
            "every unlabelled crop has a label or is unusable", source, "leave data.unlabelled out"
        )
    return decoded.dataset(left, None, skip_bad)


@dataclass(frozen=True)
class Believed:
    """Unlabelled crops with the readings of a model as labels, where it is sure of them."""

    crops: Dataset
    """All crops, upright. Those that the model is unsure of keep their empty labels."""
    right: float
    """How many of the labels are right, by the probability of each."""
    unlike: bool
    """Whether the model doubts the crops more than the validation crops, beyond chance."""

    @property
    def sure(self) -> Dataset:
        """The crops with a label alone."""
        kept = [number for number, label in enumerate(self.crops.labels) if label]
        lines, labels = self.crops.lines, self.crops.labels
        columns = self.crops.columns.select(kept)
        return Dataset([lines[number] for number in kept], columns, [labels[number] for number in kept])


def believed(
    model: Model, crops: Dataset, val: Dataset, charset: Charset, both_ways: bool, reporter: Reporter
) -> Believed:
    """Return unlabelled crops with the readings of a model as labels, where it is sure of the whole text.

    It is sure if the calibrated probability that the text is right is :data:`SURE` or more. The calibration
    is learned from the validation crops. If they are too few, the probability is P(text).

    Args:
        model: reads the crops, by its rule if it has one.
        crops: crops without labels.
        val: the validation crops of the run.
        charset: the charset of the run, with the characters of the model.
        both_ways: whether to read the crops both ways up, and to turn those upright that are upside down.
        reporter: gets the number of turned crops, and progress.
    """
    read = partial(_read, model, _decoder(model, val, reporter), both_ways)
    progress, done = count(reporter, "reading unlabelled crops", len(crops)), 0
    turned, labels, right = np.zeros(len(crops), bool), list(crops.labels), 0.0
    confidences = list[float]()
    for members, turn, readings in read(crops):
        turned[members] = turn
        for number, reading in zip(members, readings, strict=True):
            confidences.append(reading.confidence)
            if reading.confidence >= SURE:
                labels[number] = charset.encode(reading.text)
                right += reading.confidence
        done += len(members)
        progress(done)
    if both_ways:
        reporter.say(f"{turned.sum()} of {len(crops)} unlabelled crops are turned upright for training")
    known = [reading.confidence for _, _, readings in read(val) for reading in readings]
    distance, limit = distance_and_limit(quantiles(known), len(known), confidences)
    unlike = distance > limit and np.mean(confidences) < np.mean(known)
    return Believed(replace(crops.half_turned(turned), labels=labels), right, bool(unlike))


def _read(
    model: Model, decoder: Decoder, both_ways: bool, crops: Dataset
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_], list[Reading]]]:
    """Yield batches of (crop numbers, whether the crop is read upside down, readings)."""
    run = partial(both_ways_up, model.network) if both_ways else model.network.run
    for members, found in run_deployed(run, crops.crops):
        turn = np.zeros(len(members), bool)
        if both_ways:
            upright, upside_down = confidence(torch.from_numpy(found)).chunk(2)
            turn = (upside_down > upright + MARGIN).numpy()
            found = np.where(turn[:, None, None], *np.split(found, 2)[::-1])
        yield members, turn, decoder(found)


def _decoder(model: Model, val: Dataset, reporter: Reporter) -> Decoder:
    """Return the decoder of a model with a calibrated confidence."""
    try:
        return calibrated(model, val, count(reporter, "calibration", len(val))).decoder
    except LinetuneError as error:  # without data, a calibration is P(text) itself
        reporter.say(f"the confidence of these readings is not calibrated: {error.what}")
        plain = replace(model, calibration={}, promise={})
        return Calibrated(plain.decoder, model.charset, Calibration(0.0, {OWN: 1.0}))


def _listed(source: Path) -> list[Line]:
    """Return a line without a text for each crop of a folder or of a label file with empty labels."""
    if not source.exists():
        raise LinetuneError("no such file or folder", source, "data.unlabelled names crops without labels")
    if source.is_dir():
        if paths := image.in_folder(source)[0]:
            return [Line(path, "", str(path)) for path in paths]
        raise image.no_images(source)
    lines = list(dict.fromkeys(read_labels(source, unlabelled=True)))
    if with_text := next((line for line in lines if line.text), None):
        hint = "name label files under data.train; here, each line is a path and a tab"
        raise LinetuneError(
            f"a label, {with_text.text!r:.60}, where there should be none", with_text.source, hint
        )
    return lines


def _seen(crops: Sequence[CheckedLine]) -> set[Line]:
    """Return the unlabelled crops that show what another crop shows, or nearly what a held-out crop shows."""
    return {
        other.line
        for one, other, nearly in doubles(crops)
        if other.split.name == NAME and (one.split.held_out or not nearly)
    }
