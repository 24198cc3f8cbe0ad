"""The official model that a configuration is about, by its names or by its network.

Source of the networks: PaddleOCR's ``configs/rec``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from linetune.paddle_config.document import Document

DEFAULT = "PP-OCRv5_mobile_rec"
"""The model of a configuration that does not say which one it is about."""
NAME = re.compile(
    r"((en|latin|eslav|cyrillic|el|arabic|devanagari|korean|ta|te|th)_)?PP-OCRv5_mobile_rec"
    r"|PP-OCRv4_mobile_rec|PP-OCRv5_server_rec|PP-OCRv6_(tiny|small|medium)_rec"
)
"""The names of official models that linetune has."""
Network = Mapping[str, tuple[Any, ...]]
"""Settings of a network, and the values that mean the same as in linetune."""
_BACKBONE, _HEADS = "Architecture.Backbone", "Architecture.Head.head_list"
_NECK, _CTC = f"{_HEADS}.CTCHead.Neck", f"{_HEADS}.CTCHead.Head"
_GUIDE_SIZE = f"{_HEADS}.NRTRHead.nrtr_dim"
_SIZES = (f"{_BACKBONE}.model_size", f"{_BACKBONE}.config_name")
"""Keys that say the size of a PP-OCRv6. The second one is that of its first configurations."""
_SVTR: Network = {
    f"{_NECK}.name": ("svtr",),
    f"{_NECK}.dims": (120,),
    f"{_NECK}.depth": (2,),
    f"{_NECK}.hidden_dims": (120,),
    f"{_NECK}.kernel_size": ([1, 3],),
    _GUIDE_SIZE: (384,),
}
_MOBILE: Network = {f"{_BACKBONE}.name": ("PPLCNetV3",), f"{_BACKBONE}.scale": (0.95,), **_SVTR}
_SERVER: Network = {f"{_BACKBONE}.name": ("PPHGNetV2_B4",), f"{_BACKBONE}.text_rec": (True,), **_SVTR}


def _v6(size: str, stem: str, guide: int, head: Network) -> Network:
    return {
        f"{_BACKBONE}.name": ("PPLCNetV4",),
        **dict.fromkeys(_SIZES, (size,)),
        f"{_BACKBONE}.use_rep": (True,),
        f"{_BACKBONE}.stem_type": (stem,),
        _GUIDE_SIZE: (guide,),
        **head,
    }


def _light(dims: int, ratio: float) -> Network:
    return {
        f"{_NECK}.name": ("lightsvtr",),
        f"{_NECK}.dims": (dims,),
        f"{_NECK}.depth": (2,),
        f"{_NECK}.mlp_ratio": (ratio,),
        f"{_NECK}.local_kernel": (7,),
    }


_OTHERS: Mapping[str, Network] = {
    "PP-OCRv5_server_rec": _SERVER,
    "PP-OCRv6_small_rec": _v6("small", "branch", 384, _light(120, 2)),
    "PP-OCRv6_medium_rec": _v6("medium", "branch", 512, _light(192, 4)),
    "PP-OCRv6_tiny_rec": _v6(
        "tiny",
        "simple",
        384,
        {f"{_NECK}.name": ("reshape",), f"{_CTC}.mid_channels": (80,), f"{_BACKBONE}.stem_channels": (48,)},
    ),
}


def network(official: str) -> Network:
    """Return the network of an official model, in the keys of a configuration."""
    return _OTHERS.get(official, _MOBILE)


def named(path: str) -> str | None:
    """Return the official model whose name a path's last part begins with, or None."""
    found = NAME.match(posixpath.basename(path.replace("\\", "/")))
    return found[0] if found else None


def official_model(document: Document, pretrained: str | None) -> str:
    """Return the name of the official model that a configuration is about.

    The name of the weights counts first. The names of the model and of the file count if their backbone is
    that of the configuration. Else the backbone and its size decide.

    Args:
        document: the configuration.
        pretrained: the weights that the training starts from, if the configuration names any.
    """
    if pretrained and (name := named(pretrained)):
        return name
    key = f"{_BACKBONE}.name"
    # A value that linetune lacks gets its note later.
    backbone, size = document.value(key), next(filter(None, map(document.value, _SIZES)), None)
    for name in map(named, (str(document.take("Global.model_name")), document.path.name)):
        if name and backbone in (None, *network(name)[key]):
            return name
    alike = [name for name in (DEFAULT, *_OTHERS) if backbone in network(name)[key]]
    sized = [name for name in alike if size in network(name).get(_SIZES[0], ())]
    return [*sized, *alike, DEFAULT][0]
