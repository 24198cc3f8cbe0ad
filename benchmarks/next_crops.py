"""What `linetune next` chooses: how many of its crops the model misreads, beside other ways to choose.

    python benchmarks/next_crops.py MODEL LABELS [--number 100] [--labelled LABELS] [--seeds 0 1 2]
        [--train CONFIG [--output DIR]]

LABELS has the labels of the crops to choose from. Nothing but the count of misread crops uses them. A
characters' figure is the number of different confusions, a character of the label and the one read for it.
With --train, CONFIG is trained on the crops of --labelled and those that ``next`` chose, and again on the
crops of --labelled and those of the first random choice. Crops whose label has a character that the charset
of CONFIG lacks are not chosen from. A run that is finished is not run again.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from statistics import mean

from linetune.analysis.learning_curve import finished_run
from linetune.analysis.next_crops import next_crops
from linetune.config import Config, load
from linetune.core.charset import Charset
from linetune.core.labelfile import Line, read_labels, write_labels
from linetune.core.progress import Reporter
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
    parser.add_argument("--train", type=Path, metavar="CONFIG", help="what the labels of each choice give")
    parser.add_argument("--output", type=Path, default=Path("runs/next"), help="a folder for the runs")
    options = parser.parse_args()
    if options.train and not options.labelled:
        parser.error("--train needs --labelled")
    config = load(options.train) if options.train else None
    texts = {line.image: line.text for line in read_labels(options.labels)}
    if config and isinstance(config.charset, Path):
        charset = Charset.read(config.charset)
        texts = {path: text for path, text in texts.items() if not charset.missing(text)}
    labelled = read_labels(options.labelled) if options.labelled else []
    known = [line.image for line in labelled]
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
    if config:
        for name, some in (("next", by_next[0]), ("random", at_random[0])):
            lines = [*labelled, *(Line(path, texts[path], str(path)) for path in some)]
            with terminal() as reporter:
                train_on(lines, config, options.output.resolve() / name, reporter)


def train_on(lines: Iterable[Line], config: Config, folder: Path, reporter: Reporter) -> None:
    """Train on some labels, and print the exact match of each row, in percent."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = folder / "labels.txt"
    write_labels(labels, ((line.image.resolve().as_posix(), line.text) for line in lines))
    data = config.data.model_copy(update={"train": [labels], "unlabelled": None})
    run = finished_run(config.model_copy(update={"data": data, "output": folder / "run"}), False, reporter)
    print(f"trained on the {len(read_labels(labels))} labels of {labels}")
    for row in run["rows"]:
        scores = (f"{name} {100 * row[name]['exact_match']:.1f}" for name in ("val", "test") if row[name])
        print(f"  {row['name']:<40} {'  '.join(scores)}")


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
