"""Names of PaddleOCR and transformers for parts that several families share.

Sources: PaddleOCR's ``rnn`` (the necks) and ``rec_multi_head``, and transformers' ``pp_ocrv5_mobile_rec``,
``pp_ocrv5_server_rec`` and ``pp_ocrv6_small_rec``. The order matters: each name goes through all
replacements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from linetune.models.architecture import Renaming
from linetune.models.layers.reparam import Pair

PDPARAMS_SVTR: Renaming = [(r"^(neck\.conv\d)\.bn\.", r"\1.norm."), (r"^neck\.conv5\.", "neck.conv1x1.")]
"""PaddleOCR's names in the SVTR neck; :data:`PDPARAMS_REST` comes after them."""
PDPARAMS_REST: Renaming = [
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
"""PaddleOCR's names in the attention blocks, the heads and the batch norms, of every family."""

HF_SVTR: Renaming = [(rf"^neck\.conv{n + 1}\.", f"head.encoder.conv_block.{n}.") for n in range(5)]
"""transformers' names in the SVTR neck; :data:`HF_REST` comes after the backbone's."""
HF_ATTENTION: Renaming = [
    (r"^neck\.norm\.", "head.encoder.norm."),
    (r"^neck\.(blocks\.\d)\.norm([12])\.", r"neck.\1.layer_norm\2."),
    (r"^neck\.blocks\.", "head.encoder.svtr_block."),
    (r"\.mixer\.proj\.", ".self_attn.projection."),
    (r"\.mixer\.", ".self_attn."),
]
HF_REST: Renaming = [
    (r"^backbone\.stem\.", "model.backbone.encoder.convolution."),
    (r"^head\.fc\.", "head.head."),
    (r"\.conv\.weight$", ".convolution.weight"),
    (r"\.bn\.", ".normalization."),
]


def hf_settings(
    kind: str, channels: int, backbone: Mapping[str, Any], ratio: float = 2, kernel: int = 3
) -> dict[str, Any]:
    """Return the settings of transformers' ``config.json``.

    Args:
        kind: the model type.
        channels: channels of the sequence that goes into the head.
        backbone: the settings of the backbone.
        ratio: channels inside the MLPs of the neck's attention blocks over those outside. 0 if the neck has
            no such blocks.
        kernel: width in frames of the convolution of a neck with attention.
    """
    settings = {"model_type": kind, "hidden_size": channels, "backbone_config": backbone}
    if not ratio:
        return settings
    return {
        **settings,
        "hidden_act": "silu",
        "mlp_ratio": float(ratio),
        "depth": 2,
        "num_attention_heads": 8,
        "qkv_bias": True,
        "conv_kernel_size": [1, kernel],
        # transformers has one value for all norms. Its default is that of the last norm, 1e-6. With the value
        # of the blocks, probabilities are ten times nearer to PaddleOCR's.
        "layer_norm_eps": 1e-5,
    }


def hf_stride(stride: Pair) -> int | list[int]:
    """Return a stride in the form of transformers' configurations."""
    # transformers' PP-LCNetV3 has no activation behind a stride of 2 as one number. No layer has such a
    # stride.
    return stride[0] if stride[0] == stride[1] else list(stride)
