"""ONNX files: official ones are read, linetune's own are read and written, with the dictionary inside."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from linetune.core import atomic, image, reading_order
from linetune.core.charset import SPACE, Charset
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.decode.read import Run
from linetune.formats import wire
from linetune.formats.dictionary import charset_of_file, refuse
from linetune.formats.graphs import Array, network_of
from linetune.formats.model import Model
from linetune.formats.onnx_reader import CUT, open_session
from linetune.formats.onnx_shape import Shape, compare_widths
from linetune.formats.origin import add_origin, to_texts
from linetune.formats.parity import Exported, check_parity, sample_crops
from linetune.formats.registry import Format
from linetune.formats.text_order import refuse_logical_order
from linetune.models.architecture import Official
from linetune.models.both_ways import BothWays
from linetune.models.cut_padding import CutPadding
from linetune.models.families import OFFICIAL
from linetune.models.network import Network

FORMAT = Format(
    "onnx",
    ".onnx",
    both_ways=True,
    logical_order="RapidOCR puts it in logical order with Rec.lang_type: arabic "
    "(pip install 'rapidocr[rtl]')",
)
OPSET = 17
"""Every onnxruntime since 1.12 supports it."""
_ROUNDED = {
    onnx.TensorProto.FLOAT16: "fp16",
    onnx.TensorProto.BFLOAT16: "bf16",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT8: "int8",
}


def recognises(path: Path) -> bool:
    """Return whether a path is an ONNX file by its suffix."""
    return path.suffix == ".onnx" and not path.is_dir()


def load(path: Path, official: Official | None = None) -> Model:
    """Load an ONNX file of a known official model, or of the one that its tensors fit.

    Raises:
        LinetuneError: the file is missing or not ONNX, its weights are rounded or of another network,
            or its dictionary is unknown.
    """
    tensors, metadata = read_onnx(path)
    known = official or OFFICIAL.get(metadata.get("base_model", ""))
    official, network = network_of(tensors, known, path)
    charset = charset_of_file(network.classes, official, path, metadata.get("character"))
    if metadata.get("charset_sha256", charset.sha256) != charset.sha256:
        raise LinetuneError("the dictionary in the file does not match its hash", path, "export it again")
    if "linetune" in metadata:
        refuse_logical_order(charset, metadata, path)
    model = Model(network, charset, metadata.get("base_model", official.name), str(path))
    model = replace(model, both_ways=metadata.get("both_ways") == "true")
    return add_origin(model, metadata, path) if "linetune" in metadata else model


def read_onnx(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """Return an ONNX file's float tensors in the order of their use, and its metadata.

    Constants are in initialisers or in Constant nodes. Biases may be reshaped.

    Raises:
        LinetuneError: the file is missing, is not ONNX, or has weights that are rounded or in another file.
    """
    model = _parsed(path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if (
            node.op_type == "Constant"
            and node.output
            and node.attribute
            and node.attribute[0].name == "value"
        ):
            constants[node.output[0]] = node.attribute[0].t
    rounded = next((kind for t in constants.values() if (kind := _ROUNDED.get(t.data_type))), None)
    if rounded:
        raise LinetuneError(
            f"its weights are rounded to {rounded}, and their exact values are lost",
            path,
            "use the model that it was exported from, or an export in fp32",
        )
    weights = {}
    for node in model.graph.node:
        for name in node.input:
            # Popped, because a weight that is used twice is one weight.
            tensor = constants.pop(name, None)
            if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or not tensor.dims:
                continue
            try:
                weights[name] = np.array(numpy_helper.to_array(tensor), np.float32)
            except Exception:  # onnx raises errors of several types for values that do not fit the shape
                what = f"the values of {name[:80]!r} do not fit its shape"
                raise LinetuneError(what, path, "export it again") from None
            if not weights[name].size:
                raise LinetuneError(f"{name[:80]!r} has no values", path, "export it again")
    return weights, {entry.key: entry.value for entry in model.metadata_props}


def fixed_shape(path: Path) -> str | None:
    """Return the fixed input shape of an ONNX file for messages. None if its axes are dynamic."""
    inputs = _parsed(path).graph.input
    sides = [axis.dim_value for axis in inputs[0].type.tensor_type.shape.dim] if inputs else [0]
    return " x ".join(map(str, sides)) if all(sides) else None


def _parsed(path: Path) -> onnx.ModelProto:
    """Return the content of an ONNX file. No file that it names is opened.

    Raises:
        LinetuneError: the file is missing or too large, is not ONNX, or has its weights in another file.
    """
    data = wire.read(path).data
    try:
        model: onnx.ModelProto = onnx.ModelProto.FromString(data)
        return model
    except Exception as error:  # protobuf has its own errors
        raise LinetuneError(f"not an ONNX file ({error})", path, "export it again") from None


class _Probabilities(nn.Module):
    """The network with the softmax that every reader expects, like :class:`BothWays`.

    The name of its attribute is the prefix of all tensors in the file (``formats.graphs`` reads them back).
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.network(images).softmax(2)
        return out


def export(model: Model, path: Path, crops: Sequence[Crop] = (), shape: Shape | None = None) -> Exported:
    """Write an ONNX file that RapidOCR can load.

    The metadata key ``character`` has the dictionary, one character a line, without the blank and the space.
    Readers put the blank first and a space last.

    Args:
        model: what to export.
        path: the file. It appears only if it reads the same texts as the model.
        crops: real crops for the comparison. Without them, linetune draws some.
        shape: a fixed input shape, which the comparison uses too. By default, batch and width are dynamic.

    Raises:
        LinetuneError: readers would split the dictionary at a character, or the file reads another text.
    """
    content = with_dictionary(model, path, shape)
    with os_errors("cannot write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.written(path) as partial:
            partial.write_bytes(content.SerializeToString())
            exported, charset = open_onnx(partial)
            compared = list(crops) or sample_crops(model.charset)
            notes = compare_widths(model, compared, shape) if shape else ()
            trained: Run = model.reader.run
            if shape:
                compared = [shape.fit(crop) for crop in compared]
                trained, exported = shape.at_width(trained), shape.at_width(shape.in_batches(exported))
            difference = check_parity(trained, exported, model.charset, charset, compared, path)
    return Exported(path, len(compared), difference, notes)


def with_dictionary(
    model: Model, path: Path, shape: Shape | None = None, cut: bool = False
) -> onnx.ModelProto:
    """Return the file's content: the graph, and metadata for readers.

    Args:
        model: what to export.
        path: the file to write.
        shape: a fixed input shape. By default, batch and width are dynamic.
        cut: whether the graph cuts off its own padding, see :class:`CutPadding`.

    Raises:
        LinetuneError: the suffix is wrong, or readers would split the dictionary at a character.
    """
    if path.suffix != ".onnx":
        raise LinetuneError("the suffix of an ONNX file must be .onnx", path, f"name it {path.stem}.onnx")
    # Readers would split the dictionary at such a character. That would shift all classes.
    why = "at which readers of the file would split its dictionary"
    refuse(model.charset, lambda c: len(f"a{c}b".splitlines()) > 1, why, path)
    content = onnx.load_from_string(_graph(model, shape, cut))
    if shape:
        sizes = (shape.batch, image.frames(shape.width), model.charset.classes)
        for axis, size in zip(content.graph.output[0].type.tensor_type.shape.dim, sizes, strict=True):
            axis.dim_value = size
    describe(content, model, shape=shape, cut=cut)
    return content


def describe(
    content: onnx.ModelProto,
    model: Model,
    precision: str = "fp32",
    shape: Shape | None = None,
    cut: bool = False,
) -> None:
    """Replace the metadata of a file by what readers, and people years later, need to know."""
    content.producer_name, content.producer_version = "linetune", version("linetune")
    del content.metadata_props[:]
    padding = (
        f"to {shape.width} px, wider lines are squashed" if shape else f"to at least {image.MIN_WIDTH} px"
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
        **({CUT: "true"} if cut else {}),
        "linetune": version("linetune"),
        **to_texts(model),
    }
    for key, value in metadata.items():
        content.metadata_props.add(key=key, value=value)


def open_onnx(path: Path, threads: int = 0) -> tuple[Run, Charset]:
    """Open an exported file in onnxruntime. Return it with the charset as readers find it.

    Args:
        path: the file.
        threads: threads of one operator. 0 means one for each core.
    """
    session = open_session(path.read_bytes(), path, threads)
    name = session.get_inputs()[0].name
    characters = session.get_modelmeta().custom_metadata_map["character"].splitlines()

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(session.run(None, {name: batch})[0], np.float32)

    return run, Charset((*characters, SPACE))


def _graph(model: Model, shape: Shape | None, cut: bool) -> bytes:
    network = copy.deepcopy(model.network).cpu().float().eval()
    network.nrtr = None
    file = io.BytesIO()
    batch, width = (shape.batch, shape.width) if shape else (2, image.MIN_WIDTH)
    dynamic = {"x": {0: "batch", 3: "width"}, "probabilities": {0: "batch", 1: "frames"}}
    example = torch.zeros(batch, 3, image.HEIGHT, width)
    module = BothWays(network) if model.both_ways else _Probabilities(network)
    with warnings.catch_warnings():
        # The tracing exporter is deprecated. Its successor needs more packages, and older runtimes refuse its
        # files. The parity check decides, not the warning.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            CutPadding(module) if cut else module,
            (example,),
            file,  # type: ignore[arg-type]
            dynamo=False,
            # The network is in evaluation mode, and the new module around it in training mode. If that were
            # in evaluation mode too, the exporter would merge equal tensors, and one name would be lost.
            training=torch.onnx.TrainingMode.PRESERVE,
            opset_version=OPSET,
            input_names=["x"],
            output_names=["probabilities"],
            dynamic_axes=None if shape else dynamic,
        )
    return file.getvalue()
