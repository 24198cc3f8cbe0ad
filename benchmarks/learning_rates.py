"""One rate for every tensor, or rates relative to each tensor's size: one epoch of each, side by side.

    python benchmarks/learning_rates.py TRAIN_LABELS VAL_LABELS

Everything trains on the real crops, straight from the official model limited to the charset, with
standard augmentation. Rates are what a configuration's learning_rate would say.
"""

from __future__ import annotations

import copy
import sys
import tempfile
from pathlib import Path
from unittest import mock

import torch
from rich.console import Console
from rich.table import Table

from linetune.config.schema import STANDARD, Stage
from linetune.core.charset import Charset
from linetune.core.labelfile import read_labels
from linetune.core.progress import Silent
from linetune.data.dataset import load_dataset
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.training import optimiser
from linetune.training.context import Context
from linetune.training.journal import Journal
from linetune.training.stage import StageTask, train_stage
from linetune.training.validation import score_of

RATES = {"one rate": (1e-4, 3e-4), "relative to size": (3e-5, 1e-4, 3e-4)}


def main(train: Path, val: Path) -> None:
    """Print exact match on validation after one epoch at each rate."""
    lines = read_labels(train)
    charset = Charset.collect(line.text for line in lines)
    data, held_out = load_dataset(lines, charset), load_dataset(read_labels(val), None)
    start = with_charset(load_base("PP-OCRv5_mobile_rec"), charset).model.network
    before = score_of(start.run, held_out, charset).exact_match
    title = f"{len(data)} crops, one epoch; before it {before:.1%} of {len(held_out)}"
    table = Table("learning rates", "rate", "val exact", "seconds", title=title)
    with tempfile.TemporaryDirectory() as folder, Journal.in_folder(Path(folder)) as journal:
        context = Context(charset, held_out, 0, torch.device("cpu"), torch.float32, journal, Silent())
        for kind, rates in RATES.items():
            uniform = mock.patch.object(optimiser, "_relative_rate", return_value=1.0)
            for rate in rates:
                stage = Stage(name="one", data=["train"], epochs=1, learning_rate=rate, augment=STANDARD)
                network = copy.deepcopy(start)
                if kind == "one rate":
                    with uniform:
                        result = train_stage(network, StageTask(stage, 0, data), context)
                else:
                    result = train_stage(network, StageTask(stage, 0, data), context)
                table.add_row(kind, f"{rate:.0e}", f"{result.score.exact_match:.1%}", f"{result.seconds:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
