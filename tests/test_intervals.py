"""Intervals and tests against published figures and against what they promise."""

from __future__ import annotations

import math

import pytest

from linetune.evaluation.intervals import wilson
from linetune.evaluation.metrics import Score


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


def test_the_interval_holds_the_true_share_as_often_as_it_says() -> None:
    for share in (0.8, 0.9):
        held = 0.0
        for right in range(201):
            low, high = wilson(right, 200)
            if low <= share <= high:
                held += math.comb(200, right) * share**right * (1 - share) ** (200 - right)
        assert held == pytest.approx(0.95, abs=0.02)


def test_a_perfect_score_on_few_crops_is_not_certain() -> None:
    assert Score(1.0, 0.0, 10).as_text() == "100.0% (72.2–100.0)"
    assert Score(0.88, -0.1, 440).as_text() == "88.0% (84.6–90.7)"
    low, high = Score(0.88, -0.1, 440_000).interval
    assert high - low < 0.002
