"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from linetune.export.hf import export_hf
from linetune.export.onnx_file import export_onnx
from linetune.export.parity import Exported
from linetune.image import Crop
from linetune.weights.store import Model

FORMATS: dict[str, Callable[[Model, Path, Sequence[Crop]], Exported]] = {
    "onnx": export_onnx,
    "hf": export_hf,
}
"""What writes each, given the model, the path and crops to compare on (drawn ones when there are none)."""
