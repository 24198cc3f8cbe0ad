"""A whole job at its real size, and where its time goes: 60,000 synthetic crops, 9,000 that stand for real.

    python benchmarks/first_job.py FOLDER [--scale 0.02]

20 epochs on the synthetic crops with a frozen backbone, 20 with everything, 20 on the real ones. All
crops are rendered (the real ones with other fonts), so that the job runs anywhere; rendering is not
part of the time. On two cores, take a small --scale.
"""

from __future__ import annotations

import argparse
import json
import resource
import secrets
import time
from collections import defaultdict
from importlib import resources
from pathlib import Path

from rich.console import Console
from rich.table import Table

from linetune.config.schema import STANDARD, Config, Data, Stage, Synth
from linetune.core.device import best_device
from linetune.core.progress import Silent
from linetune.formats.onnx_file import export as export_onnx
from linetune.formats.store import load_model
from linetune.synth.generate import generate
from linetune.training.run import train

RULE = "[A-Z]{2}[0-9]{6}|[A-Z][0-9]{3}-[0-9]{2}|LOT [0-9]{5}|[0-9]{4}:[0-9]{2}"
SYNTHETIC, REAL, HELD_OUT = 60_000, 9_000, 1_000
EPOCHS = 20


class Clock(Silent):
    """Puts all time down to the task that is reported at its end."""

    def __init__(self) -> None:
        self.seconds = defaultdict[str, float](float)
        self._last = time.perf_counter()

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        now = time.perf_counter()
        self.seconds[task] += now - self._last
        self._last = now


def main() -> None:
    """Render what is not there yet, run the job, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    folder = options.folder.resolve()
    synthetic = rendered(folder / "synthetic", SYNTHETIC * options.scale, "font_roboto", 0)
    rendered(folder / "real", REAL * options.scale, "font_intuitive", 1)
    rendered(folder / "val", HELD_OUT * min(1, options.scale * 2), "font_intuitive", 2)
    rendered(folder / "test", HELD_OUT * min(1, options.scale * 2), "font_intuitive", 3)
    labels = {name: folder / name / "labels.txt" for name in ("real", "val", "test")}
    config = Config(
        output=folder / "run",
        seed=secrets.randbits(32),  # of its own, so that no features stored by an earlier run are read
        data=Data(train=[labels["real"]], val=[labels["val"]], test=[labels["test"]]),
        synth=synthetic,
        stages=[
            Stage(
                name="head",
                data=["synth"],
                freeze=["backbone"],
                epochs=EPOCHS,
                learning_rate=1e-4,
                batch_size=128,
            ),
            Stage(
                name="full",
                data=["synth"],
                epochs=EPOCHS,
                learning_rate=1e-4,
                batch_size=128,
                augment=STANDARD,
            ),
            Stage(
                name="real",
                data=["train"],
                epochs=EPOCHS,
                learning_rate=1.5e-4,
                batch_size=64,
                augment=STANDARD,
            ),
        ],
    )
    started, clock = time.perf_counter(), Clock()
    result = train(config, overwrite=True, reporter=clock)
    trained = time.perf_counter()
    export_onnx(load_model(result.model), result.folder / "model.onnx")
    ended = time.perf_counter()

    rows = map(json.loads, (result.folder / "journal.jsonl").read_text("utf-8").splitlines())
    validation = defaultdict[str, float](float)
    for row in rows:
        if "validation_seconds" in row:
            validation[f"stage {row['event'].split()[0]}"] += row["validation_seconds"]
    whole = ended - started
    title = f"{best_device()}, scale {options.scale}: {whole:.0f} s from files on disk to a tested model"
    table = Table("part", "s", "share", title=title)
    parts = {task: seconds - validation.get(task, 0.0) for task, seconds in clock.seconds.items()}
    parts |= {f"{stage}: validation": seconds for stage, seconds in validation.items()}
    parts["export"] = ended - trained
    parts["everything else"] = whole - sum(parts.values())
    for part, seconds in parts.items():
        table.add_row(part, f"{seconds:.1f}", f"{seconds / whole:.0%}")
    Console().print(table)
    for row in result.rows:
        print(f"{row.name}: {row.test.exact_match:.1%} exact on test" if row.test else row.name)
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


def rendered(folder: Path, count: float, fonts: str, seed: int) -> Synth:
    """Settings whose crops lie in the folder."""
    files = Path(str(resources.files(fonts) / "files"))
    settings = Synth(rule=RULE, fonts=[files], count=max(32, round(count)), output=folder, seed=seed)
    generate(settings, lambda done: None)
    return settings


if __name__ == "__main__":
    main()
