"""The families of networks, by name, and the official models of all of them.

A family is a module of this package with ``FAMILY``, a subclass of :class:`Architecture`, and ``OFFICIAL``,
its official models.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from linetune.models.architecture import Architecture, Official

FAMILIES: dict[str, type[Architecture]] = {}
"""Families, by their name in model files."""
OFFICIAL: dict[str, Official] = {}
"""Official models by name."""
_FIRST = "PPLCNetV3"
"""The family of the first model files, which do not name it."""
_EARLIER = frozenset(("scale", "neck", "size", "neck_channels", "neck_ratio"))
"""Settings that files of earlier versions have for every family, even if the family has no such setting."""


def register(family: type[Architecture], official: Sequence[Official] = ()) -> None:
    """Register a family and its official models for training, all formats and the command line."""
    FAMILIES[family.family] = family
    OFFICIAL.update({model.name: model for model in official})


for _found in pkgutil.iter_modules(__path__, f"{__name__}."):
    _module = importlib.import_module(_found.name)
    if hasattr(_module, "FAMILY"):
        register(_module.FAMILY, _module.OFFICIAL)


def to_settings(architecture: Architecture) -> dict[str, Any]:
    """Return the description of an architecture in a model file: its family as ``backbone``, and its
    settings."""
    return {"backbone": architecture.family, **dataclasses.asdict(architecture)}


def from_settings(settings: Mapping[str, Any]) -> Architecture:
    """Return the architecture that a model file describes.

    Raises:
        TypeError, ValueError: the family or a setting is unknown.
    """
    if not isinstance(settings, Mapping):
        raise TypeError("the settings are not named")
    name = settings.get("backbone", _FIRST)
    if name not in FAMILIES:
        raise ValueError(f"no backbone {name!r}")
    family = FAMILIES[name]
    foreign = _EARLIER - {field.name for field in dataclasses.fields(family)}
    return family(**{key: value for key, value in settings.items() if key not in foreign | {"backbone"}})


def nearest_official(architecture: Architecture) -> Official:
    """Return the official model with the most settings in common with an architecture."""
    settings = to_settings(architecture).items()

    def alike(official: Official) -> tuple[bool, int]:
        theirs = to_settings(official.architecture)
        return theirs["backbone"] == architecture.family, sum(theirs.get(key) == v for key, v in settings)

    return max(OFFICIAL.values(), key=alike)
