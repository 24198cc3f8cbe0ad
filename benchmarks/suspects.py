"""How many wrong labels `linetune suspects` finds: some are planted, and looked for among the first.

    python benchmarks/suspects.py LABELS [--share 0.03] [--crops 800] [--group-by '^(photo_[0-9]+)']

Half of them have one character replaced by another of the charset, half have another crop's label. The labels
that were wrong before compete for the first places; those found there are printed, to be looked at.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from linetune.analysis.suspects import find_suspects
from linetune.config import Config
from linetune.core import labelfile
from linetune.core.labelfile import read_labels
from linetune.report.suspects import write_suspects
from linetune.report.terminal import terminal
from linetune.report.words import Words


def main() -> None:
    """Print how many of the planted ones stand among as many of the first, and among twice as many."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--share", type=float, default=0.03, help="of the labels that are made wrong")
    parser.add_argument("--crops", type=int, help="take so many at random")
    parser.add_argument("--model", default="PP-OCRv5_mobile_rec")
    parser.add_argument("--group-by")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, help="folder for the page and the list, which are kept")
    options = parser.parse_args()
    lines = read_labels(options.labels)
    rng = random.Random(options.seed)
    if options.crops:
        lines = [lines[i] for i in sorted(rng.sample(range(len(lines)), options.crops))]
    planted = plant([line.text for line in lines], options.share, rng)
    with tempfile.TemporaryDirectory() as folder, terminal() as reporter:
        labels = Path(folder, "labels.txt")
        texts = [planted.get(i, line.text) for i, line in enumerate(lines)]
        images = [line.image.resolve().as_posix() for line in lines]
        labelfile.write_labels(labels, zip(images, texts, strict=True))
        started = time.perf_counter()
        found = find_suspects(config(labels, options), options.folds, None, options.group_by, False, reporter)
        seconds = time.perf_counter() - started
        if options.page:
            write_suspects(options.page, found, len(lines), Words())
    numbers = [int(each.line.source.rpartition(":")[2]) - 1 for each in found.disputed]
    print(f"{len(found.disputed)} of {found.lines} labels are suspects, {seconds:.0f} s")
    for times in (1, 2):
        first = numbers[: times * len(planted)]
        there = sum(number in planted for number in first)
        print(f"planted among the first {times * len(planted)}: {there} of {len(planted)}")
    print(f"planted among all disputed: {sum(number in planted for number in numbers)} of {len(planted)}")
    for name, part in (("one character", 0), ("another label", 1)):
        kind = list(planted)[part::2]
        print(f"  {name}: {sum(number in kind for number in numbers)} of {len(kind)}")
    print("not planted:")
    natural = [each for number, each in zip(numbers, found.disputed, strict=True) if number not in planted]
    for each in natural[:40]:
        print(f"  {each.score:5.1f}  {each.line.text!r} read {each.read!r}  {each.line.image.name}")


def plant(texts: Sequence[str], share: float, rng: random.Random) -> dict[int, str]:
    """Wrong labels by number: in turn one with another character, and one of another crop."""
    characters = sorted(set().union(*texts))
    wrong = {}
    for turn, number in enumerate(rng.sample(range(len(texts)), round(share * len(texts)))):
        text = texts[number]
        if turn % 2:
            wrong[number] = rng.choice([other for other in texts if other != text])
        else:
            at = rng.randrange(len(text))
            other = rng.choice([character for character in characters if character != text[at]])
            wrong[number] = text[:at] + other + text[at + 1 :]
    return wrong


def config(labels: Path, options: argparse.Namespace) -> Config:
    """A run on these labels."""
    data = {"train": str(labels), "val": str(labels)}
    stages = [{"name": "real", "data": "train", "epochs": 1, "learning_rate": 1e-4}]
    return Config.model_validate(
        {"output": "run", "base_model": options.model, "seed": options.seed, "data": data, "stages": stages}
    )


if __name__ == "__main__":
    main()
