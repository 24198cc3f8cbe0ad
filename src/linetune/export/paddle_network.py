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

from linetune import image
from linetune.models.backbones.pplcnetv3 import Block as BackboneBlock
from linetune.models.network import Network
from linetune.models.reparam import Affine, FoldedRepLayer
from linetune.weights.onnx_file import OWN


def save_inference(network: Network, prefix: Path) -> None:
    """Write ``PREFIX.json`` and ``PREFIX.pdiparams``: images in, class probabilities out.

    Batch and width are free. A parameter's name there is :data:`OWN` and its name here.

    Args:
        network: folded; left as it is.
        prefix: where to, without the suffix.
    """
    layer = _Inference(network)
    layer.eval()
    shape = [None, 3, image.HEIGHT, None]
    spec = paddle.static.InputSpec(shape, "float32", name="x")
    # Traced as it runs: it has no branches on tensors that would have to be compiled.
    traced = paddle.jit.to_static(layer, input_spec=[spec], full_graph=True)
    paddle.jit.save(traced, str(prefix))


class _Inference(paddle.nn.Layer):  # type: ignore[misc]
    """Images (batch, 3, 48, width) to class probabilities (batch, width // 8, classes)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network
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
        return F.softmax(self._linear("head.fc", self._neck(self._backbone(images))), 2)

    def _backbone(self, x: Any) -> Any:
        backbone = self._network.backbone
        x = self._conv("backbone.stem", x)
        for name, part in backbone.named_modules(prefix="backbone"):
            if isinstance(part, BackboneBlock):
                x = self._rep_layer(f"{name}.depthwise", x)
                if part.squeeze is not None:
                    x = self._squeeze(f"{name}.squeeze", x)
                x = self._rep_layer(f"{name}.pointwise", x)
        x = F.avg_pool2d(x, [3, 2], [3, 2])
        if isinstance(backbone.affine, Affine):
            x = x * self._weight("backbone.affine.scale") + self._weight("backbone.affine.bias")
        return x

    def _rep_layer(self, name: str, x: Any) -> Any:
        layer = self._network.get_submodule(name)
        assert isinstance(layer, FoldedRepLayer)
        x = F.hardswish(self._conv(f"{name}.conv", x))
        return x if layer.shift is None else x + self._weight(f"{name}.shift")

    def _squeeze(self, name: str, x: Any) -> Any:
        gate = F.relu(self._conv(f"{name}.conv1", F.adaptive_avg_pool2d(x, 1)))
        return x * F.hardsigmoid(self._conv(f"{name}.conv2", gate), slope=1 / 6)

    def _neck(self, features: Any) -> Any:
        x = F.silu(self._conv("neck.conv2", F.silu(self._conv("neck.conv1", features))))
        x = x.squeeze(2).transpose([0, 2, 1])
        blocks: Any = self._network.get_submodule("neck.blocks")
        for number in range(len(blocks)):
            block = f"neck.blocks.{number}"
            x = x + self._attention(f"{block}.mixer", self._norm(f"{block}.norm1", x))
            hidden = F.silu(self._linear(f"{block}.mlp.fc1", self._norm(f"{block}.norm2", x)))
            x = x + self._linear(f"{block}.mlp.fc2", hidden)
        x = self._norm("neck.norm", x).transpose([0, 2, 1]).unsqueeze(2)
        x = paddle.concat([features, F.silu(self._conv("neck.conv3", x))], 1)
        x = F.silu(self._conv("neck.conv5", F.silu(self._conv("neck.conv4", x))))
        return x.squeeze(2).transpose([0, 2, 1])

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
