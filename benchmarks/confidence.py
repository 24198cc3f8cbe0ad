"""What a calibration changes, and whether the promise of a threshold is kept.

    python benchmarks/confidence.py FOLDER [MODEL [RULE]]

FOLDER has train.txt, val.txt and test.txt. RULE is the file of a rule to read by. The calibration is learned
on validation, and everything is measured on test. An official model is limited to the characters of the
training and validation labels. "Broken" is the share of 1,000 label sets whose promise the crops do not keep.
A label set is drawn from the test crops with replacement, so that their true error is known. In the last
rows, every set shuffles all crops of both splits: one part fits the calibration, one makes the promise, and
the rest shows the error of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels
from linetune.data.dataset import load_dataset
from linetune.decode.evidence import evidence
from linetune.decode.read import run_deployed
from linetune.evaluation.calibration import fit
from linetune.evaluation.metrics import score
from linetune.evaluation.promise import percent, promise
from linetune.evaluation.reliability import reliability
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset
from linetune.models.families import OFFICIAL
from linetune.rules.saved import read as read_rule

SETS = 1000
PRECISION = 0.99
ERRORS = (0.01, 0.02, 0.05)


class Read(NamedTuple):
    """The readings of a split."""

    evidence: dict[str, NDArray[np.float64]]
    score: NDArray[np.float64]
    right: NDArray[np.bool_]


def read(model: Model, labels: Path) -> Read:
    """Read the crops of a label file. Print what the evidence costs."""
    data = load_dataset(read_labels(labels), None)
    found: dict[str, NDArray[np.float64]] = {}
    confidence, texts, seconds = np.zeros(len(data)), [""] * len(data), 0.0
    for members, probabilities in run_deployed(model.reader.run, data.crops):
        readings = model.decoder(probabilities)
        started = time.perf_counter()
        batch = evidence(probabilities, readings, model.charset)
        seconds += time.perf_counter() - started
        for name, values in batch.items():
            found.setdefault(name, np.zeros(len(data)))[members] = values
        for number, reading in zip(members.tolist(), readings, strict=True):
            confidence[number], texts[number] = reading.confidence, reading.text
    right = np.array(score(texts, data.texts).correct)
    print(
        f"{labels.name}: {right.sum()} of {len(right)} right, "
        f"evidence {seconds / len(right) * 1e3:.2f} ms a crop"
    )
    return Read(found, confidence, right)


def taken(
    found: Mapping[str, NDArray[np.float64]], members: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return the evidence of some readings."""
    return {name: values[members] for name, values in found.items()}


def coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the largest share of readings, the surest first, of which :data:`PRECISION` are right."""
    order = np.argsort(-confidence, kind="stable")
    precise = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= PRECISION
    return float((np.flatnonzero(precise).max(initial=-1) + 1) / len(order))


def threshold(confidence: NDArray[np.float64], right: NDArray[np.bool_], error: float) -> float | None:
    """Return the promised threshold. None if the labels prove none."""
    try:
        return promise(confidence.tolist(), right.tolist(), error).threshold
    except LinetuneError:
        return None


def show(name: str, error: float, results: list[tuple[float, float] | None]) -> None:
    """Print how often a promise was made and broken, from the (error, coverage) of each label set."""
    made = [result for result in results if result]
    broken = sum(wrong > error for wrong, _ in made) / len(results)
    covered = np.mean([share for _, share in made]) if made else 0
    mean = np.mean([wrong for wrong, _ in made]) if made else 0
    print(
        f"{name}, at most {percent(error)}: made in {len(made)} of {len(results)} sets, "
        f"broken in {broken:.1%}, mean error {mean:.2%}, mean coverage {covered:.0%}"
    )


def result_of(
    limit: float | None, confidence: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[float, float] | None:
    """Return (error, coverage) of the readings that a threshold accepts. None without a threshold."""
    if limit is None:
        return None
    kept = confidence >= limit
    return float((~right[kept]).mean()) if kept.any() else 0.0, float(kept.mean())


def shuffled(val: Read, test: Read, error: float, rng: np.random.Generator) -> tuple[float, float] | None:
    """Return (error, coverage) of one division of all crops."""
    found = {name: np.concatenate([val.evidence[name], test.evidence[name]]) for name in val.evidence}
    right = np.concatenate([val.right, test.right])
    first, rest = np.split(rng.permutation(len(right)), [len(val.right)])
    confidence = fit(taken(found, first), right[first]).probability(found)
    make, check = np.array_split(rest, 2)
    return result_of(threshold(confidence[make], right[make], error), confidence[check], right[check])


def main(folder: Path, name: str = "PP-OCRv6_small_rec", rule: str | None = None) -> None:
    """Print everything."""
    model = load_base(name)
    if name in OFFICIAL:
        lines = read_labels(folder / "train.txt", folder / "val.txt")
        model = with_charset(model, Charset.collect(line.text for line in lines)).model
    model.calibration, model.promise, model.rule = {}, {}, read_rule(Path(rule)) if rule else {}
    val, test = (read(model, folder / f"{split}.txt") for split in ("val", "test"))
    fitted = fit(val.evidence, val.right)
    print(f"bias {fitted.bias:.2f}, weights { ({k: round(v, 2) for k, v in fitted.weights.items()}) }")
    rows = {
        "P(text) by the rule" if rule else "PaddleOCR's score": test.score,
        "calibrated": fitted.probability(test.evidence),
    }
    rng = np.random.default_rng(0)
    for row, confidence in rows.items():
        figures = reliability(confidence.tolist(), test.right.tolist())
        print(
            f"{row}: {figures.as_text()}   coverage at {PRECISION:.0%} {coverage(confidence, test.right):.1%}"
        )
    for row, confidence in rows.items():
        for error in ERRORS:
            results = []
            for _ in range(SETS):
                drawn = rng.integers(0, len(confidence), len(confidence))
                limit = threshold(confidence[drawn], test.right[drawn], error)
                results.append(result_of(limit, confidence, test.right))
            show(row, error, results)
    for error in ERRORS:
        show("all crops shuffled", error, [shuffled(val, test, error, rng) for _ in range(SETS)])


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
