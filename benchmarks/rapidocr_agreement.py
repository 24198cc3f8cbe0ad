"""Whether RapidOCR reads an exported model as `linetune predict` does, crop by crop.

    pip install rapidocr
    python benchmarks/rapidocr_agreement.py RUN LABELS

RapidOCR loads RUN/model.onnx as it is, its dictionary from the file's metadata.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from linetune import Recogniser, image
from linetune.evaluation.metrics import score
from linetune.records import read_labels


def main(run: Path, labels: Path) -> None:
    """Print both readers' scores and every crop on which they differ."""
    from rapidocr import RapidOCR

    params = {
        "Rec.model_path": str(run / "model.onnx"),
        # What it does to whole photos before detection; a crop goes to the recogniser as it is.
        "Global.use_preprocess_img": False,
        "Global.log_level": "error",
    }
    engine: Any = RapidOCR(params=params)
    lines = read_labels(labels)
    crops = [image.read(line.image) for line in lines]
    started = time.perf_counter()
    mine = [reading.text for reading in Recogniser.load(run).read(crops)]
    between = time.perf_counter()
    theirs = [engine(crop, use_det=False, use_cls=False, use_rec=True).txts[0] for crop in crops]
    ended = time.perf_counter()
    texts = [line.text for line in lines]
    for name, read, seconds in (("linetune", mine, between - started), ("RapidOCR", theirs, ended - between)):
        result = score(read, texts)
        print(f"{name:9} exact match {result.exact_match:.4f}  CER {result.cer:.4f}  {seconds:.1f} s")
    differing = [(line, a, b) for line, a, b in zip(lines, mine, theirs, strict=True) if a != b]
    print(f"{len(lines) - len(differing)} of {len(lines)} texts are the same")
    for line, a, b in differing:
        print(f"  {line.image}: linetune {a!r}, RapidOCR {b!r}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
