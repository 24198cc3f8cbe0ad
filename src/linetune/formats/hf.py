"""Directories that transformers loads and writes, checked in transformers where it is installed."""

from __future__ import annotations

import importlib.util
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from linetune.core import atomic
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.decode import default_decoder
from linetune.formats.hf_config import (
    BGR_PROCESSOR,
    architecture_of,
    check_settings,
    model_types,
    to_config,
    to_preprocessor,
)
from linetune.formats.model import Model, fill, folded_model
from linetune.formats.parity import TOLERANCE, Exported, check_parity, sample_crops
from linetune.models.architecture import Official, renamed
from linetune.models.families import OFFICIAL, nearest_official
from linetune.models.layers.reparam import RepDepthwise
from linetune.models.network import Network
from linetune.models.unfold import unfold

CONFIG, PREPROCESSOR, TENSORS = FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""What a directory holds."""
BATCH = 8
MOST = 32
"""Crops read in transformers, whose branches make it many times slower; evenly out of all."""


def to_tensors(network: Network) -> dict[str, Tensor]:
    """Return a folded network's tensors as transformers names and shapes them."""
    tensors = {}
    architecture = network.architecture
    renaming, flat = architecture.hf_renaming(), architecture.flat_convolutions()
    for name, tensor in _their_form(unfold(network, guide=False)).state_dict().items():
        if not name.endswith("num_batches_tracked"):
            theirs = tensor.squeeze(2) if tensor.dim() == 4 and name.startswith(flat) else tensor
            tensors[renamed(name, renaming)] = theirs.contiguous()
    return tensors


def recognises(path: Path) -> bool:
    """Return whether a path is a recogniser's folder as transformers writes it, or the tensors in one."""
    folder = path.parent if path.name == TENSORS else path
    try:
        kind = str(_read(folder / CONFIG).get("model_type", ""))
    except LinetuneError:
        return False
    # The unknown ones of PaddleOCR get an error that lists the known.
    return kind.startswith("pp_ocr") or kind in model_types()


def load(path: Path, official: Official | None = None) -> Model:
    """Load a directory that transformers wrote or can read, and fold the network.

    Args:
        path: the directory, or the file with the tensors in it.
        official: not asked; the directory itself says what it is.

    Raises:
        LinetuneError: a file is missing or damaged, the network is another one, or a tensor has no place.
    """
    folder = path.parent if path.name == TENSORS else path
    config = _read(folder / CONFIG)
    path = folder / TENSORS
    tensors, header = _tensors(path)
    architecture = architecture_of(config, folder / CONFIG)
    renaming = architecture.hf_renaming()
    head = renamed("head.fc.weight", renaming)
    if head not in tensors:
        raise LinetuneError(f"not a recogniser's weights: there is no {head}", path)
    classes = len(tensors[head])
    check_settings(config, architecture, classes, folder / CONFIG)
    network = _their_form(Network(architecture, classes))
    ours = {renamed(name, renaming): name for name in network.state_dict()}
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
    base = header.get("base_model") or nearest_official(architecture).name
    known = OFFICIAL[base].charset if base in OFFICIAL else None
    charset = _charset(preprocessor, classes, known, folder / PREPROCESSOR)
    return folded_model(network, charset, base, str(folder))


def _their_form(network: Network) -> Network:
    """Merge those layers of an unfolded network in place that transformers keeps merged; return it."""
    for name, module in list(network.named_modules()):
        if isinstance(module, RepDepthwise):
            parent, _, attribute = name.rpartition(".")
            with torch.no_grad():
                setattr(network.get_submodule(parent), attribute, module.merged())
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


def export(model: Model, path: Path, crops: Sequence[Crop] = ()) -> Exported:
    """Write a directory that ``AutoModelForTextRecognition`` and ``AutoImageProcessor`` of transformers load.

    What linetune reads back from it is always compared, what transformers reads where it is installed.

    Args:
        model: what to export.
        path: the directory; it appears only when it reads what the model reads.
        crops: real crops to compare on; drawn ones when there are none.

    Raises:
        LinetuneError: transformers has no class for the family, the directory reads another text, or
            it holds files of somebody else's.
    """
    compared = list(crops) or sample_crops(model.charset)
    header = {"format": "pt", "base_model": model.base_model, "charset_sha256": model.charset.sha256}
    try:
        config = to_config(model.network.architecture, model.network.classes)
    except ValueError as error:
        raise LinetuneError(str(error), path, "export to onnx") from None
    with os_errors("cannot write", path), atomic.folder_replaced(path, FILES) as partial:
        atomic.write_text(partial / CONFIG, _json(config))
        atomic.write_text(partial / PREPROCESSOR, _json(to_preprocessor(model.charset)))
        (partial / TENSORS).write_bytes(save(to_tensors(model.network), header))
        back = load(partial)
        check = back.network.run, model.charset, back.charset, compared, path
        difference = check_parity(model.network.run, *check)
        unchecked = _missing()
        if unchecked is None:
            difference = max(difference, check_in_transformers(model, partial, compared, path))
    notes = (f"not compared in the program it is for: {unchecked}",) if unchecked else ()
    return Exported(path, len(compared), difference, notes)


def check_in_transformers(model: Model, folder: Path, crops: Sequence[Crop], where: Path) -> float:
    """Compare a directory in transformers, on crops as linetune and as the image processor prepares them.

    The processor squeezes every crop of a batch to the widest one's size, so that a batch's texts may differ
    from those of its crops alone, here and there alike.

    Args:
        model: what was exported.
        folder: the directory to load.
        crops: BGR uint8 of height 48.
        where: what to call the directory in a message.

    Returns:
        the largest difference of a class probability.

    Raises:
        LinetuneError: a text differs, or a probability by more than ``parity.TOLERANCE``.
    """
    crops = spread(crops, MOST)
    theirs, processor = load_in_transformers(folder)
    characters, decoder = model.charset, default_decoder(model.charset)

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            out = theirs(pixel_values=torch.from_numpy(batch)).last_hidden_state
        return np.asarray(out.numpy(), np.float32)

    worst = check_parity(model.network.run, run, characters, characters, crops, where)
    for size in (1, BATCH):
        for start in range(0, len(crops), size):
            rgb = [np.ascontiguousarray(crop[..., ::-1]) for crop in crops[start : start + size]]
            pixels = processor(images=rgb, return_tensors="pt")["pixel_values"]
            mine = model.network.run(pixels.numpy())
            with torch.inference_mode():
                out = theirs(pixel_values=pixels)
            found = processor.post_process_text_recognition(out)
            for probabilities, other in zip(mine, found, strict=True):
                text = decoder(probabilities[None])[0].text
                if text != other["text"]:
                    raise LinetuneError(
                        f"reads {other['text']!r} in transformers where the trained model reads {text!r}",
                        where,
                    )
            worst = float(np.maximum(worst, np.abs(mine - out.last_hidden_state.numpy()).max()))
    if not worst <= TOLERANCE:
        raise LinetuneError(f"probabilities in transformers differ by up to {worst:.1e}", where)
    return worst


def load_in_transformers(folder: Path) -> tuple[Any, Any]:
    """Load a directory in transformers: its model, in evaluation mode, and its image processor."""
    from transformers import AutoImageProcessor, AutoModelForTextRecognition

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForTextRecognition.from_pretrained(folder).eval()
        return model, AutoImageProcessor.from_pretrained(folder)


def _missing() -> str | None:
    """Return why nothing can be compared in transformers, or None."""
    for package in ("transformers", "torchvision"):  # the image processor resizes with torchvision
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    import transformers

    try:
        getattr(transformers, BGR_PROCESSOR)
    except (AttributeError, ImportError):
        found = transformers.__version__
        return f"transformers {found} has no {BGR_PROCESSOR} that works; 5.10 and later have it"
    return None


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
