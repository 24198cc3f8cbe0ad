"""How long a run takes up to its first training step, and how often it reads each crop.

    python benchmarks/start.py FOLDER [--crops 60000] [--beside CHECKOUT] [--rounds 2]
    python benchmarks/start.py FOLDER --reading MODEL.onnx [--rounds 2]

FOLDER gets the crops, which show random codes, and 1 in 300 more for validation. The whole network trains on
them. CHECKOUT is another checkout of linetune: both are measured in turns, each in a process of its own.

With --reading: how long it takes to load an exported file and read a first crop, beside the imports of numpy,
OpenCV and onnxruntime and the opening of the file alone. Both are measured in turns, each in a new process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np

VAL = 300
"""One crop in so many is for validation."""
ALPHABET = np.array(list("0123456789ABCDEFGHJKLMNPRSTUVWXYZ-"))


LIBRARIES = """
import numpy, cv2, onnxruntime
onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""
LINETUNE = """
from linetune import Recogniser
Recogniser.load(sys.argv[1]).read([sys.argv[2]])
"""
TIMED = "import sys, time\nstarted = time.perf_counter(){}print(time.perf_counter() - started)"


class Begun(Exception):
    """The first training step begins."""


def main() -> None:
    """Write the crops, then measure each checkout in turns."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--crops", type=int, default=60_000)
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--reading", type=Path, metavar="MODEL.onnx")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.folder)))
        return
    write(options.folder, options.crops)
    if options.reading:
        compare_reading(options.reading, options.folder / "images/0.jpg", options.rounds)
        return
    here = Path(__file__).resolve().parents[1]
    for _ in range(options.rounds):
        for checkout in (options.beside, here) if options.beside else (here,):
            environment = os.environ | {"PYTHONPATH": str(checkout.resolve() / "src")}
            command = [sys.executable, __file__, str(options.folder), "--measure"]
            out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            found = json.loads(out.splitlines()[-1])
            print(
                f"{checkout}: {found['seconds']:.1f} s, {found['reads']:.2f} decodings a crop, "
                f"{found['bytes'] / 1e6:.0f} MB read"
            )


def compare_reading(model: Path, crop: Path, rounds: int) -> None:
    """Print the median seconds up to a first reading, and of what the libraries take of them."""
    seconds: dict[str, list[float]] = {LIBRARIES: [], LINETUNE: []}
    for _ in range(rounds):
        for code, measured in seconds.items():
            command = [sys.executable, "-c", TIMED.format(code), str(model), str(crop)]
            measured.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    alone, whole = (statistics.median(measured) for measured in seconds.values())
    print(f"first reading {whole:.3f} s, libraries and session {alone:.3f} s: {whole / alone:.2f} times")


def measure(folder: Path) -> dict[str, Any]:
    """Start a run and stop it before its first step."""
    from linetune.config import Config
    from linetune.training.run import train
    from linetune.training.trainer import Trainer

    # The module that decodes crops lies elsewhere in older checkouts.
    image = sys.modules.get("linetune.core.image") or sys.modules["linetune.image"]
    stage = {"name": "real", "data": "train", "steps": 1, "batch_size": 16, "learning_rate": 1e-5}
    data = {"train": folder / "train.txt", "val": folder / "val.txt"}
    config = Config.model_validate({"output": folder / "run", "data": data, "stages": [stage]})
    crops, reads, decode = len((folder / "train.txt").read_text().splitlines()), 0, vars(image)["decode"]

    def counted(data: Any, where: object) -> Any:
        nonlocal reads
        reads += 1
        return decode(data, where)

    def began(*_: Any) -> None:
        raise Begun

    started, before = time.perf_counter(), _bytes_read()
    with (
        mock.patch.object(image, "decode", counted),
        mock.patch.object(Trainer, "step", began),
        contextlib.suppress(Begun),
    ):
        train(config, overwrite=True)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "reads": reads / (crops * (1 + 1 / VAL)), "bytes": _bytes_read() - before}


def write(folder: Path, crops: int) -> None:
    """Write crops of random codes and two label files, unless they exist."""
    labels = folder / "train.txt"
    if labels.is_file() and len(labels.read_text().splitlines()) == crops:
        return
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for number in range(crops + crops // VAL):
        text = "".join(rng.choice(ALPHABET, rng.integers(4, 13)))
        height = int(rng.integers(28, 72))
        (width, tall), base = cv2.getTextSize(text, int(rng.integers(4)), height / 40, 2)
        colour, ink = rng.integers(120, 255, 3), rng.integers(0, 90, 3)
        crop = np.full((tall + base + 8, width + 12, 3), colour, np.uint8)
        cv2.putText(crop, text, (6, tall + 4), int(rng.integers(4)), height / 40, ink.tolist(), 2)
        noisy = crop + rng.normal(0, 6, crop.shape)
        cv2.imwrite(str(folder / f"images/{number}.jpg"), noisy.clip(0, 255).astype(np.uint8))
        rows.append(f"images/{number}.jpg\t{text}\n")
    (folder / "val.txt").write_text("".join(rows[crops:]))
    labels.write_text("".join(rows[:crops]))


def _bytes_read() -> int:
    """Bytes that this process has read from files so far (Linux)."""
    return int(Path("/proc/self/io").read_text().split()[1])


if __name__ == "__main__":
    main()
