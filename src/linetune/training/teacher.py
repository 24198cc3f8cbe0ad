"""A teacher: a finished model that says what a smaller one should give for each frame of the same images.

The teacher reads the very images that the smaller one trains on, augmentation included (function matching,
Beyer et al. 2022, arXiv 2106.05237). Both have a frame for every 8 px, so their frames can be compared.
"""

from __future__ import annotations

import torch
from torch import Tensor

from linetune.config.schema import Config
from linetune.core.charset import BLANK, Charset, show
from linetune.core.device import to_device
from linetune.core.errors import LinetuneError
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.models.network import Network
from linetune.training.losses import NEVER, added_up


class Teacher:
    """A frozen model that teaches a network with another charset of the same characters.

    Args:
        model: the finished model.
        charset: the charset of the network that learns. Its order and its aliases may differ.

    Raises:
        LinetuneError: one of the two charsets has a character that the other one lacks.
    """

    def __init__(self, model: Model, charset: Charset) -> None:
        self.model = model
        self._network = model.network.eval().requires_grad_(False)
        own = model.charset
        for some, other, whose in ((charset, own, "teacher"), (own, charset, "run")):
            if missing := [each for each in some.distinct if each not in other]:
                what = f"the charset of the {whose} lacks {show(*missing[:5])}"
                hint = "teacher and run need the same characters; linetune distil takes those of the teacher"
                raise LinetuneError(what, model.source, hint)
        first = {character: len(own) - row for row, character in enumerate(reversed(own.characters))}
        self._classes = torch.tensor([BLANK, *(first[each] for each in charset.characters)])
        self._aliases = torch.tensor([each for each, _ in charset.alias_classes], dtype=torch.long)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the log-probabilities of images, (batch, frames, classes of the network that learns).

        Those of a character are at its first class. The log-probability of its other classes is
        :data:`~linetune.training.losses.NEVER`.

        Args:
            images: (batch, 3, height, width) in [-1, 1].
        """
        with torch.no_grad():
            found = self._network(images).float().log_softmax(2)
            found = added_up(found, self.model.charset.alias_classes)
            found = found.index_select(2, to_device(self._classes, found.device))
            return found.index_fill(2, to_device(self._aliases, found.device), NEVER)


def load_teacher(config: Config, base: Model, charset: Charset) -> Teacher | None:
    """Return the teacher of a run, or None if it has none.

    Args:
        config: the run.
        base: its base model.
        charset: its charset.

    Raises:
        LinetuneError: the teacher cannot be loaded, is an exported file, is the base model, or has other
            characters.
    """
    if config.teacher is None:
        return None
    path, hint = config.teacher, "name a run folder, or the model.safetensors in it"
    if path.suffix.lower() == ".onnx":
        raise LinetuneError("an ONNX file cannot teach", path, hint)
    model = load_base(str(path))
    if model.network.architecture == base.network.architecture and _same(model.network, base.network):
        raise LinetuneError("the teacher is the base model", path, "name a finished run of a larger model")
    return Teacher(model, charset)


def _same(one: Network, other: Network) -> bool:
    """Return whether two networks of one construction have the same backbone and neck."""
    parts = ((one.backbone, other.backbone), (one.neck, other.neck))
    return all(
        torch.equal(tensor, b.state_dict()[name]) for a, b in parts for name, tensor in a.state_dict().items()
    )
