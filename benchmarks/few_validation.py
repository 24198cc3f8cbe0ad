"""How well the few validation crops of a small job choose between stages: each stage on all other crops.

    python benchmarks/few_validation.py FOLDER LABELS [LABELS ...] [--labels 200] [--within 12min] [--seeds 0]

Each seed draws labels, and does what a user does with them: ``linetune init --from`` and ``linetune train``.
The rows say how many of the validation crops and of the crops that were not drawn each stage reads. A run
that is finished is not run again.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from pathlib import Path

from linetune.core.labelfile import Line, read_labels, write_labels
from linetune.decode import Reading
from linetune.recogniser import Recogniser


def main() -> None:
    """Train, and print the rows of each seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", type=Path, nargs="+", metavar="LABELS")
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--within", default="12min")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    lines = read_labels(*options.files)
    for seed in options.seeds:
        drawn = set(random.Random(seed).sample(range(len(lines)), options.labels))
        folder = options.folder.resolve() / str(seed)
        trained(folder, [lines[number] for number in sorted(drawn)], seed, options.within)
        others = [line for number, line in enumerate(lines) if number not in drawn]
        val = read_labels(folder / "job/labels/val.txt")
        print(f"seed {seed}: {len(val)} validation crops, {len(others)} others")
        for model in sorted((folder / "job/runs/first/stages").glob("*.safetensors")):
            reader = Recogniser.load(model)
            print(f"  {model.stem:<16} {right(reader, val)}  {right(reader, others)}", flush=True)


def trained(folder: Path, lines: list[Line], seed: int, within: str) -> None:
    """Set up a job and train it, unless that is done."""
    job = folder / "job"
    if not job.exists():
        folder.mkdir(parents=True)
        write_labels(folder / "labels.txt", ((line.image.resolve().as_posix(), line.text) for line in lines))
        linetune("init", job, "--from", folder / "labels.txt", "--also", "")
    if not (job / "runs/first/results.json").exists():
        settings = (f"seed={seed}", f"output={job / 'runs/first'}", "--within", within)
        linetune("train", job / "linetune.yaml", *settings, "--overwrite")


def linetune(*arguments: object) -> None:
    """Run a command of linetune."""
    subprocess.run([sys.executable, "-m", "linetune", *map(str, arguments)], check=True)


def right(model: Recogniser, lines: list[Line]) -> int:
    """Return how many crops a model reads right."""
    found = model.read_files([line.image for line in lines])
    readings = (found[line.image] for line in lines)
    return sum(
        isinstance(reading, Reading) and reading.text == line.text
        for reading, line in zip(readings, lines, strict=True)
    )


if __name__ == "__main__":  # rendering starts worker processes
    main()
