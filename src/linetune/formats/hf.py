"""Directories of transformers. If transformers is installed, exports are checked in it."""

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
from safetensors.torch import save
from torch import Tensor

from linetune.core import atomic, untrusted
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
from linetune.formats.model import Model, fill
from linetune.formats.origin import add_origin, to_texts
from linetune.formats.parity import TOLERANCE, Exported, check_parity, sample_crops
from linetune.formats.registry import Format
from linetune.formats.store import read_tensors
from linetune.models.architecture import Official, renamed
from linetune.models.families import OFFICIAL, nearest_official
from linetune.models.layers.reparam import RepDepthwise, fold
from linetune.models.network import Network, refuse_huge
from linetune.models.unfold import unfold

FORMAT = Format("hf", "-hf")
CONFIG, PREPROCESSOR, TENSORS = FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""The files of a directory."""
BATCH = 8
_OTHER = "choose the directory of a recogniser in transformers"
MOST = 32
"""Largest number of crops read in transformers, evenly from all. It keeps the branches, and is many times
slower."""


def to_tensors(network: Network) -> dict[str, Tensor]:
    """Return the tensors of a folded network with the names and shapes of transformers."""
    tensors = {}
    architecture = network.architecture
    renaming, flat = architecture.hf_renaming(), architecture.flat_convolutions()
    for name, tensor in _their_form(unfold(network, guide=False)).state_dict().items():
        if not name.endswith("num_batches_tracked"):
            theirs = tensor.squeeze(2) if tensor.dim() == 4 and name.startswith(flat) else tensor
            tensors[renamed(name, renaming)] = theirs.contiguous()
    return tensors


def recognises(path: Path) -> bool:
    """Return whether a path is a recogniser's directory of transformers, or the tensors in one."""
    folder = path.parent if path.name == TENSORS else path
    try:
        kind = str(_read(folder / CONFIG).get("model_type", ""))
    except LinetuneError:
        return False
    # For an unknown model of PaddleOCR, an error lists the known ones.
    return kind.startswith("pp_ocr") or kind in model_types()


def load(path: Path, official: Official | None = None) -> Model:
    """Load a directory that transformers wrote or can read, and fold the network.

    Args:
        path: the directory, or the file with the tensors in it.
        official: not used. The directory itself says what it is.

    Raises:
        LinetuneError: a file is missing or damaged, the network is another one, or a tensor has no place.
    """
    folder = path.parent if path.name == TENSORS else path
    config = _read(folder / CONFIG)
    path = folder / TENSORS
    if not path.is_file():
        raise LinetuneError("weights not found", path, "linetune reads one safetensors file, not shards")
    tensors, header = read_tensors(path)
    architecture = architecture_of(config, folder / CONFIG)
    renaming = architecture.hf_renaming()
    head = renamed("head.fc.weight", renaming)
    if head not in tensors:
        raise LinetuneError(f"not a recogniser's weights: {head} is missing", path, _OTHER)
    classes = len(tensors[head])
    check_settings(config, architecture, classes, folder / CONFIG)
    refuse_huge(architecture, classes, path)
    network = _their_form(Network(architecture, classes))
    ours = {renamed(name, renaming): name for name in network.state_dict()}
    state = {
        ours.get(name, name): tensor.unsqueeze(2) if tensor.dim() == 3 else tensor
        for name, tensor in tensors.items()
    }
    # Files may lack the counts of batches. Evaluation does not need them.
    state |= {n: t for n, t in network.state_dict().items() if n.endswith("num_batches_tracked")}
    fill(network, state, path)
    preprocessor = _read(folder / PREPROCESSOR) if (folder / PREPROCESSOR).exists() else {}
    if preprocessor and preprocessor.get("image_processor_type") != BGR_PROCESSOR:
        with torch.no_grad():
            first = next(network.backbone.parameters())
            first.copy_(first.flip(1))  # its input was RGB
    base = header.get("base_model") or nearest_official(architecture).name
    known = OFFICIAL[base].charset if base in OFFICIAL else None
    charset = _charset(preprocessor, classes, known, folder / PREPROCESSOR)
    return add_origin(Model(fold(network).eval(), charset, base, str(folder)), header, path)


def _their_form(network: Network) -> Network:
    """Merge the layers of an unfolded network that transformers keeps merged, in place. Return the
    network."""
    for name, module in list(network.named_modules()):
        if isinstance(module, RepDepthwise):
            parent, _, attribute = name.rpartition(".")
            with torch.no_grad():
                setattr(network.get_submodule(parent), attribute, module.merged())
    return network


def _charset(preprocessor: Mapping[str, Any], classes: int, official: Charset | None, where: Path) -> Charset:
    characters = preprocessor.get("character_list") or []
    if not isinstance(characters, list) or not all(isinstance(c, str) for c in characters):
        raise LinetuneError("character_list is not a list of characters", where, "list one string a class")
    if len(characters) == classes:
        charset = Charset(tuple(characters[1:]))
    elif characters and len(characters) == classes - 2:
        # An early version added the blank and the space itself.
        charset = Charset.from_dictionary(characters)
    elif not characters and official is not None and official.classes == classes:
        charset = official
    else:
        raise LinetuneError(
            f"the model has {classes} classes, but character_list has {len(characters)} entries",
            where,
            "it must have 'blank' and then every character",
        )
    if len(characters) == classes and list(charset.characters) != characters[1:]:
        raise LinetuneError("the space is not the last entry of character_list", where, "move it to the end")
    return charset


def _read(path: Path) -> dict[str, Any]:
    try:
        content = untrusted.parse_json(untrusted.read(path), path)
    except FileNotFoundError:
        raise LinetuneError("file not found", path, _OTHER) from None
    except OSError as error:
        raise LinetuneError(f"cannot be read ({error.strerror})", path, _OTHER) from None
    if not isinstance(content, dict):
        raise LinetuneError("not a JSON object", path, _OTHER)
    return content


def export(model: Model, path: Path, crops: Sequence[Crop] = ()) -> Exported:
    """Write a directory for ``AutoModelForTextRecognition`` and ``AutoImageProcessor`` of transformers.

    linetune reads the directory back and compares. If transformers is installed, it reads it too.

    Args:
        model: what to export.
        path: the directory. It appears only if it reads the same texts as the model.
        crops: real crops for the comparison. Without them, linetune draws some.

    Raises:
        LinetuneError: transformers has no class for the family, the directory reads another text, or
            it has other files.
    """
    compared = list(crops) or sample_crops(model.charset)
    header = {"format": "pt", "base_model": model.base_model, "charset_sha256": model.charset.sha256}
    header |= to_texts(model)
    try:
        config = to_config(model.network.architecture, model.network.classes)
    except ValueError as error:
        raise LinetuneError(str(error), path, "export to onnx") from None
    with os_errors("cannot write", path), atomic.folder_written(path, FILES) as partial:
        atomic.write_text(partial / CONFIG, _json(config))
        atomic.write_text(partial / PREPROCESSOR, _json(to_preprocessor(model.charset)))
        (partial / TENSORS).write_bytes(save(to_tensors(model.network), header))
        back = load(partial)
        check = back.network.run, model.charset, back.charset, compared, path
        difference = check_parity(model.network.run, *check)
        unchecked = _missing()
        if unchecked is None:
            difference = max(difference, check_in_transformers(model, partial, compared, path))
    notes = (f"not compared in transformers: {unchecked}",) if unchecked else ()
    return Exported(path, len(compared), difference, notes)


def check_in_transformers(model: Model, folder: Path, crops: Sequence[Crop], where: Path) -> float:
    """Compare a directory in transformers, with the preprocessing of linetune and of the image processor.

    The processor resizes every crop of a batch to the size of the widest one. The texts of a batch can
    therefore differ from those of single crops, in both programs.

    Args:
        model: what was exported.
        folder: the directory to load.
        crops: BGR uint8 of height 48.
        where: the name of the directory in messages.

    Returns:
        The largest difference of a class probability.

    Raises:
        LinetuneError: a text differs, or a probability by more than ``parity.TOLERANCE``.
    """
    crops = spread(crops, MOST)
    theirs, processor = load_in_transformers(folder)

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            out = theirs(pixel_values=torch.from_numpy(batch)).last_hidden_state
        return np.asarray(out.numpy(), np.float32)

    worst = check_parity(model.network.run, run, model.charset, model.charset, crops, where)
    for size in (1, BATCH):
        for start in range(0, len(crops), size):
            rgb = [np.ascontiguousarray(crop[..., ::-1]) for crop in crops[start : start + size]]
            pixels = processor(images=rgb, return_tensors="pt")["pixel_values"]
            mine = model.network.run(pixels.numpy())
            with torch.inference_mode():
                out = theirs(pixel_values=pixels)
            found = processor.post_process_text_recognition(out)
            for probabilities, other in zip(mine, found, strict=True):
                text = default_decoder(model.charset)(probabilities[None])[0].text
                if text != other["text"]:
                    raise LinetuneError(
                        f"reads {other['text']!r} in transformers, but the trained model reads {text!r}",
                        where,
                    )
            worst = float(np.maximum(worst, np.abs(mine - out.last_hidden_state.numpy()).max()))
    if not worst <= TOLERANCE:
        raise LinetuneError(f"probabilities in transformers differ by up to {worst:.1e}", where)
    return worst


def load_in_transformers(folder: Path) -> tuple[Any, Any]:
    """Load a directory in transformers. Return its model in evaluation mode and its image processor."""
    from transformers import AutoImageProcessor, AutoModelForTextRecognition

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForTextRecognition.from_pretrained(folder).eval()
        return model, AutoImageProcessor.from_pretrained(folder)


def _missing() -> str | None:
    """Return why transformers cannot compare, or None if it can."""
    for package in ("transformers", "torchvision"):  # the image processor resizes with torchvision
        if importlib.util.find_spec(package) is None:
            return f"{package} is not installed"
    import transformers

    try:
        getattr(transformers, BGR_PROCESSOR)
    except (AttributeError, ImportError):
        found = transformers.__version__
        return f"transformers {found} has no working {BGR_PROCESSOR}; 5.10 and later have it"
    return None


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
