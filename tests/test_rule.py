from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from linetune.config import Pattern, Synth, load
from linetune.core import labelfile
from linetune.core.errors import LinetuneError
from linetune.rules.checks import CHECKS
from linetune.rules.pattern import parse
from linetune.rules.rule import Rule, identity
from linetune.rules.texts import Texts
from linetune.rules.weights import weigh_like

Mode = Literal["balanced", "uniform", "like_labels"]


def drawn(rule: Rule, count: int = 4000) -> list[str]:
    source = random.Random(1)
    return [rule.sample(source) for _ in range(count)]


def shares(values: list[Any]) -> dict[Any, float]:
    return {value: times / len(values) for value, times in Counter(values).items()}


def several(*patterns: dict[str, Any]) -> Rule:
    return Rule([Pattern.model_validate(pattern) for pattern in patterns])


@pytest.mark.parametrize(
    "pattern",
    [
        r"[A-Z]{2}\d{6}-[1-9]",
        "A{0,2}B{0,2}C",
        "(AB|CD?){1,3}",
        "(x|[yz]{2,4}|)w",
        "(A?){3}B",
        "京[A-F]|沪[0-9]{2}",
        "A{3}(){5}(B{0}C)?",
    ],
)
@pytest.mark.parametrize("mode", ["balanced", "uniform"])
def test_every_text_follows_the_pattern(pattern: str, mode: Mode) -> None:
    assert all(re.fullmatch(pattern, text) for text in drawn(Rule(pattern, texts=mode), 400))


@pytest.mark.parametrize("pattern", ["a|b{1,2}|[cd]e", "[ab]{1,3}", "(a|bc){2}d?", "x(1|2[0-4])?"])
def test_uniform_draws_every_text_equally_often(pattern: str) -> None:
    words = ("".join(w) for n in range(1, 7) for w in itertools.product("abcdex01234", repeat=n) if n < 6)
    texts = {word for word in words if re.fullmatch(pattern, word)}
    found = shares(drawn(Rule(pattern, texts="uniform"), 600 * len(texts)))
    assert set(found) == texts
    # Five standard deviations of a share of 600 in expectation.
    assert all(abs(share * len(texts) - 1) < 5 / 600**0.5 for share in found.values())


def test_uniform_counts_texts_too_many_for_floats() -> None:
    lengths = shares([len(text) for text in drawn(Rule("[一-龥]{99,100}|[A-B]", texts="uniform"), 200)])
    assert set(lengths) == {100}
    assert shares([len(text) for text in drawn(Rule("[A-Z]{1,3}", texts="uniform"))])[3] > 0.94


def test_balanced_evens_out_lengths_and_alternatives() -> None:
    lengths = shares([len(text) for text in drawn(Rule(r"[A-Z]{1,3}\d{0,2}"))])
    assert all(abs(share - 0.2) < 0.03 for share in lengths.values())
    assert set(lengths) == {1, 2, 3, 4, 5}
    same_length = shares([text[0] for text in drawn(Rule("-[0-9]{3}|QF[0-9]{2}|[A-Z]{4}"))])
    assert abs(same_length["-"] - 1 / 3) < 0.03
    assert same_length["Q"] > 1 / 3


def test_balanced_draws_rare_characters_as_often_as_common_ones() -> None:
    found = shares(list("".join(drawn(Rule("[0-9]{4}|[0-9A-F]{4}"), 8000))))
    letters, digits = (sum(found[c] for c in some) / len(some) for some in ("ABCDEF", "0123456789"))
    assert letters > 0.75 * digits


def test_no_character_of_a_class_becomes_rare_in_its_place() -> None:
    last = shares([text[-1] for text in drawn(Rule("[0-9]{6}[0-9A-Z]"), 20000)])
    assert len(last) == 36
    assert max(last.values()) < 6 * min(last.values())


def test_like_labels_draws_lengths_and_characters_as_in_the_labels() -> None:
    labels = ["A1"] * 60 + ["A2"] * 20 + ["XYZ-77"] * 20 + ["no such thing"]
    rule = Rule(r"[A-Z]\d|[A-Z]{2,3}-\d{2}|[A-Z0-9-]{2,8}", texts="like_labels", labels=labels)
    texts = drawn(rule)
    lengths = shares([len(text) for text in texts])
    assert abs(lengths[2] - 0.8) < 0.04
    assert abs(lengths[6] - 0.2) < 0.04
    assert shares([text[0] for text in texts if len(text) == 2])["A"] > 0.6
    longer = shares([text for text in texts if re.fullmatch("[XYZ]{3}-77", text)])
    assert len(longer) > 5, "the characters of a class are as in the labels, their order is free"
    assert 0.1 < sum(texts.count(text) for text in longer) / len(texts) < 0.2


def test_like_labels_weighs_each_pattern_by_its_labels() -> None:
    patterns = [Pattern(pattern="[A-Z0-9]{2}"), Pattern(pattern="[0-9]{2}"), Pattern(pattern="[a-z]{2}")]
    rule = Rule(patterns, texts="like_labels", labels=["12"] * 60 + ["A1"] * 40)
    found = shares([text.isdigit() for text in drawn(rule)])
    assert found[True] > 0.55, "a label of two patterns belongs to the tightest"
    weighed = [Pattern(pattern="[A-Z]", weight=1), Pattern(pattern="[0-9]", weight=3)]
    rule = Rule(weighed, texts="like_labels", labels=["A"] * 50)
    assert abs(shares([text.isdigit() for text in drawn(rule)])[True] - 0.75) < 0.03


def test_a_text_is_drawn_even_if_its_weight_is_too_small_for_a_float() -> None:
    texts = Texts(parse("(a|[b-z]{2}){1,50}"))
    weigh_like(texts, ["a" * 50] * 50000)
    assert texts.root.mass[100] == 0
    assert re.fullmatch("[b-z]{100}", texts.root.draw(100, random.Random(0)))


def test_like_labels_needs_a_label_that_follows_the_rule() -> None:
    with pytest.raises(LinetuneError, match=r"rule \[A-Z\]: no label follows the rule; linetune rule LABELS"):
        Rule("[A-Z]", texts="like_labels", labels=["12"])


def test_patterns_are_drawn_by_weight_or_equally_often_or_by_their_number_of_texts() -> None:
    rule = several({"pattern": "[A-Z]{2}", "weight": 3}, {"pattern": "[0-9]", "weight": 1})
    assert abs(shares([text.isdigit() for text in drawn(rule)])[True] - 0.25) < 0.03
    rule = several({"pattern": "[A-Z]{2}"}, {"pattern": "[0-9]"})
    assert abs(shares([text.isdigit() for text in drawn(rule)])[True] - 0.5) < 0.03
    assert rule.alphabet == tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    uniform = Rule([Pattern(pattern="[A-Z]{2}"), Pattern(pattern="[0-9]")], texts="uniform")
    assert 0.003 < shares([text.isdigit() for text in drawn(uniform)])[True] < 0.03
    assert rule.matches("AB")
    assert rule.matches("1")
    assert not rule.matches("A1")


def test_a_text_depends_only_on_the_random_numbers() -> None:
    rule, again = Rule(r"[A-Z]{1,4}-\d{2,4}"), Rule(r"[A-Z]{1,4}-\d{2,4}")
    texts = [rule.sample(random.Random(f"7/{i}")) for i in range(20)]
    assert [again.sample(random.Random(f"7/{i}")) for i in reversed(range(20))] == texts[::-1]
    assert len(set(texts)) == 20
    assert re.fullmatch(rule.pattern, rule.sample(np.random.default_rng(3)))
    assert rule.sample(np.random.default_rng(3)) == again.sample(np.random.default_rng(3))


def test_parts_are_replaced_by_their_expressions() -> None:
    parts = {"month": "0[1-9]|1[0-2]", "date": r"20\d{2}-{month}"}
    rule = Rule(r"LOT {date}[{}]\{x", parts)
    assert all(re.fullmatch(r"LOT 20\d{2}-(0[1-9]|1[0-2])[{}]\{x", text) for text in drawn(rule, 200))
    for pattern, known, message in (
        ("{mont}", parts, r"rule \{mont\}: no part .*'; did you mean 'month'\?; for a literal brace, .* \\{"),
        ("A{hex}", {}, r"no part named 'hex'; define it in synth\.parts"),
        ("A", {"x": "("}, r"synth\.parts\.x: not a regular expression \(missing \)"),
        ("{x}", {"x": "{y}", "y": "B"}, r"synth\.parts\.x: uses 'y' before it is defined"),
    ):
        with pytest.raises(LinetuneError, match=message):
            Rule(pattern, known)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("iso6346", "CSQU3054383"),
        ("iso6346", "CSQU 305438 3"),
        ("vin", "1M8GDM9AXKP042788"),
        ("vin", "11111111111111111"),
        ("luhn", "79927398713"),
        ("luhn", "4539 1488 0343 6467"),
        ("luhn", "IMEI 49-015420-323751-8"),
        ("ean", "4006381333931"),
        ("ean", "73513537"),
        ("ean", "036000291452"),
        ("ean", "10012345678902"),
    ],
)
def test_known_codes_pass_their_check_and_no_other_check_character_does(name: Any, code: str) -> None:
    check = CHECKS[name]
    assert check.corrected(code) == code
    counted = [i for i, character in enumerate(code) if character in check.counted]
    at = counted[check.position]
    for other in "0123456789X":
        if other in check.counted:
            assert check.corrected(code[:at] + other + code[at + 1 :]) == code


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("iso6346", "CSQA3054383"),
        ("iso6346", "CSQU305438"),
        ("vin", "1M8GDM9AXKPO42788"),
        ("vin", "1M8GDM9AXKP04278"),
        ("luhn", "7"),
        ("luhn", "ABC"),
        ("ean", "400638133"),
        ("ean", ""),
    ],
)
def test_a_text_that_is_not_a_code_has_no_check_character(name: Any, text: str) -> None:
    assert CHECKS[name].corrected(text) is None


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("iso6346", r"[A-Z]{3}[UJZ] ?\d{6} ?\d"),
        ("vin", "[A-HJ-NPR-Z0-9]{17}"),
        ("luhn", r"(4|51)\d{2}( \d{4}){3}"),
        ("ean", r"\d{13}|\d{8}"),
        ("ean", r"\d{7}[0-4]"),
    ],
)
def test_drawn_codes_have_the_correct_check_digit(name: Any, pattern: str) -> None:
    rule = several({"pattern": pattern, "check": name})
    for text in drawn(rule, 300):
        assert CHECKS[name].corrected(text) == text
        assert re.fullmatch(pattern, text)


@pytest.mark.parametrize(
    ("name", "pattern", "message"),
    [
        ("vin", "[A-HJ-NPR-Z0-9]{16}", "vin needs 17 .*, but the rule gives 16 letters and digits"),
        ("vin", "[A-Z0-9]{17}", "17 digits and letters other than I, O and Q, but the rule gives '"),
        ("ean", r"\d{8,13}", "ean needs 8, 12, 13 or 14 digits, but the rule gives 9 digits"),
        ("iso6346", r"[A-Z]{4}\d{7}", "3 letters, U, J or Z, and 7 digits, but the rule gives '"),
        (
            "ean",
            "4006381333932",
            "gives no text with the correct check digit of ean; allow all digits at the place of the",
        ),
        ("luhn", "AB", "luhn needs 2 digits or more, but the rule gives 0 digits"),
    ],
)
def test_a_check_that_does_not_fit_the_pattern_is_refused(name: Any, pattern: str, message: str) -> None:
    with pytest.raises(LinetuneError, match=message) as caught:
        several({"pattern": pattern, "check": name})
    assert caught.value.where == f"rule {pattern}"


@pytest.mark.parametrize(
    ("rule", "overrides", "place"),
    [
        ("rule: 'A['", (), "run.yaml:4: rule A["),
        ("rule:\n    - A\n    - A[", (), "run.yaml:6: rule A["),
        ("rule:\n    - {pattern: A}\n    - check: luhn\n      pattern: 'A['", (), "run.yaml:7: rule A["),
        ("rule:\n    - {pattern: AB, check: luhn}", (), "run.yaml:5: rule AB"),
        ("rule: '{month}'", (), "run.yaml:4: rule {month}"),
        ("rule: '{day}'\n  parts: {day: 'A['}", (), "synth.parts.day"),
        ("rule: A", ("synth.rule='A['",), "override \"synth.rule='A['\": rule A["),
    ],
)
def test_the_error_of_a_refused_pattern_has_its_place(
    rule: str, overrides: tuple[str, ...], place: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "output: run\ndata: {train: train.txt, val: val.txt}\n"
        f"synth:\n  {rule}\n  fonts: fonts\n"
        "stages: [{name: real, data: train, epochs: 1, learning_rate: 1e-4}]\n",
        encoding="utf-8",
    )
    synth = load(path, overrides).synth
    assert synth
    with pytest.raises(LinetuneError) as caught:
        Rule.of(synth)
    assert str(caught.value.where).removeprefix(f"{tmp_path}/") == place


def test_an_objection_says_how_a_text_breaks_the_rule() -> None:
    rule = several({"pattern": r"\d{11}", "check": "luhn"}, {"pattern": "[A-Z]{2}"})
    assert rule.objection("79927398713") is None
    assert rule.objection("AB") is None
    assert rule.objection("79927398710") == "has a wrong check digit, luhn gives '79927398713'"
    assert rule.objection("A1") == "does not follow the rule"
    assert rule.alphabet == tuple("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def test_the_identity_changes_only_with_the_texts_of_the_labels(tmp_path: Path) -> None:
    labels = tmp_path / "train.txt"
    labelfile.write_labels(labels, [("a.png", "A1"), ("b.png", "B2")])
    values = {"rule": r"[A-Z]\d", "texts": "like_labels", "labels": labels, "fonts": "f", "output": "o"}
    settings = Synth.model_validate(values)
    before = identity(settings)
    labelfile.write_labels(labels, [("other.png", "B2"), ("a.png", "A1")])
    assert identity(settings) == before
    labelfile.write_labels(labels, [("a.png", "A1"), ("b.png", "B3")])
    assert identity(settings) != before
