"""The state of a stage holds everything that a resumed stage needs."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from linetune.config import Stage
from linetune.core.charset import Charset
from linetune.core.labelfile import read_labels
from linetune.data.dataset import Dataset, load_dataset
from linetune.evaluation.metrics import Score
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.training.batches import ImageBatches, endless
from linetune.training.state import Validation
from linetune.training.trainer import Rows, Trainer

TEXTS = [f"A{number}{7 * number % 90 + 10}" for number in range(8)]
CHARSET = Charset.collect(TEXTS)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Dataset:
    return load_dataset(read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS)), CHARSET)


def trainer(seed: int) -> Trainer:
    torch.manual_seed(seed)
    network = fold(Network(PPOCRMobile(scale=0.35), CHARSET.classes))
    return Trainer(network, STAGE, (0, 0), torch.float32, 4, Rows(new=[2]))


STAGE = Stage(name="one", data=["train"], epochs=9, learning_rate=1e-3, batch_size=4)


def train(one: Trainer, data: Dataset, start: int, stop: int) -> None:
    batches = endless(ImageBatches(data, STAGE, 0, 0, CPU))
    for epoch, batch in itertools.islice(batches, start, stop):
        one.step(batch, epoch, 1e-3)


def weights(one: Trainer) -> list[Tensor]:
    return [*one.state.network.state_dict().values(), *one.state.average.network.state_dict().values()]


def test_a_stage_that_is_loaded_goes_on_to_the_very_same_weights(data: Dataset) -> None:
    whole, begun, resumed = trainer(1), trainer(1), trainer(2)
    train(whole, data, 0, 6)
    train(begun, data, 0, 4)
    begun.state.keep_if_best(Validation(True, 0.5, Score(0.5, -0.1, 8)))
    file = io.BytesIO()
    torch.save(begun.state.state_dict(), file)
    file.seek(0)
    resumed.state.load_state_dict(torch.load(file, weights_only=True))
    assert resumed.state.progress == begun.state.progress
    assert resumed.state.best == begun.state.best
    assert resumed.state.best_weights.keys() == begun.state.best_weights.keys()
    train(resumed, data, 4, 6)
    assert all(map(torch.equal, weights(resumed), weights(whole)))
    assert resumed.state.factors == whole.state.factors != trainer(2).state.factors


def test_training_can_go_back_to_its_best_validation(data: Dataset) -> None:
    one = trainer(1)
    train(one, data, 0, 2)
    best = [tensor.clone() for tensor in weights(one)]
    assert one.state.keep_if_best(Validation(True, 0.5, Score(0.5, -0.1, 8)))
    train(one, data, 2, 5)
    assert not one.state.keep_if_best(Validation(True, 0.4, Score(0.9, -0.1, 8)))
    one.state.return_to_best()
    assert all(map(torch.equal, weights(one), best))
    assert (one.state.progress.step, one.state.progress.best_step) == (5, 2)
