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
from linetune.report.facts import Facts
from linetune.report.history import StageHistory, Validated, histories
from linetune.report.verdict import Verdict, verdict
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


def texts(found: Verdict) -> list[str]:
    return [step.text for step in found.steps]


def test_a_better_model_with_sure_readings_is_deployed_with_a_person_for_the_rest() -> None:
    found = judged(evaluation(1000, [0.3] * 40), Comparison(2, 50, 1040))
    assert found.outcome == "better"
    assert found.result == (
        "The model reads 96.2% of 1,040 test crops exactly. The base model, limited to the charset, reads "
        "91.5%. The model is better: +4.6 points (95% interval +3.3 to +6.0; McNemar's test, p < 0.001)."
    )
    assert found.deployment == (
        "You may deploy the model: accept readings whose confidence is at least 0.9890 (96% of the crops), "
        "and have a person read the other 4%. We are 95% certain that at most 1% of the accepted readings "
        "are wrong."
    )
    assert texts(found) == ["Add training crops with what is misread most often: 'O' → '0' (40×)."]
    assert found.surest == 0


def test_a_model_without_errors_on_enough_crops_needs_no_person() -> None:
    found = judged(evaluation(299), Comparison(0, 30, 299))
    assert found.deployment == (
        "You may deploy the model without a person who checks its readings. We are 95% certain that at most "
        "1% of its readings are wrong."
    )
    assert texts(found) == ["Nothing is urgent. Compare new crops with these now and then (linetune drift)."]
    fewer = judged(evaluation(298), Comparison(0, 30, 298))
    assert fewer.deployment == (
        "You may deploy the model without a person who checks its readings, if 2% wrong readings are "
        "acceptable. We are 95% certain that at most 2% of its readings are wrong. 1% cannot be promised "
        "yet: that takes at least 299 right readings."
    )
    assert texts(fewer) == [
        "Label more test crops, at least 1: a proof of an error of at most 1% takes so many more right "
        "readings."
    ]


def test_sure_errors_are_looked_at_before_more_labels() -> None:
    found = judged(evaluation(200, [0.99] * 12), Comparison(0, 30, 212))
    assert found.deployment == (
        "Do not deploy it without a person who checks every reading: these crops cannot prove an error of "
        "at most 5%, whatever the confidence."
    )
    assert texts(found)[0].startswith("Label more test crops, at least 299")
    many = judged(evaluation(400, [0.99] * 6), Comparison(0, 30, 406))
    assert many.steps[0].text == (
        "Look at the 6 surest errors first, because a label may be wrong. If these labels are right, label "
        "more test crops. A proof of an error of at most 1% takes at least 776 more readings with a "
        "confidence of 0.9890 or more, all of them right."
    )
    assert many.surest == 6
    assert many.promise
    assert many.promise.max_error == 0.05
    some = judged(evaluation(400, [0.99] * 6 + [0.3] * 60), Comparison(0, 90, 466))
    assert some.deployment == (
        "You may deploy the model if 5% wrong readings are acceptable: accept readings whose confidence is "
        "at least 0.9890 (87% of the crops), and have a person read the other 13%. We are 95% certain that "
        "at most 5% of the accepted readings are wrong. 1% cannot be promised yet: 6 of the 406 surest "
        "readings are wrong. With so many errors, the promise takes 1182 such readings."
    )
    sure = judged(evaluation(1000, [0.96] * 3 + [0.3] * 40), Comparison(0, 90, 1043))
    assert texts(sure)[0].startswith("Check the labels of the 3 errors with a confidence of 0.9500 or more")
    assert sure.surest == 3


def misread(*errors: tuple[str, str, int]) -> Evaluation:
    """1,000 right readings, and each label with its wrong reading so many times."""
    pairs = [("AB 12", "AB 12")] * 1000 + [(text, read) for text, read, times in errors for _ in range(times)]
    lines = [
        Line(Path(f"{number}.png"), text, f"test.txt:{number}") for number, (text, _) in enumerate(pairs)
    ]
    return Evaluation(lines, [Reading(read, 0.99 if read == text else 0.3) for text, read in pairs])


def test_the_most_frequent_error_comes_first_and_spaces_call_for_a_rule() -> None:
    some = misread(("A 1", "A1", 8), ("A1", "A 1", 4), ("O1", "01", 9), ("AB", "B", 6), ("A", "AZ", 4))
    spaces = (
        "Say where spaces may be: 8 misread crops lack a space, and 4 have one too many. linetune rule "
        "proposes a rule from the labels, and reading_rule in the run file makes the model read by it."
    )
    others = "Add training crops with what is misread most often: 'O' → '0' (9×), 'A' left out (6×)."
    assert texts(judged(some, Comparison(0, 90, 1031))) == [spaces, others]
    fewer = misread(("A 1", "A1", 8), ("O1", "01", 9), ("A", "AZ", 6))
    assert texts(judged(fewer, Comparison(0, 90, 1023))) == [
        "Add training crops with what is misread most often: 'O' → '0' (9×), 'Z' added (6×).",
        spaces.replace("8 misread crops lack a space, and 4", "8 misread crops lack a space, and 0"),
    ]
    by_rule = verdict(Facts(fewer.score, True, Comparison(0, 90, 1023), fewer, by_rule=True), Words("en"))
    assert texts(by_rule) == [
        "Add training crops with what is misread most often: 'O' → '0' (9×), space left out (8×), "
        "'Z' added (6×)."
    ], "the model reads by a rule already"


def test_a_character_that_is_wrong_on_few_crops_calls_for_nothing() -> None:
    once = misread(("OOOOOO", "000000", 1), ("O1", "01", 3), ("B", "8", 4))
    assert texts(judged(once, Comparison(0, 90, 1008))) == [
        "Nothing is urgent. Compare new crops with these now and then (linetune drift)."
    ]
    rest = [(f"{letter}1", "R1", 4) for letter in "ABCDEFGHIJKLMNPQS"]
    rare = misread(("O1", "01", 6), *rest)
    assert not any("'O'" in step for step in texts(judged(rare, Comparison(0, 90, 1074)))), "6 of 74 errors"


def test_a_verdict_says_that_everyday_texts_are_read_worse() -> None:
    readings, gain = evaluation(1000, [0.3] * 40), Comparison(2, 50, 1040)
    told = {
        after: verdict(
            Facts(
                readings.score,
                True,
                gain,
                readings,
                general=(Score(0.994, -0.001, 183), Score(after, -0.02, 183)),
            ),
            Words("en"),
        ).forgotten
        for after in (0.917, 0.98, 1.0)
    }
    assert told == {
        0.917: "The model reads everyday texts worse than the base model (91.7% instead of 99.4%): this "
        "matters only if it has to read other texts than those of this run.",
        0.98: "",
        1.0: "",
    }
    assert judged(readings, gain).forgotten == ""


def test_a_fall_that_chance_explains_is_not_called_forgetting() -> None:
    before, after = Score(0.92, -0.01, 200), Score(0.89, -0.02, 200)
    assert before.interval[0] < after.exact_match
    told = {
        change: Facts(after, True, None, general=(before, after), general_change=change)
        for change in (None, Comparison(6, 0, 200), Comparison(13, 7, 200))
    }
    assert [(facts.loses, facts.forgets) for facts in told.values()] == [
        (False, False),
        (True, True),
        (False, False),
    ], "the texts one by one decide where the run recorded them, or else the interval before the run"
    below = Facts(after, True, None, general=(before, Score(0.8, -0.02, 200)))
    assert below.loses
    assert below.forgets


def test_a_step_that_names_a_command_has_all_of_it() -> None:
    commands = {"suspects": "linetune suspects 'my run/config.yaml'", "drift": "linetune drift run FOLDER"}
    worse = Facts(Score(0.9, -0.01, 100), True, Comparison(50, 2, 100), commands=commands)
    assert verdict(worse, Words("en")).steps[0].command == commands["suspects"]
    fine = evaluation(1000)
    done = Facts(fine.score, True, Comparison(0, 30, 1000), fine, commands=commands)
    (step,) = verdict(done, Words("en")).steps
    assert (step.text.startswith("Nothing is urgent."), step.command) == (True, commands["drift"])


def test_a_difference_that_chance_explains_is_no_gain() -> None:
    found = judged(evaluation(95, [0.2] * 5), Comparison(3, 6, 100))
    assert found.outcome == "same"
    assert found.result == (
        "The model reads 95.0% of 100 test crops exactly. The base model, limited to the charset, reads "
        "92.0%. There is no difference beyond chance: +3.0 points (95% interval -3.4 to +9.3; McNemar's "
        "test, p = 0.508)."
    )


def test_a_worse_model_is_not_deployed() -> None:
    found = judged(evaluation(990, [0.3] * 50), Comparison(50, 2, 1040))
    assert found.outcome == "worse"
    assert found.result.startswith(
        "The model reads 95.2% of 1,040 test crops exactly. The base model, limited to the charset, reads "
        "99.8%. The model is worse: -4.6 points (95% interval -6.0 to -3.3; McNemar's test, p < 0.001)."
    )
    assert found.deployment == "Do not deploy it: the base model reads more crops right."
    assert texts(found)[0].startswith("Keep the base model.")


def test_a_run_that_did_not_help_says_so() -> None:
    found = judged(evaluation(80, [0.3] * 20), None)
    assert found.outcome == "unhelped"
    assert found.result == (
        "Training did not help: the run keeps the base model, which reads 80.0% of 100 test crops exactly."
    )
    assert "linetune suspects" in found.steps[0].text


def test_validation_crops_prove_nothing_about_a_deployment() -> None:
    found = judged(evaluation(1000), Comparison(0, 30, 1000), tested=False)
    assert found.result.endswith(
        "These crops also chose the model: on new crops, the gain is probably smaller."
    )
    assert found.deployment == "Whether it may be deployed is not known: there are no test crops."
    assert texts(found)[0].startswith("Label at least 299 test crops and name them in data.test")


def test_a_wide_interval_says_how_many_crops_make_it_narrow() -> None:
    found = judged(evaluation(90, [0.3] * 10), Comparison(0, 10, 100))
    low, high = evaluation(90, [0.3] * 10).score.interval
    assert high - low > 0.06
    facts = Facts(
        evaluation(330, [0.3, 0.2] * 20).score, True, Comparison(0, 90, 370), evaluation(330, [0.3, 0.2] * 20)
    )
    assert texts(verdict(facts, Words("en")))[-1] == (
        "Label more test crops: exact match is only known to be 85.6% to 92.0%. "
        "About 420 test crops in all give ±3 points."
    )
    assert texts(found)[0].startswith("Label more test crops, at least 209")


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
    assert head.kept is None, "journals of earlier versions may not say so"


def test_the_kept_validation_is_the_last_that_was_the_best_until_then() -> None:
    found = [(10, 0.90, 0.80, True), (20, 0.95, 0.79, False), (30, 0.92, 0.85, True), (40, 0.99, 0.84, False)]
    journal = [{"event": "real", "step": 10, "loss": 9.0, "learning_rate": 1e-4}] + [
        {
            "event": "real validation",
            "step": step,
            "loss": 1,
            "exact_match": exact,
            "label_probability": label,
            "kept": kept,
        }
        for step, exact, label, kept in found
    ]
    (stage,) = histories(journal, ["real"])
    assert stage.kept
    assert (stage.kept.step, stage.kept.exact_match) == (30, 0.92)


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
