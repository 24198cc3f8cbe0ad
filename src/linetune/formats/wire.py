"""Read ONNX files as plain protobuf: check one before any library parses it, and find its metadata.

An empty message takes two bytes, and 200 in memory. No library of ONNX or protobuf is needed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from linetune.core import untrusted
from linetune.core.errors import LinetuneError, os_errors

FIELDS = 300_000
"""Most fields of a message and of those inside it. The largest official ONNX file has 20,000."""
NUMBERS = "numbers"
MESSAGES: dict[str, dict[int, str]] = {
    "Model": {
        7: "Graph",
        8: "OperatorSetId",
        14: "Entry",
        20: "TrainingInfo",
        25: "Function",
        26: "DeviceConfiguration",
    },
    "Graph": {
        1: "Node",
        5: "Tensor",
        11: "ValueInfo",
        12: "ValueInfo",
        13: "ValueInfo",
        14: "TensorAnnotation",
        15: "SparseTensor",
        16: "Entry",
    },
    "Node": {5: "Attribute", 9: "Entry", 10: "NodeDeviceConfiguration"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        7: NUMBERS,
        8: NUMBERS,
        10: "Tensor",
        11: "Graph",
        14: "Type",
        15: "Type",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "Tensor": {
        1: NUMBERS,
        3: "Tensor.Segment",
        4: NUMBERS,
        5: NUMBERS,
        7: NUMBERS,
        10: NUMBERS,
        11: NUMBERS,
        13: "Entry",
        16: "Entry",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor", 3: NUMBERS},
    "Type": {
        1: "Type.Tensor",
        4: "Type.Sequence",
        5: "Type.Map",
        7: "Type.Opaque",
        8: "Type.SparseTensor",
        9: "Type.Optional",
    },
    "Type.Tensor": {2: "TensorShape"},
    "TensorShape": {1: "TensorShape.Dimension"},
    "Type.Sequence": {1: "Type"},
    "Type.Map": {2: "Type"},
    "Type.Optional": {1: "Type"},
    "Type.SparseTensor": {2: "TensorShape"},
    "NodeDeviceConfiguration": {2: "ShardingSpec"},
    "ShardingSpec": {2: NUMBERS, 3: "IntIntListEntry", 4: "ShardedDim"},
    "IntIntListEntry": {2: NUMBERS},
    "ShardedDim": {2: "SimpleShardedDim"},
    "ValueInfo": {2: "Type", 4: "Entry"},
    "TensorAnnotation": {2: "Entry"},
    "TrainingInfo": {1: "Graph", 2: "Graph", 3: "Entry", 4: "Entry"},
    "Function": {7: "Node", 9: "OperatorSetId", 11: "Attribute", 12: "ValueInfo", 14: "Entry"},
}
"""The fields of ONNX's messages that hold messages or lists of numbers: their numbers, and what they hold.

From onnx.proto (https://github.com/onnx/onnx). "Graph" is GraphProto; "Entry" is StringStringEntryProto.
"""
_METADATA, _EXTERNAL, _LOCATION = ("Model", 14), ("Tensor", 13), ("Tensor", 14)
"""metadata_props of a model; external_data and data_location of a tensor."""
_PACKED = 8
"""Bytes of packed numbers that count as one field."""


class Content(NamedTuple):
    """An ONNX file that is safe to parse."""

    data: bytes
    metadata: dict[str, str]


class _Field(NamedTuple):
    number: int
    value: int | None
    """The value of a whole number, else None."""
    start: int
    end: int
    """Where its bytes start and end. Equal for a field that has no length."""


def read(path: Path) -> Content:
    """Read an ONNX file. No file that it names is opened.

    Raises:
        LinetuneError: the file is missing or too large, is not ONNX, or has its weights in another file.
    """
    if not path.is_file():
        raise LinetuneError("weights not found", path, "correct the path")
    with os_errors("cannot be read", path):
        data = untrusted.read(path, untrusted.MODEL, "model")
    try:
        entries, external = _checked(data)
        metadata = dict(_entry(data, *place) for place in entries)
    except ValueError as error:
        raise LinetuneError(f"not an ONNX file ({error})", path, "export it again") from None
    if external:
        what = "its weights are in another file, and linetune opens no file that a model names"
        hint = "save it as one file: onnx.save(onnx.load(PATH), NEW) in a folder that you trust"
        raise LinetuneError(what, path, hint)
    return Content(data, metadata)


def _checked(data: bytes) -> tuple[list[tuple[int, int]], bool]:
    """Check that an ONNX model is complete and does not have too many fields.

    Returns:
        Start and end of each metadata entry, and whether a tensor is in another file.

    Raises:
        ValueError: it is not such a message, or has too many fields.
    """
    left, external = FIELDS, False
    entries: list[tuple[int, int]] = []
    waiting = [(0, len(data), "Model")]
    while waiting:
        at, end, message = waiting.pop()
        kinds = MESSAGES.get(message, {})
        for field in _fields(data, at, end):
            left -= 1
            kind = kinds.get(field.number)
            if kind == NUMBERS:
                left -= (field.end - field.start) // _PACKED
            elif kind and field.end > field.start:
                waiting.append((field.start, field.end, kind))
            if left < 0:
                raise ValueError("it has too many fields")
            place = message, field.number
            if place == _METADATA:
                entries.append((field.start, field.end))
            external = external or place == _EXTERNAL or (place == _LOCATION and bool(field.value))
    return entries, external


def _entry(data: bytes, start: int, end: int) -> tuple[str, str]:
    """Return the key and the value of an entry of the metadata."""
    texts = {field.number: data[field.start : field.end].decode() for field in _fields(data, start, end)}
    return texts.get(1, ""), texts.get(2, "")


def _fields(data: bytes, at: int, end: int) -> Iterator[_Field]:
    """Yield the fields of a message.

    Raises:
        ValueError: it is cut off, or has a field of an unknown kind.
    """
    while at < end:
        key, at = _varint(data, at)
        value, start = None, at
        if key & 7 == 0:
            value, at = _varint(data, at)
            start = at
        elif key & 7 == 1:
            start = at = at + 8
        elif key & 7 == 5:
            start = at = at + 4
        elif key & 7 == 2:
            length, start = _varint(data, at)
            at = start + length
        else:
            raise ValueError("unknown kind of field")
        if at > end:
            raise ValueError("it is cut off")
        yield _Field(key >> 3, value, start, at)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number and the position after it."""
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at
    raise ValueError("it is cut off")
