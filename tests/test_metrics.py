from __future__ import annotations

import json

import pytest

from linetune.evaluation.metrics import aligned, confusions, score


def test_a_crop_counts_only_when_its_whole_text_is_right() -> None:
    result = score(["AB1", "AB2", ""], ["AB1", "AB3", "X"])
    assert result.exact_match == pytest.approx(1 / 3)
    assert result.lines == 3


@pytest.mark.parametrize(
    ("predicted", "reference", "cer"),
    [
        (["ABCD"], ["ABCD"], 0),
        (["ABXD"], ["ABCD"], 1 / 4),
        (["ABD"], ["ABCD"], 1 / 4),
        (["ABCCD"], ["ABCD"], 1 / 4),
        (["kitten"], ["sitting"], 3 / 7),
        ([""], ["ABCD"], 1),
        (["ABCDEF"], ["A"], 5),
        # Summed over all crops: 1 wrong of 10 characters, not the mean of 0 and 1/2.
        (["ABCDEFGH", "1"], ["ABCDEFGH", "12"], 1 / 10),
    ],
)
def test_character_error_rate(predicted: list[str], reference: list[str], cer: float) -> None:
    assert score(predicted, reference).cer == pytest.approx(cer)


@pytest.mark.parametrize(
    ("predicted", "reference"),
    [("A1", "A 1"), ("a1", "A1"), ("A1 ", "A1"), ("A\u30001", "A 1"), ("Ａ", "A"), ("e\u0301", "é")],
)
def test_spaces_case_and_look_alikes_count(predicted: str, reference: str) -> None:
    result = score([predicted], [reference])
    assert result.exact_match == 0
    assert result.cer > 0


def test_a_better_score_compares_greater() -> None:
    reference = ["AAAA", "BBBB"]
    perfect = score(["AAAA", "BBBB"], reference)
    nearly = score(["AAAA", "BBBX"], reference)
    worse = score(["AAAA", "BBXX"], reference)
    fewer = score(["AAAX", "BBBX"], reference)
    assert perfect > nearly > worse > fewer
    # Whole lines come first, however few characters are wrong elsewhere.
    assert score(["AAAA", ""], reference) > fewer
    assert max(worse, perfect, nearly) is perfect


def test_figures_for_json() -> None:
    figures = score(["A", "B"], ["A", "B"]).as_dict()
    low, high = figures.pop("interval")
    assert 0 < low < high == 1
    assert json.dumps(figures) == '{"exact_match": 1.0, "cer": 0.0, "lines": 2}'
    assert f"{score(['A'], ['A']).cer:.1%}" == "0.0%"


def test_no_lines_and_unequal_numbers_of_lines_are_refused() -> None:
    with pytest.raises(ValueError, match="no lines to score"):
        score([], [])
    with pytest.raises(ValueError, match="argument 2"):
        score(["A"], ["A", "B"])


@pytest.mark.parametrize(
    ("text", "read"), [("LOT 4711", "L0T 471"), ("", "AB"), ("AB", ""), ("kitten", "sitting"), ("A", "A")]
)
def test_an_alignment_spells_both_texts_and_has_as_many_faults_as_edits(text: str, read: str) -> None:
    pairs = aligned(text, read)
    assert "".join(a for a, _ in pairs) == text
    assert "".join(b for _, b in pairs) == read
    assert sum(a != b for a, b in pairs) == -score([read], [text]).negative_cer * max(1, len(text))


def test_confusions_are_counted_the_most_frequent_first() -> None:
    pairs = [("O1", "01"), ("OO", "00"), ("B", "B8"), ("AC", "A")]
    assert confusions(pairs) == [(("O", "0"), 3), (("", "8"), 1), (("C", ""), 1)]
