"""Loading a model by its official name or from a file of any kind."""

from __future__ import annotations

from pathlib import Path

from linetune.config.schema import MODEL_SUFFIXES
from linetune.core import files
from linetune.core.errors import LinetuneError, did_you_mean
from linetune.formats import store
from linetune.formats.model import Model
from linetune.formats.registry import FORMATS
from linetune.formats.sources import Progress, cached, download, find
from linetune.models.architecture import Official
from linetune.models.families import OFFICIAL


def load_base(reference: str, progress: Progress = lambda done, total: None) -> Model:
    """Load a model by official name or path.

    Args:
        reference: a name in :data:`OFFICIAL`, a ``.safetensors``, ``.onnx`` or ``.pdparams`` file, a run
            folder, or a directory of transformers.
        progress: called with the bytes done and the bytes in total during a download.

    Raises:
        LinetuneError: the name or file does not exist, or cannot be used.
    """
    if reference in OFFICIAL:
        official = OFFICIAL[reference]
        path = find(official) or download(official, progress)
        try:
            return load_file(path, official)
        except LinetuneError as error:
            hint = "delete it, and linetune downloads it again" if path == cached(official) else error.hint
            raise LinetuneError(error.what, error.where, hint) from None
    path = Path(reference)
    if path.suffix in MODEL_SUFFIXES or path.exists():
        return load_file(path)
    if len(path.parts) > 1:
        raise LinetuneError("no such file or folder", path, files.missing_file_hint(path))
    nearest = did_you_mean(reference, OFFICIAL).removesuffix("?")
    raise LinetuneError(f"no model {reference!r}", hint=f"{nearest}, or a run folder or a model file")


def load_file(path: Path, official: Official | None = None) -> Model:
    """Load a file or folder of any format in :mod:`linetune.formats.registry`.

    Args:
        path: the file or folder.
        official: the official model in the file, if it is known.

    Raises:
        LinetuneError: the file is missing, has an unknown format, or its dictionary is unknown.
    """
    for form in FORMATS.values():
        if form.module.recognises(path):
            return form.module.load(path, official)
    # linetune's own format comes last, because directories of transformers have a model.safetensors too.
    if store.recognises(path):
        return store.load_model(path)
    if path.is_dir():
        raise _no_model_in(path)
    if not path.exists():
        raise LinetuneError("model file not found", path, "correct the path")
    raise LinetuneError(
        "not a model file of a known kind", path, f"known: {', '.join(sorted(MODEL_SUFFIXES))}"
    )


def _no_model_in(folder: Path) -> LinetuneError:
    if any(folder.glob("*.pdmodel")):
        return LinetuneError(
            "linetune cannot read inference models of PaddlePaddle 2",
            folder,
            "convert it with paddle2onnx, or use its training weights (.pdparams)",
        )
    return LinetuneError("the folder has no model.safetensors", folder, "name a run folder or a model file")
