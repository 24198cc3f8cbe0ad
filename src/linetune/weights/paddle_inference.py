"""Paddle's inference folders (``inference.json``, ``.pdiparams``, ``.yml``), without PaddlePaddle.

The JSON is the program in Paddle's intermediate representation (PIR): operations whose values are numbers,
``p`` for a parameter. The parameters lie one after the other in the other file, sorted by name: version,
level of detail, version again, length of a protobuf description, the description, the values
(paddle/fluid/framework/lod_tensor.cc and paddle/fluid/pir/serialize_deserialize).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from linetune.core import textfile
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError

Array = NDArray[np.float32]
PROGRAM, PARAMETERS, SETTINGS = FILES = ("inference.json", "inference.pdiparams", "inference.yml")
_HEADER = struct.Struct("<IQIi")
# The order in which ONNX gives them, which is the order of their names in torch.
_BATCH_NORM = (0, 3, 4, 1, 2)


def read_inference(folder: Path) -> dict[str, Array]:
    """The parameters by name, in the order in which the program uses them.

    Raises:
        LinetuneError: a file is missing, damaged, or of another version.
    """
    path = folder / PROGRAM
    try:
        tree = json.loads(path.read_bytes())
        operations = tree["program"]["regions"][0]["blocks"][0]["ops"]
        names = {op["O"]["%"]: op["A"][3] for op in operations if op["#"] == "p"}
        used = dict.fromkeys(name for op in operations for name in _parameters(op, names))
    except FileNotFoundError:
        raise LinetuneError("weights not found", path) from None
    except (ValueError, TypeError, LookupError, AttributeError):
        raise LinetuneError("not a program of PaddlePaddle 3", path) from None
    arrays = dict(zip(sorted(names.values()), _arrays(folder / PARAMETERS), strict=False))
    if len(arrays) < len(names):
        raise LinetuneError(f"holds {len(arrays)} arrays, the program has {len(names)}", folder / PARAMETERS)
    return {name: arrays[name] for name in used}


class Settings(NamedTuple):
    """What ``inference.yml`` says of the program beside it."""

    name: str | None
    """The official model's."""
    charset: Charset
    """The characters of its dictionary, and the space."""
    both_ways: bool
    """Whether the program reads every crop both ways up, which linetune's exports say."""


def read_settings(folder: Path) -> Settings:
    """What ``inference.yml`` says.

    Raises:
        LinetuneError: the file is missing, no YAML, or holds no dictionary that can be used.
    """
    path = folder / SETTINGS
    try:
        tree = YAML(typ="safe").load(textfile.read(path, "settings"))
        characters = tree["PostProcess"]["character_dict"]
        told = tree.get("Global", {})
        name, both_ways = told.get("model_name"), told.get("both_ways", False)
        if not isinstance(characters, list):
            raise TypeError
    except (YAMLError, TypeError, LookupError, AttributeError):
        raise LinetuneError("no PostProcess.character_dict of characters", path) from None
    for entry in characters:
        if not isinstance(entry, str):
            raise LinetuneError(f"PostProcess.character_dict holds {entry!r}, no text", path, "quote it")
    try:
        charset = Charset.from_dictionary(characters)
    except LinetuneError as error:
        raise error.at(path) from None
    return Settings(name, charset, both_ways is True)


def _parameters(operation: Mapping[str, Any], names: Mapping[int, str]) -> list[str]:
    """Names of the parameters that an operation takes."""
    inputs = [value["%"] for value in operation.get("I", ())]
    if operation["#"].endswith(".batch_norm_"):
        inputs = [inputs[place] for place in _BATCH_NORM]
    return [names[value] for value in inputs if value in names]


def _arrays(path: Path) -> Iterator[Array]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise LinetuneError("weights not found", path) from None
    at = 0
    while at < len(content):
        try:
            _, levels, _, length = _HEADER.unpack_from(content, at)
            at += _HEADER.size
            shape = _shape(content[at : at + length])
            at += length
            array = np.frombuffer(content, "<f4", int(np.prod(shape)), at).reshape(shape)
        except (struct.error, ValueError, LookupError):
            raise LinetuneError("damaged, or not float32", path) from None
        if levels:
            raise LinetuneError("holds arrays of variable length, which no recogniser has", path)
        at += array.nbytes
        yield array.copy()


def _shape(description: bytes) -> tuple[int, ...]:
    """The shape in a protobuf description: field 1 the type (5 is float32), field 2 a side each."""
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
