"""What a set holds as a whole: figures, and what is out of balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from linetune.core.charset import show
from linetune.core.labelfile import Line
from linetune.data.check.characters import same_look
from linetune.data.check.duplicates import Entry
from linetune.data.check.findings import Finding, warning
from linetune.data.check.labels import Split

ENOUGH = 100
"""Training lines from which imbalance is told; of fewer, everything is rare."""
RARE = 5
"""Training lines below which a character or a length is rare."""
FREQUENT = 0.1
"""Share of the training lines above which one label is frequent."""
CONSTANT = 20
"""Training lines from which one label for all of them is told."""


def figures(splits: Sequence[Split], entries: Sequence[Entry]) -> dict[str, dict[str, Any]]:
    """Plain figures of every split: lines, different labels, lengths, characters, sizes."""
    told = {}
    for split in splits:
        looks = [entry.look for entry in entries if entry.split is split and entry.look]
        texts = [line.text for line in split.lines]
        told[split.name] = {
            "lines": len(texts),
            "labels": len(set(texts)),
            "lengths": dict(sorted(Counter(map(len, texts)).items())),
            "characters": dict(sorted(Counter("".join(texts)).items())),
            "width": _range([look.width for look in looks]),
            "height": _range([look.height for look in looks]),
        }
    return told


def findings(splits: Sequence[Split], taught: Collection[str]) -> Iterator[Finding]:
    """What the training lines lack or hold too much of.

    Args:
        splits: all there are.
        taught: characters that rendered crops teach.
    """
    yield from _mixed([line for split in splits for line in split.lines])
    training = [line for split in splits if not split.held_out for line in split.lines]
    held_out = [line for split in splits if split.held_out for line in split.lines]
    if not training:
        return
    known = set(taught).union(*(line.text for line in training))
    for character, lines in _by_character(held_out).items():
        if character not in known:
            yield _at(lines, "unseen-character", f"{show(character)} is in {{}}, but in no training label")
    longest = max(len(line.text) for line in training)
    if beyond := [line for line in held_out if len(line.text) > longest]:
        yield _at(beyond, "unseen-length", f"{{}} with more than {longest} characters, as none to train on")
    if len(training) >= CONSTANT and len({line.text for line in training}) == 1:
        message = f"{training[0].text!r} is the label of all {len(training)} lines to train on"
        hint = "the name of a class? --text-column of linetune import takes the text from another column"
        yield warning("constant-label", training[0].source, message, hint)
    elif len(training) >= ENOUGH:
        yield from _imbalance(training, taught)


def _mixed(lines: Sequence[Line]) -> Iterator[Finding]:
    by_character = _by_character(lines)
    for character, plain in sorted(same_look(by_character).items()):
        if any(plain in line.text for line in lines):
            message = f"{show(character)} is in {{}}, and {show(plain)}, which looks the same, in others"
            found = _at(by_character[character], "mixed", message)
            yield replace(found, hint="write one of them everywhere; a crop shows no difference")


def _imbalance(training: Sequence[Line], taught: Collection[str]) -> Iterator[Finding]:
    total = len(training)
    for character, lines in sorted(_by_character(training).items(), key=lambda item: len(item[1])):
        if len(lines) < RARE and character not in taught:
            yield _at(lines, "rare-character", f"{show(character)} is in {{}} of {total} to train on")
    by_length: dict[int, list[Line]] = {}
    by_text: dict[str, list[Line]] = {}
    for line in training:
        by_length.setdefault(len(line.text), []).append(line)
        by_text.setdefault(line.text, []).append(line)
    for length, lines in sorted(by_length.items()):
        if len(lines) < RARE:
            yield _at(lines, "rare-length", f"{{}} of {total} to train on with {length} characters")
    for text, lines in by_text.items():
        if len(lines) > FREQUENT * total:
            share = f"{len(lines) / total:.0%}"
            yield _at(lines, "frequent-label", f"{text!r} is on {{}} to train on, {share} of all")


def _at(lines: Sequence[Line], kind: str, message: str) -> Finding:
    count = f"{len(lines)} line{'s' if len(lines) > 1 else ''}"
    # The message may hold braces of its own.
    return warning(kind, lines[0].source, message.replace("{}", count, 1))


def _by_character(lines: Sequence[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        for character in dict.fromkeys(line.text):
            found.setdefault(character, []).append(line)
    return found


def _range(values: Sequence[int]) -> dict[str, float]:
    return {"least": min(values), "median": median(values), "most": max(values)} if values else {}
