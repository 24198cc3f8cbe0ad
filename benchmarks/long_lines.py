"""What lines of several lengths cost: seconds a crop, and the most memory, of training and validation.

    python benchmarks/long_lines.py [--characters 15 30 60 120] [--crops 160] [--base PP-OCRv6_small_rec]

Each length has a process of its own. Its lines are words of the project's list, drawn in a plain font;
60 characters are about 1,000 px wide at height 48. Everything trains for two epochs, augmented.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import resource
import tempfile
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from linetune.config.schema import STANDARD, Stage
from linetune.core.charset import Charset
from linetune.core.device import best_device, best_precision
from linetune.core.labelfile import Line
from linetune.core.progress import Silent
from linetune.data.dataset import load_dataset
from linetune.evaluation.general import draw
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.training.context import Context
from linetune.training.journal import Journal
from linetune.training.stage import StageTask, train_stage


def main() -> None:
    """Train on lines of every length, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--characters", type=int, nargs="+", default=[15, 30, 60, 120])
    parser.add_argument("--crops", type=int, default=160)
    parser.add_argument("--base", default="PP-OCRv6_small_rec")
    options = parser.parse_args()
    table = Table("characters", "width", "ms a crop", "ms a crop and 100 px", "most memory")
    processes = multiprocessing.get_context("spawn")
    for characters in options.characters:
        with processes.Pool(1) as pool:
            width, seconds, peak = pool.apply(measured, (characters, options.crops, options.base))
        each = 1000 * seconds
        table.add_row(
            str(characters), f"{width:.0f} px", f"{each:.0f}", f"{100 * each / width:.1f}", f"{peak:.2f} GB"
        )
    Console().print(table)


def measured(characters: int, crops: int, base: str) -> tuple[float, float, float]:
    """(mean width in px, seconds a crop of the second epoch, peak resident memory in GB)."""
    texts = written(characters, crops)
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        widths = []
        for number, (text, crop) in enumerate(zip(texts, draw(texts), strict=True)):
            path = Path(folder, f"{number}.png")
            cv2.imwrite(str(path), crop)
            widths.append(crop.shape[1])
            lines.append(Line(path, text, str(path)))
        charset = Charset.collect(texts)
        network = with_charset(load_base(base), charset).model.network
        data, few = load_dataset(lines, charset), load_dataset(lines[:32], None)
        stage = Stage(
            name="one", data=["train"], epochs=2, learning_rate=1e-5, batch_size=16, augment=STANDARD
        )
        device = best_device()
        with Journal.in_folder(Path(folder)) as journal:
            context = Context(charset, few, 0, device, best_precision(device), journal, Silent())
            train_stage(network.to(device), StageTask(stage, 0, data), context)
        rows = map(json.loads, Path(folder, "journal.jsonl").read_text("utf-8").splitlines())
        speed = [row["images_per_second"] for row in rows if "images_per_second" in row][-1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return float(np.mean(widths)), 1 / speed, peak


def written(characters: int, count: int) -> list[str]:
    """Different texts of words and spaces, each of about so many characters."""
    listed = resources.files("linetune.evaluation").joinpath("everyday.txt").read_text("utf-8").split()
    rng = np.random.default_rng(0)
    words = itertools.chain.from_iterable(rng.permutation(listed) for _ in itertools.count())
    texts = []
    for _ in range(count):
        text = next(words)
        while len(text) < characters - 3:
            text += " " + next(words)
        texts.append(str(text))
    return texts


if __name__ == "__main__":
    main()
