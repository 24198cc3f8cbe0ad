"""Intervals and tests have the published figures and the coverage that they promise."""

from __future__ import annotations

import math

import pytest

from linetune.evaluation.comparison import compare, mcnemar
from linetune.evaluation.intervals import paired_difference, wilson
from linetune.evaluation.metrics import Score, score


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [
        # Newcombe 1998 (Stat. Med. 17:857), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(right: int, of: int, low: float, high: float) -> None:
    assert wilson(right, of) == pytest.approx((low, high), abs=5e-5)
    # What is wrong is the mirror image of what is right.
    assert wilson(of - right, of) == pytest.approx((1 - high, 1 - low), abs=5e-5)


def test_the_interval_contains_the_true_share_in_95_percent_of_cases() -> None:
    for share in (0.8, 0.9):
        held = 0.0
        for right in range(201):
            low, high = wilson(right, 200)
            if low <= share <= high:
                held += math.comb(200, right) * share**right * (1 - share) ** (200 - right)
        assert held == pytest.approx(0.95, abs=0.02)


def test_a_perfect_score_on_few_crops_is_not_certain() -> None:
    assert Score(1.0, 0.0, 10).as_text() == "100.0% (72–100)"
    assert Score(0.88, -0.1, 440).as_text() == "88.0% (85–91)"
    low, high = Score(0.88, -0.1, 440_000).interval
    assert high - low < 0.002


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [(12, 31, 0.005402), (1, 9, 0.021484), (5, 5, 1.0), (0, 0, 1.0), (0, 4, 0.125), (0, 10, 2 / 1024)],
)
def test_mcnemars_test_is_the_exact_binomial_one(one: int, other: int, p: float) -> None:
    assert mcnemar(one, other) == pytest.approx(p, abs=5e-7)
    assert mcnemar(other, one) == mcnemar(one, other)
    whole = sum(math.comb(one + other, k) for k in range(min(one, other) + 1)) / 2 ** (one + other)
    assert mcnemar(one, other) == pytest.approx(min(1, 2 * whole))


def test_mcnemars_test_works_for_any_number_of_crops() -> None:
    assert mcnemar(5_000, 5_000) == 1
    assert 0 <= mcnemar(100, 9_000) < 1e-300


def test_the_paired_interval_contains_the_true_difference_in_95_percent_of_cases() -> None:
    of, (first, second) = 60, (0.05, 0.2)
    held = 0.0
    for a in range(of + 1):
        for b in range(of + 1 - a):
            low, high = paired_difference(a, b, of)
            if low <= second - first <= high:
                ways = math.comb(of, a) * math.comb(of - a, b)
                held += ways * first**a * second**b * (1 - first - second) ** (of - a - b)
    assert held == pytest.approx(0.95, abs=0.02)
    assert paired_difference(0, 10, 10)[1] == 1
    assert paired_difference(3, 3, 100)[0] == -paired_difference(3, 3, 100)[1]


def test_a_comparison_says_which_model_is_better_or_that_the_difference_may_be_chance() -> None:
    reference = [f"{i:03}" for i in range(50)]
    a = score(["" if i < 12 else text for i, text in enumerate(reference)], reference)
    b = score(["" if i == 49 else text for i, text in enumerate(reference)], reference)
    assert compare(a, b).sentence() == (
        "B is better: only B reads 12 crops, only A reads 1; chance alone gives this in 0.3% of cases"
    )
    sentence = compare(b, a).sentence("the old", "the new")
    assert sentence.startswith("the old is better: only the new reads 1 crop, only the old reads 12;")
    assert compare(a, b).difference == pytest.approx(b.exact_match - a.exact_match)
    assert compare(a, a).sentence() == "no difference beyond chance on 50 crops: both read the same crops"
    with pytest.raises(ValueError, match="argument 2"):
        compare(a, score(["1"], ["1"]))
