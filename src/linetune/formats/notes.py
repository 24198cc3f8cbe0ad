"""Calibration and promise, written into the file of a model without a change of its weights."""

from __future__ import annotations

from pathlib import Path

from linetune.core import atomic
from linetune.core.errors import LinetuneError, os_errors
from linetune.formats import store
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.origin import KEYS, to_texts
from linetune.formats.registry import FORMATS
from linetune.models.families import OFFICIAL

_OWN = "linetune"
"""The key of ONNX metadata that linetune writes."""


def load_own(reference: str) -> Model:
    """Load a model whose file :func:`rewrite` can write.

    Raises:
        LinetuneError: the model is official, its file has a format without a place for notes, or it cannot be
            loaded.
    """
    hint = "write a file of your own with linetune export --format onnx, and name that"
    if reference in OFFICIAL:
        raise LinetuneError("an official model is only read", reference, hint)
    path = Path(reference)
    model = load_base(reference)
    kind = next((name for name, form in FORMATS.items() if form.module.recognises(path)), None)
    if kind is None:
        return model
    if kind != "onnx":
        hint = "do this with the run folder, and export it again"
        raise LinetuneError(f"linetune cannot change a model of the format {kind}", path, hint)
    import onnx

    if not any(entry.key == _OWN for entry in onnx.load(path).metadata_props):
        raise LinetuneError("linetune has not written this file, and only reads it", path, hint)
    return model


def rewrite(model: Model) -> Path:
    """Write the history, provenance, calibration and promise of a model into its file, and return the file.

    The new file replaces the old one as a whole.

    Args:
        model: a model of :func:`load_own`.

    Raises:
        LinetuneError: the file cannot be written.
    """
    path = Path(model.source)
    if path.suffix != ".onnx":
        store.save_model(model, path)
        return path
    import onnx

    content = onnx.load(path)
    kept = {entry.key: entry.value for entry in content.metadata_props if entry.key not in KEYS}
    del content.metadata_props[:]
    for key, value in (kept | to_texts(model)).items():
        content.metadata_props.add(key=key, value=value)
    with os_errors("cannot write the model", path), atomic.written(path, durable=True) as partial:
        partial.write_bytes(content.SerializeToString())
    return path
