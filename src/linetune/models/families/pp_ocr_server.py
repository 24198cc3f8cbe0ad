"""PP-OCRv5 server: PP-HGNetV2-B4 and the SVTR neck.

The other programs' names are taken from PaddleOCR's own ``rec_pphgnetv2`` and transformers' own ``hgnet_v2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.architecture import Architecture, Official, Part, Renaming
from linetune.models.families import names
from linetune.models.layers.necks import SVTRNeck
from linetune.models.layers.reparam import ConvBN, Pair
from linetune.models.layers.shared import BranchedStem, pooled

STEM = (32, 48)
"""Channels inside the stem and behind it."""
LAYERS = 6
"""Convolutions in a block, whose outputs are all gathered."""


class StageSpec(NamedTuple):
    """One stage: a strided depthwise convolution and some blocks."""

    inputs: int
    inside: int
    outputs: int
    stride: Pair
    blocks: int = 1
    kernel: int = 3
    light: bool = False
    """Whether a block's convolutions are a pointwise and a depthwise one each."""


STAGES: tuple[StageSpec, ...] = (
    StageSpec(48, 48, 128, (2, 1)),
    StageSpec(128, 96, 512, (1, 2)),
    StageSpec(512, 192, 1024, (2, 1), blocks=3, kernel=5, light=True),
    StageSpec(1024, 384, 2048, (2, 1), kernel=5, light=True),
)
"""PaddleOCR's recognition layout: the stem halves both sides, the stages the height by 8, the width by 2."""


class LightConv(nn.Module):
    """A pointwise convolution, then a depthwise one, both with batch norm. ReLU only follows the second."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1: nn.Module = ConvBN(inputs, outputs, (1, 1))
        self.conv2: nn.Module = ConvBN(outputs, outputs, (kernel, kernel), groups=outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(x))


class Block(nn.Module):
    """A chain of convolutions. The input and all outputs go into two pointwise convolutions.

    Args:
        spec: the layout of the stage.
        first: whether this is the first block of the stage, which changes the channels. The others have a
            shortcut.
    """

    def __init__(self, spec: StageSpec, first: bool) -> None:
        super().__init__()
        inputs = spec.inputs if first else spec.outputs
        self.shortcut = not first
        self.layers = nn.ModuleList(
            LightConv(before, after, spec.kernel)
            if spec.light
            else ConvBN(before, after, (spec.kernel, spec.kernel))
            for before, after in pairwise((inputs, *(spec.inside,) * LAYERS))
        )
        self.gather1: nn.Module = ConvBN(inputs + LAYERS * spec.inside, spec.outputs // 2, (1, 1))
        self.gather2: nn.Module = ConvBN(spec.outputs // 2, spec.outputs, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for layer in self.layers:
            outputs.append(F.relu(layer(outputs[-1])))
        gathered = F.relu(self.gather2(F.relu(self.gather1(torch.cat(outputs, 1)))))
        return x + gathered if self.shortcut else gathered


class Stage(nn.Module):
    """A strided depthwise convolution without activation, and blocks."""

    def __init__(self, spec: StageSpec) -> None:
        super().__init__()
        self.downsample: nn.Module = ConvBN(spec.inputs, spec.inputs, (3, 3), spec.stride, spec.inputs)
        self.blocks = nn.Sequential(*(Block(spec, number == 0) for number in range(spec.blocks)))

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.downsample(x))


class PPHGNetV2(Part):
    """Images (batch, 3, height, width) to features (batch, channels, 1, width // 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = BranchedStem(*STEM, stride=(1, 1))
        self.stages = nn.Sequential(*map(Stage, STAGES))
        self.channels = STAGES[-1].outputs

    def forward(self, x: Tensor) -> Tensor:
        return pooled(self.stages(self.stem(x)))


@dataclass(frozen=True)
class PPOCRServer(Architecture):
    """PP-HGNetV2-B4 and the SVTR neck."""

    family: ClassVar[str] = "PPHGNetV2"
    hf_classes: ClassVar[Mapping[str, str]] = {"pp_ocrv5_server_rec": "PPOCRV5ServerRecForTextRecognition"}

    neck_channels: int = 120
    """Channels of the sequence that goes into the head."""

    def make_backbone(self) -> Part:
        return PPHGNetV2()

    def make_neck(self, inputs: int) -> Part:
        return SVTRNeck(inputs, self.neck_channels)

    def pdparams_renaming(self) -> Renaming:
        return [
            (r"\.gather1\.", ".aggregation_squeeze_conv."),
            (r"\.gather2\.", ".aggregation_excitation_conv."),
            *names.PDPARAMS_SVTR,
            *names.PDPARAMS_REST,
        ]

    def hf_renaming(self) -> Renaming:
        backbone: Renaming = [
            (r"^backbone\.stem\.", "model.backbone.embedder."),
            (r"^backbone\.stages\.", "model.backbone.encoder.stages."),
            (r"\.gather1\.", ".aggregation.0."),
            (r"\.gather2\.", ".aggregation.1."),
        ]
        return [*names.HF_SVTR, *names.HF_ATTENTION, *backbone, *names.HF_REST]

    def hf_config(self) -> dict[str, Any]:
        backbone = {
            "model_type": "hgnet_v2",
            "stem_channels": [3, *STEM],
            "stem_strides": [2, 1, 1, 1, 1],
            "stage_in_channels": [stage.inputs for stage in STAGES],
            "stage_mid_channels": [stage.inside for stage in STAGES],
            "stage_out_channels": [stage.outputs for stage in STAGES],
            "stage_num_blocks": [stage.blocks for stage in STAGES],
            "stage_downsample": [True] * len(STAGES),
            "stage_downsample_strides": [names.hf_stride(stage.stride) for stage in STAGES],
            "stage_light_block": [stage.light for stage in STAGES],
            "stage_kernel_size": [stage.kernel for stage in STAGES],
            "stage_numb_of_layers": [LAYERS] * len(STAGES),
            "hidden_act": "relu",
            "use_learnable_affine_block": False,
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        }
        return names.hf_settings("pp_ocrv5_server_rec", self.neck_channels, backbone)

    @classmethod
    def from_hf(cls, kind: str, config: Mapping[str, Any]) -> PPOCRServer:
        return cls(neck_channels=int(config.get("hidden_size", 120)))


FAMILY = PPOCRServer
OFFICIAL = (Official("PP-OCRv5_server_rec", PPOCRServer(), "ppocrv5.txt"),)
