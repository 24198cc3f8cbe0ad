"""The CTC loss, the NRTR loss of the guide, and the loss of a teacher."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from linetune.core.charset import BLANK, AliasClasses, Charset
from linetune.core.device import to_device
from linetune.models.network import Network
from linetune.models.nrtr import PAD, NRTRHead, guide_tokens

NEVER = -1e30
"""Log-probability of a class that was added to another one. The gradient of an infinite one would be NaN."""
TEACHER_WEIGHT = 1.0
"""Weight of the teacher's loss relative to the CTC loss. No other was tried."""
TEMPERATURE = 3.0
"""Temperature at which characters are compared with the teacher (Hinton et al. 2015, arXiv 1503.02531).
The teacher is certain of the crops that it was trained on. Only above 1 does it say which characters look
alike."""
LABEL_SMOOTHING = 0.1
"""Label smoothing over the other classes, as in PaddleOCR."""


def stage_loss(
    network: Network,
    features: Tensor,
    labels: Sequence[Sequence[int]],
    nrtr_weight: float,
    aliases: AliasClasses = (),
    taught: Tensor | None = None,
) -> Tensor:
    """Return the loss of a stage, the mean over the crops.

    It is CTC, and NRTR times its weight if the network has the guide. With a teacher, its loss times
    :data:`TEACHER_WEIGHT` is added. A crop without a label has the loss of the teacher alone.

    Args:
        network: the network that learns.
        features: (batch, channels, 1, frames), those of its backbone.
        labels: CTC classes of each text, without blanks. Empty for a crop without a label.
        nrtr_weight: the weight of NRTR. The guide learns the first class of each character. Reading does not
            use the guide.
        aliases: those of the charset.
        taught: the log-probabilities of a teacher (batch, frames, classes), if there is one.
    """
    logits = network.classify(features)
    loss = logits.new_zeros((), dtype=torch.float32)
    if labelled := [row for row, label in enumerate(labels) if label]:
        rows = labelled if len(labelled) < len(labels) else slice(None)
        known = [labels[row] for row in labelled]
        loss = ctc_loss(logits[rows], known, aliases)
        if nrtr_weight and network.nrtr is not None:
            loss = loss + nrtr_weight * nrtr_loss(network.nrtr, features[rows], known)
        loss = loss * (len(labelled) / len(labels))
    return loss if taught is None else loss + TEACHER_WEIGHT * teacher_loss(logits, taught, aliases)


def teacher_loss(logits: Tensor, taught: Tensor, aliases: AliasClasses = ()) -> Tensor:
    """Return how far the characters of a batch are from those of a teacher, in nats: the sum of all frames,
    the mean of the crops.

    It is the Kullback-Leibler divergence of the characters at :data:`TEMPERATURE`, given that a frame has
    one, times the probability of the teacher that it has one. Which frame shows a character is left to CTC.
    A small network that has to agree with its teacher on this becomes unsure of every frame.

    Args:
        logits: (batch, frames, classes).
        taught: the log-probabilities of the teacher for the same images, in the same shape.
        aliases: those of the charset. The classes of a character count together.
    """
    own = _characters(added_up(logits.float().log_softmax(2), aliases))
    shown = 1 - taught[:, :, BLANK].exp()
    divergence = F.kl_div(own, _characters(taught), reduction="none", log_target=True).sum(2)
    return TEMPERATURE**2 * (shown * divergence).sum() / len(logits)


def _characters(log_probabilities: Tensor) -> Tensor:
    """Return the log-probabilities of the characters at :data:`TEMPERATURE`, given that there is one."""
    return (log_probabilities[:, :, BLANK + 1 :] / TEMPERATURE).log_softmax(2)


def ctc_loss(logits: Tensor, labels: Sequence[Sequence[int]], aliases: AliasClasses = ()) -> Tensor:
    """Return the mean negative log-likelihood of a batch. It is not divided by label lengths, as in
    PaddleOCR.

    Args:
        logits: (batch, frames, classes). All frames count, also those of padding.
        labels: CTC classes of each text, without blanks.
        aliases: those of the charset.
    """
    return ctc_losses(logits.float().log_softmax(2), labels, aliases).mean()


def ctc_losses(
    log_probabilities: Tensor, labels: Sequence[Sequence[int]], aliases: AliasClasses = ()
) -> Tensor:
    """Return the negative log-likelihood of each label, (batch,). It is infinite if a label needs more
    frames.

    The probability of a character is the sum over its classes. Each frame may use another one of them.

    Args:
        log_probabilities: (batch, frames, classes). All frames count, also those of padding.
        labels: CTC classes of each text, without blanks: the first class of each character.
        aliases: those of the charset.
    """
    log_probabilities = added_up(log_probabilities, aliases)
    batch, frames, _ = log_probabilities.shape
    flat = torch.tensor([c for label in labels for c in label], dtype=torch.long)
    return F.ctc_loss(
        log_probabilities.transpose(0, 1),
        to_device(flat, log_probabilities.device),
        torch.full((batch,), frames, dtype=torch.long),
        torch.tensor([len(label) for label in labels]),
        reduction="none",
    )


def added_up(log_probabilities: Tensor, aliases: AliasClasses) -> Tensor:
    """Return log-probabilities of the same shape: those of each character at its first class, and
    :data:`NEVER` at its others."""
    if not aliases:
        return log_probabilities
    device = log_probabilities.device
    extra = to_device(torch.tensor([each for each, _ in aliases]), device)
    # The gradient of torch's CTC loss assumes probabilities that add up to 1.
    summed = log_probabilities.index_fill(2, extra, NEVER)
    while aliases:
        one_each = {first: each for each, first in aliases}
        first, each = (to_device(torch.tensor([*some]), device) for some in (one_each, one_each.values()))
        both = summed.index_select(2, first), log_probabilities.index_select(2, each)
        summed = summed.index_copy(2, first, torch.logaddexp(*both))
        aliases = [pair for pair in aliases if one_each[pair[1]] != pair[0]]
    return summed


def label_losses(
    probabilities: NDArray[np.float32], texts: Sequence[str], charset: Charset
) -> NDArray[np.float32]:
    """Return the negative log-likelihood of each text, (batch,).

    It is infinite for a text with a character outside the charset, and for a text that needs more frames.

    Args:
        probabilities: class probabilities (batch, frames, classes).
        texts: one text for each element of the batch.
        charset: the characters of the classes.
    """
    known = np.array([not charset.missing(text) for text in texts])
    labels = [charset.encode(text) if spelled else [] for text, spelled in zip(texts, known, strict=True)]
    # A probability of exactly 0 would make every label with such a frame impossible.
    losses = ctc_losses(
        torch.from_numpy(probabilities).clamp_min(1e-12).log(), labels, charset.alias_classes
    ).numpy()
    return np.where(known, losses, np.float32(np.inf))


def nrtr_loss(head: NRTRHead, features: Tensor, labels: Sequence[Sequence[int]]) -> Tensor:
    """Return the mean cross-entropy of the next token, without padding."""
    tokens = to_device(guide_tokens(labels), features.device)
    logits = head(features, tokens[:, :-1]).float()
    classes = logits.shape[2]
    # torch spreads the smoothing over all classes, PaddleOCR over all except the right one.
    smoothing = LABEL_SMOOTHING * classes / (classes - 1)
    return F.cross_entropy(
        logits.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=PAD, label_smoothing=smoothing
    )
