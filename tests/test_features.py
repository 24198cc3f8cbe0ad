from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from linetune.config import Stage
from linetune.config.schema import Augment
from linetune.core import cache
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels
from linetune.data.dataset import Dataset, load_dataset
from linetune.decode import default_decoder
from linetune.decode.read import read_batches, read_crops
from linetune.models.both_ways import BothWays
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.training import features
from linetune.training.batches import ImageBatches
from linetune.training.features import FeatureBatches, HeldOutFeatures

TEXTS = [f"A{i:03}" for i in range(10)] + ["AA 0123456789 AA 0123456789"]
CHARSET = Charset.collect(TEXTS)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Dataset:
    return load_dataset(read_labels(make_crops(tmp_path_factory.mktemp("crops"), TEXTS)), CHARSET)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    net = Network(PPOCRMobile(scale=0.35), CHARSET.classes)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.uniform_(0.3, 1)
    return fold(net)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def batches(
    data: Dataset, seed: int = 0, augment: Augment | None = None, batch_size: int = 4
) -> ImageBatches:
    stage = Stage(
        name="one",
        data=["train"],
        freeze=["backbone"],
        epochs=3,
        learning_rate=1e-3,
        batch_size=batch_size,
        augment=augment or Augment(),
    )
    return ImageBatches(data, stage, seed, 0, CPU)


def stored(
    network: Network, images: ImageBatches, views: int = 1, dtype: torch.dtype = torch.float32
) -> FeatureBatches:
    return FeatureBatches(network, images, views, dtype, lambda done: None)


def by_text(source: ImageBatches | FeatureBatches, epoch: int, network: Network) -> dict[str, Tensor]:
    """What the neck gets for every text."""
    found = {}
    for step in source.epoch(epoch):
        inputs = step.inputs if isinstance(source, FeatureBatches) else network.backbone(step.inputs)
        for label, feature in zip(step.labels, inputs, strict=True):
            found[CHARSET.decode(label)] = feature.detach()
    return found


def stores(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files that are written from now on."""
    written: list[Path] = []
    write = features._write

    def watched(path: Path, key: str, made: Iterator[Tensor], progress: Callable[[int], None]) -> None:
        written.append(path)
        write(path, key, made, progress)

    monkeypatch.setattr(features, "_write", watched)
    return written


def test_stored_features_are_those_of_the_images(network: Network, data: Dataset) -> None:
    images = batches(data)
    found, expected = by_text(stored(network, images), 1, network), by_text(images, 1, network)
    assert found.keys() == expected.keys() == set(TEXTS)
    for text, feature in found.items():
        assert torch.allclose(feature, expected[text], rtol=1e-4, atol=1e-5 * float(feature.abs().max()))


def test_bf16_is_kept_bit_by_bit(network: Network, data: Dataset) -> None:
    images = batches(data)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        expected = by_text(images, 1, network)
    found = by_text(stored(network, images, dtype=torch.bfloat16), 1, network)
    for text, feature in found.items():
        assert torch.equal(feature, expected[text].float())


def test_every_epoch_takes_every_crop_once_in_another_order(network: Network, data: Dataset) -> None:
    source = stored(network, batches(data))
    epochs = [[tuple(label) for step in source.epoch(epoch) for label in step.labels] for epoch in (1, 2, 2)]
    assert all(len(labels) == len(set(labels)) == len(TEXTS) for labels in epochs)
    assert epochs[1] == epochs[2] != epochs[0]


def test_each_of_several_views_is_augmented_anew_and_drawn_at_random(network: Network, data: Dataset) -> None:
    source = stored(network, batches(data, augment=Augment(brightness=1)), views=3)
    seen: dict[str, set[bytes]] = {}
    for epoch in range(1, 13):
        for text, feature in by_text(source, epoch, network).items():
            seen.setdefault(text, set()).add(feature.numpy().tobytes())
    counts = [len(views) for views in seen.values()]
    assert max(counts) == 3
    assert np.mean(counts) > 2


def test_labels_follow_a_join(network: Network, data: Dataset) -> None:
    images = batches(data, augment=Augment(join=1))
    found = by_text(stored(network, images, views=2), 1, network)
    joined = {text for view in (1, 2) for text in by_text(images, view, network)}
    assert set(found) <= joined
    assert any(text not in TEXTS for text in found)


def test_a_second_run_reads_what_the_first_one_stored(
    network: Network, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = by_text(stored(network, batches(data)), 1, network)
    written = stores(monkeypatch)
    second = by_text(stored(network, batches(data)), 1, network)
    assert not written
    assert all(torch.equal(first[text], second[text]) for text in first)


def test_a_mended_label_needs_no_new_features(
    network: Network, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = by_text(stored(network, batches(data)), 1, network)
    written = stores(monkeypatch)
    mended = replace(data, labels=[CHARSET.encode("A999"), *data.labels[1:]])
    after = by_text(stored(network, batches(mended)), 1, network)
    assert not written
    assert torch.equal(after["A999"], before[TEXTS[0]])


def test_some_crops_alone_are_trained_on_or_read(network: Network, data: Dataset) -> None:
    source = stored(network, batches(data))
    some = [1, 4, 7, 10]
    trained = [CHARSET.decode(label) for step in source.of(some).epoch(1) for label in step.labels]
    assert sorted(trained) == sorted(TEXTS[i] for i in some)
    read = {
        int(i): label
        for crops, step in source.once(some)
        for i, label in zip(crops, step.labels, strict=True)
    }
    assert {i: CHARSET.decode(label) for i, label in read.items()} == {i: TEXTS[i] for i in some}


def test_whatever_changes_the_features_makes_another_file(
    network: Network,
    data: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    make_crops: Callable[..., Path],
) -> None:
    written = stores(monkeypatch)
    stored(network, batches(data))
    stored(network, batches(data, seed=1))
    stored(network, batches(data, augment=Augment(blur=0.1)))
    stored(network, batches(data, batch_size=3))
    stored(network, batches(data), dtype=torch.bfloat16)
    changed = load_dataset(read_labels(make_crops(tmp_path / "other", [*TEXTS[:-1], "A999"])), CHARSET)
    stored(network, batches(changed))
    with torch.no_grad():
        next(network.backbone.parameters())[0] += 1
    stored(network, batches(data))
    assert len(set(written)) == len(written) == 7


@pytest.mark.parametrize("damage", ["another key", "cut", "empty", "one bit"])
def test_a_file_that_is_not_what_its_name_says_is_never_read(
    network: Network, data: Dataset, empty_cache: Path, damage: str
) -> None:
    before = by_text(stored(network, batches(data)), 1, network)
    (path,) = empty_cache.glob("*.features")
    content = path.read_bytes()
    damaged = {
        "another key": b"0" * 64 + content[64:],
        "cut": content[:-1],
        "empty": b"",
        "one bit": content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
    }
    path.write_bytes(damaged[damage])
    after = by_text(stored(network, batches(data)), 1, network)
    assert all(torch.equal(before[text], after[text]) for text in before)
    assert path.read_bytes() == content


def test_an_interruption_leaves_no_file(network: Network, data: Dataset, empty_cache: Path) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FeatureBatches(network, batches(data), 1, torch.float32, stop)
    assert not list(empty_cache.iterdir())


def test_a_cache_that_cannot_be_written_is_one_clear_error(
    network: Network, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path / "file"))
    with pytest.raises(LinetuneError, match=r"cannot store features .*LINETUNE_CACHE"):
        stored(network, batches(data))


def test_old_features_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path))
    for age, name in enumerate(("new.features", "old.features", "weights.pdparams", "older.features")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    cache.prune(".features", 250, spare=tmp_path / "new.features")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "new.features",
        "old.features",
        "weights.pdparams",
    ]


@pytest.mark.parametrize("both_ways", [False, True])
def test_held_out_features_are_read_as_the_images_would_be(
    network: Network, data: Dataset, both_ways: bool
) -> None:
    data = data.half_turned(np.arange(len(data)) % 2 == 0)
    held = HeldOutFeatures(network, data.crops, both_ways)
    decoder, reader = default_decoder(CHARSET), BothWays(network) if both_ways else network
    expected = read_crops(reader.run, data.crops, decoder)
    for _ in range(2):
        found = read_batches(held.read(network), decoder, len(data))
        assert [reading.text for reading in found] == [reading.text for reading in expected]
