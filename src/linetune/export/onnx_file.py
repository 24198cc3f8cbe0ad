"""ONNX: dynamic batch and width, the dictionary inside, checked before it is there."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linetune import atomic, image, reading_order
from linetune.charset import SPACE, Charset, show
from linetune.decode.read import Run
from linetune.errors import LinetuneError
from linetune.export.parity import Exported, check_parity, sample_crops
from linetune.image import Crop
from linetune.models.both_ways import BothWays
from linetune.models.network import Network
from linetune.weights.store import Model

OPSET = 17
"""Old enough for every onnxruntime since 1.12."""


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


def export_onnx(model: Model, path: Path, crops: Sequence[Crop] = ()) -> Exported:
    """Write an ONNX file that RapidOCR loads as it is.

    The dictionary stands in metadata key ``character``, one character a line, without blank and
    space; readers put the blank first and a space last.

    Args:
        model: what to export.
        path: the file; it appears only when it reads what the model reads.
        crops: real crops to compare on; drawn ones when there are none.

    Raises:
        LinetuneError: a character that readers would split on, or the file reads another text.
    """
    content = with_dictionary(model, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.written(path) as partial:
            partial.write_bytes(content.SerializeToString())
            run, charset = open_onnx(partial)
            compared = list(crops) or sample_crops(model.charset)
            difference = check_parity(model.reader.run, run, model.charset, charset, compared, path)
    except OSError as error:
        raise LinetuneError(f"cannot write ({error.strerror})", path) from None
    return Exported(path, len(compared), difference)


def with_dictionary(model: Model, path: Path) -> onnx.ModelProto:
    """The file's content: the graph, and in its metadata what a reader has to know.

    Args:
        model: what to export.
        path: the file that it is for.

    Raises:
        LinetuneError: another suffix, or a character that readers would split on.
    """
    if path.suffix != ".onnx":
        raise LinetuneError("programs look for another suffix", path, f"name it {path.stem}.onnx")
    _refuse_line_breaks(model.charset, path)
    content = onnx.load_from_string(_graph(model))
    describe(content, model)
    return content


def describe(content: onnx.ModelProto, model: Model, precision: str = "fp32") -> None:
    """Replace what a file says of itself by what a reader, or its owner years later, has to know."""
    content.producer_name, content.producer_version = "linetune", version("linetune")
    del content.metadata_props[:]
    metadata = {
        "character": "\n".join(c for c in model.charset.characters if c != SPACE),
        "charset_sha256": model.charset.sha256,
        "base_model": model.base_model,
        "height": str(image.HEIGHT),
        "min_width": str(image.MIN_WIDTH),
        "preprocessing": (
            f"BGR; bilinear to height {image.HEIGHT} at the line's own width; x / 127.5 - 1; "
            f"padded on the right with 0 to at least {image.MIN_WIDTH} px"
        ),
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


def _graph(model: Model) -> bytes:
    network = copy.deepcopy(model.network).cpu().float().eval()
    network.nrtr = None
    file = io.BytesIO()
    example = torch.zeros(2, 3, image.HEIGHT, image.MIN_WIDTH)
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
            dynamic_axes={"x": {0: "batch", 3: "width"}, "probabilities": {0: "batch", 1: "frames"}},
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
