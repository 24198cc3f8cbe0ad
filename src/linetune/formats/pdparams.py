"""PaddleOCR's training weights, without PaddlePaddle.

They are those of the unfolded network. An export writes their dictionary and settings into the same folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from linetune.core import atomic
from linetune.core.charset import SPACE, Charset
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.decode.read import deployed_batches
from linetune.formats.dictionary import charset_of_file, refuse
from linetune.formats.model import Model, fill
from linetune.formats.origin import add_origin, from_comments, to_comments
from linetune.formats.parity import Exported, check_parity, sample_crops
from linetune.formats.pickled import HINT, Arrays, read_pdparams, write_pdparams
from linetune.formats.registry import Format
from linetune.models.architecture import Architecture, Official, Renaming, renamed
from linetune.models.families import OFFICIAL
from linetune.models.layers.reparam import fold
from linetune.models.network import Network, refuse_huge
from linetune.models.unfold import unfold

FORMAT = Format(
    "pdparams",
    ".pdparams",
    files=(".pdparams", ".txt", ".yml"),
    logical_order="PaddleOCR's tools put it in logical order if the path of the dictionary contains the word "
    "arabic",
)
SUFFIX = FORMAT.ending
MEASURED_ON = 64
"""Largest number of crops for the statistics of batch norms. More crops change them little."""

_NO_GUIDE = (
    "it has no weights of the NRTR branch, and PaddleOCR starts this branch at random. With use_guide: True, "
    "only that branch trains the backbone: set use_guide: False in the neck of the CTC head"
)
_UNSEEN = "linetune has read it back; PaddleOCR's training was not run"
# A table of sines, which linetune computes, and a classifier of pictures that no recogniser uses.
_UNUSED = ("backbone.fc.", "backbone.last_conv.", "head.gtc_head.positional_encoding.pe")


def recognises(path: Path) -> bool:
    """Return whether a path is a file of training weights by its suffix."""
    return path.suffix == SUFFIX and not path.is_dir()


def load(path: Path, official: Official | None = None) -> Model:
    """Load training weights and fold the network. Keep its guide if there is one.

    Args:
        path: the file.
        official: its official model. Without it, the one that most of its tensors fit.

    Raises:
        LinetuneError: the file is missing or damaged, the network is unknown, or its dictionary is.
    """
    arrays = read_pdparams(path)
    official = official or _fitting(arrays, path)
    renaming = official.architecture.pdparams_renaming()
    classes = _classes(arrays, renaming)
    if classes is None:
        raise _no_head(path)
    guide = renamed("nrtr.embedding.weight", renaming).split(".embedding.")[0]
    guided = any(name.startswith(guide) for name in arrays if not name.startswith(_UNUSED))
    refuse_huge(official.architecture, classes, path)
    with torch.device("meta"):
        empty = Network(official.architecture, classes, guided)
    network = _filled(empty, arrays, path)
    charset = charset_of_file(network.classes, official, path)
    model = Model(fold(network).eval(), charset, official.name, str(path))
    beside = path.with_suffix(".yml")
    return add_origin(model, from_comments(beside, path), beside)


def to_arrays(network: Network) -> Arrays:
    """Return an unfolded network's tensors under PaddleOCR's names and in Paddle's layout."""
    tensors = _joined(network.state_dict())
    renaming = network.architecture.pdparams_renaming()
    flat = network.architecture.flat_convolutions()
    arrays = {}
    for ours, tensor in tensors.items():
        if _linear(ours, tensor.dim()):
            tensor = tensor.T
        elif tensor.dim() == 4 and ours.startswith(flat):
            tensor = tensor.squeeze(2)
        arrays[renamed(ours, renaming)] = np.ascontiguousarray(tensor.detach().cpu().float().numpy())
    return arrays


def to_state(arrays: Arrays, network: Network) -> dict[str, Tensor]:
    """Return PaddleOCR's arrays under an unfolded network's names and in torch's layout.

    Arrays without a place in the network keep their names.
    """
    renaming = network.architecture.pdparams_renaming()
    ours = {renamed(name, renaming): name for name in _joined(network.state_dict())}
    state = {}
    for theirs, array in arrays.items():
        if theirs.startswith(_UNUSED):
            continue
        name, tensor = ours.get(theirs, theirs), torch.from_numpy(array)
        if _linear(name, tensor.dim()):
            tensor = tensor.T
        if tensor.dim() == 3:
            tensor = tensor.unsqueeze(2)  # a convolution over the frames, which has height 1 here
        if ".self_attention.qkv." in name:
            # PaddleOCR has one projection where linetune has two: query, and key and value.
            query, key_value = tensor.tensor_split([len(tensor) // 3])
            state[name.replace(".qkv.", ".q.")] = query
            state[name.replace(".qkv.", ".kv.")] = key_value
        else:
            state[name] = tensor
    return state


def _joined(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of an unfolded network, with the two projections of the guide as one."""
    # torch counts batches, Paddle does not.
    tensors = {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}
    for query in [name for name in tensors if ".self_attention.q." in name]:
        key_value = query.replace(".q.", ".kv.")
        joint = torch.cat((tensors.pop(query), tensors.pop(key_value)))
        tensors[query.replace(".q.", ".qkv.")] = joint
    return tensors


def _linear(name: str, dimensions: int) -> bool:
    """Return whether a tensor is a linear layer's kernel, which Paddle transposes."""
    return dimensions == 2 and not name.startswith("nrtr.embedding.")


def _fitting(arrays: Arrays, path: Path) -> Official:
    """Return the first official model that the most tensors fit by name and shape.

    Raises:
        LinetuneError: there is no CTC head of any family.
    """
    best, most = None, 0
    known: dict[Architecture, Official] = {}
    for official in OFFICIAL.values():
        known.setdefault(official.architecture, official)
    for architecture, official in known.items():
        renaming = architecture.pdparams_renaming()
        classes = _classes(arrays, renaming)
        if not renaming or classes is None:
            continue
        with torch.device("meta"):
            network = Network(architecture, classes)
        state, wanted = to_state(arrays, network), network.state_dict()
        fitting = sum(name in wanted and wanted[name].shape == t.shape for name, t in state.items())
        if fitting > most:
            best, most = official, fitting
    if best is None:
        raise _no_head(path)
    return best


def _classes(arrays: Arrays, renaming: Renaming) -> int | None:
    """Return the classes of the CTC head, or None if the arrays have no such head."""
    head = arrays.get(renamed("head.fc.weight", renaming))
    return head.shape[1] if head is not None and head.ndim == 2 else None


def _no_head(path: Path) -> LinetuneError:
    what = "not a recogniser's weights: there is no CTC head"
    return LinetuneError(what, path, HINT)


def _filled(network: Network, arrays: Arrays, where: Path) -> Network:
    """Fill an unfolded network with the arrays and return it."""
    state = {name: tensor.contiguous() for name, tensor in to_state(arrays, network).items()}
    state |= {n: torch.zeros(()) for n in network.state_dict() if n.endswith("num_batches_tracked")}
    fill(network, state, where)
    return network


def export(model: Model, path: Path, crops: Sequence[Crop] = ()) -> Exported:
    """Write ``NAME.pdparams`` for PaddleOCR's ``Global.pretrained_model``.

    Also write ``NAME.txt``, the dictionary without the space, and ``NAME.yml``, the settings for both, with
    the origin of the model as comments. PaddlePaddle is not needed.

    Args:
        model: what to export.
        path: the file. It appears only if it computes what the model computes.
        crops: real crops for the comparison and for the statistics of batch norms. Without them, linetune
            draws some.

    Raises:
        LinetuneError: the suffix is wrong, a character cannot be in a dictionary file, or the file
            reads another text.
    """
    if path.suffix != SUFFIX:
        raise LinetuneError(
            f"the suffix of PaddleOCR's training weights must be {SUFFIX}",
            path,
            f"name it {path.stem}{SUFFIX}",
        )
    refuse(model.charset, lambda c: "\n" in c or "\r" in c, "which cannot be in a line of a dictionary", path)
    architecture = model.network.architecture
    if not architecture.pdparams_renaming():
        raise LinetuneError(
            f"PaddleOCR has no network of the family {architecture.family}", path, "export to onnx"
        )
    compared = list(crops) or sample_crops(model.charset)
    measured = deployed_batches(spread(compared, MEASURED_ON))
    unfolded = unfold(model.network, [batch for _, batch in measured])
    guided = unfolded.nrtr is not None
    with os_errors("cannot write", path), atomic.files_written(path.parent) as partial:
        weights = partial / path.name
        write_pdparams(weights, to_arrays(unfolded))
        letters = [c for c in model.charset.characters if c != SPACE]
        atomic.write_text(weights.with_suffix(".txt"), "".join(f"{c}\n" for c in letters))
        settings = _settings(path.stem, model.charset, guided) + to_comments(model, weights)
        atomic.write_text(weights.with_suffix(".yml"), settings)
        unfolded = Network(architecture, model.network.classes, guided).eval()
        back = _filled(unfolded, read_pdparams(weights), path)
        charset = _as_paddleocr_reads(weights.with_suffix(".txt"), SPACE in model.charset)
        difference = check_parity(model.network.run, back.run, model.charset, charset, compared, path)
    notes = (_UNSEEN,) if guided else (_NO_GUIDE, _UNSEEN)
    return Exported(path, len(compared), difference, notes)


def _as_paddleocr_reads(path: Path, use_space_char: bool) -> Charset:
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n") if path.stat().st_size else []
    characters = [line.decode() for line in lines]
    return Charset((*characters, SPACE) if use_space_char else tuple(characters))


def _settings(name: str, charset: Charset, guided: bool) -> str:
    lines = [
        "# Settings of a configuration of PaddleOCR that starts from these weights.",
        "# Paths are relative to this file. PaddleOCR takes them relative to its working folder.",
        "Global:",
        f"  pretrained_model: ./{name}{SUFFIX}",
        f"  character_dict_path: ./{name}.txt",
        f"  use_space_char: {str(SPACE in charset).lower()}",
    ]
    if not guided:
        lines.append(f"# {_NO_GUIDE[0].upper()}{_NO_GUIDE[1:]}.")
    return "".join(f"{line}\n" for line in lines)
