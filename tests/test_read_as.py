"""Aliases: printed characters that a model reads as others (``read_as``)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli
from numpy.typing import NDArray

from linetune.config import load
from linetune.core import labelfile
from linetune.core.aliases import Aliases
from linetune.core.charset import BLANK, Charset
from linetune.core.errors import LinetuneError
from linetune.formats import paddle
from linetune.formats.dictionary import read_settings
from linetune.formats.model import Model
from linetune.formats.official import load_base
from linetune.formats.registry import FORMATS
from linetune.formats.store import save_model
from linetune.formats.transfer import with_charset
from linetune.models.families.pp_ocrv6 import TINY
from linetune.models.layers.reparam import fold
from linetune.models.network import Network
from linetune.training.losses import ctc_loss, label_losses

CAPITALS = Aliases(("capitals",))
BASE = Charset(tuple("0AaBbIiLlsſＡａ "))
READ = Charset(tuple("0ABLS "))


@pytest.fixture(scope="module")
def base() -> Model:
    torch.manual_seed(0)
    return Model(fold(Network(TINY, BASE.classes)).eval(), BASE, "PP-OCRv6_tiny_rec", "test")


def probabilities(seed: int, frames: int, classes: int) -> NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(size=(1, frames, classes)) * 2
    out = np.exp(logits)
    return np.asarray(out / out.sum(2, keepdims=True), np.float32)


# What a label means


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("characters", "text"), [("ABAB", "AB"), ("ABAA", "AA"), ("AAA ", "A A"), ("AB", "BA")]
)
def test_a_label_is_as_probable_as_all_ways_to_write_it_together(
    characters: str, text: str, seed: int
) -> None:
    charset, frames = Charset(tuple(characters)), 5
    given = probabilities(seed, frames, charset.classes)
    names = ["", *charset.characters]
    total = 0.0
    for path in itertools.product(range(charset.classes), repeat=frames):
        written = "".join(name for name, _ in itertools.groupby(names[each] for each in path))
        if written == text:
            total += float(np.prod([given[0, frame, each] for frame, each in enumerate(path)]))
    assert np.exp(-label_losses(given, [text], charset)) == pytest.approx([total], rel=1e-4)


def test_the_gradient_is_that_of_the_loss() -> None:
    charset = Charset(tuple("ABAA"))
    logits = torch.randn(
        2, 6, charset.classes, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    logits.requires_grad_(True)
    labels = [charset.encode("AB"), charset.encode("A")]

    def loss(of: torch.Tensor) -> torch.Tensor:
        return ctc_loss(of, labels, charset.alias_classes)

    loss(logits).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    for place in [(0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 3, 3), (1, 4, 4), (1, 5, 1)]:
        moved = torch.zeros_like(logits)
        moved[place] = 1e-2
        with torch.no_grad():
            slope = (loss(logits + moved) - loss(logits - moved)) / 2e-2
        assert float(logits.grad[place]) == pytest.approx(float(slope), abs=2e-3)


def test_without_aliases_nothing_changes() -> None:
    charset = Charset(tuple("ABC"))
    logits = torch.randn(2, 6, charset.classes)
    labels = [charset.encode("AB"), charset.encode("C")]
    assert charset.alias_classes == ()
    assert torch.equal(ctc_loss(logits, labels, charset.alias_classes), ctc_loss(logits, labels))


# The head


def test_every_alias_keeps_its_row(base: Model) -> None:
    aliases = Aliases(("half_width", "capitals"), {"I": "L"})
    made = with_charset(base, READ, aliases)
    row = {character: number for number, character in enumerate(BASE.characters, 1)}
    old, new = base.network.head.fc.weight, made.model.network.head.fc.weight
    expected = {"0": "0", "A": "AaＡａ", "B": "Bb", "L": "LlIi", "S": "sſ", " ": " "}
    for character, printed in expected.items():
        classes = [n for n, c in enumerate(made.model.charset.characters, 1) if c == character]
        rows = torch.stack([old[row[c]] for c in printed])
        if "I" not in printed:
            assert torch.equal(new[classes], rows)
        assert torch.equal(new[classes[0]], rows[0])
    assert torch.equal(new[BLANK], old[BLANK])
    assert made.unknown == []
    assert made.model.charset.distinct == READ.characters


def test_a_model_with_aliases_keeps_them_when_it_is_limited(base: Model) -> None:
    whole = with_charset(base, READ, CAPITALS).model
    limited = with_charset(whole, Charset(tuple("AS"))).model
    assert limited.charset.characters == ("A", "S", "A", "S")
    assert with_charset(whole, READ).model.charset == whole.charset


def test_a_small_letter_is_read_as_its_capital(base: Model) -> None:
    charset = with_charset(base, READ, CAPITALS).model.charset
    assert charset.decode(charset.encode("AB 0")) == "AB 0"
    decoded = [charset.decode([number]) for number in range(1, charset.classes)]
    assert "".join(decoded) == "0ABLSABLS "
    with pytest.raises(LinetuneError, match="'a' not in the charset"):
        charset.encode("a")


# Files


@pytest.mark.parametrize("name", ["onnx", "hf", "pdparams"])
def test_every_format_keeps_the_aliases(name: str, base: Model, tmp_path: Path) -> None:
    model = with_charset(base, READ, CAPITALS).model
    path = tmp_path / f"model{FORMATS[name].ending}"
    FORMATS[name].export(model, path)
    assert load_base(str(path)).charset == model.charset


def test_a_model_file_and_the_settings_of_paddle_keep_the_aliases(base: Model, tmp_path: Path) -> None:
    model = with_charset(base, READ, CAPITALS).model
    save_model(model, tmp_path / "model.safetensors")
    assert load_base(str(tmp_path / "model.safetensors")).charset == model.charset
    (tmp_path / "inference.yml").write_text(paddle._settings(model), encoding="utf-8")
    assert read_settings(tmp_path).charset == model.charset


def test_a_charset_file_has_each_character_once(base: Model, tmp_path: Path) -> None:
    with_charset(base, READ, CAPITALS).model.charset.write(tmp_path / "charset.txt")
    assert Charset.read(tmp_path / "charset.txt") == READ


def test_inspect_counts_characters_and_not_classes(base: Model, tmp_path: Path, cli: Cli) -> None:
    save_model(with_charset(base, READ, CAPITALS).model, tmp_path / "model.safetensors")
    shown = cli("inspect", tmp_path / "model.safetensors").out
    assert "6 characters: 0ABLS" in shown
    assert "4 of them have several rows: ABLS" in shown


# The run file


@pytest.fixture
def run_file(base: Model, make_crops: Callable[..., Path], tmp_path: Path) -> Path:
    texts = ["ALSA", "BAL0", "0LAS", "SALB", "LALB", "0BSA"]
    for split in ("train", "val"):
        make_crops(tmp_path / split, texts if split == "train" else [text[::-1] for text in texts[:3]])
    save_model(base, tmp_path / "base.safetensors")
    path = tmp_path / "run.yaml"
    path.write_text(
        """\
output: run
base_model: base.safetensors
both_ways: false
read_as: [capitals, {i: L}]
data: {train: train/labels.txt, val: val/labels.txt}
stages:
  - {name: real, data: train, epochs: 1, learning_rate: 1e-4, batch_size: 4}
""",
        encoding="utf-8",
    )
    return path


def test_a_run_trains_and_exports_a_model_with_aliases(run_file: Path, cli: Cli) -> None:
    done = cli("train", run_file)
    assert done.code == 0, done.err
    model = load_base(str(run_file.parent / "run" / "model.safetensors"))
    assert model.charset.characters == tuple("0ABLSABLLS")
    assert load_base(str(next((run_file.parent / "run").glob("*.onnx")))).charset == model.charset
    saved = load(run_file.parent / "run" / "config.yaml")
    assert saved.aliases == load(run_file).aliases


def test_a_label_that_no_reading_equals_is_named_with_its_line(run_file: Path, cli: Cli) -> None:
    for split in ("train", "val"):
        labels = run_file.parent / split / "labels.txt"
        lines = labelfile.read_labels(labels)
        changed = [line.text.lower() if number == 1 else line.text for number, line in enumerate(lines)]
        labelfile.write_labels(labels, zip([line.image.name for line in lines], changed, strict=True))
        done = cli("train", run_file)
        assert done.code == 2
        assert f"{labels}:2: " in done.err
        assert "read_as reads 'b' as 'B'" in done.err or "read_as reads 'l' as 'L'" in done.err
        assert "change the labels, or remove read_as from the run file" in done.err
        assert not (run_file.parent / "run").exists()
        labelfile.write_labels(labels, ((line.image.name, line.text) for line in lines))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("capital", "read_as: unknown name 'capital'; did you mean 'capitals'?"),
        ("[capitals, small_letters]", "read_as: capitals and small_letters contradict each other"),
        ("{ab: c}", "read_as: 'ab' and 'c' are not two characters"),
        ("{a: ' '}", "read_as: the space has no aliases"),
        ("[capitals, {L: i}]", "read_as: 'i' is read as 'I' itself; name that one"),
        ("{1: l}", "and put digits in quotes"),
        ("7", "read_as: unknown value 7; write half_width, capitals, small_letters"),
    ],
)
def test_a_wrong_read_as_is_one_clear_line(value: str, message: str, run_file: Path, cli: Cli) -> None:
    text = run_file.read_text("utf-8").replace("[capitals, {i: L}]", value)
    run_file.write_text(text, encoding="utf-8")
    done = cli("train", run_file)
    assert done.code == 2
    (line,) = done.errors
    assert line.startswith(f"error: {run_file}:4: ")
    assert message in line


def test_check_names_labels_that_no_reading_equals(run_file: Path, cli: Cli) -> None:
    labels = run_file.parent / "val" / "labels.txt"
    labels.write_text(labels.read_text("utf-8").replace("B", "b"), encoding="utf-8")
    done = cli("check", run_file)
    assert done.code == 1
    assert f"{labels}:2: read_as reads 'b' as 'B'" in done.out.replace("\n", "")


def test_check_proposes_read_as_for_labels_of_one_case(run_file: Path, cli: Cli) -> None:
    labels = run_file.parent / "train" / "labels.txt"
    lines = labels.read_text("utf-8")
    for text, name in ((lines, "capitals"), (lines.replace(".PNG", ".png").lower(), "small_letters")):
        labels.write_text(text * 6, encoding="utf-8")
        done = cli("check", "--json", labels)
        (found,) = (each for each in json.loads(done.out)["findings"] if each["kind"] == "one-case")
        assert found["severity"] == "note"
        assert found["source"] == f"{labels}:1"
        assert f"set read_as: {name}" in found["hint"]
    labels.write_text(lines * 6, encoding="utf-8")
    assert "one-case" not in cli("check", "--json", run_file).out
    labels.write_text(lines * 6 + lines.lower(), encoding="utf-8")
    assert "one-case" not in cli("check", "--json", labels).out


@pytest.mark.parametrize(
    ("names", "printed", "read"),
    [
        (("capitals",), "aßﬀéжA0", "AßﬀÉЖA0"),
        (("small_letters",), "AÉЖa0", "aéжa0"),
        (("half_width",), "Ａａ１！a\u3000", "Aa1!a\u3000"),
        (("half_width", "capitals"), "ａ", "A"),
        ((), "aＡ", "aＡ"),
    ],
)
def test_names_say_what_characters_are_read_as(names: tuple[str, ...], printed: str, read: str) -> None:
    assert "".join(map(Aliases(names).of, printed)) == read
