"""ONNX: of any batch and width or of fixed ones, the dictionary inside, checked before it is there."""

from __future__ import annotations

import copy
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linetune.core import atomic, image, reading_order
from linetune.core.charset import SPACE, Charset, show
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.decode.read import Run, read_crops
from linetune.export.parity import Exported, check_parity, sample_crops
from linetune.models.both_ways import BothWays
from linetune.models.network import Network
from linetune.weights.store import Model

OPSET = 17
"""Old enough for every onnxruntime since 1.12."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The one input shape of a file for programs without dynamic axes: (batch, 3, 48, width)."""

    batch: int
    width: int
    """px, with the padding."""

    @classmethod
    def parse(cls, text: str) -> Shape:
        """The shape that ``1x320`` means.

        Raises:
            LinetuneError: it is none, or its width is none that the network takes.
        """
        found = re.fullmatch(rf"(\d{{1,4}})[x×](?:3[x×]{image.HEIGHT}[x×])?(\d{{1,5}})", text)
        batch, width = map(int, found.groups()) if found else (0, 0)
        if text == f"{image.HEIGHT}x{width}":
            # As height and width, which others write.
            batch = 0
        if not batch or not image.HEIGHT <= width <= image.MAX_WIDTH or width % 8:
            raise LinetuneError(
                f"{text!r} is no input shape",
                "--static",
                f"write BATCHxWIDTH, such as 1x320, with a width from {image.HEIGHT} to {image.MAX_WIDTH} px "
                "that 8 divides",
            )
        return cls(batch, width)

    def fit(self, crop: Crop) -> Crop:
        """A crop at the network's height, squashed to the shape's width where it is wider."""
        resized = image.resize(crop)
        if resized.shape[1] <= self.width:
            return resized
        size = (self.width, image.HEIGHT)
        return np.asarray(cv2.resize(resized, size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def at_width(self, run: Run) -> Run:
        """``run`` at the shape's width, whatever width a batch of such crops was packed at."""

        def padded(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            fixed = np.zeros((*batch.shape[:3], self.width), np.float32)
            kept = min(self.width, batch.shape[3])
            fixed[..., :kept] = batch[..., :kept]
            return run(fixed)

        return padded

    def in_batches(self, run: Run) -> Run:
        """``run`` in batches of the shape's size, the last one filled up with empty images."""

        def batched(batch: NDArray[np.float32]) -> NDArray[np.float32]:
            missing = -len(batch) % self.batch
            full = np.concatenate((batch, np.zeros((missing, *batch.shape[1:]), np.float32)))
            pieces = [run(full[i : i + self.batch]) for i in range(0, len(full), self.batch)]
            return np.concatenate(pieces)[: len(batch)]

        return batched


class _Probabilities(nn.Module):
    """The network with the softmax that every reader expects inside, as :class:`BothWays` has it too.

    Its attribute's name stands before every tensor's in the file (``weights.onnx_file`` reads them back).
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.network(images).softmax(2)
        return out


def export_onnx(model: Model, path: Path, crops: Sequence[Crop] = (), shape: Shape | None = None) -> Exported:
    """Write an ONNX file that RapidOCR loads as it is.

    The dictionary stands in metadata key ``character``, one character a line, without blank and
    space; readers put the blank first and a space last.

    Args:
        model: what to export.
        path: the file; it appears only when it reads what the model reads.
        crops: real crops to compare on; drawn ones when there are none.
        shape: the one input shape of the file, at which it is compared; of any batch and width by default.

    Raises:
        LinetuneError: a character that readers would split on, or the file reads another text.
    """
    content = with_dictionary(model, path, shape)
    with os_errors("cannot write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.written(path) as partial:
            partial.write_bytes(content.SerializeToString())
            exported, charset = open_onnx(partial)
            compared = list(crops) or sample_crops(model.charset)
            notes = _compare_widths(model, compared, shape) if shape else ()
            trained: Run = model.reader.run
            if shape:
                compared = [shape.fit(crop) for crop in compared]
                trained, exported = shape.at_width(trained), shape.at_width(shape.in_batches(exported))
            difference = check_parity(trained, exported, model.charset, charset, compared, path)
    return Exported(path, len(compared), difference, notes)


def _compare_widths(model: Model, crops: Sequence[Crop], shape: Shape) -> tuple[str, ...]:
    """What a fixed width costs: crops that read otherwise than at their own width."""
    fitting = [shape.fit(crop) for crop in crops]
    squashed = sum(image.line_width(*crop.shape[:2]) > shape.width for crop in crops)
    own = read_crops(model.reader.run, crops, model.decoder)
    fixed = read_crops(shape.at_width(model.reader.run), fitting, model.decoder)
    changed = sum(a.text != b.text for a, b in zip(own, fixed, strict=True))
    what = f"batches of {shape.batch}, input {shape.batch} x 3 x {image.HEIGHT} x {shape.width}"
    if not squashed and not changed:
        return (what,)
    return (
        what,
        f"at a width of {shape.width} px, {changed} of {len(crops)} crops read otherwise than at their own "
        f"width, and {squashed} are squashed to fit",
    )


def with_dictionary(model: Model, path: Path, shape: Shape | None = None) -> onnx.ModelProto:
    """The file's content: the graph, and in its metadata what a reader has to know.

    Args:
        model: what to export.
        path: the file that it is for.
        shape: its one input shape; of any batch and width by default.

    Raises:
        LinetuneError: another suffix, or a character that readers would split on.
    """
    if path.suffix != ".onnx":
        raise LinetuneError("programs look for another suffix", path, f"name it {path.stem}.onnx")
    _refuse_line_breaks(model.charset, path)
    content = onnx.load_from_string(_graph(model, shape))
    if shape:
        sizes = (shape.batch, image.frames(shape.width), model.charset.classes)
        for axis, size in zip(content.graph.output[0].type.tensor_type.shape.dim, sizes, strict=True):
            axis.dim_value = size
    describe(content, model, shape=shape)
    return content


def describe(
    content: onnx.ModelProto, model: Model, precision: str = "fp32", shape: Shape | None = None
) -> None:
    """Replace what a file says of itself by what a reader, or its owner years later, has to know."""
    content.producer_name, content.producer_version = "linetune", version("linetune")
    del content.metadata_props[:]
    padding = (
        f"to {shape.width} px, wider lines squashed to it" if shape else f"to at least {image.MIN_WIDTH} px"
    )
    metadata = {
        "character": "\n".join(c for c in model.charset.characters if c != SPACE),
        "charset_sha256": model.charset.sha256,
        "base_model": model.base_model,
        "height": str(image.HEIGHT),
        "min_width": str(image.MIN_WIDTH),
        "preprocessing": (
            f"BGR; bilinear to height {image.HEIGHT} at the line's own width; x / 127.5 - 1; "
            f"padded on the right with 0 {padding}"
        ),
        "input_shape": f"{shape.batch},3,{image.HEIGHT},{shape.width}"
        if shape
        else f"batch,3,{image.HEIGHT},width",
        "both_ways": str(model.both_ways).lower(),
        "text_order": reading_order.VISUAL,
        "precision": precision,
        "linetune": version("linetune"),
    }
    for key, value in metadata.items():
        content.metadata_props.add(key=key, value=value)


def open_onnx(path: Path, threads: int = 0) -> tuple[Run, Charset]:
    """An exported file in onnxruntime, and the charset as a reader finds it there.

    Args:
        path: the file.
        threads: how many one operator may use; 0 for as many as there are cores.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    characters = session.get_modelmeta().custom_metadata_map["character"].splitlines()

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: batch})[0], np.float32)

    return run, Charset((*characters, SPACE))


def _graph(model: Model, shape: Shape | None) -> bytes:
    network = copy.deepcopy(model.network).cpu().float().eval()
    network.nrtr = None
    file = io.BytesIO()
    batch, width = (shape.batch, shape.width) if shape else (2, image.MIN_WIDTH)
    dynamic = {"x": {0: "batch", 3: "width"}, "probabilities": {0: "batch", 1: "frames"}}
    example = torch.zeros(batch, 3, image.HEIGHT, width)
    with warnings.catch_warnings():
        # The exporter that traces is deprecated; its successor needs more packages and writes
        # a file that older runtimes refuse. The parity check decides, not the warning.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            BothWays(network) if model.both_ways else _Probabilities(network),
            (example,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=["x"],
            output_names=["probabilities"],
            dynamic_axes=None if shape else dynamic,
        )
    return file.getvalue()


def _refuse_line_breaks(charset: Charset, path: Path) -> None:
    """Readers split the dictionary with ``splitlines()``; such a character would shift every class."""
    breaking = [c for c in charset.characters if len(f"a{c}b".splitlines()) > 1]
    if breaking:
        raise LinetuneError(
            f"the charset holds {show(*breaking)}, on which readers of the file would split its dictionary",
            path,
            "take it out of the charset",
        )
