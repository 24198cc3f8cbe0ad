"""Models by official name or by file, whatever kind of file it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from linetune.config.schema import MODEL_SUFFIXES
from linetune.core import files
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, did_you_mean
from linetune.models.network import Network
from linetune.weights.hf import is_hf, load_hf
from linetune.weights.onnx_file import OWN, exported_network, official_network, read_onnx
from linetune.weights.paddle_inference import PROGRAM, SETTINGS, read_inference, read_settings
from linetune.weights.pdparams import read_pdparams
from linetune.weights.pdparams_names import to_state
from linetune.weights.sources import OFFICIAL, Official, Progress, cached, download, find
from linetune.weights.store import Model, fill, folded_model, load_model, refuse_logical_order


def load_base(reference: str, progress: Progress = lambda done, total: None) -> Model:
    """A model by official name or file.

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
            return _load_inference(path, official) if path.is_dir() else _load_file(path, official)
        except LinetuneError as error:
            hint = "delete it, and it is downloaded anew" if path == cached(official) else error.hint
            raise LinetuneError(error.what, error.where, hint) from None
    path = Path(reference)
    if path.suffix in MODEL_SUFFIXES or path.exists():
        return load_file(path)
    if len(path.parts) > 1:
        raise LinetuneError("no such file or folder", path, files.missing_file_hint(path))
    nearest = did_you_mean(reference, OFFICIAL).removesuffix("?")
    raise LinetuneError(f"no model {reference!r}", hint=f"{nearest}, or a run's folder or file")


def load_file(path: Path) -> Model:
    """A model from a file: our own or its export, an official ONNX, or official training weights.

    A folder is a run's, Paddle's inference files, or one that transformers reads.

    Raises:
        LinetuneError: the file is missing, of no known kind, or its dictionary is unknown.
    """
    folder = path.parent if path.name == "model.safetensors" else path
    if is_hf(folder):
        known = {name: official.charset for name, official in OFFICIAL.items()}
        return load_hf(folder, {name: charset for name, charset in known.items() if charset is not None})
    if path.is_dir():
        if (path / PROGRAM).is_file():
            return _load_inference(path)
        inside = path / "model.safetensors"
        if not inside.is_file():
            raise _no_model_in(path)
        path = inside
    if path.suffix not in MODEL_SUFFIXES:
        if not path.exists():
            raise LinetuneError("model file not found", path)
        kinds = ", ".join(sorted(MODEL_SUFFIXES))
        raise LinetuneError("not a model file of a known kind", path, f"known: {kinds}")
    return load_model(path) if path.suffix == ".safetensors" else _load_file(path)


def _load_file(path: Path, official: Official | None = None) -> Model:
    """An ONNX or ``.pdparams`` file, of a known model or of whichever its tensors fit."""
    if path.suffix == ".onnx":
        tensors, metadata = read_onnx(path)
        official = official or OFFICIAL.get(metadata.get("base_model", ""))
        if any(name.startswith(OWN) for name in tensors):
            official = official or next(iter(OFFICIAL.values()))
            network = exported_network(tensors, official.architecture, path)
        else:
            official, network = _fitting(tensors, [official] if official else list(OFFICIAL.values()), path)
        charset = _charset(network.classes, official, path, metadata.get("character"))
        if metadata.get("charset_sha256", charset.sha256) != charset.sha256:
            raise LinetuneError(
                "the dictionary in the file does not have the hash that stands beside it", path
            )
        if "linetune" in metadata:
            refuse_logical_order(charset, metadata, path)
        model = Model(network, charset, metadata.get("base_model", official.name), str(path))
        return replace(model, both_ways=metadata.get("both_ways") == "true")
    state = to_state(read_pdparams(path))
    if "head.fc.weight" not in state:
        raise LinetuneError("not a recogniser's weights: there is no CTC head", path)
    classes = len(state["head.fc.weight"])
    official = official or _named(state)
    with torch.device("meta"):
        network = Network(
            official.architecture, classes, guide=any(name.startswith("nrtr.") for name in state)
        )
    # Not among Paddle's tensors: torch counts batches, Paddle does not.
    state |= {n: torch.zeros(()) for n in network.state_dict() if n.endswith("num_batches_tracked")}
    fill(network, state, path)
    return folded_model(network, _charset(classes, official, path), official.name, str(path))


def _fitting(
    tensors: Mapping[str, NDArray[np.float32]], among: Sequence[Official], path: Path
) -> tuple[Official, Network]:
    """The first model that an official ONNX file's tensors fit, and its network.

    Raises:
        LinetuneError: they fit none; says why not the first.
    """
    classes = next((len(array) for array in reversed(list(tensors.values())) if array.ndim), 0)
    first: LinetuneError | None = None
    # Of models with one architecture, the one with that many characters.
    for official in sorted(among, key=lambda official: _classes(official) != classes):
        try:
            return official, official_network(tensors, official.architecture, path)
        except LinetuneError as error:
            first = first or error
    assert first is not None
    raise first


def _classes(official: Official) -> int | None:
    charset = official.charset
    return None if charset is None else charset.classes


def _named(state: Mapping[str, torch.Tensor]) -> Official:
    """The model whose backbone and head the names and sizes of training weights are."""
    marks = {".expand.": "PPLCNetV4", ".gather1.": "PPHGNetV2"}
    found = (backbone for mark, backbone in marks.items() if any(mark in name for name in state))
    backbone = next(found, "PPLCNetV3")
    alike = [official for official in OFFICIAL.values() if official.architecture.backbone == backbone]
    channels = state["head.fc.weight"].shape[-1]
    return next((o for o in alike if o.architecture.neck_channels == channels), alike[0])


def _load_inference(folder: Path, official: Official | None = None) -> Model:
    """Paddle's inference folder, of a known model, of the one it names, or of whichever its tensors fit."""
    tensors = read_inference(folder)
    told = read_settings(folder)
    official = official or OFFICIAL.get(told.name or "")
    if any(name.startswith(OWN) for name in tensors):
        # Paddle's linear kernels are transposed.
        turned = {name: array.T.copy() if array.ndim == 2 else array for name, array in tensors.items()}
        official = official or next(iter(OFFICIAL.values()))
        network = exported_network(turned, official.architecture, folder)
    else:
        official, network = _fitting(tensors, [official] if official else list(OFFICIAL.values()), folder)
    charset = _matching(told.charset, network.classes, folder, f"correct {SETTINGS}")
    return Model(network, charset, told.name or official.name, str(folder), both_ways=told.both_ways)


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


def _charset(classes: int, official: Official, path: Path, embedded: str | None = None) -> Charset:
    """The charset of a file: inside it, beside it in a ``.txt`` or ``inference.yml``, or the official one."""
    beside = path.with_suffix(".txt")
    hint = f"put its dictionary beside it as {beside.name}"
    known = official.charset
    if embedded is not None:
        charset = Charset.from_dictionary(embedded.removesuffix("\n").split("\n"))
    elif beside.is_file():
        charset = Charset.from_dictionary(Charset.read(beside).characters)
    elif (path.parent / SETTINGS).is_file():
        charset = read_settings(path.parent).charset
        hint = f"correct {SETTINGS} beside it"
    elif known is not None:
        charset = known
    else:
        raise LinetuneError(f"the dictionary of {official.name} is not known here", path, hint)
    return _matching(charset, classes, path, hint)


def _matching(charset: Charset, classes: int, path: Path, hint: str) -> Charset:
    """The charset of a dictionary, if it has as many classes as the network."""
    if charset.classes == classes + 1:
        # A model without a space class: readers append one that never comes first.
        charset = Charset(charset.characters[:-1])
    if charset.classes != classes:
        raise LinetuneError(
            f"the model has {classes} classes, its dictionary gives {charset.classes}",
            path,
            hint,
        )
    return charset
