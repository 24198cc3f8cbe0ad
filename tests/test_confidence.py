"""Confidence: the evidence of a reading, and the probability that it is right."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from test_export_paddle import tiny

from linetune.core.charset import BLANK, Charset
from linetune.core.errors import LinetuneError
from linetune.decode import Reading, default_decoder
from linetune.decode.evidence import evidence, log_probability
from linetune.evaluation.calibration import FEWEST, calibrate, fit
from linetune.formats.store import load_model, save_model
from linetune.formats.transfer import with_charset

LETTERS = Charset(tuple("AB"))


def frames(count: int, length: int, classes: int = 3, seed: int = 0) -> NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(0, 2, (count, length, classes))
    return np.asarray(np.exp(logits) / np.exp(logits).sum(2, keepdims=True), np.float32)


def collapsed(path: tuple[int, ...]) -> list[int]:
    return [c for c, _ in itertools.groupby(path) if c != BLANK]


@pytest.mark.parametrize("text", [[], [1], [2, 1], [1, 1], [1, 2, 2], [1, 1, 1], [1, 2, 1, 2, 1]])
def test_the_probability_of_a_text_is_the_sum_over_all_alignments(text: list[int]) -> None:
    given = frames(3, 5)
    paths = [path for path in itertools.product(range(3), repeat=5) if collapsed(path) == text]
    expected = [sum(math.prod(row[t, c] for t, c in enumerate(path)) for path in paths) for row in given]
    # Texts of other lengths in the batch change nothing.
    together = np.concatenate([given, given[:1]])
    found = log_probability(together, [text] * 3 + [[1, 2, 1]])[:3]
    assert np.exp(found) == pytest.approx(expected, rel=1e-5)


def test_a_text_longer_than_its_frames_is_impossible_and_certain_frames_give_no_infinity() -> None:
    certain = np.zeros((1, 4, 3), np.float32)
    certain[0, [0, 1, 2, 3], [1, 0, 2, 2]] = 1
    assert log_probability(certain, [[1, 2]])[0] == pytest.approx(0, abs=1e-6)
    assert log_probability(certain, [[1, 2, 1, 2, 1]])[0] == -math.inf
    for text in ([1, 2], [1, 2, 1, 2, 1], []):
        reading = Reading(LETTERS.decode(text), 0.5)
        assert all(np.isfinite(values).all() for values in evidence(certain, [reading], LETTERS).values())


def test_a_reading_has_the_probability_of_each_character() -> None:
    given = np.array([[[0.1, 0.6, 0.3], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.2, 0.1, 0.7]]], np.float32)
    (reading,) = default_decoder(LETTERS)(given)
    assert reading.text == "AB"
    assert reading.characters == pytest.approx((0.8, 0.7))
    assert reading.confidence == reading.score == pytest.approx(0.65)
    assert reading.accepted is None


def synthetic(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Log odds that are too sure by a factor of two, and which readings are right."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(2, 2, count)
    return 2 * odds, rng.random(count) < 1 / (1 + np.exp(-odds))


def test_a_calibrated_confidence_is_the_share_of_right_readings() -> None:
    found = fit({"text": (pair := synthetic(4000, 0))[0]}, pair[1])
    odds, right = synthetic(4000, 1)
    confidence = found.probability({"text": odds})
    for members in np.array_split(np.argsort(confidence), 5):
        assert confidence[members].mean() == pytest.approx(right[members].mean(), abs=0.04)


def test_the_fit_is_that_of_a_known_library() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    odds, right = synthetic(20_000, 2)
    columns = {"text": odds, "length": np.random.default_rng(0).normal(0, 1, len(odds))}
    theirs = linear_model.LogisticRegression(C=1e6).fit(np.stack(list(columns.values()), 1), right)
    mine = fit(columns, right)
    assert [*mine.weights.values(), mine.bias] == pytest.approx(
        [*theirs.coef_[0], theirs.intercept_[0]], abs=0.01
    )


@pytest.mark.parametrize("count", [50, 500])
def test_readings_that_are_all_right_prove_no_certainty_but_keep_their_order(count: int) -> None:
    odds = np.linspace(3, 9, count)
    confidence = fit({"text": odds}, np.ones(count, bool)).probability({"text": odds})
    assert confidence.mean() <= (count + 1) / (count + 2) + 1e-3
    assert np.all(np.diff(confidence) > 0)
    low = fit({"text": odds}, np.zeros(count, bool)).probability({"text": odds})
    assert 0 < low.mean() < 0.05


def calibrated(
    count: int = 200, rule: dict[str, object] | None = None
) -> tuple[dict[str, object], NDArray[np.float32], list[str]]:
    given, decoder = frames(count, 6, seed=3), default_decoder(LETTERS, rule=rule)
    read = [reading.text for reading in decoder(given)]
    labels = [text if i % 3 else text + "A" for i, text in enumerate(read)]
    return calibrate([(np.arange(count), given)], labels, LETTERS, decoder), given, read


def test_a_calibration_changes_confidences_and_never_texts() -> None:
    record, given, read = calibrated()
    readings = default_decoder(LETTERS, calibration=record)(given)
    assert [reading.text for reading in readings] == read
    plain = default_decoder(LETTERS)(given)
    assert [reading.score for reading in readings] == [reading.confidence for reading in plain]
    filled = [reading.confidence for reading in readings if reading.text]
    assert np.mean(filled) == pytest.approx(2 / 3, abs=0.05)
    assert all(reading.confidence == 0 for reading in readings if not reading.text)
    alone = [default_decoder(LETTERS, calibration=record)(row[None])[0].confidence for row in given[:9]]
    assert alone == pytest.approx([reading.confidence for reading in readings[:9]])


def test_readings_by_a_rule_have_a_calibration_of_their_own() -> None:
    rule: dict[str, object] = {"patterns": [{"pattern": "A[AB]{0,2}", "check": None}]}
    record, given, read = calibrated(rule=rule)
    readings = default_decoder(LETTERS, rule=rule, calibration=record)(given)
    assert [reading.text for reading in readings] == read
    admitted = [reading.confidence for reading in readings if reading.admitted]
    assert np.mean(admitted) == pytest.approx(2 / 3, abs=0.05)
    others = [reading for reading in readings if not reading.admitted]
    assert others
    assert all(reading.confidence == 0 for reading in others)
    judged = default_decoder(LETTERS, rule=rule, calibration=record, promise={"threshold": 0})(given)
    assert [reading.accepted for reading in judged] == [reading.admitted for reading in readings]
    with pytest.raises(LinetuneError, match="needs 'follows'"):
        default_decoder(LETTERS, calibration=record)


def test_too_few_readings_give_no_calibration() -> None:
    assert calibrated(FEWEST - 1)[0] == {}


def test_a_model_file_keeps_its_calibration_until_its_charset_changes(tmp_path: Path) -> None:
    model = tiny("AB")
    save_model(model, tmp_path / "plain.safetensors")
    model.calibration = calibrated()[0]
    model.promise = {"threshold": 0.5}
    save_model(model, tmp_path / "m.safetensors")
    assert load_model(tmp_path / "plain.safetensors").calibration == {}
    back = load_model(tmp_path / "m.safetensors")
    assert (back.calibration, back.promise) == (model.calibration, model.promise)
    assert with_charset(back, back.charset).model.promise == model.promise
    other = with_charset(back, Charset(tuple("ABC"))).model
    assert (other.calibration, other.promise) == ({}, {})


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"bias": "1", "weights": {}}, "damaged"),
        ({"bias": 1}, "damaged"),
        ({"bias": 10**400, "weights": {}}, "damaged"),
        ({"bias": math.nan, "weights": {"text": 1}}, "damaged"),
        ({"bias": 1, "weights": {"text": [1]}}, "damaged"),
        ({"bias": 1, "weights": {"newer": 1}}, "needs 'newer'; update linetune"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_one_clear_error(record: dict[str, object], said: str) -> None:
    with pytest.raises(LinetuneError) as caught:
        default_decoder(LETTERS, calibration=record)
    assert said in str(caught.value)


@pytest.mark.parametrize("threshold", [None, "0.5", math.nan, math.inf, [0.5]])
def test_a_promise_that_cannot_be_used_is_one_clear_error(threshold: object) -> None:
    with pytest.raises(LinetuneError, match="the promise in the model file is damaged; linetune calibrate"):
        default_decoder(LETTERS, promise={"threshold": threshold})
