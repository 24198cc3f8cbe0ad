"""Paddle's inference folders (``inference.json``, ``.pdiparams``, ``.yml``).

Only writing them needs PaddlePaddle. ``paddleocr.TextRecognition`` loads them.

The JSON is the program in Paddle's intermediate representation (PIR): operations whose values are numbers,
``p`` for a parameter. The other file has the parameters one after the other, sorted by name: version,
level of detail, version again, length of a protobuf description, the description, the values
(paddle/fluid/framework/lod_tensor.cc and paddle/fluid/pir/serialize_deserialize).
"""

from __future__ import annotations

import math
import os
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linetune.core import atomic, image, untrusted
from linetune.core.charset import SPACE, Charset
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.decode.read import Run
from linetune.formats.dictionary import SETTINGS, matching, read_settings
from linetune.formats.graphs import OWN, network_of
from linetune.formats.model import Model
from linetune.formats.origin import add_origin, to_texts
from linetune.formats.parity import Exported, check_parity, sample_crops
from linetune.formats.registry import Format
from linetune.models.architecture import Official
from linetune.models.families import OFFICIAL

Array = NDArray[np.float32]
FORMAT = Format(
    "paddle",
    "_paddle",
    files=("inference.json", "inference.pdiparams", "inference.yml"),
    package="paddle",
    both_ways=True,
)
PROGRAM, PARAMETERS, _ = FORMAT.files
_DESCRIPTION = 1024
"""Most bytes of the description of an array. Real ones have about ten."""
_WHOLE = f"the folder needs {', '.join(FORMAT.files)} of one recogniser"
_HEADER = struct.Struct("<IQIi")
# ONNX and torch have the inputs of a batch norm in this order.
_BATCH_NORM = (0, 3, 4, 1, 2)


def recognises(path: Path) -> bool:
    """Return whether a path is a folder with a program of PaddlePaddle 3."""
    return (path / PROGRAM).is_file()


def load(path: Path, official: Official | None = None) -> Model:
    """Load an inference folder of a known official model, of the one it names, or of one that it fits.

    Raises:
        LinetuneError: a file is missing or damaged, the network is unknown, or the dictionary does not match.
    """
    tensors = read_inference(path)
    settings = read_settings(path)
    if any(name.startswith(OWN) for name in tensors):
        # Paddle's linear kernels are transposed.
        tensors = {name: array.T.copy() if array.ndim == 2 else array for name, array in tensors.items()}
    official, network = network_of(tensors, official or OFFICIAL.get(settings.name or ""), path)
    charset = matching(settings.charset, network.classes, path, f"correct {SETTINGS}")
    name = settings.name or official.name
    model = Model(network, charset, name, str(path), both_ways=settings.both_ways)
    return add_origin(model, settings.entries, path / SETTINGS)


def read_inference(folder: Path) -> dict[str, Array]:
    """Return the parameters by name, in the order in which the program uses them.

    Raises:
        LinetuneError: a file is missing, damaged, or of another version.
    """
    path = folder / PROGRAM
    try:
        tree = untrusted.parse_json(untrusted.read(path), path)
        operations = tree["program"]["regions"][0]["blocks"][0]["ops"]
        names = {op["O"]["%"]: op["A"][3] for op in operations if op["#"] == "p"}
        if not all(isinstance(name, str) for name in names.values()):
            raise TypeError
        used = dict.fromkeys(name for op in operations for name in _parameters(op, names))
    except FileNotFoundError:
        raise LinetuneError("weights not found", path, _WHOLE) from None
    except LinetuneError as error:
        raise LinetuneError(f"not a program of PaddlePaddle 3: {error.what}", error.where, _WHOLE) from None
    except (ValueError, TypeError, LookupError, AttributeError):
        raise LinetuneError(
            "not a program of PaddlePaddle 3", path, "export it again with PaddlePaddle 3"
        ) from None
    arrays = dict(zip(sorted(names.values()), _arrays(folder / PARAMETERS), strict=False))
    if len(arrays) < len(names):
        what = f"{len(arrays)} arrays, but the program has {len(names)}"
        raise LinetuneError(what, folder / PARAMETERS, _WHOLE)
    return {name: arrays[name] for name in used}


def _parameters(operation: Mapping[str, Any], names: Mapping[int, str]) -> list[str]:
    """Return names of the parameters that an operation takes."""
    inputs = [value["%"] for value in operation.get("I", ())]
    if operation["#"].endswith(".batch_norm_"):
        inputs = [inputs[place] for place in _BATCH_NORM]
    return [names[value] for value in inputs if value in names]


def _arrays(path: Path) -> Iterator[Array]:
    try:
        content = untrusted.read(path, untrusted.MODEL, "model")
    except FileNotFoundError:
        raise LinetuneError("weights not found", path, _WHOLE) from None
    at = 0
    while at < len(content):
        try:
            _, levels, _, length = _HEADER.unpack_from(content, at)
            at += _HEADER.size
            if not 0 < length < _DESCRIPTION:
                raise ValueError
            shape = _shape(content[at : at + length])
            at += length
            if not math.prod(shape):
                raise ValueError
            array = np.frombuffer(content, "<f4", math.prod(shape), at).reshape(shape)
        except (struct.error, ValueError, LookupError, OverflowError):
            raise LinetuneError("damaged, or not float32", path, _WHOLE) from None
        if levels:
            raise LinetuneError("arrays of variable length, which no recogniser has", path, _WHOLE)
        at += array.nbytes
        yield array.copy()


def _shape(description: bytes) -> tuple[int, ...]:
    """Return the shape in a protobuf description: field 1 the type (5 is float32), field 2 a side each."""
    fields: list[tuple[int, int]] = []
    numbers = _varints(description)
    for key in numbers:
        fields.append((key, next(numbers, -1)))
    if fields[0] != (0x08, 5) or any(key != 0x10 for key, _ in fields[1:]):
        raise ValueError
    return tuple(side for _, side in fields[1:])


def _varints(content: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in content:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def export(model: Model, path: Path, crops: Sequence[Crop] = ()) -> Exported:
    """Write ``inference.json``, ``inference.pdiparams`` and ``inference.yml``, the dictionary in the last.

    Args:
        model: what to export.
        path: the folder. The files appear in it only if they read the same texts as the model.
        crops: real crops for the comparison. Without them, linetune draws some.

    Raises:
        LinetuneError: PaddlePaddle is too old, or the files read another text.
    """
    # PaddlePaddle reads this variable when it is loaded. It warns about its own tracing, but the comparison
    # below decides.
    os.environ.setdefault("GLOG_minloglevel", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from linetune.formats.paddle_network import save_inference

    compared = list(crops) or sample_crops(model.charset)
    with os_errors("cannot write", path), atomic.files_written(path) as partial:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            save_inference(model.network, model.both_ways, partial / Path(PROGRAM).stem)
        if not (partial / PROGRAM).is_file():
            raise LinetuneError(
                "the PaddlePaddle here writes an older format", path, "pip install 'paddlepaddle>=3'"
            )
        atomic.write_text(partial / SETTINGS, _settings(model))
        run, charset = open_inference(partial)
        difference = check_parity(model.reader.run, run, model.charset, charset, compared, path)
    notes = (
        f"load it with paddleocr.TextRecognition(model_name={model.base_model!r}, model_dir={str(path)!r})",
        "read with batch_size=1: larger batches pad all crops to the widest, which changes some readings",
    )
    return Exported(path, len(compared), difference, notes)


def open_inference(folder: Path) -> tuple[Run, Charset]:
    """Open an inference folder in PaddlePaddle on one CPU, and return the charset as PaddleX finds it."""
    from paddle import inference

    config = inference.Config(str(folder / PROGRAM), str(folder / PARAMETERS))
    config.disable_gpu()
    config.disable_glog_info()
    predictor = inference.create_predictor(config)
    (source,) = predictor.get_input_names()
    (target,) = predictor.get_output_names()

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        predictor.get_input_handle(source).copy_from_cpu(batch)
        predictor.run()
        return np.asarray(predictor.get_output_handle(target).copy_to_cpu(), np.float32)

    return run, read_settings(folder).charset


def _settings(model: Model) -> str:
    """Return ``inference.yml`` for PaddleX: the official model's name, the input, and the dictionary.

    The operations have the order and the names of the official folders. PaddleX appends the space.
    """
    height, width = image.HEIGHT, image.MIN_WIDTH
    shapes = [
        f"[{count}, 3, {height}, {wide}]" for count, wide in ((1, 160), (1, width), (8, image.MAX_WIDTH))
    ]
    lines = [
        "Global:",
        f"  model_name: {model.base_model}",
        # Only linetune reads these lines. The program itself reads both ways up.
        *(["  both_ways: true"] if model.both_ways else []),
        *(f"  {key}: {_verbatim(text)}" for key, text in to_texts(model).items()),
        "Hpi:",
        "  backend_configs:",
        "    paddle_infer:",
        f"      trt_dynamic_shapes: &shapes {{x: [{', '.join(shapes)}]}}",
        "    tensorrt:",
        "      dynamic_shapes: *shapes",
        "PreProcess:",
        "  transform_ops:",
        "  - DecodeImage: {channel_first: false, img_mode: BGR}",
        f"  - RecResizeImg: {{image_shape: [3, {height}, {width}]}}",
        "  - KeepKeys: {keep_keys: [image]}",
        "PostProcess:",
        "  name: CTCLabelDecode",
        "  character_dict:",
        *(f"  - {_quoted(c)}" for c in model.charset.characters if c != SPACE),
    ]
    return "".join(f"{line}\n" for line in lines)


def _verbatim(text: str) -> str:
    """Return a line of printable ASCII as a YAML string without escapes."""
    return "'" + text.replace("'", "''") + "'"


def _quoted(character: str) -> str:
    """Return a character in quotes, as a string for every YAML reader. Escape it if it is not printable."""
    plain = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in character)
    return f'"{"".join(plain)}"'
