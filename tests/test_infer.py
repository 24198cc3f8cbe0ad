"""Rules proposed from labels, and the command that prints them."""

from __future__ import annotations

import io
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Cli, Screen
from ruamel.yaml import YAML

from linetune.cli import main
from linetune.config import Synth
from linetune.core import labelfile
from linetune.core.errors import LinetuneError
from linetune.rules.checks import CHECKS
from linetune.rules.infer import propose
from linetune.rules.rule import Rule

LETTERS, HEX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789ABCDEF"
Make = Callable[[random.Random], str]


def some(source: random.Random, characters: str, count: int) -> str:
    return "".join(source.choices(characters, k=count))


def digits(source: random.Random, count: int) -> str:
    return some(source, "0123456789", count)


def patterns(make: Make, count: int) -> list[str]:
    """Return the patterns proposed for made-up texts. They must cover all texts."""
    source = random.Random(0)
    proposal = propose([make(source) for _ in range(count)])
    assert not proposal.missed
    assert sum(pattern.weight or 0 for pattern in proposal.patterns) == count
    return [pattern.pattern for pattern in proposal.patterns]


@pytest.mark.parametrize(
    ("make", "few", "many"),
    [
        (
            lambda r: f"{some(r, LETTERS, 2)}{digits(r, 6)}-{r.choice('123456789')}",
            "[A-Z]{2}[0-9]{6}-[0-9]",
            "[A-Z]{2}[0-9]{6}-[1-9]",
        ),
        (lambda r: f"LOT {digits(r, r.randint(3, 6))}", "LOT [0-9]{3,6}", "LOT [0-9]{3,6}"),
        (
            lambda r: f"{r.randint(1, 31):02}.{r.randint(1, 12):02}.20{r.randint(15, 29)}",
            None,
            r"[0-3][0-9]\.[01][0-9]\.20[12][0-9]",
        ),
        (lambda r: f"{r.randint(0, 99999):05},{digits(r, 1)}", "[0-9]{5},[0-9]", "[0-9]{5},[0-9]"),
        (lambda r: some(r, HEX, 8), "[0-9A-F]{8}", None),
        (
            lambda r: f"{r.choice('京沪粤川鲁')}A{digits(r, 5)}",
            "[京川沪粤鲁]A[0-9]{5}",
            "[京川沪粤鲁]A[0-9]{5}",
        ),
        (
            lambda r: f"{r.choice(['JAN', 'FEB', 'MAR'])} {digits(r, 2)}",
            "(FEB|JAN|MAR) [0-9]{2}",
            "(FEB|JAN|MAR) [0-9]{2}",
        ),
        (
            lambda r: f"SN{digits(r, 4)}" + (f"/{digits(r, 2)}" if r.random() < 0.4 else ""),
            "SN[0-9]{4}(/[0-9]{2})?",
            "SN[0-9]{4}(/[0-9]{2})?",
        ),
        (lambda r: f"{r.choice(['', '-'])}{digits(r, 2)} °C", "-?[0-9]{2} °C", "-?[0-9]{2} °C"),
        (lambda r: r.choice(["PASS", "FAIL", "OK"]), "FAIL|OK|PASS", "FAIL|OK|PASS"),
        (lambda r: f"[{digits(r, 3)}]|{r.choice('xyz')}", r"\[[0-9]{3}\]\|[x-z]", r"\[[0-9]{3}\]\|[x-z]"),
    ],
)
def test_one_kind_of_code_has_one_pattern(make: Make, few: str | None, many: str | None) -> None:
    if few:
        assert patterns(make, 40) == [few]
    if many:
        assert patterns(make, 400) == [many]


def test_each_kind_of_code_has_its_own_pattern() -> None:
    source = random.Random(0)
    codes = [f"LOT {digits(source, 4)}" for _ in range(90)] + [some(source, LETTERS, 3) for _ in range(60)]
    proposal = propose(codes + [f"{digits(source, 2)}:{digits(source, 2)}" for _ in range(120)])
    assert [(pattern.pattern, pattern.weight) for pattern in proposal.patterns] == [
        ("[0-9]{2}:[0-9]{2}", 120),
        ("LOT [0-9]{4}", 90),
        ("[A-Z]{3}", 60),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_proposed_rule_covers_all_but_the_missed_labels_and_gives_texts(seed: int) -> None:
    source = random.Random(seed)
    texts = [some(source, "AB1 :-é😀", source.randint(1, 6)) for _ in range(60)] + ["", "A\u200b", "x" * 101]
    proposal = propose(texts)
    rule = Rule(proposal.patterns)
    missed = {texts[place] for place in proposal.missed}
    assert all(rule.matches(text) is (text not in missed) for text in texts)
    assert {"", "A\u200b", "x" * 101} <= missed
    assert all(rule.matches(rule.sample(source)) for _ in range(200))


@pytest.mark.parametrize(
    ("name", "pattern", "proposed"),
    [
        ("iso6346", "(CSQ|MSK)U [0-9]{6} [0-9]", "(CSQU|MSKU) [0-9]{6} [0-9]"),
        ("vin", "1[0-9A-HJ-NPR-Z]{16}", "1[0-9A-HJ-NPR-Z]{16}"),
        ("luhn", "49[0-9]{9}", "49[0-9]{9}"),
        ("ean", "[0-9]{13}", "[0-9]{13}"),
    ],
)
def test_a_check_that_all_codes_pass_is_proposed(name: str, pattern: str, proposed: str) -> None:
    rule = Rule(
        Synth.model_validate({"rule": {"pattern": pattern, "check": name}, "fonts": "f", "output": "o"}).rule
    )
    source = random.Random(0)
    proposal = propose([rule.sample(source) for _ in range(40)])
    assert [(found.pattern, found.check) for found in proposal.patterns] == [(proposed, name)]
    assert not proposal.missed


def test_merged_patterns_are_not_longer_than_a_rule_allows() -> None:
    texts = ["x" * n + "-1" for n in range(80, 98)] + ["1-" + "x" * n for n in range(80, 98)]
    assert not propose(texts).missed


def test_a_label_with_a_wrong_check_digit_is_not_covered() -> None:
    source = random.Random(0)
    rule = Rule(
        Synth.model_validate(
            {"rule": {"pattern": "[0-9]{11}", "check": "luhn"}, "fonts": "f", "output": "o"}
        ).rule
    )
    codes = [rule.sample(source) for _ in range(80)]
    wrong = codes[0][:-1] + str((int(codes[0][-1]) + 1) % 10)
    others = [f"{digits(source, 3)}{some(source, LETTERS, 8)}" for _ in range(40)]
    proposal = propose([*codes, *others, wrong])
    proposed = Rule(proposal.patterns)
    assert proposal.missed == [120]
    assert "luhn" in str(proposed.objection(wrong))


def test_few_codes_are_not_enough_for_a_check() -> None:
    assert propose(["18", "26"]).patterns[0].check is None


def test_labels_without_a_rule_are_refused() -> None:
    with pytest.raises(LinetuneError, match="no label is a text of at most 100 printable characters"):
        propose([" A", "B\n"])
    with pytest.raises(LinetuneError, match="no pattern has 3 labels; lower --least"):
        propose(["A1", "B2"], least=3)


# The command


def write_texts(path: Path, texts: list[str]) -> Path:
    labelfile.write_labels(path, ((f"{i}.png", text) for i, text in enumerate(texts)))
    return path


def test_rule_proposes_yaml_to_paste(cli: Cli, tmp_path: Path) -> None:
    names = [f"it's {i * 37 % 1000:03}" for i in range(60)]
    train = write_texts(tmp_path / "train.txt", [*names, "??", *(f"-{i}" for i in range(20, 80))])
    told = cli("rule", train).out
    assert told == (
        "  rule:\n"
        "    - {pattern: '-[2-7][0-9]', weight: 60}\n"
        "    - {pattern: 'it''s [0-9]{3}', weight: 60}\n"
        "# covers 120 of 121 labels\n"
        f"#   {train}:61: '??' does not follow the rule\n"
    )
    settings = YAML(typ="safe").load(f"synth:\n{told}  fonts: fonts\n  output: out\n")["synth"]
    rule = Rule.of(Synth.model_validate(settings))
    assert all(rule.matches(name) for name in names)
    assert cli("rule", write_texts(tmp_path / "one.txt", ["A-1"])).out == (
        "  rule: '[A-Z]-[0-9]'\n# covers 1 of 1 labels\n"
    )


def test_rule_finds_a_check_digit(cli: Cli, tmp_path: Path) -> None:
    codes = [CHECKS["luhn"].corrected(f"{7919 * i % 1000000:06}0") or "" for i in range(40)]
    wrong = codes[3][:-1] + str((int(codes[3][-1]) + 1) % 10)
    train = write_texts(tmp_path / "train.txt", [*codes, wrong])
    told = json.loads(cli("rule", train, "--json").out)
    assert told["labels"] == 41
    assert told["rule"] == [{"pattern": "[0-9]{7}", "weight": 40, "check": "luhn"}]
    (missed,) = told["not_covered"]
    assert (missed["source"], missed["text"]) == (f"{train}:41", wrong)
    assert missed["reason"] == f"has a wrong check digit, luhn gives '{codes[3]}'"
    assert "# all 40 labels of [0-9]{7} pass the luhn check\n" in cli("rule", train).out


def test_rule_leaves_out_rare_patterns(cli: Cli, tmp_path: Path) -> None:
    train = write_texts(tmp_path / "train.txt", [f"A{i}" for i in range(100, 150)] + ["x.x.x"] * 15)
    few, many = (json.loads(cli("rule", train, "--least", n, "--json").out) for n in (15, 16))
    assert len(few["not_covered"]) == 0
    assert len(many["not_covered"]) == 15
    told = cli("rule", train, "--least", 16).out
    assert "#   and 5 more\n" in told
    assert f"{train}:60: " in told
    assert f"{train}:61: " not in told


def test_rule_prints_on_every_console(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plates = [f"{'京沪'[i % 2]}A{i * 7919 % 100000:05}" for i in range(40)]
    train = write_texts(tmp_path / "train.txt", [*plates, "😀"])
    assert "rule: '[京沪]A[0-9]{5}'\n" in cli("rule", train).out
    with io.TextIOWrapper(Screen(), "ascii") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "argv", ["linetune", "rule", str(train)])
        with pytest.raises(SystemExit):
            main()
        out.flush()
        told = out.buffer.getvalue().decode()
    pattern = told.splitlines()[0].removeprefix("  rule: '").removesuffix("'")
    assert pattern == r"[\u4eac\u6caa]A[0-9]{5}"
    assert Rule(pattern).matches(plates[0])
    assert r"'\U0001f600' does not follow" in told
