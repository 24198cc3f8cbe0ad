from __future__ import annotations

import copy

import torch

from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.training.averaging import WeightAverage
from linetune.training.freeze import set_trainable


def test_the_average_follows_what_trains_and_leaves_what_is_frozen() -> None:
    torch.manual_seed(0)
    network = fold(Network(PPOCRMobile(scale=0.35), 12))
    set_trainable(network, ["backbone"])
    start = copy.deepcopy(network.state_dict())
    average = WeightAverage(network)
    with torch.no_grad():
        network.head.fc.bias.add_(1)
        network.get_parameter("backbone.stem.bias").add_(
            1
        )  # cannot happen in training; the average must not follow it
    moved = []
    for _ in range(400):
        average.update(network)
        moved.append((average.network.head.fc.bias - start["head.fc.bias"]).mean().item())
    assert 0 < moved[0] < 1, "one step moves the average part of the way"
    assert moved == sorted(moved)
    assert abs(moved[-1] - 1) < 1e-3, "and in the end it is there"
    assert torch.equal(average.network.state_dict()["backbone.stem.bias"], start["backbone.stem.bias"])
