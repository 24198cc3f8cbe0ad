"""A directory that transformers loads, checked in transformers where it is installed."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from linetune.core import atomic
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.decode import default_decoder
from linetune.export.parity import TOLERANCE, Exported, check_parity, sample_crops
from linetune.weights import hf
from linetune.weights.hf_names import to_config
from linetune.weights.store import Model

BATCH = 8
MOST = 32
"""Crops read in transformers, whose branches make it many times slower; evenly out of all."""


def export_hf(model: Model, path: Path, crops: Sequence[Crop] = ()) -> Exported:
    """Write a directory that ``AutoModelForTextRecognition`` and ``AutoImageProcessor`` of transformers load.

    What linetune reads back from it is always compared, what transformers reads where it is installed.

    Args:
        model: what to export.
        path: the directory; it appears only when it reads what the model reads.
        crops: real crops to compare on; drawn ones when there are none.

    Raises:
        LinetuneError: the directory reads another text, or holds files of somebody else's.
    """
    compared = list(crops) or sample_crops(model.charset)
    header = {"format": "pt", "base_model": model.base_model, "charset_sha256": model.charset.sha256}
    config = to_config(model.network.architecture, model.network.classes)
    with os_errors("cannot write", path), atomic.folder_replaced(path, hf.FILES) as partial:
        atomic.write_text(partial / hf.CONFIG, _json(config))
        atomic.write_text(partial / hf.PREPROCESSOR, _json(hf.to_preprocessor(model.charset)))
        (partial / hf.TENSORS).write_bytes(save(hf.to_tensors(model.network), header))
        back = hf.load_hf(partial, {})
        check = back.network.run, model.charset, back.charset, compared, path
        difference = check_parity(model.network.run, *check)
        unchecked = _missing()
        if unchecked is None:
            difference = max(difference, check_in_transformers(model, partial, compared, path))
    notes = (f"not compared in the program it is for: {unchecked}",) if unchecked else ()
    return Exported(path, len(compared), difference, notes)


def check_in_transformers(model: Model, folder: Path, crops: Sequence[Crop], where: Path) -> float:
    """Compare a directory in transformers, on crops as linetune and as the image processor prepares them.

    The processor squeezes every crop of a batch to the widest one's size, so that a batch's texts may differ
    from those of its crops alone, here and there alike.

    Args:
        model: what was exported.
        folder: the directory to load.
        crops: BGR uint8 of height 48.
        where: what to call the directory in a message.

    Returns:
        the largest difference of a class probability.

    Raises:
        LinetuneError: a text differs, or a probability by more than ``parity.TOLERANCE``.
    """
    crops = spread(crops, MOST)
    theirs, processor = load_in_transformers(folder)
    characters = model.charset

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            out = theirs(pixel_values=torch.from_numpy(batch)).last_hidden_state
        return np.asarray(out.numpy(), np.float32)

    worst = check_parity(model.network.run, run, characters, characters, crops, where)
    for size in (1, BATCH):
        for start in range(0, len(crops), size):
            rgb = [np.ascontiguousarray(crop[..., ::-1]) for crop in crops[start : start + size]]
            pixels = processor(images=rgb, return_tensors="pt")["pixel_values"]
            mine = model.network.run(pixels.numpy())
            with torch.inference_mode():
                out = theirs(pixel_values=pixels)
            found = processor.post_process_text_recognition(out)
            for probabilities, other in zip(mine, found, strict=True):
                text = default_decoder(characters)(probabilities[None])[0].text
                if text != other["text"]:
                    raise LinetuneError(
                        f"reads {other['text']!r} in transformers where the trained model reads {text!r}",
                        where,
                    )
            worst = float(np.maximum(worst, np.abs(mine - out.last_hidden_state.numpy()).max()))
    if not worst <= TOLERANCE:
        raise LinetuneError(f"probabilities in transformers differ by up to {worst:.1e}", where)
    return worst


def load_in_transformers(folder: Path) -> tuple[Any, Any]:
    """transformers' model, in evaluation mode, and image processor of a directory."""
    from transformers import AutoImageProcessor, AutoModelForTextRecognition

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForTextRecognition.from_pretrained(folder).eval()
        return model, AutoImageProcessor.from_pretrained(folder)


def _missing() -> str | None:
    """Why nothing can be compared in transformers, if that is so."""
    for package in ("transformers", "torchvision"):  # the image processor resizes with torchvision
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    import transformers

    try:
        getattr(transformers, hf.BGR_PROCESSOR)
    except (AttributeError, ImportError):
        found = transformers.__version__
        return f"transformers {found} has no {hf.BGR_PROCESSOR} that works; 5.10 and later have it"
    return None


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
