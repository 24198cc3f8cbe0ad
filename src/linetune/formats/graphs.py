"""Networks from the arrays of a graph, in the order of their use: ONNX and Paddle's inference files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from linetune.core.errors import LinetuneError
from linetune.formats.model import fill
from linetune.models.architecture import Architecture, Official
from linetune.models.families import OFFICIAL
from linetune.models.layers.reparam import ConvBN, RepDepthwise, RepLayer, fold, fold_batch_norm, merge
from linetune.models.network import Network, empty_folded, refuse_huge

Array = NDArray[np.float32]
OWN = "network."
"""Prefix of the tensors' names in a file that linetune exported."""


def network_of(
    tensors: Mapping[str, Array], official: Official | None, path: Path
) -> tuple[Official, Network]:
    """Return the official model of a graph, or the one that it was trained from, and the folded network.

    Args:
        tensors: tensors by name, in the order in which the graph uses them. Linear kernels are (inputs,
            outputs).
        official: the model that the file names. Without it, the first one that the arrays fit.
        path: the file, for messages.

    Raises:
        LinetuneError: the arrays fit no network.
    """
    if any(name.startswith(OWN) for name in tensors):
        official = official or next(iter(OFFICIAL.values()))
        return official, exported_network(tensors, official.architecture, path)
    return _fitting(tensors, [official] if official else list(OFFICIAL.values()), path)


def exported_network(tensors: Mapping[str, Array], architecture: Architecture, where: object) -> Network:
    """Return the folded network of a file that linetune exported.

    The exporter keeps most names. It renames constants, and linear kernels because it transposes them. Both
    keep the order of the network.

    Raises:
        LinetuneError: the tensors do not fit the network.
    """
    state = {name.removeprefix(OWN): array for name, array in tensors.items() if name.startswith(OWN)}
    network = empty_folded(architecture, np.size(state.get("head.fc.bias", 0)))
    nameless = [array for name, array in tensors.items() if not name.startswith(OWN)]
    for dimensions in (1, 2):
        names = [n for n, v in network.state_dict().items() if v.dim() == dimensions and n not in state]
        arrays = [np.ascontiguousarray(array.T) for array in nameless if array.ndim == dimensions]
        state |= dict(zip(names, arrays, strict=False))
    fill(network, {name: torch.from_numpy(array) for name, array in state.items()}, where)
    return network


def official_network(tensors: Mapping[str, Array], architecture: Architecture, where: object) -> Network:
    """Return the folded network of an official file.

    The official export has merged the branches of rep layers and the batch norms of PP-LCNetV4. It has not
    merged the batch norms of other plain convolutions, such as the stem of the tiny size, nor the affines
    before activations. They are folded here.

    Raises:
        LinetuneError: the weights are of another architecture. The message names the first one that differs.
    """
    # Of the single numbers, only affines are weights. Older files name them after their layers.
    single = re.compile(r"affine|\.w_\d")
    weights = [array for name, array in tensors.items() if array.shape != (1,) or single.search(name)]
    if not weights or not weights[-1].ndim:
        raise LinetuneError("the file has no weights", where, "choose the file of a PP-OCR recogniser")
    refuse_huge(architecture, len(weights[-1]), where)
    network = Network(architecture, len(weights[-1])).eval()
    queue = iter(enumerate(weights))

    def take(*shape: int) -> torch.Tensor:
        number, array = next(queue, (len(weights), None))
        if array is None or (array.shape != shape and array.size != np.prod(shape)):
            found = "nothing" if array is None else tuple(array.shape)
            raise LinetuneError(
                f"not the weights of this architecture: array {number + 1} should be {shape}, not {found}",
                where,
            )
        return torch.from_numpy(array.reshape(shape))

    state = {}
    for kind, name, shape in _layers(network):
        if kind == "conv_bn":
            weight, gamma, beta, mean, variance = take(*shape), *(take(shape[0]) for _ in range(4))
            folded = fold_batch_norm(weight, gamma, beta, mean, variance)
            state[f"{name}.weight"], state[f"{name}.bias"] = folded
        elif kind == "rep":
            weight, bias, scale, shift = take(*shape), take(shape[0]), take(1), take(1)
            state[f"{name}.conv.weight"] = weight.double() * scale.double()
            state[f"{name}.conv.bias"] = bias.double() * scale.double() + shift.double()
            state[f"{name}.post_affine.scale"], state[f"{name}.post_affine.bias"] = take(1), take(1)
        elif kind == "linear":
            state[f"{name}.weight"] = take(shape[1], shape[0]).T.contiguous()
            state[f"{name}.bias"] = take(shape[0])
        else:  # a convolution with bias, or a layer norm
            state[f"{name}.weight"], state[f"{name}.bias"] = take(*shape), take(shape[0])
    left = sum(1 for _ in queue)
    if left:
        raise LinetuneError(f"not the weights of this architecture: it has {left} arrays too many", where)
    merged = merge(network)
    merged.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    return fold(merged).requires_grad_(True)


def _layers(network: Network) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Yield (kind, name, shape of the kernel) of an unfolded network's layers, in the order of their use.

    The modules are defined in that order.
    """
    conv: nn.Module
    done = "."
    merged = network.architecture.merged_in_onnx()
    for name, module in network.named_modules():
        if name.startswith(f"{done}."):
            continue
        if isinstance(module, RepLayer):
            kind, conv = "rep", module.get_submodule("branches.0.conv")
        elif isinstance(module, RepDepthwise):
            kind, conv = "plain", module.branch.conv
        elif isinstance(module, ConvBN):
            kind, conv = "plain" if name.startswith(merged) else "conv_bn", module.conv
        elif isinstance(module, (nn.Conv2d, nn.LayerNorm)):
            kind, conv = "plain", module
        elif isinstance(module, nn.Linear):
            kind, conv = "linear", module
        else:
            continue
        done = name
        yield kind, name, tuple(conv.get_parameter("weight").shape)


def _fitting(tensors: Mapping[str, Array], among: Sequence[Official], path: Path) -> tuple[Official, Network]:
    """Return the first model that the tensors of an official ONNX file fit, and its network.

    Raises:
        LinetuneError: the tensors fit no model. The message says why they do not fit the first one.
    """
    classes = next((len(array) for array in reversed(list(tensors.values())) if array.ndim), 0)
    first: LinetuneError | None = None
    # Of the models with one architecture, take the one with this number of characters.
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
