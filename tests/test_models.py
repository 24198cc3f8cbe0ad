from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from linetune.core import image
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.depthwise import DepthwiseConv
from linetune.models.layers.reparam import Affine, FoldedRepLayer, MergedRepLayer, RepLayer, fold, merge
from linetune.models.network import Network
from linetune.models.nrtr import BEGIN, END, FIRST_CHARACTER, PAD, NRTRHead, guide_tokens

CLASSES = 37


def randomised(network: Network, seed: int = 0) -> Network:
    """The network with values that a trained one could have, none of them at its default."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.3, 2)
        elif isinstance(module, Affine):
            # Small enough that the sum of the branches does not grow from layer to layer.
            nn.init.uniform_(module.scale, 0.5, 1.2)
            nn.init.normal_(module.bias, std=0.2)
    nn.init.normal_(network.head.fc.weight, std=0.5)
    return network.eval()


@pytest.fixture(scope="module")
def unfolded() -> Network:
    return randomised(Network(PPOCRMobile(), CLASSES, guide=True))


@pytest.fixture(scope="module")
def folded(unfolded: Network) -> Network:
    return fold(unfolded)


def images(width: int, height: int = 48, count: int = 1) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(width)) * 2 - 1


def size(module: nn.Module | None) -> int:
    assert module is not None
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("width", [8, 33, 97, 160, 321])
def test_folding_keeps_the_function(unfolded: Network, folded: Network, width: int) -> None:
    with torch.inference_mode():
        before, after = (net(images(width)).softmax(2) for net in (unfolded, folded))
    assert before.max() > 2 / CLASSES, "a uniform answer would prove nothing"
    assert (before - after).abs().max() < 1e-5


@pytest.mark.parametrize("width", [33, 160])
def test_merging_alone_keeps_the_function_too(unfolded: Network, width: int) -> None:
    merged = merge(unfolded)
    assert MergedRepLayer in {type(module) for module in merged.modules()}
    with torch.inference_mode():
        before, after = (net(images(width)).softmax(2) for net in (unfolded, merged))
    assert (before - after).abs().max() < 1e-5


def test_moving_the_affines_keeps_the_gradient(unfolded: Network) -> None:
    exact = merge(copy.deepcopy(unfolded).double())
    gradients = []
    for net in (exact, fold(exact)):
        x = images(97).double().requires_grad_(True)
        net(x).square().sum().backward()
        assert x.grad is not None
        gradients.append(x.grad)
    assert (gradients[0] - gradients[1]).abs().max() < 1e-9 * gradients[0].abs().max()


def test_folding_leaves_one_convolution_a_layer_and_the_original_untouched(unfolded: Network) -> None:
    before = {name: tensor.clone() for name, tensor in unfolded.state_dict().items()}
    folded = fold(unfolded)
    kinds = {type(module) for module in folded.modules()}
    assert FoldedRepLayer in kinds
    assert not kinds & {RepLayer, MergedRepLayer, nn.BatchNorm2d}
    assert sum(isinstance(module, Affine) for module in folded.modules()) == 1
    with torch.no_grad():
        for parameter in folded.parameters():
            parameter.zero_()
    after = unfolded.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_parameter_counts_are_the_official_ones(unfolded: Network, folded: Network) -> None:
    backbone = unfolded.backbone.state_dict()
    assert len(list(unfolded.backbone.parameters())) == 539
    assert len([name for name in backbone if not name.endswith("num_batches_tracked")]) == 831
    assert size(unfolded.backbone) == pytest.approx(4.9e6, rel=0.01)
    assert size(unfolded.neck) == pytest.approx(0.57e6, rel=0.01)
    assert size(unfolded.nrtr) == pytest.approx(9.6e6, rel=0.02)
    assert size(unfolded.head) == 121 * CLASSES
    assert size(folded.backbone) < size(unfolded.backbone) / 3


@pytest.mark.parametrize("width", [8, 31, 63, 64, 65, 66, 67, 320, 333])
def test_frames_are_what_the_network_gives(folded: Network, width: int) -> None:
    with torch.inference_mode():
        assert folded(images(width)).shape == (1, image.frames(width), CLASSES)


@pytest.mark.parametrize("height", [32, 48, 64])
def test_every_height_gives_the_same_frames(folded: Network, height: int) -> None:
    with torch.inference_mode():
        out = folded(images(200, height, count=2))
    assert out.shape == (2, image.frames(200), CLASSES)
    assert out.isfinite().all()


def test_a_crop_is_read_the_same_in_any_batch(folded: Network) -> None:
    batch = images(160, count=4)
    alone = folded.run(batch[2:3].numpy())
    together = folded.run(batch.numpy())[2:3]
    assert abs(alone - together).max() < 1e-5
    assert alone.sum(2) == pytest.approx(1, abs=1e-5)


def test_run_leaves_the_mode_as_it_was(folded: Network) -> None:
    batch = images(64).numpy()
    folded.train()
    try:
        # In evaluation mode whatever the mode was: dropout would make two runs differ.
        assert (folded.run(batch) == folded.run(batch)).all()
        assert folded.training
    finally:
        folded.eval()
    folded.run(batch)
    assert not folded.training


def test_the_guide_looks_at_no_later_token() -> None:
    torch.manual_seed(0)
    guide = NRTRHead(inputs=24, characters=20).eval()
    features = torch.randn(2, 24, 1, 9)
    tokens = torch.randint(FIRST_CHARACTER, FIRST_CHARACTER + 20, (2, 8))
    for changed in range(8):
        others = tokens.clone()
        others[:, changed] = (tokens[:, changed] + 1 - FIRST_CHARACTER) % 20 + FIRST_CHARACTER
        with torch.inference_mode():
            difference = (guide(features, tokens) - guide(features, others)).abs().amax((0, 2))
        assert (difference[:changed] < 1e-5).all()
        assert (difference[changed:] > 1e-3).all()


def test_the_guide_looks_at_the_image_and_the_order() -> None:
    torch.manual_seed(0)
    guide = NRTRHead(inputs=24, characters=20).eval()
    tokens = torch.tensor([[BEGIN, 7, 7, 7]])
    with torch.inference_mode():
        one, other = (guide(torch.randn(1, 24, 1, 9), tokens) for _ in range(2))
    assert (one - other).abs().max() > 1e-3
    assert (one[0, 1] - one[0, 2]).abs().max() > 1e-3


def test_guide_tokens_are_the_texts_between_begin_and_end() -> None:
    # CTC class 1 and NRTR token 4 are the first character.
    assert guide_tokens([[1, 5], [2]]).tolist() == [[BEGIN, 4, 8, END], [BEGIN, 5, END, PAD]]


@pytest.mark.parametrize(
    ("kernel", "stride"), [(3, (1, 1)), (3, (1, 2)), (5, (1, 1)), (5, (2, 1)), (7, (1, 1))]
)
def test_depthwise_gradients_in_bf16_are_those_of_fp32(kernel: int, stride: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = DepthwiseConv(24, 24, kernel, stride, kernel // 2, groups=24)
    x = torch.randn(3, 24, 12, 40)
    gradients = []
    for enabled in (False, True):
        image = x.clone().requires_grad_(True)
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = layer(image)
        assert out.dtype == (torch.bfloat16 if enabled else torch.float32)
        (out.float() * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        found = (image.grad, layer.weight.grad, layer.bias.grad if layer.bias is not None else None)
        gradients.append([g.clone() for g in found if g is not None])
    for exact, rounded in zip(*gradients, strict=True):
        assert (exact - rounded).abs().max() < 0.02 * exact.abs().max()
