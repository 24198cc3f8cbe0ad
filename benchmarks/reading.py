"""Whether RapidOCR reads exported models as linetune does, crop by crop, and how fast each of them is.

    pip install rapidocr
    python benchmarks/reading.py LABELS MODEL.onnx [MODEL.onnx ...]

RapidOCR loads each file as it is, its dictionary from the file's metadata. Both get crops that are decoded
already, and both use all cores. Rates are relative to RapidOCR, one by one, with the first file. In batches,
RapidOCR pads all crops to the widest one, and texts may differ.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linetune import Recogniser
from linetune.core import image
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels
from linetune.evaluation.metrics import score
from linetune.recogniser import NO_RULE

ROUNDS = 3


def main(labels: Path, *models: Path) -> None:
    """Print each reader's score and rate, and every crop on which they differ."""
    lines = read_labels(labels)
    crops, truth = [image.read(line.image) for line in lines], [line.text for line in lines]
    readers = {(model, name): read for model in models for name, read in readers_of(model).items()}
    texts, seconds = {}, dict.fromkeys(readers, float("inf"))
    for _ in range(ROUNDS):  # in turns, and other load slows all of them
        for key, read in readers.items():
            started = time.perf_counter()
            texts[key] = read(crops)
            seconds[key] = min(seconds[key], time.perf_counter() - started)
    base = seconds[models[0], "RapidOCR, one by one"]
    differing = False
    for (model, name), read_texts in texts.items():
        own = texts[model, "linetune"]
        others = [(line, a, b) for line, a, b in zip(lines, own, read_texts, strict=True) if a != b]
        rate, exact = len(lines) / seconds[model, name], score(read_texts, truth).exact_match
        print(
            f"{model.name:24} {name:22} exact {exact:.2%}  {rate:6.1f} crops/s, "
            f"{base / seconds[model, name]:.2f} times  {len(lines) - len(others)} of {len(lines)} as linetune"
        )
        for line, a, b in others:
            print(f"  {line.image}: linetune {a!r}, {name} {b!r}")
        differing |= bool(others)
    sys.exit(differing)


def readers_of(model: Path) -> dict[str, Callable[[list[Crop]], list[str]]]:
    """Return the functions that read crops with an exported file."""
    from rapidocr import RapidOCR
    from rapidocr.ch_ppocr_rec.typings import TextRecInput

    params = {
        "Rec.model_path": str(model),
        # What it does to whole photos before detection; a crop goes to the recogniser as it is.
        "Global.use_preprocess_img": False,
        "Global.log_level": "error",
    }
    engine: Any = RapidOCR(params=params)
    recogniser = Recogniser.load(model, rule=NO_RULE)
    return {
        "linetune": lambda crops: [reading.text for reading in recogniser.read(crops)],
        "RapidOCR, one by one": lambda crops: [
            engine(crop, use_det=False, use_cls=False, use_rec=True).txts[0] for crop in crops
        ],
        "RapidOCR, all at once": lambda crops: list(engine.text_rec(TextRecInput(img=crops)).txts),
    }


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
