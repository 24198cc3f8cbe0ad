"""Whether paddleocr reads from an exported folder what linetune reads from the model, crop by crop.

    python benchmarks/paddle_clients.py LABELS [MODEL] [CROPS]

Needs ``pip install linetune[paddle] paddleocr``. The model is exported to both Paddle formats; the
training weights are read back by linetune, with all their branches in place.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")  # it would ask the network

from linetune import Recogniser
from linetune.export.formats import FORMATS
from linetune.records import read_labels

Read = Callable[[Path], tuple[str, float]]
"""An image file to its text and confidence."""


def main(labels: Path, model: str, limit: int | None) -> None:
    """Print one row a client: equal texts, equal labels, and the largest difference of a confidence."""
    lines = read_labels(labels)[:limit]
    recogniser = Recogniser.load(model)
    expected = [by_linetune(recogniser)(line.image) for line in lines]
    table = Table("client", "texts equal", "texts right", "largest difference of a confidence")
    right = sum(text == line.text for (text, _), line in zip(expected, lines, strict=True))
    table.add_row("linetune", "-", f"{right} of {len(lines)}", "-")
    with tempfile.TemporaryDirectory() as folder:
        inference, weights = Path(folder, "inference"), Path(folder, "model.pdparams")
        FORMATS["paddle"].export(recogniser.model, inference, ())
        FORMATS["pdparams"].export(recogniser.model, weights, ())
        name = recogniser.model.base_model
        clients = {
            "paddleocr, oneDNN": by_paddleocr(name, inference, True),
            "paddleocr, plain": by_paddleocr(name, inference, False),
            "linetune, inference folder": by_linetune(Recogniser.load(inference)),
            "linetune, .pdparams": by_linetune(Recogniser.load(weights)),
        }
        for client, read in clients.items():
            found = [read(line.image) for line in lines]
            equal = [mine == theirs for (mine, _), (theirs, _) in zip(expected, found, strict=True)]
            right = sum(text == line.text for (text, _), line in zip(found, lines, strict=True))
            worst = max(abs(mine - theirs) for (_, mine), (_, theirs) in zip(expected, found, strict=True))
            of = f"of {len(lines)}"
            table.add_row(client, f"{sum(equal)} {of}", f"{right} {of}", f"{worst:.1e}")
            for line, same, (mine, _), (theirs, _) in zip(lines, equal, expected, found, strict=True):
                if not same:
                    print(f"{client}: {line.image}: {theirs!r} where linetune reads {mine!r}")
    Console().print(table)


def by_linetune(recogniser: Recogniser) -> Read:
    """linetune, one crop at a time."""

    def read(path: Path) -> tuple[str, float]:
        (reading,) = recogniser.read([path])
        return reading.text, reading.confidence

    return read


def by_paddleocr(name: str, folder: Path, onednn: bool) -> Read:
    """paddleocr on a CPU, one crop at a time; it decodes, resizes and reads by itself."""
    from paddleocr import TextRecognition

    client: Any = TextRecognition(
        model_name=name, model_dir=str(folder), device="cpu", enable_mkldnn=onednn, cpu_threads=1
    )

    def read(path: Path) -> tuple[str, float]:
        (result,) = client.predict(str(path), batch_size=1)
        return result["rec_text"], float(result["rec_score"])

    return read


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        sys.argv[2] if len(sys.argv) > 2 else "PP-OCRv5_mobile_rec",
        int(sys.argv[3]) if len(sys.argv) > 3 else None,
    )
