"""Kill a short run at random moments, resume it, and compare the result with that of an uninterrupted run.

    python tests/torture.py FOLDER [--kills 100] [--seed 0]

The run has three stages: a frozen backbone on rendered crops with a trial, both heads, and a stage that finds
its learning rate. Each run is a process of its own, which gets SIGKILL. Checkpoints are written at every
opportunity. Many kills therefore hit one that is being written.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch._dynamo  # the optimiser imports it, and each process would take a second for it

from linetune.config.load import load
from linetune.core import image, labelfile
from linetune.core.charset import Charset
from linetune.evaluation import general
from linetune.formats.model import Model
from linetune.formats.store import save_model
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.synth.generate import generate
from linetune.training import checkpoint, provenance, rate
from linetune.training.run import resume, train

TIMES = ("seconds", "images_per_second", "validation_seconds", "training_seconds", "total_seconds", "memory")
"""Figures that no two runs share."""
RUN = """
output: run
base_model: base.safetensors
device: cpu
precision: fp32
data: {{train: real/labels.txt, val: val/labels.txt}}
synth: {{rule: '(AB|C-)[0-9]{{3}}', fonts: {font}, count: 16, output: synth}}
stages:
  - {{name: head, data: synth, freeze: backbone, epochs: 3, learning_rate: 1e-3, batch_size: 4, trial: 4}}
{middle}  - {{name: real, data: train, epochs: 4, batch_size: 4, augment: standard, patience: 3}}
"""
MIDDLE = """\
  - {name: full, data: [synth, train], steps: 3, learning_rate: 1e-4, batch_size: 8, nrtr_weight: 0.5}
"""


def main() -> None:
    """Kill and compare, and exit with 1 if a result differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    hurry(setattr)
    provenance.code()  # once for all processes, whatever happens to the source in the meantime
    folder = options.folder.resolve()
    prepare(folder)
    whole = folder / "whole"
    started = time.perf_counter()
    assert run(lambda: start(folder, whole)) == 0
    seconds = time.perf_counter() - started
    print(f"the uninterrupted run takes {seconds:.1f} s", flush=True)
    wanted, moments, same, resumed = result(whole), random.Random(options.seed), 0, 0
    for number in range(options.kills):
        out = folder / f"killed-{number}"
        moment = moments.uniform(0, seconds)
        run(lambda out=out: start(folder, out), moment)  # type: ignore[misc]
        left = sorted(path.name for path in out.rglob("*.part")) if out.exists() else []
        # The next process may be killed as well.
        if checkpoint.exist(out):
            resumed += 1
            run(lambda out=out: go_on(out), moments.uniform(0, seconds))  # type: ignore[misc]
        code = run(lambda out=out: go_on(out) if checkpoint.exist(out) else finish(folder, out))  # type: ignore[misc]
        equal = code == 0 and result(out) == wanted
        same += equal
        half = f", {left[0]} half-written" if left else ""
        print(
            f"{number + 1}: killed after {moment:.2f} s{half}: {'same' if equal else 'DIFFERS'}", flush=True
        )
        if equal:
            shutil.rmtree(out)
    print(f"{same} of {options.kills} results are the same, byte for byte; {resumed} runs had a checkpoint")
    sys.exit(same < options.kills)


def hurry(change: Callable[[Any, str, Any], None]) -> None:
    """Make a run quick, and take a checkpoint at every opportunity. ``change`` is like ``setattr``."""
    change(checkpoint, "EVERY", 0.0)
    change(rate, "STEPS", 2)
    change(general, "FEWEST", 1000)  # it is not measured then


def prepare(folder: Path, middle: bool = True) -> None:
    """Write crops, rendered crops, a small base model and the run file, with or without its middle stage."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in (("real", 8), ("val", 4)):
        (folder / name).mkdir()
        texts = [f"AB{n}{7 * n % 90 + 10}" if n % 2 else f"C-{n}{5 * n % 90 + 10}" for n in range(count)]
        for n, text in enumerate(texts):
            crop = rng.integers(200, 236, (40, 20 * len(text) + 12, 3), np.uint8)
            cv2.putText(crop, text, (6, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, (30, 30, 30), 2, cv2.LINE_AA)
            image.write(folder / name / f"{n}.png", crop)
        rows = [(f"{n}.png", text) for n, text in enumerate(texts)]
        labelfile.write_labels(folder / name / "labels.txt", rows)
    torch.manual_seed(0)
    charset = Charset.collect(["ABC-0123456789"])
    network = fold(Network(PPOCRMobile(scale=0.35), charset.classes)).eval()
    save_model(Model(network, charset, "tiny", "made here"), folder / "base.safetensors")
    font = Path(str(resources.files("font_roboto"))) / "files" / "Roboto-Bold.ttf"
    text = RUN.format(font=font.as_posix(), middle=MIDDLE if middle else "")
    (folder / "linetune.yaml").write_text(text, encoding="utf-8")
    synth = load(folder / "linetune.yaml").synth
    assert synth
    generate(synth, lambda done: None, workers=1)


def start(folder: Path, out: Path) -> None:
    train(load(folder / "linetune.yaml", [f"output={out}"]), export=False)


def finish(folder: Path, out: Path) -> None:
    """Do what a user does who finds no checkpoint: train again, unless the run was complete."""
    if not (out / "results.json").exists():
        start(folder, out)


def go_on(out: Path) -> None:
    resume(out)


def run(work: Callable[[], None], moment: float | None = None) -> int:
    """Run work in a process of its own, which is killed after some seconds. Return its exit code."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    if moment is not None:
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def result(out: Path) -> dict[str, Any]:
    """Return the model files, the journal without times, and the results without times."""
    models = {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.safetensors"))}
    journal = [timeless(json.loads(line)) for line in (out / "journal.jsonl").read_text("utf-8").splitlines()]
    results = timeless(json.loads((out / "results.json").read_text("utf-8")))
    results.pop("folder")
    others = sorted(path.name for path in out.iterdir())
    return {"models": models, "journal": journal, "results": results, "files": others}


def timeless(figures: Any) -> Any:
    """Return figures without times."""
    if isinstance(figures, dict):
        return {key: timeless(value) for key, value in figures.items() if key not in TIMES}
    return [timeless(item) for item in figures] if isinstance(figures, list) else figures


if __name__ == "__main__":
    main()
