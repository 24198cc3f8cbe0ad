"""What crops without labels give: a run on a few labels, whose other training crops lose theirs.

    python benchmarks/unlabelled.py CONFIG [KEY=VALUE ...] --labels 200 [--against 400] [--seeds 0 1 2]
        [--group-by REGEX] [--poison] [--output DIR] [--model MODEL ...]

Each seed draws other labels. All runs have the charset of all training labels. The first stages are trained
once, with the first seed, if they use no training crops. The rows of one seed are those of one run: the stage
before the unlabelled crops and the stage after them. --against trains, with each seed, a second run on more
labels and no crops without labels; its labels include those of the first. --poison hides the label of a third
more crops: upside down, blank, and on their side. A run that is finished is not run again. With --model,
nothing is trained: it says which of the crops of the first seed this model is sure of, and how many of their
labels are right. Several models vote: the mean of their class probabilities counts.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from linetune.analysis.learning_curve import finished_run
from linetune.config import Config, load
from linetune.core import image
from linetune.core.labelfile import Line, read_labels, write_labels
from linetune.data.dataset import load_dataset
from linetune.data.groups import group
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.models.network import Network
from linetune.report.terminal import terminal
from linetune.training.gather import charset_of, rendered_texts
from linetune.training.unlabelled import believed

POISON = ("upside down", "blank", "on their side")
"""What crops show something else by. Their number tells which."""
SHARED = "first"
"""Folder of the stages that use no training crops."""


def main() -> None:
    """Train, and print the rows of every run and the means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--labels", type=int, required=True, help="training crops that keep their label")
    parser.add_argument("--against", type=int, help="labels of a run without unlabelled crops")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--group-by", metavar="REGEX", help="names the photo of a crop")
    parser.add_argument("--poison", action="store_true", help="add crops that show something else")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/unlabelled"), help="a folder for every seed"
    )
    parser.add_argument("--model", nargs="+", help="finished models that only label the crops, together")
    options = parser.parse_intermixed_args()
    config = load(options.config, options.overrides)
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    if config.charset == "auto":  # a run on few labels would not know all characters
        texts = [line.text for line in read_labels(*config.data.train)]
        charset_of(config, [*texts, *rendered_texts(config)]).write(output / "charset.txt")
        config = config.model_copy(update={"charset": output / "charset.txt"})
    if options.model:
        hide(config, options.labels, options.seeds[0], options.group_by, options.poison, output)
        models = [load_base(name) for name in options.model]
        if any(each.charset != models[0].charset for each in models):
            parser.error("the models of a vote have one charset")
        vote = Vote([each.network for each in models]) if models[1:] else models[0].network
        label(config, replace(models[0], network=vote), output)
        return
    with terminal() as reporter:
        leading = next(i for i, stage in enumerate(config.stages) if "train" in stage.data)
        if leading:
            stages = {"stages": config.stages[:leading], "output": output / SHARED, "seed": options.seeds[0]}
            first = config.model_copy(update=stages)
            finished_run(first, False, reporter)
            best = str(first.output / "model.safetensors")
            config = config.model_copy(update={"base_model": best, "stages": config.stages[leading:]})
        runs, others = [], []
        for seed in options.seeds:
            folder = output / str(seed)
            hide(config, options.labels, seed, options.group_by, options.poison, folder)
            runs.append(finished_run(hidden(config, seed, folder), False, reporter))
            if options.against:
                folder = output / f"{seed}-{options.against}"
                hide(config, options.against, seed, options.group_by, False, folder)
                alone = hidden(config, seed, folder, unlabelled=False)
                others.append(finished_run(alone, False, reporter))
    for seed, run in zip(options.seeds, runs, strict=True):
        print(f"seed {seed}: kept {run['best']}")
        for name, stage in run.get("self_training", {}).items():
            print(f"  {name}: sure of {stage['sure']} of {stage['crops']}, {stage['right']:.0f} labels right")
    print(f"{options.labels} labels and the other crops without theirs")
    for name, rows in means(runs):
        print(f"  {name:<40} {rows}")
    if others:
        print(f"{options.against} labels alone")
        for name, rows in means(others):
            print(f"  {name:<40} {rows}")


class Vote(Network):
    """Several networks as one, whose class probabilities are the mean of theirs."""

    def __init__(self, networks: Sequence[Network]) -> None:
        nn.Module.__init__(self)
        self.networks = nn.ModuleList(networks)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the mean: its softmax is the mean itself."""
        return torch.stack([network(images).softmax(2) for network in self.networks]).mean(0).log()


def label(config: Config, model: Model, folder: Path) -> None:
    """Print how many crops a model is sure of, and how many of their labels are right."""
    texts = {line.image.resolve(): line.text for line in read_labels(*config.data.train)}
    with terminal() as reporter:
        val = load_dataset(read_labels(*config.data.val), None)
        crops = load_dataset(read_labels(folder / "unlabelled.txt", unlabelled=True), None)
        crops = replace(crops, labels=[[] for _ in crops.lines])
        sure = believed(model, crops, val, model.charset, model.both_ways, reporter).sure
    own = [i for i, line in enumerate(sure.lines) if line.image in texts]
    right = sum(model.charset.decode(sure.labels[i]) == texts[sure.lines[i].image] for i in own)
    total = sum(line.image in texts for line in crops.lines)
    print(f"sure of {len(own)} of {total} crops, of whose labels {right} are right")
    for number, kind in enumerate(POISON):
        some, all_of_it = (
            sum(line.image not in texts and int(line.image.stem) % len(POISON) == number for line in lines)
            for lines in (sure.lines, crops.lines)
        )
        if all_of_it:
            print(f"sure of {some} of {all_of_it} crops that are {kind}")


def hide(config: Config, labels: int, seed: int, pattern: str | None, poison: bool, folder: Path) -> None:
    """Write ``labels.txt`` with some training crops of a draw, and ``unlabelled.txt`` with the others."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = list(dict.fromkeys(read_labels(*config.data.train)))
    groups = group(lines, pattern) if pattern else [[number] for number in range(len(lines))]
    random.Random(seed).shuffle(groups)
    order = [number for members in groups for number in members]
    known, others = ([lines[i] for i in sorted(part)] for part in (order[:labels], order[labels:]))
    write_labels(folder / "labels.txt", ((line.image.resolve().as_posix(), line.text) for line in known))
    crops = [line.image.resolve().as_posix() for line in others]
    crops += [path.as_posix() for path in poisoned(others, folder / "poison")] if poison else []
    write_labels(folder / "unlabelled.txt", ((path, "") for path in crops))


def poisoned(lines: Sequence[Line], folder: Path) -> Iterator[Path]:
    """Yield the paths of half as many crops as there are lines, so that a third of all shows something
    else."""
    folder.mkdir(exist_ok=True)
    for number, line in enumerate(lines[::2]):
        crop, path = image.read(line.image), folder / f"{number}.png"
        upside_down, on_its_side = image.half_turned(crop), crop.transpose(1, 0, 2)
        blank = np.full_like(crop, int(crop.mean()))
        image.write(path, np.ascontiguousarray((upside_down, blank, on_its_side)[number % len(POISON)]))
        yield path.resolve()


def hidden(config: Config, seed: int, folder: Path, unlabelled: bool = True) -> Config:
    """Return the run of one draw. Everything besides its labels stays the same."""
    files = {
        "train": [folder / "labels.txt"],
        "unlabelled": folder / "unlabelled.txt" if unlabelled else None,
    }
    data = config.data.model_dump() | files
    tree = config.model_dump() | {"data": data, "seed": seed, "output": folder / "run"}
    return Config.model_validate(tree)


def means(runs: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the name of each row, and of the kept models, and their exact match on each split, in percent:
    the mean and each run's own."""
    named = [{row["name"]: row for row in run["rows"]} for run in runs]
    columns = [(name, [rows[name] for rows in named]) for name in named[0]]
    columns.append(("kept", [rows[run["best"]] for rows, run in zip(named, runs, strict=True)]))
    for name, rows in columns:
        shown = []
        for split in ("val", "test"):
            if rows[0][split]:
                own = [100 * row[split]["exact_match"] for row in rows]
                shown.append(f"{split} {sum(own) / len(own):.1f} ({', '.join(f'{x:.1f}' for x in own)})")
        yield name, "  ".join(shown)


if __name__ == "__main__":  # rendering starts worker processes
    main()
