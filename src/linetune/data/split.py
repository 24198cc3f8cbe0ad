"""Divide labels into train, val and test. Groups stay together."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from linetune.core import atomic, files, labelfile
from linetune.core.charset import show
from linetune.core.errors import LinetuneError, os_errors, place
from linetune.core.labelfile import Line

TRAIN = "train"
NAMES = (TRAIN, "val", "test")
SHARES = {"val": 0.15, "test": 0.15}
"""Default shares of the lines. The rest is for training."""
COMMON = 0.2
"""Share of the lines above which we ignore a character: every split gets it anyway."""
BIG = 0.25
"""Share of the smallest split above which a group is placed before the smaller groups."""
TOLERANCE = 0.1
"""Relative error in the size of a split above which we report it."""

Feature = tuple[str, str]
"""What to spread evenly: ("lines", ""), ("length", number of characters) or ("character", the character)."""
_ALL: Feature = ("lines", "")


@dataclass(frozen=True)
class Division:
    """The lines of each split."""

    splits: dict[str, list[Line]]
    """Lines by split, in the order of the label file."""
    groups: dict[str, int]
    """Number of groups in each split."""
    unbalanced: list[str]
    """Sizes that differ from the shares, and characters and lengths that a split lacks, as messages."""


def divide(
    lines: Sequence[Line], groups: Sequence[Sequence[int]], shares: Mapping[str, float], seed: int = 0
) -> Division:
    """Give every group to the split that lacks its lines most. Big groups and rare features come first.

    Args:
        lines: all lines.
        groups: numbers of the lines that stay together. Every line is in exactly one group.
        shares: share of the lines by split, 0 to 1. ``train`` gets the rest.
        seed: decides the order of equal groups.

    Raises:
        LinetuneError: the shares leave no lines to train on, or there are fewer groups than splits.
    """
    rest = 1 - sum(shares.values())
    if not all(0 <= share < 1 for share in shares.values()) or rest < 1e-9:
        raise LinetuneError("the shares must be 0 or more, and leave lines to train on")
    targets = {TRAIN: rest} | {name: share for name, share in shares.items() if share > 0}
    if len(groups) < len(targets):
        what = f"the {len(lines)} lines form {len(groups)} groups, too few for {len(targets)} splits"
        hint = "near-duplicates and crops of one photo form a group; ask for fewer splits"
        raise LinetuneError(what, hint=hint)
    contents = _contents(lines, groups)
    totals: Counter[Feature] = Counter()
    for content in contents:
        totals.update(content)
    counts: dict[str, Counter[Feature]] = {name: Counter() for name in targets}

    def misfit(name: str, content: Counter[Feature]) -> float:
        """Return what a group adds to the sum of (count - expected)^2 / expected, up to a constant."""
        return sum(
            count * (2 * counts[name][feature] + count) / (targets[name] * totals[feature])
            for feature, count in content.items()
        )

    chosen: dict[int, str] = {}
    for number in _order(contents, totals, BIG * min(targets.values()) * len(lines), seed):
        content = contents[number]
        name = min(targets, key=lambda name: misfit(name, content))
        chosen[number] = name
        counts[name].update(content)
    _fill_empty_splits(chosen, targets, groups)

    places = {line: chosen[number] for number, members in enumerate(groups) for line in members}
    splits = {name: [line for i, line in enumerate(lines) if places[i] == name] for name in targets}
    members = Counter(chosen.values())
    unbalanced = [*_wrong_sizes(splits, targets, max(map(len, groups))), *_missing(splits, lines, groups)]
    return Division(splits, {name: members[name] for name in targets}, unbalanced)


def write(division: Division, folder: Path, overwrite: bool = False) -> list[Path]:
    """Write one label file for each split, all or none, with paths relative to the folder.

    The crops that a review called unusable stay known: their list beside the labels is copied too.

    Args:
        division: the lines of each split.
        folder: where to write. It is created if it does not exist.
        overwrite: replace the label files of an earlier split.

    Returns:
        The paths of the label files.

    Raises:
        LinetuneError: such a file exists already, or the folder cannot be written.
    """
    sources = {
        Path(line.source.rpartition(":")[0]).resolve() for split in division.splits.values() for line in split
    }
    before = [folder / f"{name}.txt" for name in NAMES if (folder / f"{name}.txt").exists()]
    if own := [path for path in before if path.resolve() in sources]:
        raise LinetuneError("the split would overwrite its own input", own[0], "choose another folder")
    if before and not overwrite:
        hint = "choose another folder, or pass --overwrite"
        raise LinetuneError("the label file already exists", before[0], hint)
    written = {name: folder / f"{name}.txt" for name in division.splits}
    with os_errors("cannot write", folder):
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            # All files are written before the first one takes its place.
            partials = {name: stack.enter_context(atomic.written(path)) for name, path in written.items()}
            for name, partial in partials.items():
                pairs = [(files.relative(line.image, folder), line.text) for line in division.splits[name]]
                labelfile.write_labels(partial, pairs)
            if unusable := _unusable({path.parent for path in sources} - {folder.resolve()}, folder):
                partial = stack.enter_context(atomic.written(folder / labelfile.UNUSABLE))
                labelfile.write_labels(partial, unusable)
        for path in before:
            # An old test.txt of an earlier split contains lines that are now for training.
            if path not in written.values():
                path.unlink()
    return list(written.values())


def _unusable(sources: Iterable[Path], folder: Path) -> list[tuple[str, str]]:
    """Return the unusable crops beside the labels, and those of the folder, if the labels have any."""
    beside = labelfile.unusable_beside(sources)
    if beside and (own := folder / labelfile.UNUSABLE).is_file():
        beside.append(own)
    lines = labelfile.read_labels(*beside, unlabelled=True)
    return list(dict.fromkeys((files.relative(line.image, folder), line.text) for line in lines))


def _contents(lines: Sequence[Line], groups: Sequence[Sequence[int]]) -> list[Counter[Feature]]:
    """Return for each group how many of its lines have each feature."""
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
    """Return the groups' numbers: first groups above ``big`` lines, then by rarest feature, then by size."""
    numbers = list(range(len(contents)))
    random.Random(seed).shuffle(numbers)

    def key(number: int) -> tuple[float, ...]:
        size = contents[number][_ALL]
        rarity = min(totals[feature] for feature in contents[number])
        return (0, -size, rarity) if size > big else (1, rarity, -size)

    return sorted(numbers, key=key)


def _fill_empty_splits(
    chosen: dict[int, str], targets: Mapping[str, float], groups: Sequence[Sequence[int]]
) -> None:
    """Give each empty split the smallest group of the split with the most groups."""
    for name in targets:
        if name not in chosen.values():
            ((fullest, _),) = Counter(chosen.values()).most_common(1)
            candidates = [number for number, holder in chosen.items() if holder == fullest]
            chosen[min(candidates, key=lambda number: (len(groups[number]), number))] = name


def _wrong_sizes(splits: Mapping[str, list[Line]], targets: Mapping[str, float], largest: int) -> list[str]:
    """Return a message for each split whose size differs from its share."""
    total = sum(map(len, splits.values()))
    messages = []
    for name, share in targets.items():
        difference = abs(len(splits[name]) - share * total)
        if difference > max(1, TOLERANCE * share * total):
            messages.append(
                f"{name} has {len(splits[name]) / total:.1%} of the lines instead of {share:.1%}; "
                f"the largest group has {largest} of {total} lines"
            )
    return messages


def _missing(
    splits: Mapping[str, list[Line]], lines: Sequence[Line], groups: Sequence[Sequence[int]]
) -> list[str]:
    """Return messages on characters of only one group, and on characters and lengths that a split lacks."""
    holders: Counter[str] = Counter()
    for members in groups:
        holders.update(set().union(*(lines[number].text for number in members)))
    messages = []
    for character in sorted(c for c, count in holders.items() if count == 1):
        ((name, line),) = [
            (name, next(line for line in split if character in line.text))
            for name, split in splits.items()
            if any(character in line.text for line in split)
        ]
        messages.append(f"{show(character)} is in only one group, which is in {name}: {place(line.source)}")
    lengths = {len(line.text) for line in lines}
    for name, split in splits.items():
        present = set().union(*(line.text for line in split))
        if absent := sorted(c for c, count in holders.items() if count > 1 and c not in present):
            messages.append(f"{name} has no label with {show(*absent)}")
        if missing := sorted(lengths - {len(line.text) for line in split}):
            messages.append(f"{name} has no label of {', '.join(map(str, missing))} characters")
    return messages
