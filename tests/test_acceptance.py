from __future__ import annotations

from linetune.evaluation.acceptance import accepted, confidence_text, round_down


def test_thresholds_go_from_the_highest_to_one_that_accepts_all_readings() -> None:
    confidences = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5]
    right = [True] * 7 + [False, True, False]
    steps = accepted(confidences, right)
    assert [(step.lines, step.correct) for step in steps] == [(5, 5), (6, 6), (7, 7), (8, 7), (9, 8), (10, 8)]
    assert [step.total for step in steps] == [10] * 6
    assert steps[-1].exact_match == 0.8
    assert steps[0].interval is not None
    low, high = steps[0].interval
    assert low < 0.7, "five crops prove little"
    assert high == 1
    assert steps[-1].as_text().startswith("all readings: 100% of the crops, 8 of 10 right, 80.0% (")


def test_a_threshold_that_is_copied_from_the_text_accepts_the_same_readings() -> None:
    confidences = [0.99996, 0.99994, 0.99984, 0.98765, 0.5]
    *steps, everything = accepted(confidences, [True, True, False, True, False])
    assert everything.lines == 5
    for step in steps:
        copied = float(step.as_text().split()[0])
        assert sum(confidence >= copied for confidence in confidences) == step.lines
        assert sum(round_down(confidence) >= copied for confidence in confidences) == step.lines
        assert step.lines >= 0.5 * 5


def test_readings_with_equal_confidence_are_accepted_together_and_reported_once() -> None:
    (step,) = accepted([0.9] * 8, [True] * 6 + [False] * 2)
    assert (step.lines, step.coverage, step.correct) == (8, 1, 6)
    assert step.as_dict() == {
        "confidence": 0.9,
        "share": 1,
        "lines": 8,
        "exact_match": 0.75,
        "interval": list(step.interval or ()),
    }


def test_one_crop_is_enough() -> None:
    (step,) = accepted([0.0], [False])
    assert (step.confidence, step.lines, step.correct) == (0, 1, 0)


def test_the_user_can_choose_the_threshold() -> None:
    confidences, right = [0.99, 0.97, 0.9], [True, False, True]
    (step,) = accepted(confidences, right, [0.97])
    assert (step.lines, step.correct, step.exact_match) == (2, 1, 0.5)
    (none,) = accepted(confidences, right, [0.999])
    assert none.as_text() == "0.9990 or more: none of the crops"
    assert (none.exact_match, none.as_dict()["interval"]) == (None, None)


def test_a_confidence_that_people_read_reaches_no_higher_threshold() -> None:
    assert [confidence_text(each) for each in (1.0, 0.99996, 0.5, 0.0)] == [
        "1.0000",
        "0.9999",
        "0.5000",
        "0.0000",
    ]
