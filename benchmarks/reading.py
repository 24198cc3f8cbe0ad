"""Whether RapidOCR reads an exported model as linetune does, crop by crop, and how fast each of them is.

    pip install rapidocr
    python benchmarks/reading.py RUN LABELS

RapidOCR loads RUN/model.onnx as it is, its dictionary from the file's metadata. Both get crops that are
decoded already, and both use all cores.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linetune import Recogniser
from linetune.core import image
from linetune.core.labelfile import read_labels
from linetune.evaluation.metrics import score

WARM_UP = 16
"""Crops read before the clock starts."""


def main(run: Path, labels: Path) -> None:
    """Print each reader's score and rate, and every crop on which they differ."""
    from rapidocr import RapidOCR
    from rapidocr.ch_ppocr_rec.typings import TextRecInput

    params = {
        "Rec.model_path": str(run / "model.onnx"),
        # What it does to whole photos before detection; a crop goes to the recogniser as it is.
        "Global.use_preprocess_img": False,
        "Global.log_level": "error",
    }
    engine: Any = RapidOCR(params=params)
    recogniser = Recogniser.load(run)
    readers: dict[str, Callable[[list[Any]], list[str]]] = {
        "linetune": lambda crops: [reading.text for reading in recogniser.read(crops)],
        "RapidOCR, one by one": lambda crops: [
            engine(crop, use_det=False, use_cls=False, use_rec=True).txts[0] for crop in crops
        ],
        "RapidOCR, all at once": lambda crops: list(engine.text_rec(TextRecInput(img=crops)).txts),
    }
    lines = read_labels(labels)
    crops, truth = [image.read(line.image) for line in lines], [line.text for line in lines]
    texts = {}
    for name, read in readers.items():
        read(crops[:WARM_UP])
        started = time.perf_counter()
        texts[name] = read(crops)
        rate = len(crops) / (time.perf_counter() - started)
        result = score(texts[name], truth)
        print(f"{name:22} exact {result.exact_match:.2%}  CER {result.cer:.2%}  {rate:6.1f} crops/s")
    differing = False
    for name in list(texts)[1:]:
        pairs = list(zip(lines, texts["linetune"], texts[name], strict=True))
        others = [(line, a, b) for line, a, b in pairs if a != b]
        print(f"{name}: {len(lines) - len(others)} of {len(lines)} texts are linetune's")
        for line, a, b in others:
            print(f"  {line.image}: linetune {a!r}, {name} {b!r}")
        differing |= bool(others)
    sys.exit(differing)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
