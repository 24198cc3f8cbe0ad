"""Calibration and promise, written into the file of a model without a change of its weights."""

from __future__ import annotations

from pathlib import Path

from linetune.core import atomic
from linetune.core.errors import LinetuneError, os_errors
from linetune.formats import store, wire
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.origin import KEYS, to_texts
from linetune.formats.registry import FORMATS
from linetune.models.families import OFFICIAL

_OWN = "linetune"
"""The key of ONNX metadata that linetune writes."""
_ORIGIN = "provenance"
"""The key of what a model was trained from, on and with."""


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


def rewrite(model: Model) -> list[Path]:
    """Write the history, provenance, calibration and promise of a model into its file, and return the files.

    The model file of a run folder has an ONNX file beside it. If that comes from the same training, it gets
    the notes too, so that other programs and a published run have them. A new file replaces the old one as a
    whole.

    Args:
        model: a model of :func:`load_own`.

    Raises:
        LinetuneError: the file cannot be written.
    """
    path = Path(model.source)
    if path.suffix == ".onnx":
        _rewrite_onnx(model, path)
        return [path]
    beside = path.with_name(store.ONNX)
    exported = path.name == store.NAME and beside.is_file() and _same_origin(model, beside)
    store.save_model(model, path)
    if exported:
        _rewrite_onnx(model, beside)
    return [path, beside] if exported else [path]


def _same_origin(model: Model, path: Path) -> bool:
    """Return whether an ONNX file was exported from the training of a model."""
    return bool(model.provenance) and wire.read(path).metadata.get(_ORIGIN) == to_texts(model)[_ORIGIN]


def _rewrite_onnx(model: Model, path: Path) -> None:
    import onnx

    content = onnx.load(path)
    kept = {entry.key: entry.value for entry in content.metadata_props if entry.key not in KEYS}
    del content.metadata_props[:]
    for key, value in (kept | to_texts(model)).items():
        content.metadata_props.add(key=key, value=value)
    with os_errors("cannot write the model", path), atomic.written(path, durable=True) as partial:
        partial.write_bytes(content.SerializeToString())
