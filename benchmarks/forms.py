"""In which form a network is best trained: accuracy and speed at equal epochs, several seeds.

    python benchmarks/forms.py TRAIN_LABELS VAL_LABELS [--epochs 3] [--rate 3e-4] [--forms plain,folded]

plain    all branches and batch norms in training mode, padded to 320 px, a data loader (plain.py)
folded   one convolution a layer: what linetune does, in fp32
auto     the same in the precision that linetune chooses here
normed   folded, with a batch norm after every convolution that at first changes nothing
merged   all branches, whose kernels are merged in every step under frozen statistics

Everything starts from the official model limited to the charset, and trains on real crops alone.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from plain import PlainDataset, collate, train_plain, unfolded
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from linetune.config.schema import STANDARD, Stage
from linetune.core.charset import Charset
from linetune.core.device import best_device, best_precision
from linetune.core.labelfile import Line, read_labels
from linetune.core.progress import Silent
from linetune.data.dataset import Dataset, load_dataset
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.models.layers.reparam import ConvBN, RepLayer
from linetune.models.layers.squeeze import SqueezeExcite
from linetune.models.network import Network
from linetune.training.journal import Journal
from linetune.training.stage import Setting, scored, train_stage

PLAIN_RATE = 3e-4
"""Of plain training: what the engineer in the README's story used."""
RATE = 1.5e-4
"""Of ours unless --rate says another, relative to each tensor's size: the default of stage 3."""


@dataclass(frozen=True)
class Trial:
    """What all forms share."""

    start: Network
    lines: list[Line]
    charset: Charset
    val: Dataset
    epochs: int
    batch_size: int
    rate: float
    """Learning rate of all forms but the plain one."""
    calibration: Tensor
    """Images (batch, 3, 48, 320) for the statistics of batch norms."""


def main() -> None:
    """Print a table with a row a form."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("val", type=Path)
    parser.add_argument("--crops", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--forms", default=",".join(FORMS))
    options = parser.parse_args()
    lines = read_labels(options.train)
    charset = Charset.collect(line.text for line in lines)
    lines = lines[: options.crops]
    start = with_charset(load_base("PP-OCRv5_mobile_rec"), charset).model.network
    shown = PlainDataset(lines, charset, augment=False)
    calibration, _ = collate([shown[i] for i in range(0, len(lines), len(lines) // 64 + 1)])
    val = load_dataset(read_labels(options.val), None)
    trial = Trial(start, lines, charset, val, options.epochs, options.batch, options.rate, calibration)
    before = scored(start.run, val, charset).exact_match
    title = (
        f"{len(lines)} crops, {options.epochs} epochs, batches of {options.batch}, {options.seeds} seeds; "
        f"validation ({len(val)}) before: {before:.1%}"
    )
    table = Table("form", "val exact, mean", "each seed", "images/s", title=title)
    for form in options.forms.split(","):
        results = [FORMS[form](trial, seed) for seed in range(options.seeds)]
        exact = [match for match, _ in results]
        each = ", ".join(f"{match:.1%}" for match in exact)
        rate = statistics.median(rate for _, rate in results)
        table.add_row(form, f"{statistics.mean(exact):.1%}", each, f"{rate:.1f}")
        # Hours go into this table: what is there is shown at once.
        Console(stderr=True).print(form, each, f"{rate:.1f}")
    Console().print(table)


def plain(trial: Trial, seed: int) -> tuple[float, float]:
    """(exact match of the best epoch, images a second) of plain training."""
    network = unfolded(trial.start, [trial.calibration], seed).to(best_device())
    scores = list[float]()
    rate = train_plain(
        network,
        trial.lines,
        trial.charset,
        epochs=trial.epochs,
        batch_size=trial.batch_size,
        learning_rate=PLAIN_RATE,
        augment=True,
        seed=seed,
        after_epoch=lambda epoch: scores.append(scored(network.run, trial.val, trial.charset).exact_match),
    )
    return max(scores), rate


def ours(
    form: Callable[[Trial], Network], precision: torch.dtype | None, trial: Trial, seed: int
) -> tuple[float, float]:
    """(exact match of the best epoch, images a second) of linetune's loop on a network in some form."""
    device = best_device()
    stage = Stage(
        name="one",
        data=["train"],
        epochs=trial.epochs,
        learning_rate=trial.rate,
        batch_size=trial.batch_size,
        augment=STANDARD,
    )
    data = load_dataset(trial.lines, trial.charset)
    with tempfile.TemporaryDirectory() as folder:
        with Journal(Path(folder)) as journal:
            dtype = precision or best_precision(device)
            setting = Setting(trial.charset, trial.val, seed, device, dtype, journal, Silent())
            result = train_stage(form(trial).to(device), stage, 0, data, setting)
        rows = map(json.loads, (Path(folder) / "journal.jsonl").read_text("utf-8").splitlines())
        rates = [row["images_per_second"] for row in rows if "images_per_second" in row]
    return result.score.exact_match, statistics.median(rates)


def folded(trial: Trial) -> Network:
    """The form that linetune trains in."""
    return copy.deepcopy(trial.start)


def normed(trial: Trial) -> Network:
    """Folded, with a batch norm after every convolution that starts as the identity in evaluation mode."""
    network = copy.deepcopy(trial.start).eval()
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            # Gates act on a single pixel, which has no statistics.
            if isinstance(child, nn.Conv2d) and not isinstance(module, SqueezeExcite):
                setattr(module, name, nn.Sequential(child, nn.BatchNorm2d(child.out_channels)))
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]

    @torch.no_grad()
    def calibrate(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)

    handles = [norm.register_forward_pre_hook(calibrate) for norm in norms]
    with torch.no_grad():
        network(trial.calibration)
    for handle in handles:
        handle.remove()
    return network


def merged(trial: Trial) -> Network:
    """All branches, merged anew in every step, their statistics frozen."""
    network = unfolded(trial.start, [trial.calibration])
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, (ConvBN, RepLayer)) and not isinstance(module, (RepLayer, nn.ModuleList)):
                setattr(module, name, OnTheFly(child))
    return network


class OnTheFly(nn.Module):
    """A layer whose branches are merged into one kernel before every use, so that all of them learn."""

    def __init__(self, layer: ConvBN | RepLayer) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer
        if isinstance(layer, ConvBN):
            kernel, bias = _merged(layer.conv.weight, layer.bn)
            return _convolve(x, layer.conv, kernel, bias)
        first = layer.branches[0]
        assert isinstance(first, ConvBN)
        pairs = [_merged(b.conv.weight, b.bn) for b in layer.branches if isinstance(b, ConvBN)]
        centre = first.conv.kernel_size[0] // 2
        if layer.branch_1x1 is not None:
            small, offset = _merged(layer.branch_1x1.conv.weight, layer.branch_1x1.bn)
            pairs.append((F.pad(small, [centre] * 4), offset))
        if layer.identity is not None:
            one = torch.zeros_like(first.conv.weight)
            channels = torch.arange(len(one))
            one[channels, channels % one.shape[1], centre, centre] = 1
            pairs.append(_merged(one, layer.identity))
        kernels, biases = zip(*pairs, strict=True)
        out = _convolve(x, first.conv, torch.stack(kernels).sum(0), torch.stack(biases).sum(0))
        activated: Tensor = layer.post_affine(F.hardswish(layer.affine(out)))
        return activated


def _merged(kernel: Tensor, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return kernel * scale.view(-1, 1, 1, 1), norm.bias - norm.running_mean * scale


def _convolve(x: Tensor, like: nn.Conv2d, kernel: Tensor, bias: Tensor) -> Tensor:
    padding = like.padding if not isinstance(like.padding, str) else (0, 0)
    return F.conv2d(x, kernel, bias, like.stride, padding, groups=like.groups)


FORMS: dict[str, Callable[[Trial, int], tuple[float, float]]] = {
    "plain": plain,
    "folded": partial(ours, folded, torch.float32),
    "auto": partial(ours, folded, None),
    "normed": partial(ours, normed, torch.float32),
    "merged": partial(ours, merged, torch.float32),
}


if __name__ == "__main__":
    main()
