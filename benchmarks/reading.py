"""Whether RapidOCR reads exported models as linetune does, crop by crop, and how fast each of them is.

    pip install rapidocr
    python benchmarks/reading.py LABELS MODEL.onnx [MODEL.onnx ...]

RapidOCR loads each file as it is, its dictionary from the file's metadata. Both get crops that are decoded
already, and both use all cores. Rates are relative to RapidOCR, one by one, with the first file. In batches,
RapidOCR pads all crops to the widest one, and texts may differ.

All readers read a crop in turns, and the fastest of several rounds counts for each crop. Other load on the
machine therefore changes the ratios little. One by one, each reader finds cold caches, like a
camera's reader between two crops.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from linetune import Recogniser
from linetune.core import image
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels
from linetune.evaluation.metrics import score
from linetune.recogniser import NO_RULE

Read = Callable[[list[Crop]], list[str]]
Key = tuple[Path, str]
"""A model and the name of a reader."""
ROUNDS = 3
REST = 0.02
"""Seconds between two calls. onnxruntime's threads wait actively for more work, and would slow the next
reader."""
ALONE, TOGETHER = "one by one", "all at once"


def main(labels: Path, *models: Path) -> None:
    """Print each reader's score and rate, and every crop on which they differ."""
    lines = read_labels(labels)
    crops, truth = [image.read(line.image) for line in lines], [line.text for line in lines]
    readers = {(model, name): read for model in models for name, read in readers_of(model).items()}
    alone, together = measure(readers, [[crop] for crop in crops]), measure(readers, [crops])
    base = alone[models[0], "RapidOCR"][1]
    differing = False
    for model, name in readers:
        for way, measured in ((ALONE, alone), (TOGETHER, together)):
            texts, seconds = measured[model, name]
            own = measured[model, "linetune"][0]
            others = [(line, a, b) for line, a, b in zip(lines, own, texts, strict=True) if a != b]
            print(
                f"{model.name:24} {name:8} {way:11} exact {score(texts, truth).exact_match:.2%}  "
                f"{len(lines) / seconds:6.1f} crops/s, {base / seconds:.2f} times  "
                f"{len(lines) - len(others)} of {len(lines)} as linetune"
            )
            for line, a, b in others:
                print(f"  {line.image}: linetune {a!r}, {name} {b!r}")
            differing |= bool(others)
    sys.exit(differing)


def measure(readers: Mapping[Key, Read], calls: Sequence[list[Crop]]) -> dict[Key, tuple[list[str], float]]:
    """Return the texts of each reader and its seconds for all calls, each call in its fastest round."""
    texts = {key: list[str]() for key in readers}
    seconds = dict.fromkeys(readers, 0.0)
    for crops in calls:
        fastest, found = dict.fromkeys(readers, float("inf")), dict[Key, list[str]]()
        for _ in range(ROUNDS):
            for key, read in readers.items():
                time.sleep(REST)
                started = time.perf_counter()
                found[key] = read(crops)
                fastest[key] = min(fastest[key], time.perf_counter() - started)
        for key in readers:
            texts[key] += found[key]
            seconds[key] += fastest[key]
    return {key: (texts[key], seconds[key]) for key in readers}


def readers_of(model: Path) -> dict[str, Read]:
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
        "RapidOCR": lambda crops: list(
            engine.text_rec(TextRecInput(img=crops)).txts
            if len(crops) > 1
            else engine(crops[0], use_det=False, use_cls=False, use_rec=True).txts
        ),
    }


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
