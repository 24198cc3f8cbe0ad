"""Reading without the padding: the graph of an exported file cuts it off, and adds the frames again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from linetune.core.charset import BLANK
from linetune.core.image import CUT_MARGIN, CUT_STEP


class CutPadding(nn.Module):
    """Images (batch, 3, 48, width) to class probabilities (batch, frames, classes), on less padding.

    Readers pad every line to at least 320 px, and a short code pays for all of them. The graph keeps
    :func:`linetune.core.image.cut_width` of the widest line of a batch. The missing frames are blank.

    It uses only operations of ONNX, like :class:`~linetune.models.both_ways.BothWays`.

    Args:
        inner: the module that computes class probabilities. It has the attribute ``network``.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        # The tensors in the file have the names that they have without the cut: `inner` is no submodule.
        self.network = inner.network
        self._inner = (inner,)

    def forward(self, images: Tensor) -> Tensor:
        # Padding is exactly 0, and no grey level is (see ``both_ways.turned``).
        widest = (images.abs().amax((0, 1, 2)) > 0).sum()
        kept = (widest + CUT_MARGIN + CUT_STEP - 1) // CUT_STEP * CUT_STEP
        columns = torch.arange(images.shape[3], device=images.device)
        narrow = images.index_select(3, (columns < kept).nonzero().squeeze(1))
        found: Tensor = self._inner[0](narrow)
        frames = torch.arange(_frames(images.shape[3]), device=images.device)
        missing = (frames >= found.shape[1]).nonzero().squeeze(1)
        blank = (torch.arange(found.shape[2], device=images.device) == BLANK).to(found.dtype)
        rest = blank.expand(found.shape[0], images.shape[3], found.shape[2]).index_select(1, missing)
        return torch.cat((found, rest), 1)


def _frames(width: int) -> int:
    """Return :func:`linetune.core.image.frames`, in operations that the exporter of ONNX records."""
    return ((width + 1) // 2 + 1) // 2 // 2
