"""Our own model files: safetensors with everything needed to rebuild the model in the header."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from linetune.core import atomic, image, reading_order, signals, untrusted
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, os_errors
from linetune.formats.header import AGAIN, check_sizes
from linetune.formats.model import Model, fill
from linetune.formats.origin import add_origin, to_texts
from linetune.formats.text_order import refuse_logical_order
from linetune.models.families import from_settings, to_settings
from linetune.models.network import empty_folded

FORMAT = "2"
NAME = "model.safetensors"
"""The model file in a run folder."""
ONNX = "model.onnx"
"""Its export, in the same folder."""
T = TypeVar("T")


def recognises(path: Path) -> bool:
    """Return whether a path is a model file or a run folder."""
    return (path / NAME).is_file() if path.is_dir() else path.suffix == ".safetensors"


def save_model(model: Model, path: Path) -> None:
    """Write a model file, which appears whole or not at all. It does not contain the guide."""
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in model.network.state_dict().items()
        if not name.startswith("nrtr.")
    }
    header = {
        "format": "linetune",
        "version": FORMAT,
        "architecture": json.dumps(to_settings(model.network.architecture)),
        "charset": json.dumps(model.charset.characters, ensure_ascii=True),
        "charset_sha256": model.charset.sha256,
        "preprocessing": json.dumps({"height": image.HEIGHT, "min_width": image.MIN_WIDTH, "order": "BGR"}),
        "base_model": model.base_model,
        "both_ways": json.dumps(model.both_ways),
        "text_order": reading_order.VISUAL,
        # Earlier versions need these two.
        "history": "{}",
        "provenance": "{}",
        **to_texts(model),
    }
    with os_errors("cannot write the model", path), atomic.written(path, durable=True) as partial:
        # Not save_file: some of its versions write files that only their owner can read.
        partial.write_bytes(as_bytes(tensors, header))


def as_bytes(tensors: dict[str, Tensor], header: dict[str, str]) -> bytes:
    """Return the content of a safetensors file. Equal arguments give equal bytes."""
    data = save(tensors, header)
    # The library writes the keys of the header in random order.
    end = 8 + int.from_bytes(data[:8], "little")
    ordered = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    ordered += b" " * (-len(ordered) % 8)
    return len(ordered).to_bytes(8, "little") + ordered + data[end:]


def load_model(path: Path) -> Model:
    """Load a model file, or the one in a run folder.

    Raises:
        LinetuneError: the file is missing, is not a linetune model, or contradicts its header.
    """
    path = path / NAME if path.is_dir() else path
    if not path.is_file():
        raise LinetuneError("model file not found", path, "correct the path")
    tensors, header = read_tensors(path)
    if header.get("format") != "linetune" or header.get("version") != FORMAT:
        raise LinetuneError("not a linetune model of a known version", path, "update linetune")
    charset = _rebuilt(header, "charset", path, lambda characters: Charset(tuple(characters)))
    if charset.sha256 != header.get("charset_sha256"):
        raise LinetuneError("the charset in the header does not match its hash", path, AGAIN)
    network = _rebuilt(
        header, "architecture", path, lambda keys: empty_folded(from_settings(keys), charset.classes)
    )
    refuse_logical_order(charset, header, path)
    fill(network, tensors, path)
    history = _rebuilt(header, "history", path, lambda figures: dict(figures))
    if "base_model" not in header:
        raise LinetuneError("the header's 'base_model' is missing or damaged", path, AGAIN)
    # Files of earlier versions lack these.
    both_ways = _rebuilt({"both_ways": "false", **header}, "both_ways", path, bool)
    provenance = _rebuilt({"provenance": "{}", **header}, "provenance", path, dict)
    model = Model(network, charset, header["base_model"], str(path), history, both_ways, provenance)
    return add_origin(model, header, path)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file.

    Raises:
        LinetuneError: the file is damaged.
    """
    try:
        check_sizes(path)
        with signals.delayed(), safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except LinetuneError:
        raise
    except Exception as error:  # a tensor of a type that torch lacks can raise nearly any error
        raise LinetuneError(f"not a safetensors file ({error})", path, AGAIN) from None


def _rebuilt(header: Mapping[str, str], key: str, path: Path, make: Callable[[Any], T]) -> T:
    """Return the result of ``make`` for the JSON at a key of the header."""
    damaged = LinetuneError(f"the header's {key!r} is missing or damaged", path, AGAIN)
    try:
        value = untrusted.parse_json(header[key], path)
    except (KeyError, LinetuneError):
        raise damaged from None
    try:
        return make(value)
    except LinetuneError as error:
        raise LinetuneError(error.what, path) from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError):
        raise damaged from None
