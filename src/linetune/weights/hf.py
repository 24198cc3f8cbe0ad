"""Directories as transformers writes and reads them: tensors, configuration, characters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.models.backbones import pplcnetv4
from linetune.models.network import Network
from linetune.models.reparam import RepDepthwise
from linetune.models.unfold import unfold
from linetune.weights.hf_names import HEADS, architecture_of, official_name, their_name
from linetune.weights.store import Model, fill, folded_model

CONFIG, PREPROCESSOR, TENSORS = FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""What a directory holds."""
BGR_PROCESSOR = "PPOCRV6SmallRecImageProcessor"
"""Resizes as OpenCV does and feeds BGR, as linetune does; the older class feeds RGB, smoothed."""
BLANK = "blank"


def to_tensors(network: Network) -> dict[str, Tensor]:
    """A folded network's tensors as transformers names and shapes them."""
    tensors = {}
    for name, tensor in _their_form(unfold(network, guide=False)).state_dict().items():
        if not name.endswith("num_batches_tracked"):
            # The tiny neck's convolutions have one dimension there.
            flat = name.startswith("neck.") and network.architecture.neck == "Conv" and tensor.dim() == 4
            theirs = tensor.squeeze(2) if flat else tensor
            tensors[their_name(name, network.architecture)] = theirs.contiguous()
    return tensors


def to_preprocessor(charset: Charset) -> dict[str, Any]:
    """What ``preprocessor_config.json`` says; its list of characters is indexed by the class."""
    size = {"height": image.HEIGHT, "width": image.MIN_WIDTH}
    return {
        "image_processor_type": BGR_PROCESSOR,
        "do_convert_rgb": True,
        "do_resize": True,
        "size": size,
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_pad": True,
        "pad_size": size,
        "max_image_width": image.MAX_WIDTH,
        "character_list": [BLANK, *charset.characters],
    }


def is_hf(folder: Path) -> bool:
    """Whether a folder is a recogniser as transformers writes it."""
    try:
        return str(_read(folder / CONFIG).get("model_type", "")).startswith("pp_ocr")
    except LinetuneError:
        return False


def load_hf(folder: Path, official: Mapping[str, Charset]) -> Model:
    """The model in a directory as transformers writes it, folded; it reads what transformers reads.

    Args:
        folder: the directory.
        official: charsets of official models by name, for a directory without a list of characters.

    Raises:
        LinetuneError: a file is missing or damaged, the network is another one, or a tensor has no place.
    """
    config = _read(folder / CONFIG)
    path = folder / TENSORS
    tensors, header = _tensors(path)
    heads = [tensors[name] for name in HEADS if name in tensors]
    if not heads:
        raise LinetuneError(f"not a recogniser's weights: there is no {' or '.join(HEADS)}", path)
    classes = len(heads[0])
    architecture = architecture_of(config, classes, folder / CONFIG)
    network = _their_form(Network(architecture, classes))
    ours = {their_name(name, architecture): name for name in network.state_dict()}
    state = {
        ours.get(name, name): tensor.unsqueeze(2) if tensor.dim() == 3 else tensor
        for name, tensor in tensors.items()
    }
    # Files may leave out the batches that were counted, which evaluation does not need.
    state |= {n: t for n, t in network.state_dict().items() if n.endswith("num_batches_tracked")}
    fill(network, state, path)
    preprocessor = _read(folder / PREPROCESSOR) if (folder / PREPROCESSOR).exists() else {}
    if preprocessor and preprocessor.get("image_processor_type") != BGR_PROCESSOR:
        with torch.no_grad():
            first = next(network.backbone.parameters())
            first.copy_(first.flip(1))  # it was fed RGB
    base = header.get("base_model") or official_name(architecture)
    charset = _charset(preprocessor, classes, official.get(base), folder / PREPROCESSOR)
    return folded_model(network, charset, base, str(folder))


def _their_form(network: Network) -> Network:
    """The unfolded network, changed in place, with those layers merged that transformers keeps merged."""
    for module in list(network.backbone.modules()):
        if isinstance(module, pplcnetv4.Block) and isinstance(module.depthwise, RepDepthwise):
            with torch.no_grad():
                module.depthwise = module.depthwise.merged()
    return network


def _charset(preprocessor: Mapping[str, Any], classes: int, official: Charset | None, where: Path) -> Charset:
    characters = preprocessor.get("character_list") or []
    if not isinstance(characters, list) or not all(isinstance(c, str) for c in characters):
        raise LinetuneError("character_list is no list of characters", where)
    if len(characters) == classes:
        charset = Charset(tuple(characters[1:]))
    elif characters and len(characters) == classes - 2:
        # Without the blank and the space, which an early version added itself.
        charset = Charset.from_dictionary(characters)
    elif not characters and official is not None and official.classes == classes:
        charset = official
    else:
        raise LinetuneError(
            f"the model has {classes} classes, character_list {len(characters)}",
            where,
            "it holds 'blank' and then every character",
        )
    if len(characters) == classes and list(charset.characters) != characters[1:]:
        raise LinetuneError("the space in character_list is not the last of it", where)
    return charset


def _tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise LinetuneError("weights not found", path, "linetune reads one safetensors file, not shards")
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise LinetuneError(f"not a safetensors file ({error})", path) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise LinetuneError("file not found", path) from None
    except (OSError, ValueError) as error:
        raise LinetuneError(f"not a JSON file ({error})", path) from None
    if not isinstance(content, dict):
        raise LinetuneError("not a JSON object", path)
    return content
