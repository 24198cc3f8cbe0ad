"""Models by official name or by file, whatever kind of file it is."""

from __future__ import annotations

from pathlib import Path

from linetune.config.schema import MODEL_SUFFIXES
from linetune.core import files
from linetune.core.errors import LinetuneError, did_you_mean
from linetune.formats.model import Model
from linetune.formats.registry import FORMATS, LINETUNE
from linetune.formats.sources import Progress, cached, download, find
from linetune.models.architecture import Official
from linetune.models.families import OFFICIAL


def load_base(reference: str, progress: Progress = lambda done, total: None) -> Model:
    """Load a model by official name or path.

    Args:
        reference: a name in :data:`OFFICIAL`, a ``.safetensors``, ``.onnx`` or ``.pdparams`` file, a run's
            folder, or a folder that transformers reads.
        progress: told of a download.

    Raises:
        LinetuneError: there is no such name or file, or it cannot be used.
    """
    if reference in OFFICIAL:
        official = OFFICIAL[reference]
        path = find(official) or download(official, progress)
        try:
            return load_file(path, official)
        except LinetuneError as error:
            hint = "delete it, and it is downloaded anew" if path == cached(official) else error.hint
            raise LinetuneError(error.what, error.where, hint) from None
    path = Path(reference)
    if path.suffix in MODEL_SUFFIXES or path.exists():
        return load_file(path)
    if len(path.parts) > 1:
        raise LinetuneError("no such file or folder", path, files.way_to(path))
    nearest = did_you_mean(reference, OFFICIAL).removesuffix("?")
    raise LinetuneError(f"no model {reference!r}", hint=f"{nearest}, or a run's folder or file")


def load_file(path: Path, official: Official | None = None) -> Model:
    """Load a file or folder of any format in :mod:`linetune.formats.registry`.

    Args:
        path: the file or folder.
        official: the official model that the file holds, if that is known.

    Raises:
        LinetuneError: the file is missing, of no known format, or its dictionary is unknown.
    """
    # Folders of transformers hold a model.safetensors as well, so linetune's own format comes last.
    for form in (*FORMATS.values(), LINETUNE):
        if form.recognises(path):
            return form.load(path, official)
    if path.is_dir():
        raise _no_model_in(path)
    if not path.exists():
        raise LinetuneError("model file not found", path)
    raise LinetuneError(
        "not a model file of a known kind", path, f"known: {', '.join(sorted(MODEL_SUFFIXES))}"
    )


def _no_model_in(folder: Path) -> LinetuneError:
    if any(folder.glob("*.pdmodel")):
        return LinetuneError(
            "an inference model of PaddlePaddle 2, which is not read here",
            folder,
            "convert it with paddle2onnx, or give its training weights (.pdparams)",
        )
    return LinetuneError(
        "a folder without a model.safetensors", folder, "give a run's folder or a model file"
    )
