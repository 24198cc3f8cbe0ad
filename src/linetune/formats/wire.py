"""Check protobuf messages before they are parsed: an empty one takes two bytes, and 200 in memory."""

from __future__ import annotations

from typing import Any

FIELDS = 300_000
"""Most fields of a message and of those inside it. The largest official ONNX file has 20,000."""
_PACKED = 8
"""Bytes of packed numbers that count as one field."""


def check_fields(data: bytes, descriptor: Any) -> None:
    """Check that a message is complete and does not have too many fields.

    Args:
        data: the message.
        descriptor: protobuf's description of its type.

    Raises:
        ValueError: it is not such a message, or has too many fields.
    """
    left = FIELDS
    waiting = [(0, len(data), descriptor)]
    while waiting:
        at, end, kind = waiting.pop()
        while at < end:
            key, at = _varint(data, at)
            left -= 1
            if key & 7 == 0:
                _, at = _varint(data, at)
            elif key & 7 == 1:
                at += 8
            elif key & 7 == 5:
                at += 4
            elif key & 7 == 2:
                length, at = _varint(data, at)
                field = kind.fields_by_number.get(key >> 3)
                if field is not None and field.message_type is not None:
                    waiting.append((at, at + length, field.message_type))
                elif field is not None and field.type not in (field.TYPE_STRING, field.TYPE_BYTES):
                    left -= length // _PACKED
                at += length
            else:
                raise ValueError("unknown kind of field")
            if at > end:
                raise ValueError("it is cut off")
            if left < 0:
                raise ValueError("it has too many fields")


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
