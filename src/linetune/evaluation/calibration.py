"""Learn from labelled readings how probable it is that a reading is right."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import Charset
from linetune.core.reading_order import is_same
from linetune.decode import Decoder
from linetune.decode.calibrated import Calibration
from linetune.decode.evidence import OWN, evidence

FEWEST = 50
"""Fewest labelled readings for a calibration."""
FEW_WRONG = 10
"""With fewer wrong readings, the calibration is mostly what linetune assumes without data."""
_PENALTY = 3.0
"""Strength of the assumption that the odds are those of P(text), in readings."""
_STEPS, _LONGEST, _DONE = 100, 5.0, 1e-10
"""Most steps of Newton's method, the largest change of a weight in one step, and the change that ends it."""
_DIGEST = 16


def calibrate(
    batches: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]],
    labels: Sequence[str],
    charset: Charset,
    decoder: Decoder,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Return the record of a calibration for a model file. Empty with fewer than :data:`FEWEST` readings.

    Args:
        batches: (crop numbers, class probabilities) of all crops, such as ``run_deployed`` yields.
        labels: the label of each crop.
        charset: the characters of the model.
        decoder: the decoder of the model before its calibration.
        progress: called with the number of crops read so far.
    """
    texts, used = [""] * len(labels), []
    found: dict[str, NDArray[np.float64]] = {}
    done = 0
    for members, probabilities in batches:
        read = decoder(probabilities)
        for name, values in evidence(probabilities, read, charset).items():
            found.setdefault(name, np.zeros(len(labels)))[members] = values
        for number, reading in zip(members.tolist(), read, strict=True):
            texts[number] = reading.text
            if reading.may_be_right:  # the confidence of the others needs no data
                used.append(number)
        done += len(read)
        progress(done)
    used.sort()
    if len(used) < FEWEST:
        return {}
    right = np.array([is_same(texts[number], labels[number]) for number in used], bool)
    fitted = fit({name: values[used] for name, values in found.items()}, right)
    return {
        "bias": fitted.bias,
        "weights": dict(fitted.weights),
        "readings": len(used),
        "right": int(right.sum()),
        "labels": hash_of_labels(labels),
    }


def fit(found: Mapping[str, NDArray[np.float64]], right: NDArray[np.bool_]) -> Calibration:
    """Return the logistic regression from evidence to the probability that a reading is right.

    The targets are those of Platt (1999), "Probabilistic outputs for support vector machines", which keep a
    few readings from proving certainty: (right + 1) / (right + 2) and 1 / (wrong + 2). An L2 penalty pulls
    the weights to those with which the probability is P(text) itself. Newton's method finds the minimum.

    Args:
        found: the evidence of each reading (readings,) by its name. At least one reading.
        right: whether each reading equals its label.
    """
    names = list(found)
    columns = np.stack([found[name] for name in names], 1)
    centre, spread = columns.mean(0), columns.std(0) + 1e-9
    inputs = np.column_stack([np.ones(len(columns)), (columns - centre) / spread])
    hits = int(right.sum())
    target = np.where(right, (hits + 1) / (hits + 2), 1 / (len(right) - hits + 2))
    own = np.array([float(name == OWN) for name in names])
    assumed = np.concatenate([[own @ centre], own * spread])
    penalty = np.concatenate([[1e-6], np.full(len(names), _PENALTY)])
    solution = assumed.copy()
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-np.clip(inputs @ solution, -50, 50)))
        slope = inputs.T @ (share - target) + penalty * (solution - assumed)
        curvature = (inputs * (share * (1 - share))[:, None]).T @ inputs + np.diag(penalty)
        step = np.linalg.solve(curvature, slope)
        step *= min(1.0, _LONGEST / max(float(np.abs(step).max()), 1e-30))
        solution = solution - step
        if np.abs(step).max() < _DONE:
            break
    weights = solution[1:] / spread
    return Calibration(float(solution[0] - weights @ centre), dict(zip(names, weights.tolist(), strict=True)))


def hash_of_labels(labels: Sequence[str]) -> str:
    """Return a hash of labels and their order."""
    return hashlib.blake2b("\n".join(labels).encode(), digest_size=_DIGEST).hexdigest()
