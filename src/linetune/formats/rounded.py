"""Faster ONNX files that may read other texts: rounded to fp16 or int8, or with their padding cut off.

They are compared with the file in fp32 with all padding.
"""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from linetune.core import atomic
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import Crop
from linetune.core.labelfile import spread
from linetune.decode import default_decoder
from linetune.decode.read import Run, deployed_batches, read_crops
from linetune.formats.graphs import OWN
from linetune.formats.model import Model
from linetune.formats.onnx_file import describe, open_onnx, with_dictionary
from linetune.formats.onnx_reader import by_cut_width
from linetune.formats.parity import sample_crops

MAX_LOSS = 0.5
"""Points of exact match that a file may lose, unless the user allows more."""
CALIBRATED_ON = 64
"""Largest number of crops that give the ranges of int8 values, evenly from all."""
TIMED = 32
ROUNDS = 5


class Faster(NamedTuple):
    """What makes a file faster."""

    precision: str
    """One of :data:`~linetune.formats.registry.PRECISIONS`."""
    cut: bool = False
    """Whether the graph cuts off its own padding."""

    def __str__(self) -> str:
        return f"{self.precision} with its padding cut off" if self.cut else self.precision


@dataclass(frozen=True, slots=True)
class Rounded:
    """A faster file, compared with the file of the same model in fp32 with all padding."""

    path: Path
    form: Faster
    crops: int
    """Number of compared crops."""
    alike: int
    """Number of crops on which both files read the same text."""
    exact: float | None
    """Exact match, 0 to 1. None without labels."""
    exact_fp32: float | None
    crops_per_second: float
    """In onnxruntime with one thread, one crop at a time."""
    crops_per_second_fp32: float
    bytes: int
    bytes_fp32: int

    @property
    def speedup(self) -> float:
        """Crops per second, divided by those in fp32."""
        return self.crops_per_second / self.crops_per_second_fp32


def export_rounded(
    model: Model,
    path: Path,
    form: Faster,
    crops: Sequence[Crop] = (),
    texts: Sequence[str] = (),
    max_loss: float = MAX_LOSS,
) -> Rounded:
    """Write a faster ONNX file, and compare it with the file in fp32 with all padding.

    Its texts may differ from those of the model. Therefore accuracy decides, not parity.

    Args:
        model: what to export.
        path: the file. It appears only if it is accurate enough.
        form: what makes it faster.
        crops: real crops for the comparison and for the ranges of int8. Without them, linetune draws some.
        texts: their labels. Without them, accuracy is not measured.
        max_loss: points of exact match that it may lose. One crop is always allowed, because a
            difference of one shows nothing.

    Raises:
        LinetuneError: it loses more, its output is not finite, or readers would split the dictionary at a
            character.
    """
    precision, cut = form
    compared = list(crops) or sample_crops(model.charset)
    full = with_dictionary(model, path)
    content = with_dictionary(model, path, cut=cut)
    with _quiet():
        if precision == "fp16":
            content = _to_fp16(content)
        elif precision == "int8":
            pattern = model.network.architecture.int8
            content = _to_int8(content, spread(compared, CALIBRATED_ON), pattern)
    describe(content, model, precision, cut=cut)
    with os_errors("cannot write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.written(path) as partial, tempfile.TemporaryDirectory() as folder:
            partial.write_bytes(content.SerializeToString())
            beside = Path(folder, "fp32.onnx")
            beside.write_bytes(full.SerializeToString())
            runs = [_finite(open_onnx(file, threads=1)[0], path) for file in (partial, beside)]
            runs[0] = by_cut_width(runs[0]) if cut else runs[0]
            found, expected = (
                [r.text for r in read_crops(run, compared, default_decoder(model.charset))] for run in runs
            )
            exact, exact_fp32 = _accuracy(found, expected, texts, form, max_loss, path)
            rate, rate_fp32 = _rates(runs, spread(compared, TIMED))
            sizes = partial.stat().st_size, beside.stat().st_size
    alike = sum(a == b for a, b in zip(found, expected, strict=True))
    return Rounded(path, form, len(compared), alike, exact, exact_fp32, rate, rate_fp32, *sizes)


def _to_fp16(full: onnx.ModelProto) -> onnx.ModelProto:
    """Convert the inside to half precision. Input and output stay float32, as readers expect."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    copy, sound = onnx.ModelProto(), onnx.ModelProto()
    copy.CopyFrom(full)
    converted = OnnxModel(convert_float_to_float16(copy, keep_io_types=True))
    converted.topological_sort()  # the converter puts the casts last
    sound.CopyFrom(converted.model)
    return sound


def _to_int8(full: onnx.ModelProto, crops: Sequence[Crop], pattern: str | None) -> onnx.ModelProto:
    """Convert layers to eight bits: weights by channel, the ranges of values from the crops.

    Args:
        pattern: regular expression of the names of the convolutions' weights in int8. None means all layers.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Crops(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = ({"x": batch} for _, batch in deployed_batches(crops, 1))

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(full.SerializeToString())  # from a proto, quantize_static would remove the weights
        quantize_static(
            source,
            target,
            Crops(),
            # An empty list means all nodes.
            nodes_to_quantize=[
                node.name
                for node in full.graph.node
                if pattern and node.op_type == "Conv" and re.fullmatch(f"{OWN}({pattern})", node.input[1])
            ],
            per_channel=True,
            # Seven bits for weights: with eight, sums overflow on x86 processors without VNNI.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(str(target))


def _finite(run: Run, path: Path) -> Run:
    def watched(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        out = run(batch)
        if not np.isfinite(out).all():
            raise LinetuneError(
                "its output is not finite: numbers of the model are too large for this precision",
                path,
                "export in fp32",
            )
        return out

    return watched


def _accuracy(
    found: Sequence[str],
    expected: Sequence[str],
    texts: Sequence[str],
    form: Faster,
    max_loss: float,
    path: Path,
) -> tuple[float | None, float | None]:
    """Return the exact match of the file and of fp32. None without labels.

    Raises:
        LinetuneError: it loses too much.
    """
    if not texts:
        return None, None
    right, right_fp32 = (sum(a == b for a, b in zip(x, texts, strict=True)) for x in (found, expected))
    exact, exact_fp32 = right / len(texts), right_fp32 / len(texts)
    if right_fp32 - right > max(1.0, max_loss / 100 * len(texts)):
        raise LinetuneError(
            f"{form} reads {exact:.1%} of {len(texts)} crops right, fp32 {exact_fp32:.1%}: "
            f"it loses more than {max_loss:g} points",
            path,
            "--max-loss allows more",
        )
    return exact, exact_fp32


def rates(models: Sequence[Model], crops: Sequence[Crop]) -> NDArray[np.float64]:
    """Return crops per second of the exports of models in fp32, shape (models,).

    They run in onnxruntime with one thread, one crop at a time, and take turns.

    Args:
        models: the models.
        crops: real crops, of which at most :data:`TIMED` are read.

    Raises:
        LinetuneError: a model cannot be exported.
    """
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for number, model in enumerate(models):
            file = Path(folder, f"{number}.onnx")
            file.write_bytes(with_dictionary(model, file).SerializeToString())
            runs.append(open_onnx(file, threads=1)[0])
        return _rates(runs, spread(crops, TIMED))


def _rates(runs: Sequence[Run], crops: Sequence[Crop]) -> NDArray[np.float64]:
    """Return crops per second of each runtime. The runtimes take turns, and other load slows all of them."""
    batches = [batch for _, batch in deployed_batches(crops, 1)]
    best = np.full((len(runs), len(batches)), np.inf)
    for _ in range(ROUNDS):
        for column, batch in enumerate(batches):
            for row, run in enumerate(runs):
                started = time.perf_counter()
                run(batch)
                best[row, column] = min(best[row, column], time.perf_counter() - started)
    return np.asarray(len(batches) / best.sum(1))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the converters' advice, which goes to the root logger."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
