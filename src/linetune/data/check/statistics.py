"""Figures of a data set, and what its splits lack or contain too often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from statistics import median
from typing import Any, TypeVar

from linetune.core.charset import show
from linetune.core.labelfile import Line
from linetune.data.check.characters import same_look
from linetune.data.check.duplicates import CheckedLine
from linetune.data.check.findings import Finding, warning
from linetune.data.check.labels import Split

K = TypeVar("K")
ENOUGH = 100
"""Training lines from which we report rare characters and lengths. With fewer lines, everything is rare."""
RARE = 5
"""Training lines below which a character or a length is rare."""
FREQUENT = 0.1
"""Share of the training lines above which one label is frequent."""
CONSTANT = 20
"""Training lines from which we report that all have the same label."""


def figures(splits: Sequence[Split], lines: Sequence[CheckedLine]) -> dict[str, dict[str, Any]]:
    """Return the figures of every split: lines, different labels, lengths, characters, and sizes in px."""
    result = {}
    for split in splits:
        crops = [line.crop for line in lines if line.split is split and line.crop]
        texts = [line.text for line in split.lines]
        result[split.name] = {
            "lines": len(texts),
            "labels": len(set(texts)),
            "lengths": dict(sorted(Counter(map(len, texts)).items())),
            "characters": dict(sorted(Counter("".join(texts)).items())),
            "width": _range([crop.width for crop in crops]),
            "height": _range([crop.height for crop in crops]),
        }
    return result


def findings(splits: Sequence[Split], taught: Collection[str]) -> Iterator[Finding]:
    """Yield what the training lines lack or contain too often.

    Args:
        splits: all splits.
        taught: characters that rendered crops teach.
    """
    yield from _mixed([line for split in splits for line in split.lines])
    training = [line for split in splits if not split.held_out for line in split.lines]
    held_out = [line for split in splits if split.held_out for line in split.lines]
    if not training:
        return
    known = set(taught).union(*(line.text for line in training))
    for character, lines in _by(iter, held_out).items():
        if character not in known:
            message = (
                f"{show(character)} is in {_count(lines)} of validation or test, but in no training label"
            )
            yield warning("unseen-character", lines[0].source, message)
    longest = max(len(line.text) for line in training)
    if longer := [line for line in held_out if len(line.text) > longest]:
        message = (
            f"{_count(longer)} of validation or test: longer than every training label ({longest} characters)"
        )
        yield warning("unseen-length", longer[0].source, message)
    if len(training) >= CONSTANT and len({line.text for line in training}) == 1:
        message = f"{training[0].text!r} is the label of all {len(training)} training lines"
        hint = (
            "if it is the name of a class, linetune import --text-column reads the text from another column"
        )
        yield warning("constant-label", training[0].source, message, hint)
    elif len(training) >= ENOUGH:
        yield from _imbalance(training, taught)


def _mixed(lines: Sequence[Line]) -> Iterator[Finding]:
    """Yield a finding for each character that other labels have in another form with the same look."""
    by_character = _by(iter, lines)
    hint = "use one of them everywhere: a crop does not show the difference"
    for character, plain in sorted(same_look(by_character).items()):
        if any(plain in line.text for line in lines):
            affected = by_character[character]
            message = (
                f"{_count(affected)} with {show(character)}, others with {show(plain)}: both look the same"
            )
            yield warning("mixed", affected[0].source, message, hint)


def _imbalance(training: Sequence[Line], taught: Collection[str]) -> Iterator[Finding]:
    """Yield the rare characters, rare lengths and frequent labels."""
    total = len(training)
    for character, lines in sorted(_by(iter, training).items(), key=lambda item: len(item[1])):
        if len(lines) < RARE and character not in taught:
            message = f"{show(character)} is in only {len(lines)} of {total} training lines"
            yield warning("rare-character", lines[0].source, message)
    for length, lines in sorted(_by(lambda text: [len(text)], training).items()):
        if len(lines) < RARE:
            message = f"labels of {length} characters: only {len(lines)} of {total} training lines"
            yield warning("rare-length", lines[0].source, message)
    for text, lines in _by(lambda text: [text], training).items():
        if len(lines) > FREQUENT * total:
            message = (
                f"{text!r} is the label of {len(lines)} of {total} training lines ({len(lines) / total:.0%})"
            )
            yield warning("frequent-label", lines[0].source, message)


def _count(lines: Sequence[Line]) -> str:
    return f"{len(lines)} line{'s' if len(lines) > 1 else ''}"


def _by(features: Callable[[str], Iterable[K]], lines: Iterable[Line]) -> dict[K, list[Line]]:
    """Return the lines with each feature. ``features`` returns the features of a text."""
    found: dict[K, list[Line]] = {}
    for line in lines:
        for feature in dict.fromkeys(features(line.text)):
            found.setdefault(feature, []).append(line)
    return found


def _range(values: Sequence[int]) -> dict[str, float]:
    return {"least": min(values), "median": median(values), "most": max(values)} if values else {}
