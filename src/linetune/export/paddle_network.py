"""The folded network in PaddlePaddle's operations, from the weights of the one in torch.

Only this file and ``export.paddle`` need PaddlePaddle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as F
from torch import nn

from linetune.core import image
from linetune.core.charset import BLANK
from linetune.models.backbones import pphgnetv2, pplcnetv3, pplcnetv4
from linetune.models.backbones.stem import BranchedStem
from linetune.models.both_ways import MARGIN
from linetune.models.necks.light_svtr import ConvNeck, LightSVTRNeck
from linetune.models.network import Network
from linetune.models.reparam import Affine, FoldedRepLayer
from linetune.weights.onnx_file import OWN


def save_inference(network: Network, both_ways: bool, prefix: Path) -> None:
    """Write ``PREFIX.json`` and ``PREFIX.pdiparams``: images in, class probabilities out.

    Batch and width are free. A parameter's name there is :data:`OWN` and its name here.

    Args:
        network: folded; left as it is.
        both_ways: read every image as it stands and upside down, as ``models.both_ways`` does.
        prefix: where to, without the suffix.
    """
    layer = _Inference(network, both_ways)
    layer.eval()
    shape = [None, 3, image.HEIGHT, None]
    spec = paddle.static.InputSpec(shape, "float32", name="x")
    # Traced as it runs: it has no branches on tensors that would have to be compiled.
    traced = paddle.jit.to_static(layer, input_spec=[spec], full_graph=True)
    paddle.jit.save(traced, str(prefix))


class _Inference(paddle.nn.Layer):  # type: ignore[misc]
    """Images (batch, 3, 48, width) to class probabilities (batch, width // 8, classes)."""

    def __init__(self, network: Network, both_ways: bool) -> None:
        super().__init__()
        self._network, self._both_ways = network, both_ways
        for name, tensor in network.state_dict().items():
            if name.startswith("nrtr."):
                continue
            array = tensor.detach().cpu().float().numpy()
            if array.ndim == 2:  # linear: Paddle's are transposed
                array = np.ascontiguousarray(array.T)
            parameter = self.create_parameter(list(array.shape))
            parameter.set_value(array)
            # Not by its attributes: there a name may be given out once a process.
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

    def _probabilities(self, images: Any) -> Any:
        return F.softmax(self._linear("head.fc", self._neck(self._backbone(images))), 2)

    def _backbone(self, x: Any) -> Any:
        backbone = self._network.backbone
        x = self._stem(x)
        for name, part in backbone.named_modules(prefix="backbone"):
            if isinstance(part, pplcnetv3.Block):
                x = self._rep_layer(f"{name}.depthwise", x)
                if part.squeeze is not None:
                    x = self._squeeze(f"{name}.squeeze", x)
                x = self._rep_layer(f"{name}.pointwise", x)
            elif isinstance(part, pplcnetv4.Block):
                x = self._conv(f"{name}.depthwise", x)
                if part.squeeze is not None:
                    x = self._squeeze(f"{name}.squeeze", x)
                mixed = self._conv(f"{name}.compress", F.gelu(self._conv(f"{name}.expand", x)))
                x = x + mixed if part.same_shape else mixed
            elif isinstance(part, pphgnetv2.Stage):
                x = self._conv(f"{name}.downsample", x)
            elif isinstance(part, pphgnetv2.Block):
                x = self._gathering(name, part, x)
        x = F.avg_pool2d(x, [3, 2], [3, 2])
        if isinstance(getattr(backbone, "affine", None), Affine):
            x = x * self._weight("backbone.affine.scale") + self._weight("backbone.affine.bias")
        return x

    def _stem(self, x: Any) -> Any:
        name, stem = "backbone.stem", self._network.backbone.stem
        if isinstance(stem, nn.Conv2d):
            return self._conv(name, x)
        if not isinstance(stem, BranchedStem):
            return self._conv(f"{name}.conv2", F.gelu(self._conv(f"{name}.conv1", x)))
        after = [0, 1, 0, 1]  # left, right, above, below
        x = F.pad(F.relu(self._conv(f"{name}.stem1", x)), after)
        other = F.pad(F.relu(self._conv(f"{name}.stem2a", x)), after)
        x = paddle.concat([F.max_pool2d(x, 2, 1), F.relu(self._conv(f"{name}.stem2b", other))], 1)
        return F.relu(self._conv(f"{name}.stem4", F.relu(self._conv(f"{name}.stem3", x))))

    def _gathering(self, name: str, block: pphgnetv2.Block, x: Any) -> Any:
        outputs = [x]
        for number, layer in enumerate(block.layers):
            one, last = f"{name}.layers.{number}", outputs[-1]
            if isinstance(layer, pphgnetv2.LightConv):
                one, last = f"{one}.conv2", self._conv(f"{one}.conv1", last)
            outputs.append(F.relu(self._conv(one, last)))
        gathered = F.relu(self._conv(f"{name}.gather1", paddle.concat(outputs, 1)))
        gathered = F.relu(self._conv(f"{name}.gather2", gathered))
        return x + gathered if block.shortcut else gathered

    def _rep_layer(self, name: str, x: Any) -> Any:
        layer = self._network.get_submodule(name)
        assert isinstance(layer, FoldedRepLayer)
        x = F.hardswish(self._conv(f"{name}.conv", x))
        return x if layer.shift is None else x + self._weight(f"{name}.shift")

    def _squeeze(self, name: str, x: Any) -> Any:
        gate = F.relu(self._conv(f"{name}.conv1", F.adaptive_avg_pool2d(x, 1)))
        return x * F.hardsigmoid(self._conv(f"{name}.conv2", gate), slope=1 / 6)

    def _neck(self, features: Any) -> Any:
        neck = self._network.neck
        if isinstance(neck, ConvNeck):
            x = F.hardswish(self._conv("neck.conv2", F.hardswish(self._conv("neck.conv1", features))))
            return self._linear("neck.fc", _sequence(x))
        if isinstance(neck, LightSVTRNeck):
            x = F.silu(self._conv("neck.reduce", features))
            x = self._attended(x + F.silu(self._conv("neck.local", x)))
            return x + _sequence(F.silu(self._conv("neck.shortcut", features)))
        x = F.silu(self._conv("neck.conv2", F.silu(self._conv("neck.conv1", features))))
        x = self._attended(x).transpose([0, 2, 1]).unsqueeze(2)
        x = paddle.concat([features, F.silu(self._conv("neck.conv3", x))], 1)
        return _sequence(F.silu(self._conv("neck.conv5", F.silu(self._conv("neck.conv4", x)))))

    def _attended(self, x: Any) -> Any:
        """The attention blocks and the norm behind them, as a sequence (batch, frames, channels)."""
        x = _sequence(x)
        blocks: Any = self._network.get_submodule("neck.blocks")
        for number in range(len(blocks)):
            block = f"neck.blocks.{number}"
            x = x + self._attention(f"{block}.mixer", self._norm(f"{block}.norm1", x))
            hidden = F.silu(self._linear(f"{block}.mlp.fc1", self._norm(f"{block}.norm2", x)))
            x = x + self._linear(f"{block}.mlp.fc2", hidden)
        return self._norm("neck.norm", x)

    def _attention(self, name: str, x: Any) -> Any:
        heads: Any = self._network.get_submodule(name).heads
        channels = x.shape[2]
        # 0 keeps the batch, -1 is the frames: neither is known here.
        qkv = self._linear(f"{name}.qkv", x).reshape([0, -1, 3, heads, channels // heads])
        query, key, value = qkv.transpose([2, 0, 3, 1, 4]).unbind(0)
        weights = F.softmax(paddle.matmul(query, key, transpose_y=True) * (channels // heads) ** -0.5, -1)
        mixed = paddle.matmul(weights, value).transpose([0, 2, 1, 3]).reshape([0, -1, channels])
        return self._linear(f"{name}.proj", mixed)

    def _conv(self, name: str, x: Any) -> Any:
        conv = self._network.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        return F.conv2d(
            x,
            self._weight(f"{name}.weight"),
            self._weight(f"{name}.bias"),
            list(conv.stride),
            [int(side) for side in conv.padding],
            groups=conv.groups,
        )

    def _linear(self, name: str, x: Any) -> Any:
        return F.linear(x, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"))

    def _norm(self, name: str, x: Any) -> Any:
        norm = self._network.get_submodule(name)
        assert isinstance(norm, nn.LayerNorm)
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return F.layer_norm(x, weight.shape, weight, bias, norm.eps)

    def _weight(self, name: str) -> Any:
        return getattr(self, name.replace(".", "_"))


def _sequence(x: Any) -> Any:
    """Features (batch, channels, 1, frames) as (batch, frames, channels)."""
    return x.squeeze(2).transpose([0, 2, 1])


def _turned(images: Any) -> Any:
    """``models.both_ways.turned``."""
    inside = (images.abs().amax([1, 2]) > 0).astype("float32")
    widths = inside.sum(1, keepdim=True).astype("int64")
    columns = (widths - 1 - paddle.arange(paddle.shape(images)[3], dtype="int64")).clip(min=0)
    mirrored = paddle.take_along_axis(images.flip(2), columns.unsqueeze([1, 2]), 3)
    return mirrored * inside.unsqueeze([1, 2])


def _confidence(probabilities: Any) -> Any:
    """``models.both_ways.confidence``."""
    best = probabilities.argmax(2)
    before = paddle.concat([paddle.full_like(best[:, :1], -1), best[:, :-1]], 1)
    kept = paddle.logical_and(best != BLANK, best != before).astype("float32")
    return (probabilities.max(2) * kept).sum(1) / kept.sum(1).clip(min=1)
