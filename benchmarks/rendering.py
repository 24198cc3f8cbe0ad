"""How many crops a second are rendered, by linetune and by TextRecognitionDataGenerator, with all cores.

    python benchmarks/rendering.py FONTS [--count 8000] [--trdg PYTHON]

Both write JPEG files of the same texts in the same fonts, 48 px high. linetune degrades as it always does;
TextRecognitionDataGenerator skews, distorts and blurs at random on backgrounds of noise. It needs a Python
of its own, since it wants an old Pillow: python -m venv there; there/bin/pip install trdg==1.8 "pillow<10".
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from linetune.config import Synth
from linetune.core import image, labelfile
from linetune.synth import generate
from linetune.synth.render import Renderer

RULE = "[A-HJ-NP-Z]{2}[0-9]{6}|[A-HJ-NP-Z][0-9]{3}-[0-9]{2}|[0-9]{4}:[0-9]{2}"
HEIGHT = 48


def main() -> None:
    """Print the rate of each, and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("fonts", type=Path)
    parser.add_argument("--count", type=int, default=8000)
    parser.add_argument("--trdg", type=Path, help="a Python that has TextRecognitionDataGenerator")
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        looks = models(folder / "looks", options.fonts)
        settings = Synth(
            rule=RULE, fonts=[options.fonts], looks=[looks], count=options.count, output=folder / "linetune"
        )
        started = time.perf_counter()
        labels = generate(settings, lambda done: None)
        ours = options.count / (time.perf_counter() - started)
        lines = labelfile.read_labels(labels)
        heights = [image.read(line.image).shape[0] for line in lines[::50]]
        print(f"linetune: {ours:.0f} crops/s, {cores} processes, median height {np.median(heights):.0f} px")
        if options.trdg:
            theirs = trdg(options.trdg, [line.text for line in lines], options.fonts, folder, cores)
            print(f"TextRecognitionDataGenerator: {theirs:.0f} crops/s, {cores} processes")
            print(f"ratio {ours / theirs:.1f}")


def models(folder: Path, fonts: Path) -> Path:
    """Crops of that height whose looks are copied."""
    renderer = Renderer.of(Synth(rule=RULE, fonts=[fonts], seed=1))
    folder.mkdir()
    for index in range(300):
        crop = renderer(index)[0]
        size = max(1, round(crop.shape[1] * HEIGHT / crop.shape[0])), HEIGHT
        image.write(folder / f"{index}.png", np.asarray(cv2.resize(crop, size), np.uint8))
    labelfile.write_labels(folder / "labels.txt", ((f"{i}.png", renderer.text(i)) for i in range(300)))
    return folder / "labels.txt"


def trdg(python: Path, texts: list[str], fonts: Path, folder: Path, cores: int) -> float:
    """Crops a second of its command, its start included as ours is."""
    (folder / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    # It takes a folder of .ttf files alone.
    (folder / "fonts").mkdir()
    for font in fonts.rglob("*.ttf"):
        shutil.copy(font, folder / "fonts")
    command = [python.parent / "trdg", "-c", len(texts), "-i", folder / "texts.txt", "-fd", folder / "fonts"]
    options = "-t", cores, "-f", HEIGHT, "-k", 3, "-rk", "-bl", 2, "-rbl", "-d", 3, "-b", 0, "-e", "jpg"
    started = time.perf_counter()
    done = subprocess.run(
        [str(part) for part in (*command, *options, "--output_dir", folder / "trdg")],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    made = len(list((folder / "trdg").glob("*.jpg")))
    if not made:
        raise SystemExit(done.stderr[-2000:])
    return made / seconds


if __name__ == "__main__":
    main()
