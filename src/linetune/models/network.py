"""A recogniser's network: backbone, neck and head put together from its architecture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linetune.models.backbones.pplcnetv3 import PPLCNetV3
from linetune.models.heads.ctc import CTCHead
from linetune.models.heads.nrtr import NRTRHead
from linetune.models.necks.svtr import SVTRNeck
from linetune.models.reparam import fold

Part = Literal["backbone", "neck", "head"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """What distinguishes one official recogniser's network from another."""

    backbone: Literal["PPLCNetV3"] = "PPLCNetV3"
    scale: float = 0.95
    neck: Literal["SVTR"] = "SVTR"


class Network(nn.Module):
    """Images (batch, 3, 48, width) in [-1, 1] to CTC logits (batch, width // 8, classes).

    Args:
        architecture: which backbone and neck.
        classes: CTC classes, the blank included.
        guide: whether to carry the NRTR head that guides training; it takes no part in ``forward``.
    """

    def __init__(self, architecture: Architecture, classes: int, guide: bool = False) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = PPLCNetV3(architecture.scale)
        self.neck = SVTRNeck(self.backbone.channels)
        self.head = CTCHead(self.neck.channels, classes)
        self.nrtr = NRTRHead(self.backbone.channels, classes - 1) if guide else None

    def forward(self, images: Tensor) -> Tensor:
        return self.classify(self.backbone(images))

    def classify(self, features: Tensor) -> Tensor:
        """Logits of the backbone's features (batch, channels, 1, frames)."""
        out: Tensor = self.head(self.neck(features))
        return out

    @property
    def classes(self) -> int:
        """CTC classes, the blank included."""
        return self.head.fc.out_features

    @property
    def device(self) -> torch.device:
        """Where the parameters lie."""
        return self.head.fc.weight.device

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Class probabilities (batch, frames, classes) of packed images, in evaluation mode."""
        images = torch.from_numpy(batch).to(self.device, memory_format=torch.channels_last)
        return self._probabilities(self, images)

    def run_features(self, features: Tensor) -> NDArray[np.float32]:
        """Class probabilities of the backbone's features (batch, channels, 1, frames), in evaluation mode."""
        return self._probabilities(self.classify, features.to(self.device, torch.float32))

    def _probabilities(self, function: Callable[[Tensor], Tensor], inputs: Tensor) -> NDArray[np.float32]:
        training = self.training
        self.eval()
        with torch.inference_mode():
            probabilities = function(inputs).softmax(2).float().cpu().numpy()
        self.train(training)
        return np.asarray(probabilities, np.float32)


def empty_folded(architecture: Architecture, classes: int) -> Network:
    """A folded network of arbitrary values, for ``load_state_dict(..., assign=True)``."""
    # Not on the meta device: arithmetic there imports torch's compiler, two seconds of every command.
    return fold(Network(architecture, classes)).eval()
