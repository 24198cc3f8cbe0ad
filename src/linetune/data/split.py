"""Labels divided into train, val and test, what belongs together kept together."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from linetune.core import atomic, files, labelfile
from linetune.core.charset import show
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.labelfile import Line

TRAIN = "train"
NAMES = (TRAIN, "val", "test")
SHARES = {"val": 0.15, "test": 0.15}
"""Shares of the lines by default."""
COMMON = 0.2
"""Share of the lines above which a character needs no care: it comes into every split by itself."""
BIG = 0.25
"""Share of the smallest split above which a group is placed before the others, while there is room."""
OFF = 0.1
"""Share of its size by which a split may miss it before that is told."""

Feature = tuple[str, str]
"""What should be spread evenly: all lines, those of a length, those with a character."""
_ALL: Feature = ("lines", "")


@dataclass(frozen=True)
class Division:
    """Lines by split, and what could not be spread as asked."""

    splits: dict[str, list[Line]]
    """In the order of the labels."""
    groups: dict[str, int]
    """Number of groups in each split."""
    unbalanced: list[str]


def divide(
    lines: Sequence[Line], groups: Sequence[Sequence[int]], shares: Mapping[str, float], seed: int = 0
) -> Division:
    """Give every group to the split that lacks what it holds, big and rare groups first.

    Args:
        lines: all there are.
        groups: numbers of the lines that stay together, every line in one of them.
        shares: of the lines, by split; ``train`` gets the rest.
        seed: decides between equals.

    Raises:
        LinetuneError: the shares leave nothing to train on, or there are fewer groups than splits.
    """
    rest = 1 - sum(shares.values())
    if not all(0 <= share < 1 for share in shares.values()) or rest < 1e-9:
        raise LinetuneError("the shares must be 0 or more and leave something to train on")
    wanted = {TRAIN: rest} | {name: share for name, share in shares.items() if share > 0}
    if len(groups) < len(wanted):
        what = f"the {len(lines)} lines are {len(groups)} groups, which cannot make {len(wanted)} splits"
        hint = "crops that look nearly alike stay together, and those of one photo; ask for fewer splits"
        raise LinetuneError(what, hint=hint)
    contents = _contents(lines, groups)
    totals: Counter[Feature] = Counter()
    for content in contents:
        totals.update(content)
    held: dict[str, Counter[Feature]] = {name: Counter() for name in wanted}

    def misfit(name: str, content: Counter[Feature]) -> float:
        """What the group adds to the sum of (held - expected)^2 / expected, but for a constant."""
        return sum(
            count * (2 * held[name][feature] + count) / (wanted[name] * totals[feature])
            for feature, count in content.items()
        )

    chosen: dict[int, str] = {}
    for number in _order(contents, totals, BIG * min(wanted.values()) * len(lines), seed):
        content = contents[number]
        name = min(wanted, key=lambda name: misfit(name, content))
        chosen[number] = name
        held[name].update(content)
    _leave_none_empty(chosen, wanted, groups)

    places = {line: chosen[number] for number, members in enumerate(groups) for line in members}
    splits = {name: [line for i, line in enumerate(lines) if places[i] == name] for name in wanted}
    members = Counter(chosen.values())
    told = [*_missed_sizes(splits, wanted, max(map(len, groups))), *_missing(splits, lines, groups)]
    return Division(splits, {name: members[name] for name in wanted}, told)


def write(division: Division, folder: Path, overwrite: bool = False) -> list[Path]:
    """Write a label file a split, all or none, with paths relative to the folder.

    Raises:
        LinetuneError: there are such files already, or the folder cannot be written.
    """
    sources = {
        Path(line.source.rpartition(":")[0]).resolve() for split in division.splits.values() for line in split
    }
    before = [folder / f"{name}.txt" for name in NAMES if (folder / f"{name}.txt").exists()]
    if own := [path for path in before if path.resolve() in sources]:
        raise LinetuneError("this is the file to be split", own[0], "name another folder")
    if before and not overwrite:
        raise LinetuneError("there is a label file already", before[0], "name another folder, or --overwrite")
    written = {name: folder / f"{name}.txt" for name in division.splits}
    with os_errors("cannot write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            # All are written before the first takes its place.
            partials = {name: stack.enter_context(atomic.written(path)) for name, path in written.items()}
            for name, partial in partials.items():
                pairs = [(files.relative(line.image, folder), line.text) for line in division.splits[name]]
                labelfile.write_labels(partial, pairs)
        for path in before:
            # A test set of an earlier split holds what is trained on now.
            if path not in written.values():
                path.unlink()
    return list(written.values())


def _contents(lines: Sequence[Line], groups: Sequence[Sequence[int]]) -> list[Counter[Feature]]:
    """How many lines with each feature a group has."""
    occurrences = Counter(c for line in lines for c in set(line.text))
    rare = {c for c, count in occurrences.items() if count <= COMMON * len(lines)}
    contents = []
    for members in groups:
        content: Counter[Feature] = Counter()
        for number in members:
            text = lines[number].text
            content.update([_ALL, ("length", str(len(text)))])
            content.update(("character", c) for c in rare.intersection(text))
        contents.append(content)
    return contents


def _order(
    contents: Sequence[Counter[Feature]], totals: Counter[Feature], big: float, seed: int
) -> list[int]:
    """Groups that would not fit later, then those with the rarest feature, then the larger ones."""
    numbers = list(range(len(contents)))
    random.Random(seed).shuffle(numbers)

    def key(number: int) -> tuple[float, ...]:
        size = contents[number][_ALL]
        rarity = min(totals[feature] for feature in contents[number])
        return (0, -size, rarity) if size > big else (1, rarity, -size)

    return sorted(numbers, key=key)


def _leave_none_empty(
    chosen: dict[int, str], wanted: Mapping[str, float], groups: Sequence[Sequence[int]]
) -> None:
    for name in wanted:
        if name not in chosen.values():
            ((fullest, _),) = Counter(chosen.values()).most_common(1)
            giving = [number for number, holder in chosen.items() if holder == fullest]
            chosen[min(giving, key=lambda number: (len(groups[number]), number))] = name


def _missed_sizes(splits: Mapping[str, list[Line]], wanted: Mapping[str, float], largest: int) -> list[str]:
    total = sum(map(len, splits.values()))
    told = []
    for name, share in wanted.items():
        missed = abs(len(splits[name]) - share * total)
        if missed > max(1, OFF * share * total):
            told.append(
                f"{name} has {len(splits[name]) / total:.1%} of the lines instead of {share:.1%}; "
                f"the largest group has {largest} of {total}"
            )
    return told


def _missing(
    splits: Mapping[str, list[Line]], lines: Sequence[Line], groups: Sequence[Sequence[int]]
) -> list[str]:
    """Characters of one group alone, and characters and lengths that a split lacks."""
    holders: Counter[str] = Counter()
    for members in groups:
        holders.update(set().union(*(lines[number].text for number in members)))
    told = []
    for character in sorted(c for c, count in holders.items() if count == 1):
        ((name, line),) = [
            (name, next(line for line in split if character in line.text))
            for name, split in splits.items()
            if any(character in line.text for line in split)
        ]
        told.append(f"{show(character)} is in one group alone, which {name} has: {line.source}")
    lengths = {len(line.text) for line in lines}
    for name, split in splits.items():
        there = set().union(*(line.text for line in split))
        if absent := sorted(c for c, count in holders.items() if count > 1 and c not in there):
            told.append(f"{name} has no {show(*absent)}")
        if short := sorted(lengths - {len(line.text) for line in split}):
            told.append(f"{name} has no label of {', '.join(map(str, short))} characters")
    return told
