"""How fast `linetune check` is on as many crops as a large set holds.

    python benchmarks/check.py LABELS [--crops 60000] [--cut 0.15]

The label file's crops are taken again and again, each time cut, lit and compressed another way and scaled to
the usual size of a crop, in a temporary folder. With --cut 0.01 nearly all are near-duplicates of others.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from linetune.core import image, labelfile
from linetune.core.labelfile import Line, read_labels

SIZE = (200, 60)
"""Width and height of the crops, px."""


def main() -> None:
    """Print seconds, crops a second and peak resident memory of the command, and what it found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--crops", type=int, default=60_000)
    parser.add_argument("--cut", type=float, default=0.15, help="largest share taken off each side")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder, "labels.txt")
        lines = itertools.islice(itertools.cycle(read_labels(options.labels)), options.crops)
        labelfile.write_labels(labels, varied(lines, options.cut, Path(folder)))
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "linetune", "check", str(labels)], check=False, stdout=subprocess.PIPE
        )
        seconds = time.perf_counter() - started
    print(done.stdout.decode().replace(folder, "…"), end="")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{seconds:.1f} s, {options.crops / seconds:.0f} crops/s, {peak:.2f} GiB at most")
    sys.exit(done.returncode)


def varied(lines: Iterable[Line], cut: float, folder: Path) -> Iterator[tuple[str, str]]:
    """Write a different crop for every line; their names and texts."""

    def write(numbered: tuple[int, Line]) -> tuple[str, str]:
        number, line = numbered
        rng = np.random.default_rng(number)
        crop = image.read(line.image)
        height, width = crop.shape[:2]
        top, bottom = (rng.uniform(0, cut, 2) * height).astype(int)
        left, right = (rng.uniform(0, cut, 2) * width).astype(int)
        scaled = cv2.resize(crop[top : height - bottom, left : width - right], SIZE)
        lit = cv2.convertScaleAbs(scaled, alpha=rng.uniform(0.7, 1.3), beta=rng.uniform(-20, 20))
        name = f"{number:06}.jpg"
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
        (folder / name).write_bytes(cv2.imencode(".jpg", lit, quality)[1].tobytes())
        return name, line.text

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(write, enumerate(lines))


if __name__ == "__main__":
    main()
