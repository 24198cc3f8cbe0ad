"""Where a model reads right: by length, by character, by source, and which characters it confuses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from linetune.evaluation.intervals import wilson
from linetune.evaluation.metrics import Confusion, aligned
from linetune.evaluation.result import Evaluation

BINS = 10
"""About the most bins of lengths."""
MATRIX = 16
"""Most characters of a confusion matrix."""
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some crops or characters are read right."""

    name: str
    right: int
    total: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.right / self.total

    @property
    def wrong(self) -> int:
        """How many are read wrong."""
        return self.total - self.right

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share, 0 to 1."""
        return wilson(self.right, self.total)


def by_length(evaluation: Evaluation) -> list[Share]:
    """Return the exact match by the number of characters of the label. Rare lengths share a bin."""
    counted = _counted(evaluation, lambda number: len(evaluation.lines[number].text))
    least = len(evaluation.lines) / BINS if len(counted) > BINS else 1
    shares: list[Share] = []
    lengths: list[int] = []
    right = total = 0
    for length in sorted(counted):
        lengths.append(length)
        right, total = right + counted[length][0], total + counted[length][1]
        if total >= least or length == max(counted):
            name = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]}–{lengths[-1]}"
            shares.append(Share(name, right, total))
            lengths, right, total = [], 0, 0
    return shares


def by_source(evaluation: Evaluation) -> list[Share]:
    """Return the exact match by label file, or by the folder of the crops if there is one label file.

    The lowest comes first. Empty if the crops have one source only.
    """
    keys: tuple[Callable[[int], str], ...] = (
        lambda number: evaluation.lines[number].source.rpartition(":")[0],
        lambda number: str(evaluation.lines[number].image.parent),
    )
    for key in keys:
        counted = _counted(evaluation, key)
        if 1 < len(counted) <= len(evaluation.lines) / 2:
            return sorted(
                (Share(name, *counts) for name, counts in counted.items()), key=lambda each: each.share
            )
    return []


def by_character(evaluation: Evaluation) -> list[Share]:
    """Return the share of each character of the labels that is read right, most wrong ones first."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for (wanted, read), times in _pairs(evaluation).items():
        if wanted:
            total[wanted] += times
            right[wanted] += times * (wanted == read)
    shares = [Share(character, right[character], total[character]) for character in total]
    return sorted(shares, key=lambda each: (-each.wrong, each.share, each.name))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Which characters of the labels are read as which. The empty text means nothing."""

    characters: list[str]
    """The characters of the rows and of the columns, the most confused ones first."""
    counts: list[list[int]]
    """How often the character of a row is read as that of a column."""
    left_out: int
    """Number of confused characters that the matrix lacks."""

    @property
    def most(self) -> int:
        """The largest number of one confusion."""
        size = range(len(self.characters))
        return max((self.counts[row][column] for row in size for column in size if row != column), default=1)


def matrix(evaluation: Evaluation) -> Matrix:
    """Return the confusion matrix of the characters that are confused most."""
    pairs = _pairs(evaluation)
    involved: Counter[str] = Counter()
    for (wanted, read), times in pairs.items():
        if wanted != read:
            involved[wanted] += times
            involved[read] += times
    characters = [character for character, _ in involved.most_common(MATRIX)]
    counts = [[pairs[wanted, read] for read in characters] for wanted in characters]
    return Matrix(characters, counts, len(involved) - len(characters))


def crops_by_confusion(evaluation: Evaluation) -> dict[Confusion, int]:
    """Return in how many crops each confusion is, the most frequent first."""
    counted: Counter[Confusion] = Counter()
    for number in evaluation.misread:
        pairs = aligned(evaluation.lines[number].text, evaluation.readings[number].text)
        counted.update({pair for pair in pairs if pair[0] != pair[1]})
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _pairs(evaluation: Evaluation) -> Counter[tuple[str, str]]:
    return Counter(
        pair
        for line, reading, right in zip(
            evaluation.lines, evaluation.readings, evaluation.score.correct, strict=True
        )
        # A right reading may have other code points with the same glyphs.
        for pair in (zip(line.text, line.text, strict=True) if right else aligned(line.text, reading.text))
    )


def _counted(evaluation: Evaluation, key: Callable[[int], K]) -> dict[K, tuple[int, int]]:
    """Return right readings and all readings by a key of the crop's number."""
    groups: defaultdict[K, list[bool]] = defaultdict(list)
    correct: Sequence[bool] = evaluation.score.correct
    for number, right in enumerate(correct):
        groups[key(number)].append(right)
    return {name: (sum(some), len(some)) for name, some in groups.items()}
