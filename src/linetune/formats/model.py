"""A recogniser in memory, and the functions that all readers of formats share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.decode import Decoder, default_decoder
from linetune.decode.read import Run
from linetune.models.both_ways import BothWays
from linetune.models.network import Network


@dataclass
class Model:
    """A recogniser: its folded network, its characters, and where it came from."""

    network: Network
    charset: Charset
    base_model: str
    """The official model that it was trained from."""
    source: str
    """The file or package that it was loaded from, for messages."""
    history: dict[str, Any] = field(default_factory=dict)
    """Numbers of its training, such as its accuracy after each stage."""
    both_ways: bool = False
    """Whether every crop is read both ways up."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """The weights, data, settings, software and machine of its training. Empty if they are not known."""
    rule: dict[str, Any] = field(default_factory=dict)
    """The rule that linetune reads by, see :mod:`linetune.rules.saved`. Empty if there is none."""
    calibration: dict[str, Any] = field(default_factory=dict)
    """What turns evidence into a probability that a reading is right (``evaluation.calibration``). Empty if
    the model is not calibrated."""
    promise: dict[str, Any] = field(default_factory=dict)
    """The threshold for readings and what it promises (``evaluation.promise``). Empty without a promise."""

    @property
    def decoder(self) -> Decoder:
        """Turns the class probabilities of this model into readings."""
        return default_decoder(
            self.charset, rule=self.rule, calibration=self.calibration, promise=self.promise
        )

    @property
    def reader(self) -> Network | BothWays:
        """Reads packed images: ``run`` returns class probabilities."""
        return BothWays(self.network) if self.both_ways else self.network

    @property
    def run(self) -> Run:
        """Packed images (batch, 3, 48, width) to class probabilities (batch, frames, classes)."""
        return self.reader.run


def with_rule(model: Model, rule: Mapping[str, Any]) -> Model:
    """Return a model that reads by another rule. Its calibration and promise hold for its own rule only."""
    return model if rule == model.rule else replace(model, rule=dict(rule), calibration={}, promise={})


def fill(network: Network, tensors: Mapping[str, torch.Tensor], where: object) -> None:
    """Fill a network. Every tensor must have its place, and every place its tensor.

    Raises:
        LinetuneError: tensors are missing, left over, or have another shape.
    """
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    missing = sorted(wanted.keys() - tensors.keys())
    extra = sorted(tensors.keys() - wanted.keys())
    odd = [
        f"{name} is {tuple(tensors[name].shape)}, not {tuple(shape)}"
        for name, shape in wanted.items()
        if name in tensors and tensors[name].shape != shape
    ]
    problems = [
        f"{label}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
        for label, names in (("missing", missing), ("without a place", extra), ("of another shape", odd))
        if names
    ]
    if problems:
        raise LinetuneError(
            f"these weights do not fit the network; {'; '.join(problems)}",
            where,
            "choose the weights of this network",
        )
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    network.requires_grad_(True)
