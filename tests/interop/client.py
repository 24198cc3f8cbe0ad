"""One program reads every crop; started by compare.py in the environment that has the program.

    python tests/interop/client.py CLIENT MODEL LABELS ANSWERS.json

The model is exported here, in the format the client loads; the client then opens the image files by itself.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")  # it would ask the network

from linetune import Recogniser
from linetune.core import image
from linetune.core.labelfile import read_labels
from linetune.formats.model import Model
from linetune.formats.registry import FORMATS

Reading = tuple[str, float]
"""Text and confidence."""
Read = Callable[[Sequence[Path]], list[Reading]]
"""Image files to what is read on them."""


def main(client: str, model: str, labels: Path, answers: Path) -> None:
    """Write what the client reads and the versions it is made of."""
    opened, packages = CLIENTS[client]
    with tempfile.TemporaryDirectory() as folder:
        read = opened(Recogniser.load(model).model, Path(folder))
        readings = read([line.image for line in read_labels(labels)])
    versions = {package: version(package) for package in packages}
    answers.write_text(json.dumps({"readings": readings, "versions": versions}), encoding="utf-8")


def one_by_one(read: Callable[[Path], Reading]) -> Read:
    """A client that reads one image file a call."""
    return lambda paths: [read(path) for path in paths]


def by_linetune(model: Model, folder: Path) -> Read:
    """The model itself."""
    recogniser = Recogniser(model)

    def read(path: Path) -> Reading:
        (reading,) = recogniser.read([path])
        return reading.text, reading.confidence

    return one_by_one(read)


def by_linetune_once(model: Model, folder: Path) -> Read:
    """The model itself, crops as they stand, whatever it does."""
    return by_linetune(replace(model, both_ways=False), folder)


def by_linetune_from(name: str, file: str) -> Callable[[Model, Path], Read]:
    """An export that is loaded again."""

    def opened(model: Model, folder: Path) -> Read:
        FORMATS[name].export(model, folder / file, ())
        return by_linetune(Recogniser.load(folder / file).model, folder)

    return opened


def by_rapidocr(model: Model, folder: Path) -> Read:
    """RapidOCR on onnxruntime."""
    from rapidocr import RapidOCR

    path = folder / "model.onnx"
    FORMATS["onnx"].export(model, path, ())
    params = {
        "Rec.model_path": str(path),
        # What it does to whole photos before detection; a crop goes to the recogniser as it is.
        "Global.use_preprocess_img": False,
        "Global.log_level": "error",
    }
    engine: Any = RapidOCR(params=params)

    def read(path: Path) -> Reading:
        result = engine(str(path), use_det=False, use_cls=False, use_rec=True)
        return result.txts[0], float(result.scores[0])

    return one_by_one(read)


def by_paddleocr(onednn: bool) -> Callable[[Model, Path], Read]:
    """paddleocr on a CPU, with oneDNN or without."""

    def opened(model: Model, folder: Path) -> Read:
        from paddleocr import TextRecognition

        FORMATS["paddle"].export(model, folder / "inference", ())
        client: Any = TextRecognition(
            model_name=model.base_model,
            model_dir=str(folder / "inference"),
            device="cpu",
            enable_mkldnn=onednn,
            cpu_threads=1,
        )

        def read(path: Path) -> Reading:
            (result,) = client.predict(str(path), batch_size=1)
            return result["rec_text"], float(result["rec_score"])

        return one_by_one(read)

    return opened


def by_transformers(resized: bool, size: int = 1) -> Callable[[Model, Path], Read]:
    """transformers, with its image processor's own resizing or after OpenCV's, so many crops at a time."""

    def opened(model: Model, folder: Path) -> Read:
        import torch

        from linetune.formats.hf import load_in_transformers

        make_torchvision_importable()
        FORMATS["hf"].export(model, folder / "hf", ())
        theirs, processor = load_in_transformers(folder / "hf")

        def read(paths: Sequence[Path]) -> list[Reading]:
            crops = [image.read(path) for path in paths]
            rgb = [np.ascontiguousarray((image.resize(c) if resized else c)[..., ::-1]) for c in crops]
            readings: list[Reading] = [("", 0.0)] * len(rgb)
            for members in batches([each.shape[1] for each in rgb], size, resized):
                chosen = [rgb[i] for i in members]
                inputs = processor(images=chosen, do_resize=not resized, return_tensors="pt")
                with torch.inference_mode():
                    out = theirs(**inputs)
                for i, found in zip(members, processor.post_process_text_recognition(out), strict=True):
                    readings[i] = found["text"], float(found["score"])
            return readings

        return read

    return opened


def batches(widths: Sequence[int], size: int, resized: bool) -> Iterator[list[int]]:
    """Numbers of the images to read together; resized ones that are wider than the padding stay alone."""
    alone = [i for i, width in enumerate(widths) if resized and width > image.MIN_WIDTH]
    others = [i for i in range(len(widths)) if i not in alone]
    yield from ([i] for i in alone)
    for start in range(0, len(others), size):
        yield others[start : start + size]


def make_torchvision_importable() -> None:
    """Declare the operators without which torchvision cannot be imported beside another build of torch.

    Its package is built for the GPU build; beside the CPU one its compiled operators do not load.
    Resizing, all that an image processor asks of it, uses none of them.
    """
    import torch

    if "+cpu" in torch.__version__:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "() -> Tensor")


CLIENTS: dict[str, tuple[Callable[[Model, Path], Read], tuple[str, ...]]] = {
    "linetune": (by_linetune, ("torch",)),
    "linetune, crops as they stand": (by_linetune_once, ("torch",)),
    "linetune, inference folder": (by_linetune_from("paddle", "inference"), ("torch", "paddlepaddle")),
    "linetune, .pdparams": (by_linetune_from("pdparams", "model.pdparams"), ("torch",)),
    "RapidOCR": (by_rapidocr, ("rapidocr", "onnxruntime")),
    "paddleocr": (by_paddleocr(False), ("paddleocr", "paddlepaddle")),
    "paddleocr, oneDNN": (by_paddleocr(True), ("paddleocr", "paddlepaddle")),
    "transformers after OpenCV": (by_transformers(True), ("transformers", "torch")),
    "transformers": (by_transformers(False), ("transformers", "torchvision")),
    "transformers in eights after OpenCV": (by_transformers(True, 8), ("transformers", "torch")),
    "transformers in eights": (by_transformers(False, 8), ("transformers", "torchvision")),
}
"""By name: what exports, opens and reads, and the packages whose versions matter."""

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
