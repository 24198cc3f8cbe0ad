"""The contents of transformers' ``config.json`` and ``preprocessor_config.json`` for a recogniser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.models.architecture import Architecture
from linetune.models.families import FAMILIES, nearest_official

BGR_PROCESSOR = "PPOCRV6SmallRecImageProcessor"
"""The class that resizes like OpenCV and uses BGR, like linetune. The older class uses smoothed RGB."""
BLANK = "blank"
_OF_NO_CONSEQUENCE = {"architectures", "dtype", "layer_norm_eps", "backbone_config.out_features"}
"""Settings of an official configuration that may differ from ours."""


def to_config(architecture: Architecture, classes: int) -> dict[str, Any]:
    """Return the contents of ``config.json`` for a network.

    Raises:
        ValueError: transformers has no class for the family.
    """
    if not architecture.hf_classes:
        raise ValueError(f"transformers has no class for {architecture.family}")
    described = architecture.hf_config()
    kind = described.pop("model_type")
    return {
        "architectures": [architecture.hf_classes[kind]],
        "model_type": kind,
        "dtype": "float32",
        "head_out_channels": classes,
        **described,
    }


def model_types() -> dict[str, type[Architecture]]:
    """Return transformers' model types that linetune knows, and their families."""
    return {name: family for family in FAMILIES.values() for name in family.hf_classes}


def architecture_of(config: Mapping[str, Any], where: Path) -> Architecture:
    """Return the architecture of a configuration. :func:`check_settings` compares the other settings.

    Raises:
        LinetuneError: linetune does not know it.
    """
    kind = config.get("model_type")
    families = model_types()
    if kind not in families or not isinstance(config.get("backbone_config"), dict):
        raise LinetuneError(
            f"linetune does not know the model type {kind!r}", where, f"known: {', '.join(sorted(families))}"
        )
    try:
        found = families[kind].from_hf(kind, config)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, StopIteration):
        raise LinetuneError("linetune knows no network with these settings", where) from None
    # transformers has no guide. Its size is that of the nearest official model.
    return replace(found, guide_channels=nearest_official(found).architecture.guide_channels)


def check_settings(config: Mapping[str, Any], architecture: Architecture, classes: int, where: Path) -> None:
    """Check that no setting of a configuration asks for another network.

    Raises:
        LinetuneError: a setting does. The message names the first one.
    """
    found = _flat(config)
    for name, value in _flat(to_config(architecture, classes)).items():
        if name in _OF_NO_CONSEQUENCE:
            continue
        if name not in found and not name.endswith("block_configs"):
            continue  # transformers uses its default
        if _plain(found.get(name)) != _plain(value):
            raise LinetuneError(f"{name} is {found.get(name)}, but linetune has {value}", where)


def to_preprocessor(charset: Charset) -> dict[str, Any]:
    """Return the contents of ``preprocessor_config.json``. The index in its list of characters is the
    class."""
    size = {"height": image.HEIGHT, "width": image.MIN_WIDTH}
    return {
        "image_processor_type": BGR_PROCESSOR,
        "do_convert_rgb": True,
        "do_resize": True,
        "size": size,
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "do_pad": True,
        "pad_size": size,
        "max_image_width": image.MAX_WIDTH,
        "character_list": [BLANK, *charset.characters],
    }


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    inner = config.get("backbone_config") or {}
    outer = {name: value for name, value in config.items() if name != "backbone_config"}
    return outer | {f"backbone_config.{name}": value for name, value in inner.items()}


def _plain(value: Any) -> Any:
    """Return a setting with its pairs of equal strides as one number."""
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return items[0] if len(items) == 2 and items[0] == items[1] else items
    return value
