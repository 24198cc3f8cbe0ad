"""Which crops to label next: those that a model doubts, each in another way, or crops by chance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, many_errors
from linetune.core.image import Crop
from linetune.core.labelfile import Line
from linetune.core.progress import Reporter, Silent, count
from linetune.data.check.duplicates import CheckedLine, doubles
from linetune.data.check.images import CropSummary, summarise_all
from linetune.data.check.labels import Split
from linetune.data.dataset import Dataset, decode_lines
from linetune.decode import Decoder, Reading
from linetune.decode.calibrated import is_calibrated
from linetune.decode.reading import added_up

LABELLED, EQUAL, BLANK, UNREAD = "labelled", "near-duplicates", "blank", "not read"
REASONS = {
    LABELLED: "show what a crop of your label files shows",
    EQUAL: "show nearly the same as another crop",
    BLANK: "are blank",
    UNREAD: "show no text to the model",
}
"""Why crops are left out, in the order in which the reasons are tested."""
DOUBTFUL = 2
"""Doubtful crops for each crop to choose. Without this limit, more of the choice is read right already."""


class Reader(Protocol):
    """What :class:`linetune.Recogniser` offers."""

    @property
    def charset(self) -> Charset:
        """The characters of the classes."""

    @property
    def decoder(self) -> Decoder:
        """Turns class probabilities into readings."""

    def probabilities(self, crops: Sequence[Crop]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield batches of (crop numbers, class probabilities)."""


@dataclass(frozen=True)
class NextCrops:
    """The crops to label next, and what the model makes of the others."""

    chosen: Sequence[Path]
    """The most worthwhile first, or in random order."""
    readings: Sequence[Reading]
    """What the model reads on them."""
    crops: int
    """Number of all crops."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    """Number of crops that are left out, by the reason."""
    misread: float | None = None
    """How many crops with a text the model misreads, by its confidence. None if it is not calibrated."""
    unreadable: Sequence[LinetuneError] = ()
    """The images that cannot be read."""
    at_random: bool = False
    """Whether chance chose the crops."""

    def as_text(self) -> str:
        """Return what was chosen, what was left out, and how much the model doubts."""
        left_out = [f"{some} {REASONS[why]}" for why, some in self.left_out.items()]
        if self.unreadable:
            left_out.append(f"{len(self.unreadable)} cannot be read, such as {self.unreadable[0]}")
        rest = self.crops - self.left_out.total() - len(self.unreadable)
        how = "by chance" if self.at_random else "the most worthwhile first"
        lines = [f"chosen: {len(self.chosen)} of {self.crops} crops, {how}"]
        if left_out:
            lines.append(f"left out: {'; '.join(left_out)}")
        if self.misread is not None:
            lines.append(
                f"by its confidence, the model misreads about {self.misread:.0f} of the other {rest}"
            )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "crops": self.crops,
            "chosen": [
                {"image": str(path), "text": reading.text, "confidence": reading.confidence}
                for path, reading in zip(self.chosen, self.readings, strict=True)
            ],
            "left_out": dict(self.left_out),
            "unreadable": [str(error) for error in self.unreadable],
            "expected_misread": None if self.misread is None else round(self.misread, 1),
        }


def next_crops(
    reader: Reader,
    paths: Sequence[Path],
    number: int,
    labelled: Collection[Path] = (),
    reporter: Reporter | None = None,
    at_random: bool = False,
) -> NextCrops:
    """Choose crops that a model doubts, each in another way, or crops by chance.

    Crops that nobody has to label are left out: what a labelled crop or a crop before it shows, blank ones,
    and those on which the model reads nothing. A random choice may have the last ones, because scores on
    it would flatter the model without them.

    Args:
        reader: the model. A recogniser is one.
        paths: the crops without labels.
        number: how many to choose.
        labelled: crops that have a label.
        reporter: shows the progress.
        at_random: choose by chance. The same crops give the same choice.

    Raises:
        LinetuneError: no crop is left.
    """
    reporter = reporter or Silent()
    lines = [Line(path, "", str(path)) for path in paths]
    decoded = decode_lines(lines, count(reporter, "crops", len(lines)), compared=True)
    decoded.warn_of_photos(reporter)
    reasons = _left_out(lines, decoded.summaries, sorted(labelled), reporter)
    errors = [error for error in decoded.problems if error]
    if len(errors) == len(lines):
        raise many_errors(errors, "images cannot be read")
    data = decoded.dataset(lines, None, skip_bad=True)
    doubts, readings = _read(reader, data, count(reporter, "reading", len(data)))
    for line, reading in zip(data.lines, readings, strict=True):
        if not reading.text and not at_random:
            reasons.setdefault(line, UNREAD)
    candidates = [place for place, line in enumerate(data.lines) if line not in reasons]
    if not candidates:
        counted = ", ".join(f"{some} {REASONS[why]}" for why, some in Counter(reasons.values()).items())
        raise LinetuneError("no crop is left to label", hint=counted or None)
    if at_random:
        chosen = random.Random(0).sample(candidates, min(number, len(candidates)))
    else:
        chosen = _doubtful(candidates, doubts, readings, number)
    return NextCrops(
        [data.lines[place].image for place in chosen],
        [readings[place] for place in chosen],
        len(lines),
        Counter(reasons.values()),
        sum(1 - readings[place].confidence for place in candidates)
        if is_calibrated(reader.decoder)
        else None,
        errors,
        at_random,
    )


def _doubtful(
    candidates: Sequence[int], doubts: NDArray[np.float32], readings: Sequence[Reading], number: int
) -> list[int]:
    """Return the candidates with the most different doubts, among those with the lowest confidence.

    A crop's doubts are what its class probabilities lack to the text that is read: for each class, the sum
    over the frames of the probability minus 1 where it is read. They point to the characters that the model
    hesitates between. Of the crops with the lowest confidence, those with the most different doubts are
    chosen. The doubts are the gradient of the head's bias, as in BADGE (Ash et al. 2020, "Deep Batch Active
    Learning by Diverse, Uncertain Gradient Lower Bounds", arXiv 1906.03671). The limit to the uncertain ones
    is that of Zhdanov (2019, "Diverse mini-batch Active Learning", arXiv 1901.05954).
    """
    # The confidence says more about a wrong text than the length of the doubts does.
    order = sorted(candidates, key=lambda place: readings[place].confidence)
    doubtful = np.array(order[: DOUBTFUL * number])
    return list(map(int, doubtful[spread_out(doubts[doubtful], number)]))


def spread_out(points: NDArray[np.float32], number: int) -> list[int]:
    """Return the numbers of points far from 0 and from each other, in the order of their choice.

    Each is the farthest from 0 and from those before it, whichever is nearest (farthest-first traversal,
    Gonzalez 1985, "Clustering to minimize the maximum intercluster distance").

    Args:
        points: shape (points, dimensions).
        number: how many to choose. If there are fewer points, all are chosen.
    """
    # From 0 too: a point near it says that the model has no doubt.
    distances = (points.astype(np.float64) ** 2).sum(1)
    chosen: list[int] = []
    while len(chosen) < min(number, len(points)):
        chosen.append(int(distances.argmax()))
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(1))
        distances[chosen] = -1  # nothing is chosen twice, even if only copies are left
    return chosen


def _read(
    reader: Reader, data: Dataset, progress: Callable[[int], None]
) -> tuple[NDArray[np.float32], list[Reading]]:
    """Return the doubts of crops, (crops, classes), and their readings."""
    doubts = np.zeros((len(data), len(reader.charset) + 1), np.float32)
    readings = dict[int, Reading]()
    for members, probabilities in reader.probabilities(data.crops):
        doubts[members] = _doubts(added_up(probabilities, reader.charset))
        readings.update(zip(members.tolist(), reader.decoder(probabilities), strict=True))
        progress(len(readings))
    return doubts, [readings[place] for place in range(len(data))]


def _doubts(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the doubts of crops, (batch, classes), from class probabilities (batch, frames, classes)."""
    best = probabilities.argmax(2)
    read = np.zeros_like(probabilities)
    np.put_along_axis(read, best[:, :, None], 1, 2)
    return np.asarray((probabilities - read).sum(1))


def _left_out(
    lines: Sequence[Line],
    summaries: Sequence[CropSummary | LinetuneError],
    labelled: Sequence[Path],
    reporter: Reporter,
) -> dict[Line, str]:
    """Return why crops are left out that need not be read for it."""
    # The folder of crops often has the labelled ones too. Another source keeps the lines apart.
    known = Split("train", [Line(path, "", f"labelled {path}") for path in labelled])
    others = summarise_all(labelled, count(reporter, "labelled crops", len(labelled)))
    pool = Split("unlabelled", list(lines))
    checked = [CheckedLine.of(known, *each) for each in zip(known.lines, others, strict=True)]
    checked += [CheckedLine.of(pool, *each) for each in zip(lines, summaries, strict=True)]
    reasons = dict[Line, str]()
    for first, other, _ in doubles(checked):
        # A crop stays if its own double was left out.
        if other.split is not known and first.line not in reasons:
            if first.split is known:
                reasons[other.line] = LABELLED
            else:
                reasons.setdefault(other.line, EQUAL)
    for each in checked:
        if each.split is not known and each.crop and each.crop.is_flat:
            reasons.setdefault(each.line, BLANK)
    return reasons
