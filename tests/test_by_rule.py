"""Reading by a rule: the most probable admitted text is found, exactly, and nothing else changes."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Cli
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_export_paddle import tiny

from linetune.config.synth import Pattern
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.decode.by_rule import LEAST, ByRule
from linetune.decode.reading import Greedy
from linetune.formats.store import save_model
from linetune.models.families.pp_ocrv6 import TINY
from linetune.rules import saved
from linetune.rules.automaton import compiled, of_pattern, of_texts
from linetune.rules.checks import CHECKS
from linetune.rules.rule import Rule

LETTERS = Charset(("A", "B", "C"))
DIGITS = Charset(tuple("0123456789"))
PATTERNS = ["[AB]{1,3}", "A{2}B?|BA", "(AB|B){1,2}C?", "[ABC]{2}", "C|AA|BBB", "A(B|C|BC){0,2}"]
CODES = {
    "iso6346": "[A-Z]{3}[JUZ][0-9]{7}",
    "vin": "[0-9A-HJ-NPR-Z]{17}",
    "luhn": "[0-9]{2,9}",
    "ean": "[0-9]{8}",
}


def probabilities(seed: int, frames: int, classes: int, flatness: float) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).dirichlet([flatness] * classes, (1, frames))
    return drawn.astype(np.float32)


def of_all_texts(frames: NDArray[np.float32], charset: Charset) -> dict[str, float]:
    """The probability of each text, from all alignments."""
    found: dict[str, float] = {}
    for path in itertools.product(range(frames.shape[1]), repeat=len(frames)):
        kept = [c for c, _ in itertools.groupby(path) if c]
        text = charset.decode(kept)
        found[text] = found.get(text, 0) + float(
            np.prod([frames[t, c] for t, c in enumerate(path)], dtype=float)
        )
    return found


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.sampled_from([0.1, 0.5, 3.0]), st.sampled_from(PATTERNS))
def test_the_text_is_the_most_probable_one(seed: int, frames: int, flatness: float, pattern: str) -> None:
    automaton = of_pattern(pattern)
    given = probabilities(seed, frames, LETTERS.classes, flatness)
    admitted = {t: p for t, p in of_all_texts(given[0], LETTERS).items() if automaton.admits(t)}
    (found,) = ByRule(LETTERS, automaton).find(given, texts=2)
    assert found.certain
    # Probabilities in float32 can add up to a little more than 1.
    assert found.follows == pytest.approx(min(1.0, sum(admitted.values())), rel=1e-9, abs=1e-13)
    ranked = sorted(admitted.values(), reverse=True)
    clear = min(2, sum(p > 1e-12 for p in ranked))
    assert [p for _, p in found.texts][:clear] == pytest.approx(ranked[:clear], rel=1e-9)
    for text, probability in found.texts:
        assert admitted[text] == pytest.approx(probability, rel=1e-9, abs=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.1, 1.0]), st.sampled_from(["luhn", "ean"]))
def test_the_check_digit_is_part_of_the_search(seed: int, flatness: float, check: str) -> None:
    charset, automaton = (
        Charset(("0", "1", "8")),
        of_pattern("[018]{8}" if check == "ean" else "[018]{2,4}", check),
    )
    given = probabilities(seed, 5 if check == "luhn" else 9, charset.classes, flatness)
    (found,) = ByRule(charset, automaton).find(given)
    if check == "luhn":
        admitted = {t: p for t, p in of_all_texts(given[0], charset).items() if automaton.admits(t)}
        if max(admitted.values()) > 1e-12:
            assert found.texts[0][1] == pytest.approx(max(admitted.values()), rel=1e-9)
    assert all(CHECKS[check].corrected(text) == text for text, _ in found.texts)  # type: ignore[index]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([0.1, 0.5]),
    st.sets(st.text("ABC", min_size=1, max_size=4), min_size=1),
)
def test_of_a_long_list_the_most_probable_text_is_found(seed: int, flatness: float, texts: set[str]) -> None:
    given = probabilities(seed, 5, LETTERS.classes, flatness)
    decoder = ByRule(LETTERS, of_texts(texts))
    (exact,) = decoder.find(given)
    decoder._graph.small = False  # as if it had too many states for the exact masses
    (found,) = decoder.find(given)
    if exact.texts and exact.texts[0][1] > decoder.least:
        assert found.texts[0] == pytest.approx(exact.texts[0])
        assert found.follows <= exact.follows * (1 + 1e-9)


@pytest.mark.parametrize("check", CODES)
def test_an_automaton_admits_what_the_rule_does(check: str) -> None:
    rule = Rule([Pattern(pattern=CODES[check], check=check)])
    automaton, source = of_pattern(CODES[check], check), random.Random(0)
    for _ in range(200):
        text = rule.sample(source)
        assert automaton.admits(text)
        place = source.randrange(len(text))
        other = text[:place] + source.choice("0123456789ABXZ") + text[place + 1 :]
        assert automaton.admits(other) == rule.matches(other)


def test_spaces_and_hyphens_do_not_count_in_a_check() -> None:
    automaton = of_pattern("[0-9]{3}[ -]?[0-9]{4}-[0-9]", "ean")
    assert automaton.admits("400-6381-" + CHECKS["ean"].compute("40063810"))
    assert automaton.admits("4006381-" + CHECKS["ean"].compute("40063810"))


def test_a_list_and_a_pattern_of_the_same_texts_are_one_automaton() -> None:
    assert of_texts(["AB", "AC", "BB", "BC"]) == of_pattern("[AB][BC]")
    assert compiled({"patterns": [{"pattern": "A[BC]"}, {"pattern": "B[BC]"}]}) == of_pattern("[AB][BC]")


def spelled(text: str, charset: Charset, doubt: dict[int, tuple[str, float]]) -> NDArray[np.float32]:
    """Frames that show a text, with doubts: the probability of another character at a place."""
    frames = np.full((1, 3 * len(text) + 2, charset.classes), 1e-7, np.float32)
    frames[0, :, 0] = 1
    for place, number in enumerate(charset.encode(text)):
        frame = frames[0, 3 * place + 1]
        frame[0], frame[number] = 1e-4, 1
        if place in doubt:
            other, share = doubt[place]
            frame[number], frame[charset.encode(other)[0]] = 1 - share, share
    return np.asarray(frames / frames.sum(2, keepdims=True), np.float32)


def test_a_letter_among_digits_becomes_the_digit_that_it_looks_like() -> None:
    charset = Charset(("0", "1", "5", "O", "."))
    given = spelled("1O.50", charset, {1: ("0", 0.2)})
    assert Greedy(charset)(given)[0].text == "1O.50"
    (reading,) = ByRule(charset, of_pattern("[0-9]{1,3}\\.[0-9]{2}"))(given)
    assert (reading.text, reading.admitted) == ("10.50", True)
    assert reading.follows == pytest.approx(0.2, abs=0.01)
    assert reading.follows is not None
    assert reading.confidence <= reading.follows


def test_small_letters_that_are_read_as_capitals_count_as_capitals() -> None:
    small = Charset(("A", "1", "A"))  # the third class is the small letter
    frames = np.array([[[0.1, 0.2, 0.4, 0.3], [0.9, 0.04, 0.03, 0.03]]], np.float32)
    (reading,) = ByRule(small, of_pattern("[A1]"))(frames)
    assert reading.text == "A"
    assert reading.confidence == pytest.approx(0.5 * (0.9 + 0.07) + 0.1 * 0.07, rel=1e-6)


def test_a_crop_that_follows_no_rule_is_read_without_it_and_marked() -> None:
    (reading,) = ByRule(DIGITS, of_pattern("7{3}"))(spelled("1234", DIGITS, {}))
    assert (reading.text, reading.admitted, reading.confidence) == ("1234", False, 0)


def test_characters_that_the_model_does_not_know_are_never_read() -> None:
    (reading,) = ByRule(DIGITS, of_pattern("[0-9X]{3}"))(spelled("123", DIGITS, {}))
    assert (reading.text, reading.admitted) == ("123", True)
    with pytest.raises(LinetuneError, match="the model can read no text of the rule: it does not know 'X'"):
        ByRule(DIGITS, of_pattern("1XX|X1"))


def test_long_lines_and_improbable_texts_do_not_vanish() -> None:
    charset, text = Charset(("0", "1")), "01" * 50
    given = np.tile(spelled(text, charset, dict.fromkeys(range(100), ("0", 0.5))), (3, 1, 1))
    found = list(ByRule(charset, of_pattern("(01){50}")).find(given))
    assert [each.texts[0][0] for each in found] == [text] * 3
    assert 0 < found[0].texts[0][1] < 1e-12


def test_a_crop_on_which_nothing_is_clear_ends() -> None:
    given = np.full((1, 40, DIGITS.classes), 1 / DIGITS.classes, np.float32)
    (found,) = ByRule(DIGITS, of_pattern("[0-9]{10,12}")).find(given)
    assert not found.certain
    assert found.texts


def test_right_to_left_text_cannot_be_read_by_a_rule() -> None:
    with pytest.raises(LinetuneError, match="a rule cannot read right-to-left text; read without"):
        ByRule(Charset(("א", "ב")), of_pattern("[אב]{2}"))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"patterns": [{"pattern": "[0-9]{12}", "check": "iso6346"}]}, "no text follows the rule"),
        ({"patterns": [{"pattern": "[ab]{0,50}a[ab]{49}"}]}, "needs more than 50,000 states"),
        ({"patterns": [{"pattern": "A+"}]}, "repeat without an upper bound"),
        ({"texts": []}, "the list of texts is empty"),
        ({"texts": [1]}, "the rule in the model file is damaged"),
        ({"patterns": []}, "the rule in the model file is damaged"),
        ({"patterns": [{"pattern": "A", "check": ["ean"]}]}, "the rule in the model file is damaged"),
        ({"pattern": "A"}, r"the rule in the model file is damaged; read without it \(--rule none\)"),
    ],
)
def test_a_rule_that_cannot_be_used_is_one_clear_error(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(LinetuneError, match=said):
        compiled(rule)


# Files of rules


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "B-2\n\nA-1\r\nB-2\n", {"texts": ["A-1", "B-2"]}),
        ("a.yaml", "rule: '[AB]-[12]'\n", {"patterns": [{"pattern": "[AB]-[12]", "check": None}]}),
        (
            "run.yml",
            "synth:\n  parts: {n: '[0-9]'}\n  rule:\n  - {pattern: 'A{n}{n}', weight: 3, check: luhn}\n",
            {"patterns": [{"pattern": "A(?:[0-9])(?:[0-9])", "check": "luhn"}]},
        ),
    ],
)
def test_a_rule_is_read_from_a_file(
    tmp_path: Path, name: str, content: str, expected: dict[str, Any]
) -> None:
    (tmp_path / name).write_bytes(content.encode())
    assert saved.read(tmp_path / name) == expected


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", "\n \n", "the file has no texts"),
        ("a.yaml", "charset: a\n", "has no rule"),
        ("a.yaml", "rule: [A]\n", "a list of one pattern"),
        ("a.yaml", "rule: {pattern: A, check: crc}\n", "check: Input should be 'iso6346'"),
        ("a.csv", "A\n", "not a file of a rule"),
        ("none.txt", None, "rule not found"),
    ],
)
def test_a_file_that_is_no_rule_is_one_clear_error(
    tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(LinetuneError, match=said) as caught:
        saved.read(tmp_path / name)
    assert "linetune rule prints" in str(caught.value) or "quote it" in str(caught.value)


# Models with rules


@pytest.fixture
def crops(tmp_path: Path, make_crops: Callable[[Path, Sequence[str]], Path]) -> Path:
    """The label file of some crops, beside a model that reads nothing right."""
    save_model(tiny("AB", architecture=TINY), tmp_path / "model.safetensors")
    return make_crops(tmp_path / "crops", ["A", "AB", "BB"])


def test_predict_and_evaluate_read_by_the_rule_of_a_file(tmp_path: Path, cli: Cli, crops: Path) -> None:
    model, rule = tmp_path / "model.safetensors", tmp_path / "rule.yaml"
    rule.write_text("rule: '[AB]{1,8}'\n", "utf-8")
    free = json.loads(cli("predict", model, crops.parent, "--json").out)
    assert all("admitted" not in each for each in free)
    found = json.loads(cli("predict", model, crops.parent, "--json", "--rule", rule).out)
    assert all(each["admitted"] == (each["follows"] >= LEAST) for each in found)
    evaluated = json.loads(cli("evaluate", model, crops, "--json", "--rule", rule).out)
    assert evaluated["follow_no_rule"] == sum(not each["admitted"] for each in found)
    assert "read by the rule; " in cli("evaluate", model, crops, "--rule", rule).out


def test_a_model_reads_by_its_own_rule_unless_told_otherwise(tmp_path: Path, cli: Cli, crops: Path) -> None:
    rule, with_rule = tmp_path / "rule.txt", tmp_path / "ruled.onnx"
    rule.write_text("A\nB\nAB\nBA\n", "utf-8")
    assert cli("export", tmp_path / "model.safetensors", "--rule", rule, "--output", with_rule).code == 0
    assert all(
        "admitted" in each for each in json.loads(cli("predict", with_rule, crops.parent, "--json").out)
    )
    free = cli("predict", tmp_path / "model.safetensors", crops.parent, "--json").out
    assert cli("predict", with_rule, crops.parent, "--json", "--rule", "none").out == free


def test_another_rule_makes_the_calibration_void_and_says_so(tmp_path: Path, cli: Cli, crops: Path) -> None:
    rule = {"patterns": [{"pattern": "[AB]{1,9}", "check": None}]}
    calibration = {"bias": 0.0, "weights": {"text": 1.0}}
    model = replace(tiny("AB", architecture=TINY), rule=rule, calibration=calibration)
    save_model(model, tmp_path / "ruled.safetensors")
    assert "the rule [AB]{1,9}" in cli("inspect", tmp_path / "ruled.safetensors").out
    done = cli("predict", tmp_path / "ruled.safetensors", crops.parent, "--rule", "none")
    assert done.code == 0
    assert "without the calibration of the model, which other options make void" in done.err


def test_a_rule_that_is_missing_is_one_clear_error(tmp_path: Path, cli: Cli, crops: Path) -> None:
    done = cli("predict", tmp_path / "model.safetensors", crops.parent, "--rule", tmp_path / "gone.yaml")
    assert done.code == 2
    assert "rule not found; a rule is a .txt file with one text a line" in done.err
