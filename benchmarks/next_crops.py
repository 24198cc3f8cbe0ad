"""What `linetune next` chooses: how many of its crops the model misreads, beside other ways to choose.

    python benchmarks/next_crops.py MODEL LABELS [--number 100] [--labelled LABELS] [--seeds 0 1 2]

LABELS has the labels of the crops to choose from. Nothing but the count of misread crops uses them. A
characters' figure is the number of different confusions, a character of the label and the one read for it.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Collection, Sequence
from pathlib import Path
from statistics import mean

from linetune.analysis.next_crops import next_crops
from linetune.core.labelfile import read_labels
from linetune.decode import Reading
from linetune.evaluation.metrics import aligned
from linetune.recogniser import Recogniser
from linetune.report.terminal import terminal


def main() -> None:
    """Choose in each way, and print one line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("model")
    parser.add_argument("labels", type=Path)
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--labelled", type=Path, help="labels that the model was trained on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    texts = {line.image: line.text for line in read_labels(options.labels)}
    known = [line.image for line in read_labels(options.labelled)] if options.labelled else []
    model, number, paths = Recogniser.load(options.model), options.number, list(texts)
    with terminal() as reporter:
        readings = {p: r for p, r in model.read_files(paths, reporter).items() if isinstance(r, Reading)}
        by_next = [next_crops(model, paths, number, known, reporter).chosen]
    doubtful = sorted(readings, key=lambda path: readings[path].confidence)[:number]
    at_random = [random.Random(seed).sample(paths, number) for seed in options.seeds]
    everything = [path for path in paths if path in readings]
    print(
        f"{number} of {len(paths)} crops, of which the model misreads {misread(everything, readings, texts)}"
    )
    for name, chosen in (("next", by_next), ("least confident", [doubtful]), ("random", at_random)):
        wrong = [misread(some, readings, texts) for some in chosen]
        kinds = [len(confusions(some, readings, texts)) for some in chosen]
        print(f"{name:<16} misread {mean(wrong):.0f}, different confusions {mean(kinds):.0f}")


def misread(paths: Collection[Path], readings: dict[Path, Reading], texts: dict[Path, str]) -> int:
    """Return how many crops the model misreads."""
    return sum(readings[path].text != texts[path] for path in paths)


def confusions(
    paths: Sequence[Path], readings: dict[Path, Reading], texts: dict[Path, str]
) -> set[tuple[str, str]]:
    """Return the different confusions of the crops."""
    pairs = (pair for path in paths for pair in aligned(texts[path], readings[path].text))
    return {pair for pair in pairs if pair[0] != pair[1]}


if __name__ == "__main__":
    main()
