"""How far the official weights' output here is from onnxruntime's, and both from exact arithmetic.

    python benchmarks/parity.py LABELS [MODEL.onnx]

Every crop runs alone at the width at which deployed readers run it. "float64" is this network in
double precision: what is left between it and a runtime is that runtime's own rounding.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from rich.console import Console
from rich.table import Table

from linetune.core import image
from linetune.core.labelfile import read_labels
from linetune.formats.official import load_file
from linetune.formats.sources import find
from linetune.models.families import OFFICIAL


def main(labels: Path, model: Path | None) -> None:
    """Print the quantiles of the largest softmax difference a crop."""
    model = model or find(OFFICIAL["PP-OCRv5_mobile_rec"])
    if model is None or model.suffix != ".onnx":
        sys.exit("give an official .onnx, or install linetune[official]")
    network = load_file(model).network
    exact = copy.deepcopy(network).double()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options)
    name = session.get_inputs()[0].name
    differences: dict[str, list[float]] = {
        "linetune - onnxruntime": [],
        "linetune - float64": [],
        "onnxruntime - float64": [],
    }
    widths = set()
    for line in read_labels(labels):
        crop = image.resize(image.read(line.image))
        widths.add(crop.shape[1])
        batch = image.pack([crop], image.input_width(crop.shape[1]))
        mine, theirs = network.run(batch), session.run(None, {name: batch})[0]
        with torch.inference_mode():
            truth = exact(torch.from_numpy(batch).double()).softmax(2).numpy()
        for row, (a, b) in zip(
            differences.values(), ((mine, theirs), (mine, truth), (theirs, truth)), strict=True
        ):
            row.append(float(np.abs(a - b).max()))
    count = len(differences["linetune - float64"])
    table = Table(
        "largest softmax difference",
        "median",
        "95 %",
        "largest",
        "under 1e-4",
        title=f"{count} crops of {len(widths)} widths",
    )
    for pair, values in differences.items():
        under = sum(v < 1e-4 for v in values)
        table.add_row(pair, *(f"{q:.1e}" for q in np.quantile(values, (0.5, 0.95, 1))), f"{under} of {count}")
    Console().print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
