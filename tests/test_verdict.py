"""What a report says of a run: its verdict, its next steps, and where a stage overfits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from linetune.core.labelfile import Line
from linetune.decode import Reading
from linetune.evaluation.comparison import Comparison
from linetune.evaluation.metrics import Score
from linetune.evaluation.result import Evaluation
from linetune.report import breakdown
from linetune.report.history import StageHistory, Validated, histories
from linetune.report.verdict import Facts, Verdict, verdict
from linetune.report.words import Words


def evaluation(right: int, wrong: Sequence[float] = (), confidence: float = 0.99) -> Evaluation:
    """So many right readings with one confidence, and wrong ones with theirs: 0 for O."""
    texts = ["AO"] * (right + len(wrong))
    lines = [Line(Path(f"{number}.png"), text, f"test.txt:{number + 1}") for number, text in enumerate(texts)]
    readings = [Reading("AO", confidence)] * right + [Reading("A0", each) for each in wrong]
    return Evaluation(lines, readings)


def judged(readings: Evaluation | None, gain: Comparison | None, tested: bool = True) -> Verdict:
    score = readings.score if readings else Score(0.9, -0.01, 100)
    return verdict(Facts(score, tested, gain, readings), Words("en"))


def test_a_better_model_with_sure_readings_is_deployed_with_a_person_for_the_rest() -> None:
    found = judged(evaluation(1000, [0.3] * 40), Comparison(2, 50, 1040))
    assert found.outcome == "better"
    assert found.result == (
        "The model is better than before: it reads 96.2% of 1,040 test crops exactly, 4.6 points more than "
        "the base model (95% interval +3.3 to +6.0; McNemar's test, p < 0.001)."
    )
    assert "accept readings with a confidence of" in found.deployment
    assert "They are 96% of the crops, and at most 1% of them are wrong" in found.deployment
    assert found.steps == ["Add training crops with the characters that are confused most: 'O' → '0' (40×)."]


def test_a_model_without_errors_on_enough_crops_needs_no_person() -> None:
    found = judged(evaluation(299), Comparison(0, 30, 299))
    assert found.deployment.startswith("It may be deployed without a person: at most 1% of its readings")
    assert found.steps == ["Nothing is urgent. Compare new crops with these now and then (linetune drift)."]
    fewer = judged(evaluation(298), Comparison(0, 30, 298))
    assert fewer.deployment == (
        "If an error of 2% is small enough, it may be deployed without a person: at most 2% of its readings "
        "are wrong, with 95% confidence."
    )
    assert fewer.steps == [
        "Label 1 more test crops: 299 right readings are the fewest that prove an error of at most 1%."
    ]


def test_sure_errors_are_looked_at_before_more_labels() -> None:
    found = judged(evaluation(200, [0.99] * 12), Comparison(0, 30, 212))
    assert found.deployment == (
        "Do not deploy it without a person who checks every reading: these crops cannot prove an error of "
        "at most 5%, whatever the confidence."
    )
    assert found.steps[0].startswith("Label 87 more test crops")
    many = judged(evaluation(400, [0.99] * 6), Comparison(0, 30, 406))
    assert many.steps[0].startswith("Look at the surest errors first: 6 of the 406 surest readings are wrong")
    assert many.promise
    assert many.promise.max_error == 0.05
    assert "A smaller error is not proved" not in many.deployment, "all readings are accepted"
    some = judged(evaluation(400, [0.99] * 6 + [0.3] * 60), Comparison(0, 90, 466))
    assert some.deployment.startswith("If an error of 5% is small enough, it may be deployed with a person")
    sure = judged(evaluation(1000, [0.96] * 3 + [0.3] * 40), Comparison(0, 90, 1043))
    assert sure.steps[0].startswith("Check the labels of the 3 errors with a confidence of 95% or more")


def test_a_difference_that_chance_explains_is_no_gain() -> None:
    found = judged(evaluation(95, [0.2] * 5), Comparison(3, 6, 100))
    assert found.outcome == "same"
    assert found.result.startswith("No difference beyond chance: the model reads 95.0% of 100 test crops")
    assert "p = 0.508" in found.result


def test_a_worse_model_is_not_deployed() -> None:
    found = judged(evaluation(1000, [0.3] * 40), Comparison(50, 2, 1040))
    assert found.outcome == "worse"
    assert "4.6 points less than the base model" in found.result
    assert found.deployment == "Do not deploy it: the base model reads more crops right."
    assert found.steps[0].startswith("Keep the base model.")


def test_a_run_that_did_not_help_says_so() -> None:
    found = judged(evaluation(80, [0.3] * 20), None)
    assert found.outcome == "unhelped"
    assert found.result == (
        "Training did not help: the run keeps the base model, which reads 80.0% of 100 test crops exactly."
    )
    assert "linetune suspects" in found.steps[0]


def test_validation_crops_prove_nothing_about_a_deployment() -> None:
    found = judged(evaluation(1000), Comparison(0, 30, 1000), tested=False)
    assert found.result.endswith(
        "These crops also chose the model: on new crops, the gain is probably smaller."
    )
    assert found.deployment == "Whether it may be deployed is not known: there are no test crops."
    assert found.steps[0].startswith("Label at least 299 test crops and name them in data.test")


def test_a_wide_interval_says_how_many_crops_make_it_narrow() -> None:
    found = judged(evaluation(90, [0.3] * 10), Comparison(0, 10, 100))
    low, high = evaluation(90, [0.3] * 10).score.interval
    assert high - low > 0.06
    facts = Facts(
        evaluation(330, [0.3, 0.2] * 20).score, True, Comparison(0, 90, 370), evaluation(330, [0.3, 0.2] * 20)
    )
    assert verdict(facts, Words("en")).steps[-1] == (
        "Label more test crops: exact match is only known to be 85.6% to 92.0%. "
        "About 420 crops give ±3 points."
    )
    assert found.steps[0].startswith("Label 199 more test crops")


@pytest.mark.parametrize("fall", [0.0, 0.008, 0.03])
def test_a_stage_overfits_if_it_gets_worse_while_its_loss_falls(fall: float) -> None:
    validations = [
        Validated(step, 1 / step, 0.9, 0.9 - 0.1 * math.exp(-step / 50) - fall * max(0, step - 300) / 700)
        for step in range(20, 1001, 20)
    ]
    found = StageHistory("real", validations=validations).overfit
    assert (found is not None) == (fall > 0.01)
    if found:
        assert 280 <= found.best.step <= 400
        assert found.worst.step == 980
        assert found.fall == pytest.approx(0.029, abs=0.002)


def test_a_stage_that_gets_worse_with_its_loss_does_not_overfit() -> None:
    worse = [Validated(step, step / 1000, 0.9, 0.9 - step / 10_000) for step in range(20, 1001, 20)]
    assert StageHistory("real", validations=worse).overfit is None
    one_bad = [Validated(step, 1 / step, 0.9, 0.9 - 0.02 * (step == 500)) for step in range(20, 1001, 20)]
    assert StageHistory("real", validations=one_bad).overfit is None, "one validation is partly luck"


def test_a_journal_has_the_history_of_stages_without_trials() -> None:
    journal: list[dict[str, Any]] = [
        {"event": "result", "name": "stage real"},
        {"event": "head-trial", "step": 10, "loss": 9.0, "learning_rate": 1e-4},
        {"event": "head", "step": 10, "loss": 2.0, "learning_rate": 1e-4},
        {"event": "head", "step": 20, "loss": None, "learning_rate": 1e-4},
        {"event": "head validation", "step": 20, "loss": 1.5, "exact_match": 0.5, "label_probability": 0.4},
        {"event": "real rate", "learning_rate": 1e-3, "label_probability": 0.5},
    ]
    (head,) = histories(journal, ["head", "real"])
    assert head.steps == [(10, 2.0, 1e-4)]
    assert head.validations == [Validated(20, 1.5, 0.5, 0.4)]


def test_the_breakdown_counts_crops_and_characters() -> None:
    texts = {"AB": "AB", "A8": "AB", "XYZ": "XYZ", "O": "0"}
    lines = [
        Line(Path(f"{folder}/1.png"), text, f"{folder}.txt:1")
        for folder, text in zip("aabb", texts, strict=True)
    ]
    found = Evaluation(lines, [Reading(read, 0.9) for read in texts.values()])
    assert [(each.name, each.right, each.total) for each in breakdown.by_length(found)] == [
        ("1", 0, 1),
        ("2", 1, 2),
        ("3", 1, 1),
    ]
    wrong = [(each.name, each.right, each.total) for each in breakdown.by_character(found) if each.wrong]
    assert wrong == [("8", 0, 1), ("O", 0, 1)]
    assert [(each.name, each.right, each.total) for each in breakdown.by_source(found)] == [
        ("a.txt", 1, 2),
        ("b.txt", 1, 2),
    ]
    matrix = breakdown.matrix(found)
    assert set(matrix.characters) == set("8BO0")
    counts = {
        (wanted, read): number
        for wanted, row in zip(matrix.characters, matrix.counts, strict=True)
        for read, number in zip(matrix.characters, row, strict=True)
        if number
    }
    assert counts == {("8", "B"): 1, ("B", "B"): 1, ("O", "0"): 1}
    assert matrix.most == 1
