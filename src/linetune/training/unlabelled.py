"""Crops without labels. The teacher labels those that it is sure of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import Line
from linetune.core.progress import Reporter, count
from linetune.data.check.duplicates import CheckedLine, same_content
from linetune.data.check.images import CropSummary
from linetune.data.check.labels import Split
from linetune.data.dataset import Dataset, decode_lines
from linetune.decode import default_decoder
from linetune.decode.read import run_deployed
from linetune.formats.model import Model
from linetune.models.both_ways import MARGIN, confidence
from linetune.training.losses import label_losses
from linetune.training.orientation import both_ways_up

NAME = "unlabelled"
"""The name that stages use."""
SURE = 0.9
"""Least probability of a whole text, by CTC, at which the teacher's reading is a label."""


def unlabelled_crops(
    folder: Path, labelled: Sequence[CheckedLine], skip_bad: bool, reporter: Reporter
) -> Dataset:
    """Return the crops of a folder. Their texts and their labels are empty.

    Crops with a label are left out: those of training teach more with it, and those of validation and test
    must not teach.

    Args:
        folder: the folder. Images in its subfolders count.
        labelled: the crops with a label, of all splits.
        skip_bad: leave out images that cannot be read instead of refusing them.
        reporter: gets the number of crops that are left out, and progress.

    Raises:
        LinetuneError: the folder has no images, no image is left, or an image cannot be read.
    """
    if not folder.is_dir():
        raise LinetuneError("no such folder", folder, "data.unlabelled names a folder of crops")
    paths, _ = image.in_folder(folder)
    if not paths:
        raise image.no_images(folder)
    lines = [Line(path, "", str(path)) for path in paths]
    decoded = decode_lines(lines, count(reporter, "unlabelled crops", len(lines)), inspected=True)
    split = Split(NAME, lines)
    found = [
        CheckedLine(split, line, summary if isinstance(summary, CropSummary) else None)
        for line, summary in zip(lines, decoded.summaries, strict=True)
    ]
    seen = _seen([*labelled, *found])
    left = [line for line in lines if line not in seen]
    if seen:
        reporter.say(
            f"leaves out {len(seen)} of {len(lines)} unlabelled crops, which have a label or are there twice"
        )
    if not left:
        raise LinetuneError("every unlabelled crop has a label", folder, "leave data.unlabelled out")
    return decoded.dataset(left, None, skip_bad)


def labelled_by_teacher(
    teacher: Model, crops: Dataset, charset: Charset, both_ways: bool, reporter: Reporter
) -> Dataset:
    """Return crops with the readings of a teacher as labels, where it is sure of the whole text.

    The other crops keep their empty labels, and all keep their empty texts.

    Args:
        teacher: reads the crops.
        crops: crops without labels.
        charset: the charset of the run.
        both_ways: whether to read the crops both ways up, and to turn those upright that are upside down.
        reporter: gets the numbers of labelled and of turned crops.
    """
    progress, done = count(reporter, "reading unlabelled crops", len(crops)), 0
    turned, labels = np.zeros(len(crops), bool), list(crops.labels)
    run = partial(both_ways_up, teacher.network) if both_ways else teacher.network.run
    for members, found in run_deployed(run, crops.crops):
        if both_ways:
            upright, upside_down = confidence(torch.from_numpy(found)).chunk(2)
            turned[members] = turn = (upside_down > upright + MARGIN).numpy()
            found = np.where(turn[:, None, None], *np.split(found, 2)[::-1])
        texts = [reading.text for reading in default_decoder(teacher.charset)(found)]
        probable = np.exp(-label_losses(found, texts, teacher.charset))
        for number, text, probability in zip(members, texts, probable, strict=True):
            labels[number] = charset.encode(text) if probability >= SURE else []
        done += len(members)
        progress(done)
    if both_ways:
        reporter.say(f"{turned.sum()} of {len(crops)} unlabelled crops are turned upright for training")
    reporter.say(f"the teacher labels {sum(map(bool, labels))} of {len(crops)} unlabelled crops")
    return replace(crops.half_turned(turned), labels=labels)


def _seen(crops: Sequence[CheckedLine]) -> set[Line]:
    """Return the unlabelled crops that show what another crop shows. Crops with a label come first."""
    groups = same_content(crops)
    return {each.line for group in groups for each in group[1:] if each.split.name == NAME}
