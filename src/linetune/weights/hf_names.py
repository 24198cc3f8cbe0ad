"""How transformers names and describes the networks: tensors' names, and what its ``config.json`` says.

Taken from transformers' own ``pp_ocrv5_mobile_rec``, ``pp_ocrv5_server_rec``, ``pp_ocrv6_small_rec``,
``pp_ocrv6_tiny_rec``, ``pp_lcnet_v3``, ``pp_lcnet_v4`` and ``hgnet_v2``. They keep the branches that a
network was trained in, but for PP-LCNetV4's depthwise ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linetune.core.errors import LinetuneError
from linetune.models.backbones import pphgnetv2, pplcnetv3, pplcnetv4
from linetune.models.network import Architecture

CLASSES = {
    "pp_ocrv5_mobile_rec": "PPOCRV5MobileRecForTextRecognition",
    "pp_ocrv5_server_rec": "PPOCRV5ServerRecForTextRecognition",
    "pp_ocrv6_small_rec": "PPOCRV6SmallRecForTextRecognition",  # the medium size too
    "pp_ocrv6_tiny_rec": "PPOCRV6TinyRecForTextRecognition",
}
"""transformers' classes by model type."""
HEADS = ("head.head.weight", "head.fc2.weight")
"""Its names of the last layer's kernel (classes, inputs)."""

Renaming = list[tuple[str, str]]
"""Patterns and what they become, the first one first."""

_BACKBONES: dict[str, Renaming] = {
    "PPLCNetV3": [
        (r"^backbone\.stages\.(\d)\.(\d)\.", r"model.backbone.encoder.blocks.\1.layers.\2."),
        (r"\.depthwise\.", ".depthwise_convolution."),
        (r"\.pointwise\.", ".pointwise_convolution."),
        (r"\.branches\.", ".conv_symmetric."),
        (r"\.branch_1x1\.", ".conv_small_symmetric."),
        (r"\.post_affine\.", ".act.lab."),
        (r"\.affine\.", ".lab."),
        (r"\.squeeze\.conv1\.", ".squeeze_excitation_module.convolutions.0."),
        (r"\.squeeze\.conv2\.", ".squeeze_excitation_module.convolutions.2."),
    ],
    "PPLCNetV4": [
        (r"^backbone\.stages\.(\d)\.(\d)\.", r"model.backbone.encoder.blocks.\1.blocks.\2."),
        (r"\.depthwise\.", ".token_conv."),
        (r"\.expand\.", ".channel_conv1."),
        (r"\.compress\.", ".channel_conv2."),
        (r"\.squeeze\.conv1\.", ".token_squeeze_excitation.convolutions.0."),
        (r"\.squeeze\.conv2\.", ".token_squeeze_excitation.convolutions.2."),
    ],
    "PPHGNetV2": [
        (r"^backbone\.stem\.", "model.backbone.embedder."),
        (r"^backbone\.stages\.", "model.backbone.encoder.stages."),
        (r"\.gather1\.", ".aggregation.0."),
        (r"\.gather2\.", ".aggregation.1."),
    ],
}
_NECKS: dict[str, Renaming] = {
    "SVTR": [(rf"^neck\.conv{n + 1}\.", f"head.encoder.conv_block.{n}.") for n in range(5)],
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
_ATTENTION: Renaming = [
    (r"^neck\.norm\.", "head.encoder.norm."),
    (r"^neck\.(blocks\.\d)\.norm([12])\.", r"neck.\1.layer_norm\2."),
    (r"^neck\.blocks\.", "head.encoder.svtr_block."),
    (r"\.mixer\.proj\.", ".self_attn.projection."),
    (r"\.mixer\.", ".self_attn."),
]
_REST: Renaming = [
    (r"^backbone\.stem\.", "model.backbone.encoder.convolution."),
    (r"^head\.fc\.", "head.head."),
    (r"\.conv\.weight$", ".convolution.weight"),
    (r"\.bn\.", ".normalization."),
]

_OF_NO_CONSEQUENCE = {"architectures", "dtype", "layer_norm_eps", "backbone_config.out_features"}
"""Settings of an official configuration that may differ from ours."""


def their_name(name: str, architecture: Architecture) -> str:
    """transformers' name of a tensor of the network in its form."""
    backbone = _BACKBONES[architecture.backbone]
    for pattern, theirs in (*_NECKS[architecture.neck], *_ATTENTION, *backbone, *_REST):
        name = re.sub(pattern, theirs, name)
    return name


def to_config(architecture: Architecture, classes: int) -> dict[str, Any]:
    """What ``config.json`` says of a network."""
    kind = _model_type(architecture)
    config: dict[str, Any] = {
        "architectures": [CLASSES[kind]],
        "model_type": kind,
        "dtype": "float32",
        "head_out_channels": classes,
        "hidden_size": architecture.neck_channels,
        "backbone_config": _backbone_config(architecture),
    }
    if architecture.neck != "Conv":
        light = architecture.neck == "LightSVTR"
        config |= {
            "hidden_act": "silu",
            "mlp_ratio": float(architecture.neck_ratio if light else 2),
            "depth": 2,
            "num_attention_heads": 8,
            "qkv_bias": True,
            "conv_kernel_size": [1, 7 if light else 3],
            # transformers has one for all norms. Its default is that of the last one, 1e-6; with the
            # blocks' own, probabilities come out ten times nearer to PaddleOCR's.
            "layer_norm_eps": 1e-5,
        }
    return config


def architecture_of(config: Mapping[str, Any], classes: int, where: Path) -> Architecture:
    """The architecture of a configuration, none of whose settings asks for another network.

    Raises:
        LinetuneError: it is none that linetune knows, or a setting differs, which is named.
    """
    kind, backbone = config.get("model_type"), config.get("backbone_config")
    if kind not in CLASSES or not isinstance(backbone, dict):
        raise LinetuneError(
            f"{kind!r} is no model that linetune knows", where, f"known: {', '.join(sorted(CLASSES))}"
        )
    settings = {name: config[name] for name in ("hidden_size", "mlp_ratio", "depth") if name in config}
    try:
        architecture = _guess(kind, backbone, settings)
    except (TypeError, ValueError, KeyError, StopIteration):
        raise LinetuneError("its settings are of no network that linetune knows", where) from None
    found = _flat(config)
    for name, value in _flat(to_config(architecture, classes)).items():
        if name in _OF_NO_CONSEQUENCE:
            continue
        if name not in found and not name.endswith("block_configs"):
            continue  # left at its default
        if _plain(found.get(name)) != _plain(value):
            raise LinetuneError(f"{name} is {found.get(name)}, here it is {value}", where)
    return architecture


def official_name(architecture: Architecture) -> str:
    """The official model of an architecture."""
    if architecture.backbone != "PPLCNetV4":
        return f"PP-OCRv5_{'mobile' if architecture.backbone == 'PPLCNetV3' else 'server'}_rec"
    return f"PP-OCRv6_{architecture.size}_rec"


def _guess(kind: str, backbone: Mapping[str, Any], settings: Mapping[str, Any]) -> Architecture:
    channels = int(settings.get("hidden_size", 120))
    if kind == "pp_ocrv5_mobile_rec":
        return Architecture(scale=float(backbone["scale"]), neck_channels=channels)
    if kind == "pp_ocrv5_server_rec":
        return Architecture("PPHGNetV2", neck_channels=channels)
    stem = tuple(backbone["stem_channels"][1:])
    size = next(size for size, layout in pplcnetv4.LAYOUTS.items() if layout.stem == stem)
    if kind == "pp_ocrv6_tiny_rec":
        return Architecture("PPLCNetV4", neck="Conv", size=size, neck_channels=channels)
    ratio = int(settings.get("mlp_ratio", 2))
    return Architecture("PPLCNetV4", neck="LightSVTR", size=size, neck_channels=channels, neck_ratio=ratio)


def _model_type(architecture: Architecture) -> str:
    if architecture.backbone != "PPLCNetV4":
        return f"pp_ocrv5_{'mobile' if architecture.backbone == 'PPLCNetV3' else 'server'}_rec"
    return "pp_ocrv6_tiny_rec" if architecture.neck == "Conv" else "pp_ocrv6_small_rec"


def _backbone_config(architecture: Architecture) -> dict[str, Any]:
    if architecture.backbone == "PPHGNetV2":
        return _hgnet()
    return _v3(architecture.scale) if architecture.backbone == "PPLCNetV3" else _v4(architecture.size)


def _hgnet() -> dict[str, Any]:
    stages = pphgnetv2.STAGES
    return {
        "model_type": "hgnet_v2",
        "stem_channels": [3, *pphgnetv2.STEM],
        "stem_strides": [2, 1, 1, 1, 1],
        "stage_in_channels": [stage.inputs for stage in stages],
        "stage_mid_channels": [stage.inside for stage in stages],
        "stage_out_channels": [stage.outputs for stage in stages],
        "stage_num_blocks": [stage.blocks for stage in stages],
        "stage_downsample": [True] * len(stages),
        "stage_downsample_strides": [_stride(stage.stride) for stage in stages],
        "stage_light_block": [stage.light for stage in stages],
        "stage_kernel_size": [stage.kernel for stage in stages],
        "stage_numb_of_layers": [pphgnetv2.LAYERS] * len(stages),
        "hidden_act": "relu",
        "use_learnable_affine_block": False,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    }


def _v3(scale: float) -> dict[str, Any]:
    return {
        "model_type": "pp_lcnet_v3",
        "scale": scale,
        "divisor": 16,
        "stem_channels": 16,
        "stem_stride": 2,
        "reduction": 4,
        "conv_symmetric_num": 4,
        "hidden_act": "hardswish",
        "block_configs": [
            [[b.kernel, b.inputs, b.outputs, _stride(b.stride), b.squeeze] for b in stage]
            for stage in pplcnetv3.STAGES
        ],
        "out_features": ["stage2", "stage3", "stage4", "stage5"],
    }


def _v4(size: pplcnetv4.Size) -> dict[str, Any]:
    layout = pplcnetv4.LAYOUTS[size]
    return {
        "model_type": "pp_lcnet_v4",
        "stem_type": "large" if layout.branched else "small",
        "stem_channels": [3, *layout.stem],
        "stem_strides": [2, 1, 1, 2, 1],
        "reduction": 4,
        "hidden_act": "relu",
        "use_learnable_affine_block": False,
        "block_configs": [
            [[3, b.inputs, b.outputs, _stride(b.stride), b.squeeze] for b in stage] for stage in layout.stages
        ],
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
    }


def _stride(stride: tuple[int, int]) -> int | list[int]:
    # PP-LCNetV3 there leaves out the activation behind a stride of the number 2, of which there is none.
    return stride[0] if stride[0] == stride[1] else list(stride)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    inner = config.get("backbone_config") or {}
    outer = {name: value for name, value in config.items() if name != "backbone_config"}
    return outer | {f"backbone_config.{name}": value for name, value in inner.items()}


def _plain(value: Any) -> Any:
    """A setting with its pairs of equal strides as one number."""
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return items[0] if len(items) == 2 and items[0] == items[1] else items
    return value
