"""The promise: accepted readings are wrong at most as often as it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from demo import make_run
from test_export_paddle import tiny

from linetune.core.errors import LinetuneError
from linetune.core.labelfile import read_labels, write_labels
from linetune.evaluation.drift import drift
from linetune.evaluation.promise import (
    THRESHOLDS,
    as_record,
    further,
    needed,
    promise,
    search,
    tail,
    upper_bound,
)
from linetune.evaluation.reliability import reliability
from linetune.evaluation.stored import BASE, FOLDER, KEPT, OUTDATED, read_evaluations
from linetune.formats.parity import sample_crops
from linetune.formats.registry import FORMATS
from linetune.formats.store import NAME, load_model, save_model
from linetune.models.families.pp_ocrv6 import TINY
from linetune.recogniser import Recogniser


@pytest.mark.parametrize(("error", "readings"), [(0.01, 299), (0.005, 598), (0.001, 2995)])
def test_the_fewest_right_readings_of_a_promise(error: float, readings: int) -> None:
    assert needed(0, error) == readings
    right = [True] * readings
    found = promise([0.9] * readings, right, error)
    # Lower ones accept as many of these readings, but more of other crops.
    assert found.threshold == 0.8808
    assert found.as_text().startswith("accept a confidence of 0.8808 or more: at most ")
    assert replace(found, threshold=0.0).as_text().startswith("accept a confidence above 0: at most ")
    with pytest.raises(LinetuneError, match="label at least one more crop, or allow more errors"):
        promise([0.9] * (readings - 1), right[1:], error)


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    stats = pytest.importorskip("scipy.stats")
    for wrong, total in [(0, 10), (3, 299), (70, 1000), (10, 10)]:
        expected = 1.0 if wrong == total else stats.beta.ppf(0.95, wrong + 1, total - wrong)
        assert upper_bound(wrong, total) == pytest.approx(expected, abs=1e-9)
        assert tail(wrong, total, 0.1) == pytest.approx(stats.binom.cdf(wrong, total, 0.1))


def test_the_error_says_how_many_more_right_readings_prove_it() -> None:
    right = [False, False, *[True] * 400]
    with pytest.raises(LinetuneError) as caught:
        promise([0.9] * 402, right, 0.01)
    assert "2 of the 402 surest readings are wrong; at least 226 more such readings that are right" in str(
        caught.value
    )
    found = promise([0.9] * 628, right + [True] * 226, 0.01)
    assert (found.accepted, found.wrong) == (628, 2)
    assert found.bound <= 0.01


@pytest.mark.parametrize(
    "readings",
    [
        [(0.9, True)] * 200,
        [(0.9, True)] * 250 + [(0.3, False)],
        [(0.99, True)] * 20 + [(0.95, False)] + [(0.9, True)] * 260,
        [(0.999, False)] + [(0.9, True)] * 290,
        [(0.0, True)] * 30 + [(0.9, True)] * 290,
        [(0.9, False)] * 3 + [(0.9, True)] * 400,
        [],
    ],
    ids=["right", "unsure error", "error", "surest error", "no confidence", "enough readings", "none"],
)
def test_with_fewer_further_readings_than_it_says_nothing_is_proved(
    readings: Sequence[tuple[float, bool]],
) -> None:
    confidences, correct = [each for each, _ in readings], [each for _, each in readings]
    more, failed = further(confidences, correct, 0.01), search(confidences, correct, 0.01)[1]
    # The error says of a threshold that has failed: "such readings".
    places = [failed.threshold] if failed else [each for each in THRESHOLDS if each]

    def proved(number: int) -> bool:
        """Whether so many further right readings, all of one confidence, can prove a threshold."""
        extra = [True] * number
        return any(
            search([*confidences, *[each] * number], [*correct, *extra], 0.01)[0] is not None
            for each in places
        )

    assert proved(more)
    assert not proved(more - 1)
    with pytest.raises(LinetuneError, match=f"at least {more} more"):
        promise(confidences, correct, 0.01)


def test_the_first_threshold_that_fails_ends_the_search() -> None:
    confidences = [0.99] * 400 + [0.9] * 100 + [0.6] * 9000
    right = [True] * 400 + [False] * 100 + [True] * 9000
    found = promise(confidences, right, 0.02)
    assert (found.accepted, found.wrong) == (400, 0)
    assert 0.9 < found.threshold <= 0.99


def drawn(rng: np.random.Generator, count: int, shape: str) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and the true probability that each reading is right."""
    confidence = rng.beta(4, 0.3, count)
    true = {
        "calibrated": confidence,
        "too sure": confidence**2,
        # Everything that is accepted is exactly as bad as the promise allows.
        "at the limit": np.full(count, 0.95),
        "falling": 1 - confidence / 10,
    }[shape]
    return confidence, true


@pytest.mark.parametrize("shape", ["calibrated", "too sure", "at the limit", "falling"])
def test_a_promise_is_broken_in_one_of_twenty_label_sets_at_most(shape: str) -> None:
    rng = np.random.default_rng(0)
    everything, truth = drawn(rng, 200_000, shape)
    sets, broken, made = 500, 0, 0
    for _ in range(sets):
        confidence, true = drawn(rng, 300, shape)
        try:
            threshold = promise(confidence.tolist(), (rng.random(300) < true).tolist(), 0.05).threshold
        except LinetuneError:
            continue
        made += 1
        broken += 1 - truth[everything >= threshold].mean() > 0.05
    # Four standard deviations of chance.
    assert broken / sets <= 0.05 + 4 * (0.05 * 0.95 / sets) ** 0.5
    assert made > (0.5 * sets if shape == "calibrated" else 0)


def test_the_reliability_table_shows_a_confidence_that_is_too_high() -> None:
    found = reliability([0.9] * 100 + [0.5] * 50, [True] * 70 + [False] * 30 + [True] * 25 + [False] * 25)
    assert found.error == pytest.approx(0.2 * 100 / 150, abs=1e-6)
    assert [each.lines for each in found.bins] == [10] * 15
    assert found.bins[0].exact_match == 0.5
    perfect = reliability([0.9, 0.8, 0.1, 0.2], [True, True, False, False])
    assert perfect.area == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert reliability([0.5] * 4, [True, False, True, False]).area == 0.5


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> tuple[Path, Path]:
    """A model file and a label file of 60 crops, of which the model reads 58 right."""
    folder = tmp_path_factory.mktemp("job")
    model = tiny("AB", architecture=TINY)
    save_model(model, folder / "m.safetensors")
    drawn = read_labels(make_crops(folder / "crops", [str(i) for i in range(60)]))
    read = Recogniser(model).read([line.image for line in drawn])
    texts = [reading.text if number > 1 else "wrong" for number, reading in enumerate(read)]
    assert all(texts)
    labels = folder / "crops" / "labels.txt"
    write_labels(labels, [(line.image.name, text) for line, text in zip(drawn, texts, strict=True)])
    return folder / "m.safetensors", labels


def predicted(cli: Cli, model: Path, crops: Path, *options: str) -> Sequence[str]:
    result = cli("predict", model, crops / "00.png", *options)
    assert result.code == 0, result.err
    return result.out.rstrip("\n").split("\t")


def test_a_model_is_calibrated_gets_a_promise_and_accepts(
    cli: Cli, job: tuple[Path, Path], tmp_path: Path
) -> None:
    model, labels = tmp_path / "m.safetensors", job[1]
    model.write_bytes(job[0].read_bytes())
    before = predicted(cli, model, labels.parent)
    assert len(before) == 3
    result = cli("calibrate", model, labels)
    assert result.code == 0, result.err
    assert result.out.startswith("calibrated on 60 readings, 58 of them right; wrote ")
    result = cli("threshold", model, labels, "--max-error", "20%")
    assert result.code == 0, result.err
    assert "at most 20% of the accepted readings are wrong, with 95% confidence" in result.out
    assert "warning: these are the calibration labels of the model" in result.err
    after = predicted(cli, model, labels.parent)
    assert after[1] == before[1]
    assert after[3] == "accept"
    (found,) = json.loads(cli("predict", model, labels.parent / "00.png", "--json").out)
    assert found["verdict"] == "accept"
    assert len(found["characters"]) == len(found["text"])
    assert Recogniser.load(model).read([labels.parent / "00.png"])[0].accepted is True
    # An export has both, and can get another promise.
    onnx = tmp_path / "m.onnx"
    loaded = load_model(model)
    FORMATS["onnx"].export(loaded, onnx, sample_crops(loaded.charset, 2))
    assert predicted(cli, onnx, labels.parent)[3] == "accept"
    result = cli("threshold", onnx, labels, "--max-error", "0.3", "--json")
    assert json.loads(result.out)["max_error"] == 0.3
    assert Recogniser.load(onnx).model.promise["max_error"] == 0.3
    rounded = tmp_path / "int8.onnx"
    assert cli("export", onnx, "--precision", "int8", "--output", rounded).code == 0
    assert not cli("drift", rounded, labels.parent).errors
    result = cli("drift", model, labels.parent)
    assert (result.code, result.out[:14]) == (0, "no difference ")
    assert cli("calibrate", model, labels).out.endswith("linetune threshold makes a new one\n")
    assert load_model(model).promise == {}
    assert cli("drift", model, labels.parent).errors == [
        f"error: {model}: the model has no promise; linetune threshold makes one"
    ]


def test_the_onnx_file_of_a_run_gets_the_new_promise_too(
    cli: Cli, job: tuple[Path, Path], tmp_path: Path
) -> None:
    model = replace(load_model(job[0]), provenance={"base_model": "a"})
    save_model(model, tmp_path / NAME)
    onnx = tmp_path / "model.onnx"
    FORMATS["onnx"].export(model, onnx, sample_crops(model.charset, 2))
    result = cli("threshold", tmp_path, job[1], "--max-error", "20%")
    assert result.out.endswith(f"wrote {tmp_path / NAME}\nwrote {onnx}\n"), result.err
    assert Recogniser.load(onnx).read([job[1].parent / "00.png"])[0].accepted is True
    result = cli("calibrate", tmp_path, job[1])
    assert f"wrote {tmp_path / NAME} and {onnx}" in result.out
    assert Recogniser.load(onnx).model.calibration["readings"] == 60
    # The export of another training stays as it is.
    save_model(replace(model, provenance={"base_model": "b"}), tmp_path / NAME)
    assert cli("threshold", tmp_path, job[1], "--max-error", "20%").out.endswith(f"wrote {tmp_path / NAME}\n")
    assert not Recogniser.load(onnx).model.promise


def test_the_report_of_a_run_gets_the_new_confidences(
    cli: Cli, job: tuple[Path, Path], tmp_path: Path
) -> None:
    run = make_run(tmp_path, drawn=24, tested=60)
    (run / NAME).write_bytes(job[0].read_bytes())
    stored = run / FOLDER / KEPT
    base, before = (run / FOLDER / BASE).read_bytes(), stored.read_bytes()
    result = cli("calibrate", run, job[1])
    assert result.code == 0, result.err
    assert f"the report has the old confidences; linetune report {run} reads the crops again" in result.out
    assert cli("report", run).code == 0
    after = read_evaluations(stored)["test"]
    model = Recogniser.load(run)
    expected = model.read([line.image for line in after.lines])
    assert [reading.text for reading in after.readings] == [reading.text for reading in expected]
    assert [reading.confidence for reading in after.readings] == pytest.approx(
        [reading.confidence for reading in expected], abs=1e-4
    )
    assert (run / FOLDER / BASE).read_bytes() == base, "the base model did not change"
    assert (run / FOLDER / OUTDATED).read_bytes() == before
    alone = tmp_path / "model.safetensors"
    alone.write_bytes(job[0].read_bytes())
    assert "the report" not in cli("calibrate", alone, job[1]).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-error", "1"], "--max-error: '1' is not a share from 1e-05 to 0.5; write one such as 1%"),
        (["--max-error", "none"], "'none' is not a share"),
        (["--max-error", "1%"], "labels.txt: these labels cannot prove an error of at most 1%"),
    ],
)
def test_a_promise_that_cannot_be_made_is_one_error_and_leaves_the_model(
    cli: Cli, job: tuple[Path, Path], arguments: list[str], said: str
) -> None:
    before = job[0].read_bytes()
    result = cli("threshold", *job, *arguments)
    assert result.code == 2
    assert said in result.errors[0]
    assert len(result.errors) == 1
    assert job[0].read_bytes() == before


def test_an_official_model_is_not_changed(cli: Cli, job: tuple[Path, Path]) -> None:
    for command in (["calibrate"], ["threshold", "--max-error", "10%"]):
        result = cli(*command, "PP-OCRv5_mobile_rec", job[1])
        assert result.code == 2
        assert "PP-OCRv5_mobile_rec: an official model is only read; write a file" in result.errors[0]


def test_too_few_crops_are_not_calibrated_on(
    cli: Cli, job: tuple[Path, Path], make_crops: Callable[..., Path], tmp_path: Path
) -> None:
    result = cli("calibrate", job[0], make_crops(tmp_path / "few", ["1", "2"]))
    assert result.code == 2
    assert result.errors == [
        "error: 2 crops are too few to calibrate the confidence; it takes 50 that do not read as empty"
    ]


def test_drift_is_seen_when_confidences_fall_and_rarely_otherwise() -> None:
    rng = np.random.default_rng(0)
    before = rng.beta(4, 0.3, 500)
    record = as_record(promise(before.tolist(), [True] * 500, 0.05), before.tolist(), [])
    seen = [drift(record, rng.beta(4, 0.3, 300).tolist()).drifted for _ in range(200)]
    assert np.mean(seen) <= 0.08
    worse = drift(record, rng.beta(4, 0.6, 300).tolist())
    assert worse.drifted
    assert worse.as_text().startswith("these crops differ from those of the promise; label some of them")
    # Equal confidences are no drift.
    same = as_record(promise([1.0] * 500, [True] * 500, 0.05), [1.0] * 500, [])
    assert not drift(same, [1.0] * 50).drifted
    assert drift(same, [1.0] * 25 + [0.2] * 25).drifted
    with pytest.raises(LinetuneError, match="the promise in the model file is damaged; make it again"):
        drift({"threshold": 0.5}, [1.0])


def test_readings_without_confidence_are_never_accepted_and_prove_nothing() -> None:
    confidences, right = [0.0] * 200 + [0.9] * 100, [True] * 200 + [True] * 90 + [False] * 10
    with pytest.raises(LinetuneError, match="10 of the 100 surest readings are wrong"):
        promise(confidences, right, 0.05)
    found = promise(confidences, right, 0.25)
    assert (found.accepted, found.wrong) == (100, 10)
    now = drift({**as_record(found, confidences, []), "threshold": 0.0}, confidences)
    assert now.accepted == 100
