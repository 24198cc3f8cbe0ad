from __future__ import annotations

import pytest
import torch
from test_models import CLASSES, images, randomised

from linetune.core import image
from linetune.models.architecture import Architecture
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.families.pp_ocr_server import PPOCRServer
from linetune.models.families.pp_ocrv6 import MEDIUM, SMALL, TINY, PPOCRv6
from linetune.models.layers.reparam import RepDepthwise, RepLayer, fold
from linetune.models.network import Network
from linetune.models.unfold import unfold

SERVER = PPOCRServer()
ARCHITECTURES = [PPOCRMobile(scale=0.35), TINY, SMALL, SERVER]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_unfolding_keeps_the_function_and_folding_again_every_bit(architecture: Architecture) -> None:
    trained = randomised(Network(architecture, CLASSES))
    folded = fold(trained)
    again = unfold(folded)
    x = images(97)
    with torch.inference_mode():
        expected = trained(x).softmax(2)
        assert expected.max() > 2 / CLASSES, "a uniform answer would prove nothing"
        for network in (folded, again):
            assert (network(x).softmax(2) - expected).abs().max() < 1e-5
    branched = any(isinstance(module, (RepLayer, RepDepthwise)) for module in again.modules())
    assert branched == (architecture is not SERVER)
    before, after = folded.state_dict(), fold(again).state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("architecture", [TINY, SMALL, SERVER])
@pytest.mark.parametrize(("width", "height"), [(31, 48), (67, 48), (200, 32), (200, 64)])
def test_the_frames_are_those_of_the_other_networks(
    architecture: Architecture, width: int, height: int
) -> None:
    with torch.inference_mode():
        out = fold(Network(architecture, CLASSES)).eval()(images(width, height))
    assert out.shape == (1, image.frames(width), CLASSES)


def test_parameter_counts_are_the_official_ones() -> None:
    # PaddleOCR's figures of the unfolded networks, head and dictionary included.
    for architecture, classes, expected in (
        (TINY, 6906, 1.1e6),
        (SMALL, 18710, 5.3e6),
        (MEDIUM, 18710, 19e6),
        (SERVER, 18385, 21_043_161),  # as transformers builds it
    ):
        with torch.device("meta"):
            network = Network(architecture, classes)
        assert sum(p.numel() for p in network.parameters()) == pytest.approx(expected, rel=0.1)


def test_an_architecture_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no size 'huge'"):
        PPOCRv6(size="huge")  # type: ignore[arg-type]
