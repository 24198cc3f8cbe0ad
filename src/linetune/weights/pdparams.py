"""PaddlePaddle's ``.pdparams``, without PaddlePaddle: a pickle that may hold arrays and nothing else."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linetune.errors import LinetuneError

_ADMITTED = {
    ("collections", "OrderedDict"),
    ("builtins", "tuple"),
    ("__builtin__", "tuple"),  # its name in older pickles
    ("_codecs", "encode"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
}

# PaddleOCR's names for the recogniser's parts, and ours. Order matters: the first match is replaced first.
_NAMES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"^backbone\.conv1\.0\.", "backbone.stem.conv1."),  # PP-LCNetV4's plain stem: a sequence of three
    (r"^backbone\.conv1\.2\.", "backbone.stem.conv2."),
    (r"^backbone\.conv1\.", "backbone.stem."),
    (r"^backbone\.blocks(\d)\.", lambda m: f"backbone.stages.{int(m[1]) - 2}."),
    (r"\.token_mixer\.rep_dw\.conv\.", ".depthwise.branch."),
    (r"\.token_mixer\.rep_dw\.conv1\.", ".depthwise.branch_1x1."),
    (r"\.token_mixer\.rep_dw\.", ".depthwise."),
    (r"\.(token|channel)_mixer\.", "."),
    (r"\.dw_conv\.", ".depthwise."),
    (r"\.pw_conv\.", ".pointwise."),
    (r"\.se\.", ".squeeze."),
    (r"\.conv_kxk\.", ".branches."),
    (r"\.conv_1x1\.", ".branch_1x1."),
    (r"\.act\.lab\.", ".post_affine."),
    (r"\.lab\.", ".affine."),
    (r"^head\.ctc_encoder\.encoder\.", "neck."),
    (r"^neck\.conv1x1\.", "neck.conv5."),
    (r"^neck\.svtr_block\.", "neck.blocks."),
    (r"^neck\.conv_reduce\.", "neck.reduce."),
    (r"^neck\.skip_conv\.", "neck.shortcut."),
    (r"^neck\.local_conv\.0\.", "neck.local.conv."),
    (r"^neck\.local_conv\.1\.", "neck.local.bn."),
    (r"^(neck\.(?:conv\d|reduce|shortcut))\.norm\.", r"\1.bn."),
    (r"^head\.ctc_head\.", "head."),
    (r"^head\.before_gtc\.1\.fc\.", "nrtr.before."),
    (r"^head\.gtc_head\.embedding\.embedding\.", "nrtr.embedding."),
    (r"^head\.gtc_head\.tgt_word_prj\.", "nrtr.classifier."),
    (r"^head\.gtc_head\.decoder\.", "nrtr.blocks."),
    (r"^(nrtr\.blocks\.\d)\.self_attn\.out_proj\.", r"\1.self_attention.proj."),
    (r"^(nrtr\.blocks\.\d)\.self_attn\.", r"\1.self_attention."),
    (r"^(nrtr\.blocks\.\d)\.cross_attn\.out_proj\.", r"\1.cross_attention.proj."),
    (r"^(nrtr\.blocks\.\d)\.cross_attn\.", r"\1.cross_attention."),
    (r"^(nrtr\.blocks\.\d)\.mlp\.", r"\1."),
    (r"\._mean$", ".running_mean"),
    (r"\._variance$", ".running_var"),
]

# The way back, for files that PaddleOCR reads. Order matters here too.
_THEIR_NAMES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"^backbone\.stem\.", "backbone.conv1."),
    (r"^backbone\.stages\.(\d)\.", lambda m: f"backbone.blocks{int(m[1]) + 2}."),
    (r"^(backbone.*)\.depthwise\.", r"\1.dw_conv."),
    (r"^(backbone.*)\.pointwise\.", r"\1.pw_conv."),
    (r"^(backbone.*)\.squeeze\.", r"\1.se."),
    (r"^(backbone.*)\.branches\.", r"\1.conv_kxk."),
    (r"^(backbone.*)\.branch_1x1\.", r"\1.conv_1x1."),
    (r"^(backbone.*)\.post_affine\.", r"\1.act.lab."),
    (r"^(backbone.*)\.affine\.", r"\1.lab."),
    (r"^(neck\.conv\d)\.bn\.", r"\1.norm."),
    (r"^neck\.conv5\.", "neck.conv1x1."),
    (r"^neck\.blocks\.", "neck.svtr_block."),
    (r"^head\.", "head.ctc_head."),
    (r"^neck\.", "head.ctc_encoder.encoder."),
    (r"^(nrtr\.blocks\.\d)\.(fc\d)\.", r"\1.mlp.\2."),
    (r"^(nrtr\.blocks\.\d\.\w+)_attention\.proj\.", r"\1_attn.out_proj."),
    (r"^(nrtr\.blocks\.\d\.\w+)_attention\.", r"\1_attn."),
    (r"^nrtr\.before\.", "head.before_gtc.1.fc."),
    (r"^nrtr\.embedding\.", "head.gtc_head.embedding.embedding."),
    (r"^nrtr\.classifier\.", "head.gtc_head.tgt_word_prj."),
    (r"^nrtr\.blocks\.", "head.gtc_head.decoder."),
    (r"\.running_mean$", "._mean"),
    (r"\.running_var$", "._variance"),
]


class _ArrayUnpickler(pickle.Unpickler):
    """Admits what arrays are made of; anything else could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


class _ArrayPickler(pickle.Pickler):
    """Arrays as a call of ``numpy.ndarray``, the one name that numpy 1 and 2 have in common."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, np.ndarray):
            return np.ndarray, (obj.shape, obj.dtype.str, obj.tobytes())
        return NotImplemented


def read_pdparams(path: Path) -> dict[str, NDArray[np.float32]]:
    """The arrays of a ``.pdparams`` file by PaddlePaddle's names.

    Raises:
        LinetuneError: the file is missing, damaged, or holds anything but arrays.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="latin1").load()
    except FileNotFoundError:
        raise LinetuneError("weights not found", path) from None
    except Exception as error:  # a damaged pickle raises nearly anything
        raise LinetuneError(f"not a file of arrays alone ({error})", path) from None
    if not isinstance(content, dict):
        raise LinetuneError("not a file of named arrays", path)
    arrays = {}
    for name, value in content.items():
        # Newer versions store (name, array); "StructuredToParameterName@@" is a table of names.
        array = value[1] if isinstance(value, tuple) and len(value) == 2 else value
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            arrays[str(name)] = array.astype(np.float32)
    if not arrays:
        raise LinetuneError("holds no arrays", path)
    return arrays


def to_state(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """PaddleOCR's arrays under our names and in torch's layout (linear weights transposed)."""
    state = {}
    for theirs, array in arrays.items():
        name = theirs
        for pattern, ours in _NAMES:
            name = re.sub(pattern, ours, name)
        if name.endswith("positional_encoding.pe"):
            continue  # a table of sines, computed here
        linear = array.ndim == 2 and not name.startswith("nrtr.embedding.")
        tensor = torch.from_numpy(np.ascontiguousarray(array.T if linear else array))
        if ".self_attention.qkv." in name:
            # One projection there, a query and a key-value projection here.
            query, key_value = tensor.tensor_split([len(tensor) // 3])
            state[name.replace(".qkv.", ".q.")] = query
            state[name.replace(".qkv.", ".kv.")] = key_value
        else:
            state[name] = tensor
    return state


def from_state(state: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """An unfolded network's tensors under PaddleOCR's names and in Paddle's layout."""
    # torch counts batches, Paddle does not.
    tensors = {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}
    for query in [name for name in tensors if ".self_attention.q." in name]:
        key_value = query.replace(".q.", ".kv.")
        joint = torch.cat((tensors.pop(query), tensors.pop(key_value)))
        tensors[query.replace(".q.", ".qkv.")] = joint
    arrays = {}
    for ours, tensor in tensors.items():
        name = ours
        for pattern, theirs in _THEIR_NAMES:
            name = re.sub(pattern, theirs, name)
        linear = tensor.dim() == 2 and not ours.startswith("nrtr.embedding.")
        array = (tensor.T if linear else tensor).detach().cpu().float().numpy()
        arrays[name] = np.ascontiguousarray(array)
    return arrays


def write_pdparams(path: Path, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Write arrays as ``paddle.save`` would, for ``paddle.load``."""
    with path.open("wb") as file:
        _ArrayPickler(file, protocol=4).dump(dict(arrays))
