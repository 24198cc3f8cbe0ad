"""Plain training against linetune's, on this machine, on the same crops, in one run.

    python benchmarks/speed.py LABELS [--crops 1000] [--batch 32] [--compile]

Plain training is plain.py's: all branches, padded to 320 px, a data loader. Every figure comes from a
process of its own, so that peak memory is that of the one kind of training. The second table says how
near the parts of a step come to what the machine could do at best.
"""

from __future__ import annotations

import argparse
import math
import resource
import secrets
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from plain import PlainDataset, collate, train_plain, unfolded
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from linetune.augment import make_batch
from linetune.augment.draws import Draws, draw
from linetune.config.schema import STANDARD, Augment, Stage
from linetune.core.charset import Charset
from linetune.core.device import autocast, best_device, best_precision, now
from linetune.core.labelfile import Line, read_labels
from linetune.core.progress import Silent
from linetune.data.dataset import load_dataset
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.models.network import Network
from linetune.training.averaging import WeightAverage
from linetune.training.context import Context
from linetune.training.journal import Journal
from linetune.training.losses import ctc_loss
from linetune.training.optimiser import make_optimiser, rate_factors, set_rate
from linetune.training.stage import StageTask, train_stage

EPOCHS = 20
"""Of stage 1, over which storing the features pays; the others are measured on one."""
PLAIN_STEPS = 12
WIDTH = 160
"""Padded width of the second table's batch, px: near the median of short codes."""


@dataclass(frozen=True)
class Measured:
    """What one kind of training came to."""

    rate: float
    """Images a second."""
    memory: int
    """Peak memory, bytes: resident, or on a GPU what was allocated there."""


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("--crops", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--compile", action="store_true", help="also try torch.compile on the backbone")
    options = parser.parse_args()
    lines = read_labels(options.labels)[: options.crops]

    def measured(kind: Callable[..., float], **settings: Any) -> Measured:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(_measured, partial(kind, lines, options.batch, **settings)).result()

    stages = {
        "stage 1: backbone frozen": {
            "plain, freeze ignored": measured(plain, freeze=False, augment=False),
            "plain, frozen": measured(plain, freeze=True, augment=False),
            "linetune": measured(ours, freeze=True, augment=False),
        },
        "stages 2, 3: everything": {
            "plain": measured(plain, freeze=False, augment=True),
            "linetune, fp32": measured(ours, freeze=False, augment=True, precision="fp32"),
            "linetune": measured(ours, freeze=False, augment=True),
        },
    }
    title = (
        f"{len(lines)} crops, batches of {options.batch}, {torch.get_num_threads()} threads, {best_device()}"
    )
    table = Table("stage", "training", "images/s", "ratio", f"s, {EPOCHS} epochs", "peak GB", title=title)
    for stage, results in stages.items():
        # What PaddleOCR does: it trains everything, whatever `freeze` says.
        base = next(iter(results.values())).rate
        for kind, result in results.items():
            table.add_row(
                stage,
                kind,
                f"{result.rate:.1f}",
                f"{result.rate / base:.1f}",
                f"{EPOCHS * len(lines) / result.rate:.0f}",
                f"{result.memory / 1e9:.1f}",
            )
    Console().print(table)
    Console().print(parts(options.batch, lines, options.compile))


def _measured(kind: Callable[[], float]) -> Measured:
    rate = kind()
    if best_device().type == "cuda":
        return Measured(rate, torch.cuda.max_memory_allocated())
    return Measured(rate, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def plain(lines: list[Line], batch_size: int, freeze: bool, augment: bool) -> float:
    """Images a second of plain training."""
    network, charset = _start(lines)
    images, _ = collate([PlainDataset(lines, charset, augment=False)[i] for i in range(batch_size)])
    return train_plain(
        unfolded(network, [images]).to(best_device()),
        lines,
        charset,
        epochs=max(1, (PLAIN_STEPS + 2) * batch_size // len(lines)),
        batch_size=batch_size,
        learning_rate=1e-4,
        augment=augment,
        freeze_backbone=freeze,
        max_steps=PLAIN_STEPS,
    )


def ours(lines: list[Line], batch_size: int, freeze: bool, augment: bool, precision: str = "auto") -> float:
    """Images a second of linetune's training, everything counted but the reading of the image files."""
    network, charset = _start(lines)
    data, few = load_dataset(lines, charset), load_dataset(lines[:8], None)
    epochs = EPOCHS if freeze else 1
    stage = Stage(
        name="one",
        data=["train"],
        freeze=["backbone"] if freeze else [],
        epochs=epochs,
        learning_rate=1e-4,
        batch_size=batch_size,
        augment=STANDARD if augment else Augment(),
    )
    device = best_device()
    dtype = torch.float32 if precision == "fp32" else best_precision(device)
    with tempfile.TemporaryDirectory() as folder, Journal.in_folder(Path(folder)) as journal:
        # A seed of its own, so that no features stored by an earlier run are read.
        seed = secrets.randbits(32)
        context = Context(charset, few, seed, device, dtype, journal, Silent())
        result = train_stage(network.to(device), StageTask(stage, 0, data), context)
    return epochs * len(data) / result.seconds


def _start(lines: list[Line]) -> tuple[Network, Charset]:
    charset = Charset.collect(line.text for line in lines)
    return with_charset(load_base("PP-OCRv5_mobile_rec"), charset).model.network, charset


def parts(batch_size: int, lines: list[Line], try_compile: bool) -> Table:
    """Each part of a step beside the least that its arithmetic and its memory traffic could take."""
    network, charset = _start(lines)
    device = best_device()
    dtype = best_precision(device)
    network = network.to(device).train()
    data = load_dataset(lines[:batch_size], charset)
    members = [(i,) for i in range(len(data))]
    widths = torch.from_numpy(data.columns.lengths.clip(max=WIDTH)).to(device)
    columns = data.columns.gather(members, int(max(WIDTH, data.columns.lengths.max())), device)[:, :WIDTH]
    draws = Draws(draw(0, 0, 1, range(len(data))), device)
    labels = [[1, 2, 3, 4]] * len(data)
    images = make_batch(columns, widths, draws, STANDARD, 48)
    with autocast(device, dtype):
        features = network.backbone(images).detach()
    optimiser, average = make_optimiser(network, rate_factors(network)), WeightAverage(network)
    set_rate(optimiser, 0.0)

    def both_ways(module: Callable[[Tensor], Tensor]) -> None:
        with autocast(device, dtype):
            out = module(images)
        out.backward(torch.ones_like(out))  # type: ignore[no-untyped-call]

    def heads() -> None:
        with autocast(device, dtype):
            loss = ctc_loss(network.classify(features), labels)
        loss.backward()  # type: ignore[no-untyped-call]

    def update() -> None:
        optimiser.step()
        average.update(network)

    rate, bandwidth = _best(device, dtype)
    best = f"{rate / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.0f} GB/s"
    title = f"a step of {len(data)} crops at {WIDTH} px, {dtype}; measured at best: {best}"
    table = Table("part", "ms", "GFLOP", "GB moved", "least ms", "share of it", title=title)
    work: dict[str, Callable[[], object]] = {
        "augmentation": lambda: make_batch(columns, widths, draws, STANDARD, 48),
        "backbone, both ways": lambda: both_ways(network.backbone),
        "neck and head, both ways": heads,
        "optimiser and average": update,
    }
    for name, part in work.items():
        seconds = _seconds(part, device)
        counting = {torch.ops.aten.convolution_backward: _backward_flops}
        with FlopCounterMode(display=False, custom_mapping=counting) as flops, Traffic() as traffic:
            part()
        least = max(flops.get_total_flops() / rate, traffic.bytes / bandwidth)
        table.add_row(
            name,
            f"{1e3 * seconds:.1f}",
            f"{flops.get_total_flops() / 1e9:.1f}",
            f"{traffic.bytes / 1e9:.2f}",
            f"{1e3 * least:.1f}",
            f"{least / seconds:.0%}",
        )
    if try_compile:
        compiled = torch.compile(network.backbone)
        started = time.perf_counter()
        both_ways(compiled)
        name = f"backbone, compiled in {time.perf_counter() - started:.0f} s"
        table.add_row(name, f"{1e3 * _seconds(lambda: both_ways(compiled), device):.1f}", "", "", "", "")
    return table


def _backward_flops(
    gradient: Any, image: Any, kernel: Any, *settings: Any, out_shape: Any = None, **_: Any
) -> int:
    """A convolution's gradients for input and kernel, each as costly as the output; torch forgets groups."""
    return int(2 * math.prod(gradient) * math.prod(kernel[1:]) * sum(settings[-1][:2]))


def _size(tensor: Tensor) -> int:
    """Bytes of a tensor; a view of overlapping windows is no larger than what it looks at."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


class Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes that operations read and write, each tensor once an operation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)]
            self.bytes += sum(map(_size, tensors))
        return out


def _best(device: torch.device, dtype: torch.dtype) -> tuple[float, float]:
    """(FLOP/s of a large matrix product, bytes/s of a large copy), as measured."""
    size = 8192 if device.type == "cuda" else 2048
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    block, target = torch.ones(2**26, device=device), torch.zeros(2**26, device=device)
    product = _seconds(lambda: matrix @ matrix, device)
    copy = _seconds(lambda: target.copy_(block), device)
    return 2 * size**3 / product, 2 * block.numel() * 4 / copy


def _seconds(work: Callable[[], object], device: torch.device, repeats: int = 7) -> float:
    times = []
    for _ in range(repeats):
        started = now(device)
        work()
        times.append(now(device) - started)
    return min(times)


if __name__ == "__main__":
    main()
