"""A folded network in PaddlePaddle's operations: torch's trace of it, operation by operation.

Only this file and ``formats.paddle`` need PaddlePaddle. A family needs nothing here as long as its forward
methods use the operations in :data:`_OPERATIONS` and :meth:`_Inference._layer`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
import torch
from torch import fx, nn

from linetune.core import image
from linetune.core.charset import BLANK
from linetune.core.errors import LinetuneError
from linetune.formats.graphs import OWN
from linetune.models.both_ways import MARGIN
from linetune.models.network import Network


def save_inference(network: Network, both_ways: bool, prefix: Path) -> None:
    """Write ``PREFIX.json`` and ``PREFIX.pdiparams``: images in, class probabilities out.

    Batch and width are free. A parameter's name there is :data:`OWN` and its name here.

    Args:
        network: folded. It stays unchanged.
        both_ways: read every image both ways up, as ``models.both_ways`` does.
        prefix: the path without the suffix.

    Raises:
        LinetuneError: the network uses an operation that has no counterpart here.
    """
    layer = _Inference(network, both_ways)
    layer.eval()
    shape = [None, 3, image.HEIGHT, None]
    spec = paddle.static.InputSpec(shape, "float32", name="x")
    # A trace is enough, because the network has no branches that depend on tensors.
    traced = paddle.jit.to_static(layer, input_spec=[spec], full_graph=True)
    paddle.jit.save(traced, str(prefix))


class _Tracer(fx.Tracer):
    """Goes into all modules but torch's own layers, of which ours may be subclasses."""

    proxy_buffer_attributes = True

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, (nn.Conv2d, nn.Linear, nn.LayerNorm, nn.Identity))


class _Inference(paddle.nn.Layer):  # type: ignore[misc]
    """Images (batch, 3, 48, width) to class probabilities (batch, width // 8, classes)."""

    def __init__(self, network: Network, both_ways: bool) -> None:
        super().__init__()
        self._network, self._both_ways = network, both_ways
        training = network.training
        self._nodes = list(_Tracer().trace(network.eval()).nodes)
        network.train(training)
        for node in self._nodes:
            if node.op.startswith("call_") and node.op != "call_module" and node.target not in _OPERATIONS:
                operation = getattr(node.target, "__name__", node.target)
                raise LinetuneError(
                    f"Paddle's program cannot hold {network.architecture.family}: its operation {operation} "
                    "has no counterpart",
                    hint="export to onnx, or add it in formats/paddle_network.py",
                )
        for name, tensor in network.state_dict().items():
            if name.startswith("nrtr."):
                continue
            array = tensor.detach().cpu().float().numpy()
            if array.ndim == 2:  # linear: Paddle's are transposed
                array = np.ascontiguousarray(array.T)
            parameter = self.create_parameter(list(array.shape))
            parameter.set_value(array)
            # Not through ParamAttr, which accepts each name only once in a process.
            parameter.name = OWN + name
            self.add_parameter(name.replace(".", "_"), parameter)

    def forward(self, images: Any) -> Any:
        if not self._both_ways:
            return self._probabilities(images)
        both = self._probabilities(paddle.concat([images, _turned(images)]))
        count = paddle.shape(images)[0]
        upright, upside_down = both[:count], both[count:]
        turn = _confidence(upside_down) > _confidence(upright) + MARGIN
        return paddle.where(turn.reshape([-1, 1, 1]), upside_down, upright)

    @paddle.jit.not_to_static  # type: ignore[untyped-decorator]
    def _probabilities(self, images: Any) -> Any:
        # Paddle compiles Python's branches and loops into the program, except here.
        values: dict[str, Any] = {}
        for node in self._nodes:
            args = fx.node.map_arg(node.args, lambda n: values[n.name])
            kwargs = fx.node.map_arg(node.kwargs, lambda n: values[n.name])
            if node.op == "placeholder":
                values[node.name] = images
            elif node.op == "call_module":
                values[node.name] = self._layer(str(node.target), *args)
            elif node.op == "get_attr":
                values[node.name] = self._weight(str(node.target))
            elif node.op == "output":
                return F.softmax(args[0], 2)
            else:
                values[node.name] = _OPERATIONS[node.target](*args, **kwargs)
        raise AssertionError("a trace ends with its output")

    def _layer(self, name: str, x: Any) -> Any:
        layer = self._network.get_submodule(name)
        if isinstance(layer, nn.Identity):
            return x
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        if isinstance(layer, nn.Linear):
            return F.linear(x, weight, bias)
        if isinstance(layer, nn.LayerNorm):
            return F.layer_norm(x, weight.shape, weight, bias, layer.eps)
        assert isinstance(layer, nn.Conv2d)
        padding = [int(side) for side in layer.padding]
        return F.conv2d(x, weight, bias, list(layer.stride), padding, groups=layer.groups)

    def _weight(self, name: str) -> Any:
        return getattr(self, name.replace(".", "_"))


def _mean(x: Any, dim: int | Sequence[int], keepdim: bool = False) -> Any:
    # Use pooling, because Paddle's kernels for it are faster. The height is known, the width is not.
    if keepdim and dim == 2 and len(x.shape) == 4:
        return F.avg_pool2d(x, [x.shape[2], 1])
    if keepdim and dim == (2, 3):
        return F.adaptive_avg_pool2d(x, 1)
    return x.mean(dim, keepdim=keepdim)


def _transpose(x: Any, one: int, other: int) -> Any:
    order = list(range(len(x.shape)))
    order[one], order[other] = order[other], order[one]
    return x.transpose(order)


def _view(x: Any, *shape: Any) -> Any:
    """Reshape, but keep the first two axes, batch and frames, whose lengths are not known here."""
    known = [int(side) for side in shape[2:]]
    if -1 in known:
        known[known.index(-1)] = -int(np.prod([int(side) for side in x.shape[2:]]) // np.prod(known))
    return x.reshape([0, -1, *known])


def _attention(query: Any, key: Any, value: Any, dropout_p: float = 0.0, is_causal: bool = False) -> Any:
    weights = F.softmax(paddle.matmul(query, key, transpose_y=True) * query.shape[-1] ** -0.5, -1)
    return paddle.matmul(weights, value)


def _pad(x: Any, sides: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    # torch and Paddle both begin with the last axis: left, right, above, below.
    return F.pad(x, list(sides), mode, value or 0.0)


def _same(x: Any, *_: Any, **__: Any) -> Any:
    return x


_OPERATIONS: dict[Any, Callable[..., Any]] = {
    operator.add: operator.add,
    operator.mul: operator.mul,
    operator.floordiv: operator.floordiv,
    operator.getitem: lambda x, place: x[place],
    getattr: lambda x, name: x.shape if name == "shape" else None,
    torch.addcmul: lambda bias, scale, x: x * scale + bias,
    torch.cat: lambda parts, dim=0: paddle.concat(list(parts), dim),
    nn.functional.scaled_dot_product_attention: _attention,
    nn.functional.avg_pool2d: lambda x, size, stride=None: F.avg_pool2d(x, list(size), list(stride or size)),
    nn.functional.dropout: _same,
    nn.functional.gelu: lambda x, approximate="none": F.gelu(x),
    nn.functional.hardsigmoid: lambda x, inplace=False: F.hardsigmoid(x, slope=1 / 6),
    nn.functional.hardswish: lambda x, inplace=False: F.hardswish(x),
    nn.functional.max_pool2d: lambda x, size, stride=None, **_: F.max_pool2d(x, size, stride),
    nn.functional.pad: _pad,
    nn.functional.relu: lambda x, inplace=False: F.relu(x),
    nn.functional.silu: lambda x, inplace=False: F.silu(x),
    # Methods have names.
    "add_": operator.add,
    "flatten": lambda x, start: x.flatten(start),
    "mean": _mean,
    "permute": lambda x, *order: x.transpose(list(order)),
    "reshape": _view,
    "squeeze": lambda x, axis: x.squeeze(axis),
    "to": _same,
    "transpose": _transpose,
    "unsqueeze": lambda x, axis: x.unsqueeze(axis),
    "view": _view,
}


def _turned(images: Any) -> Any:
    """Do what ``models.both_ways.turned`` does."""
    inside = (images.abs().amax([1, 2]) > 0).astype("float32")
    widths = inside.sum(1, keepdim=True).astype("int64")
    columns = (widths - 1 - paddle.arange(paddle.shape(images)[3], dtype="int64")).clip(min=0)
    mirrored = paddle.take_along_axis(images.flip(2), columns.unsqueeze([1, 2]), 3)
    return mirrored * inside.unsqueeze([1, 2])


def _confidence(probabilities: Any) -> Any:
    """Do what ``models.both_ways.confidence`` does."""
    best = probabilities.argmax(2)
    before = paddle.concat([paddle.full_like(best[:, :1], -1), best[:, :-1]], 1)
    kept = paddle.logical_and(best != BLANK, best != before).astype("float32")
    return (probabilities.max(2) * kept).sum(1) / kept.sum(1).clip(min=1)
