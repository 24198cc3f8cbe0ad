"""Weights from an ONNX file: an official one that paddle2onnx wrote, or one that linetune exported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from linetune.core.errors import LinetuneError
from linetune.models.backbones.pplcnetv4 import PlainStem, PPLCNetV4
from linetune.models.network import Architecture, Network, empty_folded
from linetune.models.reparam import ConvBN, RepDepthwise, RepLayer, fold, fold_batch_norm, merge
from linetune.weights.store import fill

Array = NDArray[np.float32]
OWN = "network."
"""How the tensors' names begin in a file that linetune exported."""
_ROUNDED = {
    onnx.TensorProto.FLOAT16: "fp16",
    onnx.TensorProto.BFLOAT16: "bf16",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT8: "int8",
}


def read_onnx(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    """The float tensors of an ONNX file in the order in which the graph uses them, and its metadata.

    Constants stand in initialisers or in Constant nodes, biases as they are or reshaped.

    Raises:
        LinetuneError: the file is missing, no ONNX, or holds rounded weights.
    """
    if not path.is_file():
        raise LinetuneError("weights not found", path)
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf raises its own kinds
        raise LinetuneError(f"not an ONNX file ({error})", path) from None
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    rounded = next((kind for t in constants.values() if (kind := _ROUNDED.get(t.data_type))), None)
    if rounded:
        raise LinetuneError(
            f"holds weights rounded to {rounded}, which cannot be taken up again",
            path,
            "give the model it was made from, or its export in fp32",
        )
    weights = {}
    for node in model.graph.node:
        for name in node.input:
            # Popped, since a weight used twice is one weight.
            tensor = constants.pop(name, None)
            if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or not tensor.dims:
                continue
            weights[name] = np.array(numpy_helper.to_array(tensor), np.float32)
    return weights, {entry.key: entry.value for entry in model.metadata_props}


def fixed_shape(path: Path) -> str | None:
    """The one shape of input that an ONNX file takes, for messages; None where its axes are free."""
    tensor = onnx.load(str(path)).graph.input[0].type.tensor_type
    sides = [axis.dim_value for axis in tensor.shape.dim]
    return " x ".join(map(str, sides)) if all(sides) else None


def exported_network(tensors: Mapping[str, Array], architecture: Architecture, where: object) -> Network:
    """The folded network of a file that linetune exported.

    The exporter keeps the names of all but the constants, of which it makes other ones, and the linear
    kernels, which it transposes; both stand in the network's order.

    Raises:
        LinetuneError: the tensors do not fit the network.
    """
    state = {name.removeprefix(OWN): array for name, array in tensors.items() if name.startswith(OWN)}
    network = empty_folded(architecture, len(state.get("head.fc.bias", "?")))
    nameless = [array for name, array in tensors.items() if not name.startswith(OWN)]
    for dimensions in (1, 2):
        names = [n for n, v in network.state_dict().items() if v.dim() == dimensions and n not in state]
        arrays = [np.ascontiguousarray(array.T) for array in nameless if array.ndim == dimensions]
        state |= dict(zip(names, arrays, strict=False))
    fill(network, {name: torch.from_numpy(array) for name, array in state.items()}, where)
    return network


def official_network(tensors: Mapping[str, Array], architecture: Architecture, where: object) -> Network:
    """The folded network of an official file.

    The official export has merged the rep layers' branches and PP-LCNetV4's batch norms, but neither the
    batch norms of other plain convolutions (the tiny size's stem is one) nor the affines before the
    activations; both are folded here.

    Raises:
        LinetuneError: they are not this architecture's weights; names the first that differs.
    """
    # Of the single numbers only the affines are weights, which older files name after their layers.
    single = re.compile(r"affine|\.w_\d")
    weights = [array for name, array in tensors.items() if array.shape != (1,) or single.search(name)]
    if not weights:
        raise LinetuneError("the ONNX file holds no weights", where)
    network = Network(architecture, len(weights[-1])).eval()
    queue = iter(enumerate(weights))

    def take(*shape: int) -> torch.Tensor:
        number, array = next(queue, (len(weights), None))
        if array is None or (array.shape != shape and array.size != np.prod(shape)):
            found = "nothing" if array is None else tuple(array.shape)
            raise LinetuneError(
                f"not the weights of this architecture: number {number + 1} should be {shape}, found {found}",
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
        raise LinetuneError(f"not the weights of this architecture: {left} arrays too many", where)
    merged = merge(network)
    merged.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    return fold(merged).requires_grad_(True)


def _layers(network: Network) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(kind, name, shape of its kernel) of an unfolded network's layers in the order the graph uses them.

    The modules are defined in that order.
    """
    conv: nn.Module
    done = "."
    # What begins so has no batch norm any more.
    merged = tuple[str, ...]()
    if isinstance(network.backbone, PPLCNetV4):
        stem = () if isinstance(network.backbone.stem, PlainStem) else ("backbone.stem.",)
        merged = ("backbone.stages.", *stem)
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
