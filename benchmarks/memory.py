"""How much memory a stage on stored features takes, however many crops there are.

    python benchmarks/memory.py LABELS [--crops 60000] [--epochs 1]

The label file's crops are taken again and again until there are enough.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import secrets
import tempfile
import time
from pathlib import Path

from linetune.config.schema import Stage
from linetune.core.charset import Charset
from linetune.core.device import best_device, best_precision
from linetune.core.labelfile import read_labels
from linetune.core.progress import Silent
from linetune.data.dataset import load_dataset
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.training.context import Context
from linetune.training.journal import Journal
from linetune.training.stage import StageTask, train_stage


def main() -> None:
    """Print seconds and peak resident memory after each step of the way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--crops", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()

    def tell(what: str) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{what:32} {time.perf_counter() - started:7.1f} s   {peak:.2f} GiB at most", flush=True)

    lines = list(itertools.islice(itertools.cycle(read_labels(options.labels)), options.crops))
    charset = Charset.collect(line.text for line in lines)
    network = with_charset(load_base("PP-OCRv5_mobile_rec"), charset).model.network
    tell("model loaded")
    data, few = load_dataset(lines, charset), load_dataset(lines[:8], None)
    tell(f"{len(data)} crops decoded")
    stage = Stage(
        name="one",
        data=["train"],
        freeze=["backbone"],
        epochs=options.epochs,
        learning_rate=1e-4,
        batch_size=64,
    )
    device = best_device()
    with tempfile.TemporaryDirectory() as folder, Journal.in_folder(Path(folder)) as journal:
        # A seed of its own, so that no features stored by an earlier run are read.
        seed = secrets.randbits(32)
        context = Context(charset, few, seed, device, best_precision(device), journal, Silent())
        train_stage(network.to(device), StageTask(stage, 0, data), context)
    tell(f"{options.epochs} epochs trained")


if __name__ == "__main__":
    main()
