"""The baseline of the speed benchmark: a PP-OCR recogniser trained as PaddleOCR does, in plain PyTorch.

The network keeps all its branches and batch norms, every crop is read, augmented and padded to 320 px anew
in each epoch by a data loader's workers, and one learning rate serves all tensors in fp32.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.image import HEIGHT, MIN_WIDTH, Crop
from linetune.core.labelfile import Line
from linetune.models.families.pp_ocr_mobile import PPLCNetV3
from linetune.models.layers.reparam import Affine, ConvBN, FoldedRepLayer, RepLayer
from linetune.models.network import Network
from linetune.training.losses import ctc_loss
from linetune.training.schedule import rate_at

SMALL_PART = 0.1
"""Size of the 1 x 1 and identity branches relative to the folded filter."""
SMALLEST_FILTER = 1e-6
"""Norm below which a filter counts as zero."""
AFFINE_RATE = 0.1
"""Learning rate of the affines relative to all else (PaddleOCR's ``lab_lr``)."""
PROBABILITY = 0.4
"""Of every augmentation (PaddleOCR's RecAug)."""
MAX_CROP = 8
"""Most that is cut off the top or the bottom, px."""
PERSPECTIVE = 4.0
"""Largest displacement of the corners, px."""
BEND = 4.0
"""Largest displacement of the smooth distortion's control points, px."""
CONTRAST, BRIGHTNESS = 0.4, 40.0
"""Largest change of the gain, and of the offset in grey levels."""
NOISE = 15.0
"""Largest standard deviation of the noise, grey levels."""
WORKERS = 2

Sample = tuple[Tensor, list[int]]


@dataclass(frozen=True)
class Branch:
    """One addend of a layer: ``size`` times the output of ``inner``, by way of a batch norm."""

    inner: nn.Module
    norm: nn.BatchNorm2d
    size: Tensor
    """One a channel."""


@torch.no_grad()
def unfolded(network: Network, images: Iterable[Tensor], seed: int = 0) -> Network:
    """The training form of a folded network, with branches and batch norms: the same function.

    The official training weights are not everywhere to be had, so the branches are made from the folded
    kernels. Their filters have the size of He initialisation: a batch norm makes the size irrelevant to
    the function, but not to the optimiser, and folded filters are up to a thousand times smaller or larger.

    Args:
        network: folded; untouched. Its NRTR guide is left out.
        images: batches (batch, 3, 48, width) in [-1, 1] that the batch norms' statistics are taken from;
            they should be padded as those of the training.
        seed: of the branches' shares.
    """
    rng = torch.Generator().manual_seed(seed)
    source = copy.deepcopy(network).eval()
    out = Network(network.architecture, network.classes)
    # What has no branches keeps its name: squeezes, attention, layer norms and linear layers.
    out.load_state_dict(source.state_dict(), strict=False)
    layers = dict(out.named_modules())
    calibrated: list[tuple[nn.Conv2d, list[Branch]]] = []
    for name, folded in source.named_modules():
        layer = layers.get(name)
        if isinstance(layer, RepLayer):
            assert isinstance(folded, FoldedRepLayer)
            calibrated.append((folded.conv, _split(folded.conv, layer, rng)))
            if folded.shift is not None:
                layer.post_affine.bias.copy_(folded.shift)
        elif isinstance(layer, ConvBN):
            assert isinstance(folded, nn.Conv2d)
            calibrated.append((folded, [_conv_branch(layer, folded.weight)]))
    *_, last = (layer for layer in out.backbone.modules() if isinstance(layer, RepLayer))
    assert isinstance(source.backbone, PPLCNetV3)
    last.post_affine.load_state_dict(source.backbone.affine.state_dict())

    for conv, branches in calibrated:
        conv.register_forward_pre_hook(_observer(branches))
    for batch in images:
        source(batch)
    for conv, branches in calibrated:
        for branch in branches:
            _make_linear(branch)
        assert conv.bias is not None
        branches[0].norm.bias.add_(conv.bias)
    return out.eval()


def _split(conv: nn.Conv2d, layer: RepLayer, rng: torch.Generator) -> list[Branch]:
    """Distribute a folded kernel over a layer's branches: the small ones at random, the others the rest."""
    kernel = conv.weight.detach().clone()
    sizes = SMALL_PART * kernel.flatten(1).norm(dim=1)
    centre = conv.kernel_size[0] // 2
    small = []
    if layer.branch_1x1 is not None:
        like = layer.branch_1x1.conv.weight
        part = sizes.view(-1, 1, 1, 1) * torch.randn(like.shape, generator=rng)
        kernel[:, :, centre, centre] -= part[:, :, 0, 0]
        small.append(_conv_branch(layer.branch_1x1, part))
    if layer.identity is not None:
        part = sizes * torch.randn(sizes.shape, generator=rng)
        channels = torch.arange(len(kernel))
        kernel[channels, channels % kernel.shape[1], centre, centre] -= part
        small.append(Branch(nn.Identity(), layer.identity, part))
    shares = torch.rand(len(layer.branches), *kernel.shape, generator=rng)
    parts = kernel * shares / shares.sum(0)
    return [*(_conv_branch(b, part) for b, part in zip(layer.branches, parts, strict=True)), *small]


def _conv_branch(layer: nn.Module, kernel: Tensor) -> Branch:
    """A layer that is to convolve with ``kernel``, its filters brought to the norm of He initialisation."""
    assert isinstance(layer, ConvBN)
    sizes = kernel.flatten(1).norm(dim=1).clamp(min=SMALLEST_FILTER) / math.sqrt(2)
    layer.conv.weight.copy_(kernel / sizes.view(-1, 1, 1, 1))
    return Branch(layer.conv, layer.bn, sizes)


def _observer(branches: Sequence[Branch]) -> Callable[[nn.Module, tuple[Tensor]], None]:
    """A hook that shows its module's input to the branches, whose batch norms average over all batches."""
    for branch in branches:
        branch.norm.momentum = None

    def observe(_: nn.Module, inputs: tuple[Tensor]) -> None:
        for branch in branches:
            branch.norm(branch.inner(inputs[0]))

    return observe


def _make_linear(branch: Branch) -> None:
    """Let a calibrated batch norm, in evaluation mode, multiply by the branch's size and do nothing else."""
    norm = branch.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.weight.copy_(branch.size * torch.sqrt(norm.running_var + norm.eps))
    norm.bias.copy_(branch.size * norm.running_mean)
    norm.momentum = 0.1


class PlainDataset(torch.utils.data.Dataset[Sample]):
    """Crops read from disk whenever they are asked for, padded to 48 x 320, with their CTC classes."""

    def __init__(self, lines: Sequence[Line], charset: Charset, augment: bool) -> None:
        self.lines = lines
        self.charset = charset
        self.augment = augment

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> Sample:
        line = self.lines[index]
        crop = image.resize(image.read(line.image))
        if self.augment:
            # From torch's stream, which a data loader seeds anew for each worker and epoch.
            crop = _augmented(crop, np.random.default_rng(int(torch.randint(2**62, ()))))
        width = min(crop.shape[1], MIN_WIDTH)
        crop = np.asarray(cv2.resize(crop, (width, HEIGHT)), np.uint8)
        return torch.from_numpy(image.pack([crop], MIN_WIDTH)[0]), self.charset.encode(line.text)


def collate(samples: Sequence[Sample]) -> tuple[Tensor, list[list[int]]]:
    """Images (batch, 3, 48, 320) and the labels."""
    return torch.stack([crop for crop, _ in samples]), [label for _, label in samples]


def _augmented(crop: Crop, rng: np.random.Generator) -> Crop:
    """A crop after each operation with its probability; it may have lost a few rows."""
    warp, cut, blur, brightness, noise, invert = rng.random(6) < PROBABILITY
    if warp:
        crop = _warped(crop, rng)
    if cut:
        rows = int(rng.integers(1, MAX_CROP + 1))
        crop = crop[rows:] if rng.random() < 0.5 else crop[:-rows]
    if blur:
        crop = np.asarray(cv2.GaussianBlur(crop, (5, 5), 1), np.uint8)
    if brightness:
        gain, offset = 1 + CONTRAST * rng.uniform(-1, 1), BRIGHTNESS * rng.uniform(-1, 1)
        crop = np.asarray(cv2.addWeighted(crop, gain, crop, 0, offset), np.uint8)
    if noise:
        added = rng.normal(0, NOISE * rng.random(), crop.shape)
        crop = (crop + added).clip(0, 255).astype(np.uint8)
    return 255 - crop if invert else crop


def _warped(crop: Crop, rng: np.random.Generator) -> Crop:
    """A random perspective after a smooth distortion, resampled once."""
    height, width = crop.shape[:2]
    corners = np.array(((0, 0), (width, 0), (width, height), (0, height)), np.float32)
    moved = corners + rng.uniform(-PERSPECTIVE, PERSPECTIVE, corners.shape).astype(np.float32)
    control = rng.uniform(-BEND, BEND, (2, 6, 2)).astype(np.float32)
    bend = cv2.resize(control, (width, height), interpolation=cv2.INTER_CUBIC)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), 2) + bend
    points = cv2.perspectiveTransform(
        grid.reshape(1, -1, 2).astype(np.float32), cv2.getPerspectiveTransform(corners, moved)
    ).reshape(height, width, 2)
    warped = cv2.remap(
        crop, points[..., 0], points[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def train_plain(
    network: Network,
    lines: Sequence[Line],
    charset: Charset,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    augment: bool,
    freeze_backbone: bool = False,
    seed: int = 0,
    after_epoch: Callable[[int], None] | None = None,
    max_steps: int | None = None,
) -> float:
    """Train an unfolded network in place, with CTC alone, and return the images trained on per second.

    Args:
        network: unfolded, on the device to train on.
        lines: the crops to train on.
        charset: the network's characters.
        epochs: passes over the crops; the learning rate falls to 0 with the last.
        batch_size: crops a step.
        learning_rate: its peak.
        augment: whether to augment the crops.
        freeze_backbone: leave the backbone as it is, though every step runs it.
        seed: of order, augmentation and dropout.
        after_epoch: called with the epoch's number, from 1; its time does not count.
        max_steps: stop after so many steps, at least three: the first two do not count, since workers
            start and memory is first allocated in them.
    """
    torch.manual_seed(seed)
    loader = DataLoader(
        PlainDataset(lines, charset, augment),
        batch_size,
        shuffle=True,
        num_workers=WORKERS,
        collate_fn=collate,
        persistent_workers=True,
    )
    network.requires_grad_(True)
    network.backbone.requires_grad_(not freeze_backbone)
    affines: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for module in network.modules():
        (affines if isinstance(module, Affine) else others).extend(module.parameters(recurse=False))
    optimiser = torch.optim.Adam([{"params": others}], learning_rate, betas=(0.9, 0.999))
    optimiser.add_param_group({"params": affines, "lr": AFFINE_RATE * learning_rate})
    steps, warmup = epochs * len(loader), 0.5 * len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, steps, warmup, 1.0))
    counts: list[int] = []
    seconds: list[float] = []
    for epoch in range(1, epochs + 1):
        network.train()
        network.backbone.train(not freeze_backbone)
        started = time.perf_counter()
        for images, labels in loader:
            loss = ctc_loss(network(images.to(network.device)), labels)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            now = time.perf_counter()
            counts.append(len(images))
            seconds.append(now - started)
            started = now
            if len(seconds) == max_steps:
                return sum(counts[2:]) / sum(seconds[2:])
        if after_epoch is not None:
            after_epoch(epoch)
    return sum(counts[2:]) / sum(seconds[2:])
