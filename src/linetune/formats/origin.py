"""The history, provenance, rule, calibration and promise of a model, as texts in a file of any format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linetune.core.errors import LinetuneError
from linetune.core.untrusted import parse_json

if TYPE_CHECKING:
    from linetune.formats.model import Model

KEYS = ("history", "provenance", "rule", "calibration", "promise")
"""The attributes of a model. Each is an object of JSON."""
VOID = ("calibration", "promise")
"""Those that hold for the readings of one rule, one charset and one way up."""
_WEIGHTS = "weights"
_DIGEST = 16


def to_texts(model: Model) -> dict[str, str]:
    """Return the :data:`KEYS` as JSON in ASCII. Leave out what the model does not have."""
    return {key: json.dumps(value) for key in KEYS if (value := getattr(model, key))}


def add_origin(model: Model, texts: Mapping[str, object], where: object) -> Model:
    """Fill the :data:`KEYS` of a model from the texts of its file, and return the model.

    Raises:
        LinetuneError: as :func:`records`.
    """
    for key, value in records(texts, where).items():
        setattr(model, key, value)
    return model


def records(texts: Mapping[str, object], where: object) -> dict[str, Mapping[str, Any]]:
    """Return the objects in the texts of a model file, by their keys.

    Args:
        texts: the inverse of :func:`to_texts`. Other keys do not count.
        where: the file, for messages.

    Raises:
        LinetuneError: a text is not an object of JSON.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for key in (key for key in KEYS if key in texts):
        what, hint = f"its {key!r} is damaged", "copy the file again from where it was exported"
        try:
            found[key] = parse_json(str(texts[key]), where)
        except LinetuneError:
            raise LinetuneError(what, where, hint) from None
        if not isinstance(found[key], dict):
            raise LinetuneError(what, where, hint)
    return found


def to_comments(model: Model, weights: Path) -> str:
    """Return comments for a file beside weights whose format has no place for texts. Empty without texts.

    They name the hash of the weights, so that other weights of the same name do not get this origin.
    """
    texts = to_texts(model)
    lines = {"origin of these weights": "", _WEIGHTS: _hash(weights), **texts} if texts else {}
    return "".join(f"# {key}: {text}".rstrip() + "\n" for key, text in lines.items())


def from_comments(path: Path, weights: Path) -> dict[str, str]:
    """Return the texts in a file of :func:`to_comments`. Empty if there is none for these weights."""
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError):
        return {}
    found = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# ") and ": " in line)
    return found if _WEIGHTS in found and found[_WEIGHTS] == _hash(weights) else {}


def _hash(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=_DIGEST).hexdigest()
