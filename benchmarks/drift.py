"""What restores a model when the printer changes: crops without labels, and a few labels.

    python benchmarks/drift.py FOLDER [--labels 50] [--seeds 0]

All crops are rendered: yesterday's printer has one font, today's prints another one in dots. A run learns
yesterday's crops, and keeps a promise about them. The steps of docs/few_labels.md follow. A fifth of the new
labels are of validation crops, beside yesterday's. The rows say how many of the test crops of each day a
model reads. A run that is finished is not run again.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from linetune.analysis.learning_curve import finished_run
from linetune.analysis.next_crops import next_crops
from linetune.config.schema import STANDARD, Config, Data, Stage, Synth
from linetune.core.labelfile import Line, read_labels, write_labels
from linetune.decode import Reading
from linetune.decode.calibrated import accepts
from linetune.evaluation.drift import drift
from linetune.evaluation.promise import as_record, percent, promise
from linetune.recogniser import Recogniser
from linetune.report.terminal import terminal
from linetune.synth.generate import generate

RULE = "[A-Z]{2}[0-9]{6}|L[0-9]{5}[A-F]"
YESTERDAY, TODAY = ("font_roboto", "print"), ("font_intuitive", "dots")
"""The font and the style of each day."""
TRAIN, VAL, TEST, UNLABELLED = 300, 60, 400, 300
"""Number of crops of each kind. The promise has as many as the test."""
MAX_ERROR = 0.02


def main() -> None:
    """Train, and print the rows of each seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", type=int, default=50, help="labels of today's crops")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    for seed in options.seeds:
        one_seed(options.folder.resolve() / str(seed), options.labels, seed)


def one_seed(folder: Path, labels: int, seed: int) -> None:
    """Train yesterday's model and those of today."""
    old = {
        name: rendered(folder / name, YESTERDAY, count, 10 * seed + place)
        for place, (name, count) in enumerate(
            {"train": TRAIN, "val": VAL, "test": TEST, "promised": TEST}.items()
        )
    }
    new = {
        name: rendered(folder / f"today_{name}", TODAY, count, 10 * seed + place)
        for place, (name, count) in enumerate({"crops": UNLABELLED, "test": TEST}.items(), len(old))
    }
    texts = {line.image: line.text for line in read_labels(new["crops"])}
    with terminal() as reporter:
        first = run(folder / "first", seed, [old["train"]], [old["val"]])
        finished_run(first, False, reporter)
        model = Recogniser.load(first.output)
        chosen = next_crops(model, list(texts), labels, (), reporter).chosen
    print(f"seed {seed}")
    broken(model, old["promised"], new["test"])
    show("yesterday's model", first.output, old["test"], new["test"])
    by_chance = random.Random(seed).sample(list(texts), labels)
    # Their order has a meaning. Both parts get crops of the whole of it.
    chosen = random.Random(seed).sample(list(chosen), labels)
    rows = {
        "and crops without labels": ([], True),
        f"and {labels} labels by next": (chosen, False),
        f"and {labels} labels by chance": (by_chance, False),
        f"and {labels} labels by next, others without": (chosen, True),
    }
    for number, (name, labelled, unlabelled) in enumerate((name, *row) for name, row in rows.items()):
        target = folder / f"today_{number}"
        train, val = [old["train"]], [old["val"]]
        if labelled:
            held_out = len(labelled) // 5
            train.append(labels_of(labelled[held_out:], texts, target / "train.txt"))
            val.append(labels_of(labelled[:held_out], texts, target / "val.txt"))
        crops = folder / "today_crops" if unlabelled else None
        again = run(target / "run", seed, train, val, crops, str(first.output / "model.safetensors"))
        with terminal() as reporter:
            finished_run(again, False, reporter)
        show(name, again.output, old["test"], new["test"])


def rendered(folder: Path, look: tuple[str, str], count: int, seed: int) -> Path:
    """Return the label file of rendered crops."""
    font, style = look
    fonts = [Path(str(resources.files(font) / "files"))]
    settings = Synth(rule=RULE, fonts=fonts, style=[style], count=count, output=folder, seed=seed)
    generate(settings, lambda done: None)
    return folder / "labels.txt"


def run(
    output: Path,
    seed: int,
    train: Sequence[Path],
    val: Sequence[Path],
    unlabelled: Path | None = None,
    base: str = "PP-OCRv6_small_rec",
) -> Config:
    """Return a run on real crops, from a base model."""
    data = Data(train=list(train), val=list(val), unlabelled=unlabelled)
    name, sets = "real", ["train"]
    if unlabelled and len(train) == 1:
        # Without new labels, a stage on labelled crops alone would repeat the first run.
        name, sets = "unlabelled", ["train", "unlabelled"]
    stage = Stage(name=name, data=sets, batch_size=16, augment=STANDARD)
    return Config(output=output, base_model=base, seed=seed, data=data, stages=[stage])


def labels_of(paths: Sequence[Path], texts: dict[Path, str], file: Path) -> Path:
    """Write the labels of some crops."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_labels(file, ((path.resolve().as_posix(), texts[path]) for path in paths))
    return file


def read(model: Recogniser, lines: Sequence[Line]) -> tuple[list[float], list[bool]]:
    """Return the confidence of each crop, and whether it is read right."""
    readings = model.read_files([line.image for line in lines])
    found = [reading for reading in readings.values() if isinstance(reading, Reading)]
    right = [reading.text == line.text for reading, line in zip(found, lines, strict=True)]
    return [reading.confidence for reading in found], right


def broken(model: Recogniser, promised: Path, today: Path) -> None:
    """Print what yesterday's promise is worth on today's crops, and what drift says of them."""
    labels = read_labels(promised)
    confidences, right = read(model, labels)
    found = promise(confidences, right, MAX_ERROR)
    print(f"  yesterday: {found.as_text()}; accepted {found.coverage:.0%}")
    record = as_record(found, confidences, [line.text for line in labels])
    confidences, right = read(model, read_labels(today))
    accepted = accepts(found.threshold, confidences)
    wrong = (accepted & ~np.array(right)).sum()
    print(f"  today: accepted {accepted.sum()} of {len(right)}, of which {wrong} are wrong")
    print(f"  drift: {drift(record, confidences).as_text()} (promised: {percent(MAX_ERROR)})", flush=True)


def show(name: str, model: Path, old: Path, new: Path) -> None:
    """Print how many of the test crops of each day a model reads."""
    reader = Recogniser.load(model)
    shares = [
        sum(right) / len(right) for _, right in (read(reader, read_labels(each)) for each in (new, old))
    ]
    print(f"  {name:<48} today {shares[0]:.1%}  yesterday {shares[1]:.1%}", flush=True)


if __name__ == "__main__":  # rendering starts worker processes
    main()
