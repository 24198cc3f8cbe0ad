"""A recogniser's network: the backbone and neck of its family, and the heads."""

from __future__ import annotations

import copy
import functools
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linetune.core.errors import LinetuneError
from linetune.core.image import HEIGHT
from linetune.models.architecture import Architecture
from linetune.models.layers.reparam import fold
from linetune.models.nrtr import NRTRHead

PARAMETERS = 2**26
"""Most parameters of a network, 270 MB. The largest official recogniser has 28 million."""


class Network(nn.Module):
    """Images (batch, 3, 48, width) in [-1, 1] to CTC logits (batch, width // 8, classes).

    Args:
        architecture: builds the backbone and the neck.
        classes: CTC classes, the blank included.
        guide: whether to have the NRTR head, which guides training. ``forward`` does not use it.
    """

    def __init__(self, architecture: Architecture, classes: int, guide: bool = False) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = architecture.make_backbone()
        self.neck = architecture.make_neck(self.backbone.channels)
        self.head = CTCHead(self.neck.channels, classes)
        self.nrtr = new_guide(self, classes - 1) if guide else None

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.backbone(images))

    def classify(self, features: Tensor) -> Tensor:
        """Return logits of the backbone's features (batch, channels, 1, frames)."""
        return self.head(self.neck(features))

    @property
    def classes(self) -> int:
        """CTC classes, the blank included."""
        return self.head.fc.out_features

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.head.fc.weight.device

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return class probabilities (batch, frames, classes) of packed images, in evaluation mode."""
        images = torch.from_numpy(batch).to(self.device, memory_format=torch.channels_last)
        return self.evaluated(lambda inputs: self(inputs).softmax(2), images)

    def evaluated(self, function: Callable[[Tensor], Tensor], inputs: Tensor) -> NDArray[np.float32]:
        """Return the result of a function of this network in evaluation mode, on the CPU."""
        training = self.training
        self.eval()
        with torch.inference_mode():
            out = function(inputs).float().cpu().numpy()
        self.train(training)
        return np.asarray(out, np.float32)


class CTCHead(nn.Module):
    """A sequence (batch, frames, inputs) to logits (batch, frames, classes), class 0 the blank."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


def new_guide(network: Network, characters: int) -> NRTRHead:
    """Return an untrained NRTR head for a network. ``characters`` is their number without the blank."""
    return NRTRHead(network.backbone.channels, characters, network.architecture.guide_channels)


def feed_weights(module: nn.Module, update: Callable[[bytes | memoryview], object]) -> None:
    """Call the ``update`` of a hash with the names and the values of all tensors."""
    for name, tensor in module.state_dict().items():
        update(name.encode())
        update(tensor.detach().cpu().contiguous().numpy().data)


def refuse_huge(architecture: Architecture, classes: int, where: object = None) -> None:
    """Check that a network of these settings, which a file names, fits into memory.

    Raises:
        LinetuneError: it has more than :data:`PARAMETERS` parameters, or there is no such network.
    """
    try:
        with torch.device("meta"):
            parameters = sum(each.numel() for each in Network(architecture, classes).parameters())
    except (TypeError, ValueError, ArithmeticError, RuntimeError):
        raise LinetuneError("no network has these settings", where, "download the file again") from None
    if parameters > PARAMETERS:
        what = f"a network of {parameters:,} parameters, but linetune reads {PARAMETERS:,}"
        raise LinetuneError(what, where, "choose the file of a PP-OCR recogniser")


def empty_folded(architecture: Architecture, classes: int) -> Network:
    """Return a folded network without values, for ``load_state_dict(..., assign=True)``.

    Raises:
        LinetuneError: it would be too large.
    """
    return copy.deepcopy(_skeleton(architecture, classes))


@functools.lru_cache(maxsize=16)  # a run loads several models of one form; without values they are small
def _skeleton(architecture: Architecture, classes: int) -> Network:
    refuse_huge(architecture, classes)
    with torch.random.fork_rng(devices=[]):
        # Not made on the meta device: arithmetic there imports torch's compiler, which takes two seconds.
        return fold(Network(architecture, classes)).eval().to("meta")


def seconds_a_crop(architecture: Architecture, classes: int, width: int, repeats: int = 5) -> float:
    """Return the median time of a folded network for one image (1, 3, 48, width) on the CPU, in s."""
    network = fold(Network(architecture, classes)).eval()
    batch = np.zeros((1, 3, HEIGHT, width), np.float32)
    times = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        network.run(batch)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])  # the first run also sets up the network
