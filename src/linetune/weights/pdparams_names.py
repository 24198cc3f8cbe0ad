"""PaddleOCR's names of a recogniser's tensors in its training weights, and ours.

Taken from PaddleOCR's own ``rec_lcnetv3``, ``rec_lcnetv4``, ``rec_pphgnetv2``, ``rnn`` (the necks)
and ``rec_multi_head``, and for the tiny size's head from PaddleX's ``pdparams2safetensors``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linetune.models.network import Architecture

Renaming = list[tuple[str, str | Callable[[re.Match[str]], str]]]

# PaddleOCR's names for the recogniser's parts, and ours. Order matters: the first match is replaced first.
_NAMES: Renaming = [
    (r"^backbone\.conv1\.0\.", "backbone.stem.conv1."),  # PP-LCNetV4's plain stem: a sequence of three
    (r"^backbone\.conv1\.2\.", "backbone.stem.conv2."),
    (r"^backbone\.conv1\.", "backbone.stem."),
    (r"^backbone\.blocks(\d)\.", lambda m: f"backbone.stages.{int(m[1]) - 2}."),
    (r"\.token_mixer\.rep_dw\.conv\.", ".depthwise.branch."),
    (r"\.token_mixer\.rep_dw\.conv1\.", ".depthwise.branch_1x1."),
    (r"\.token_mixer\.rep_dw\.", ".depthwise."),
    (r"\.(token|channel)_mixer\.", "."),
    (r"\.dw_conv\.", ".depthwise."),
    (r"\.pw_conv\.", ".pointwise."),
    (r"\.se\.", ".squeeze."),
    (r"\.conv_kxk\.", ".branches."),
    (r"\.conv_1x1\.", ".branch_1x1."),
    (r"\.act\.lab\.", ".post_affine."),
    (r"\.lab\.", ".affine."),
    (r"\.aggregation_squeeze_conv\.", ".gather1."),
    (r"\.aggregation_excitation_conv\.", ".gather2."),
    (r"^head\.ctc_encoder\.encoder\.", "neck."),
    (r"^neck\.conv1x1\.", "neck.conv5."),
    (r"^neck\.svtr_block\.", "neck.blocks."),
    (r"^neck\.conv_reduce\.", "neck.reduce."),
    (r"^neck\.skip_conv\.", "neck.shortcut."),
    (r"^neck\.local_conv\.0\.", "neck.local.conv."),
    (r"^neck\.local_conv\.1\.", "neck.local.bn."),
    (r"^(neck\.(?:conv\d|reduce|shortcut))\.norm\.", r"\1.bn."),
    # PP-OCRv6 tiny has no neck there, but a head of several layers.
    (r"^head\.ctc_head\.guide_layer\.0\.", "neck.conv1.conv."),
    (r"^head\.ctc_head\.guide_layer\.1\.", "neck.conv1.bn."),
    (r"^head\.ctc_head\.guide_layer\.3\.", "neck.conv2.conv."),
    (r"^head\.ctc_head\.guide_layer\.4\.", "neck.conv2.bn."),
    (r"^head\.ctc_head\.fc1\.", "neck.fc."),
    (r"^head\.ctc_head\.fc2\.", "head.fc."),
    (r"^head\.ctc_head\.", "head."),
    (r"^head\.before_gtc\.1\.fc\.", "nrtr.before."),
    (r"^head\.gtc_head\.embedding\.embedding\.", "nrtr.embedding."),
    (r"^head\.gtc_head\.tgt_word_prj\.", "nrtr.classifier."),
    (r"^head\.gtc_head\.decoder\.", "nrtr.blocks."),
    (r"^(nrtr\.blocks\.\d)\.self_attn\.out_proj\.", r"\1.self_attention.proj."),
    (r"^(nrtr\.blocks\.\d)\.self_attn\.", r"\1.self_attention."),
    (r"^(nrtr\.blocks\.\d)\.cross_attn\.out_proj\.", r"\1.cross_attention.proj."),
    (r"^(nrtr\.blocks\.\d)\.cross_attn\.", r"\1.cross_attention."),
    (r"^(nrtr\.blocks\.\d)\.mlp\.", r"\1."),
    (r"\._mean$", ".running_mean"),
    (r"\._variance$", ".running_var"),
]

# The way back, for files that PaddleOCR reads. Order matters here too.
_BACKBONES: dict[str, Renaming] = {
    "PPLCNetV3": [
        (r"^backbone\.stem\.", "backbone.conv1."),
        (r"^(backbone.*)\.depthwise\.", r"\1.dw_conv."),
        (r"^(backbone.*)\.pointwise\.", r"\1.pw_conv."),
        (r"^(backbone.*)\.squeeze\.", r"\1.se."),
        (r"^(backbone.*)\.branches\.", r"\1.conv_kxk."),
        (r"^(backbone.*)\.branch_1x1\.", r"\1.conv_1x1."),
        (r"^(backbone.*)\.post_affine\.", r"\1.act.lab."),
        (r"^(backbone.*)\.affine\.", r"\1.lab."),
        (r"^backbone\.stages\.(\d)\.", lambda m: f"backbone.blocks{int(m[1]) + 2}."),
    ],
    "PPLCNetV4": [
        (r"^backbone\.stem\.conv1\.", "backbone.conv1.0."),
        (r"^backbone\.stem\.conv2\.", "backbone.conv1.2."),
        (r"^backbone\.stem\.", "backbone.conv1."),
        (r"^(backbone.*)\.depthwise\.branch\.", r"\1.token_mixer.rep_dw.conv."),
        (r"^(backbone.*)\.depthwise\.branch_1x1\.", r"\1.token_mixer.rep_dw.conv1."),
        (r"^(backbone.*)\.depthwise\.rep_bn\.", r"\1.token_mixer.rep_dw.bn."),
        (r"^(backbone.*)\.depthwise\.", r"\1.token_mixer.dw_conv."),
        (r"^(backbone.*)\.squeeze\.", r"\1.token_mixer.se."),
        (r"^(backbone.*)\.(expand|compress)\.", r"\1.channel_mixer.\2."),
        (r"^backbone\.stages\.(\d)\.", lambda m: f"backbone.blocks{int(m[1]) + 2}."),
    ],
    "PPHGNetV2": [
        (r"\.gather1\.", ".aggregation_squeeze_conv."),
        (r"\.gather2\.", ".aggregation_excitation_conv."),
    ],
}
_NECKS: dict[str, Renaming] = {
    "SVTR": [(r"^(neck\.conv\d)\.bn\.", r"\1.norm."), (r"^neck\.conv5\.", "neck.conv1x1.")],
    "LightSVTR": [
        (r"^neck\.(reduce|shortcut)\.bn\.", r"neck.\1.norm."),
        (r"^neck\.reduce\.", "neck.conv_reduce."),
        (r"^neck\.shortcut\.", "neck.skip_conv."),
        (r"^neck\.local\.conv\.", "neck.local_conv.0."),
        (r"^neck\.local\.bn\.", "neck.local_conv.1."),
    ],
    "Conv": [
        (r"^head\.fc\.", "head.fc2."),
        (r"^neck\.fc\.", "head.fc1."),
        (r"^neck\.conv1\.conv\.", "head.guide_layer.0."),
        (r"^neck\.conv1\.bn\.", "head.guide_layer.1."),
        (r"^neck\.conv2\.conv\.", "head.guide_layer.3."),
        (r"^neck\.conv2\.bn\.", "head.guide_layer.4."),
    ],
}
_REST: Renaming = [
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


def to_state(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """PaddleOCR's arrays under our names and in torch's layout (linear weights transposed)."""
    state = {}
    for theirs, array in arrays.items():
        name = theirs
        for pattern, ours in _NAMES:
            name = re.sub(pattern, ours, name)
        # A table of sines, which is computed here, and a classifier of pictures that no recogniser asks.
        if name.endswith("positional_encoding.pe") or name.startswith(
            ("backbone.fc.", "backbone.last_conv.")
        ):
            continue
        linear = array.ndim == 2 and not name.startswith("nrtr.embedding.")
        tensor = torch.from_numpy(np.ascontiguousarray(array.T if linear else array))
        if tensor.dim() == 3:
            tensor = tensor.unsqueeze(2)  # a convolution over the frames, here one of height 1
        if ".self_attention.qkv." in name:
            # One projection there, a query and a key-value projection here.
            query, key_value = tensor.tensor_split([len(tensor) // 3])
            state[name.replace(".qkv.", ".q.")] = query
            state[name.replace(".qkv.", ".kv.")] = key_value
        else:
            state[name] = tensor
    return state


def from_state(state: Mapping[str, Tensor], architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    """An unfolded network's tensors under PaddleOCR's names and in Paddle's layout."""
    # torch counts batches, Paddle does not.
    tensors = {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}
    for query in [name for name in tensors if ".self_attention.q." in name]:
        key_value = query.replace(".q.", ".kv.")
        joint = torch.cat((tensors.pop(query), tensors.pop(key_value)))
        tensors[query.replace(".q.", ".qkv.")] = joint
    renaming = (*_BACKBONES[architecture.backbone], *_NECKS[architecture.neck], *_REST)
    arrays = {}
    for ours, tensor in tensors.items():
        part = ours.rsplit(".", 2)[0]
        # A layer of branches and a plain one both have a norm, which stands at different places there.
        name = ours.replace(".bn.", ".rep_bn.") if f"{part}.branch.bn.weight" in tensors else ours
        for pattern, theirs in renaming:
            name = re.sub(pattern, theirs, name)
        if tensor.dim() == 2 and not ours.startswith("nrtr.embedding."):
            tensor = tensor.T
        elif architecture.neck == "Conv" and tensor.dim() == 4 and ours.startswith("neck."):
            tensor = tensor.squeeze(2)
        arrays[name] = np.ascontiguousarray(tensor.detach().cpu().float().numpy())
    return arrays
