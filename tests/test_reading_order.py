"""Right-to-left text: logical order in files and readings, visual order in the network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.reading_order import is_same, to_logical, to_visual
from linetune.decode import default_decoder
from linetune.evaluation.metrics import score
from linetune.formats.official import load_base
from linetune.formats.registry import FORMATS
from linetune.formats.store import load_model, save_model
from linetune.formats.transfer import with_charset

VISUAL = [
    ("\u0633\u0644\u0627\u0645", "\u0645\u0627\u0644\u0633"),  # Arabic
    ("\u05e9\u05dc\u05d5\u05dd", "\u05dd\u05d5\u05dc\u05e9"),  # Hebrew
    ("\u0631\u0642\u0645 4711", "4711 \u0645\u0642\u0631"),
    ("\u0631\u0642\u0645 AB12", "AB12 \u0645\u0642\u0631"),
    ("AB \u0631\u0642\u0645", "\u0645\u0642\u0631 AB"),
    ("\u0631 12/05/2024", "12/05/2024 \u0631"),
    ("\u0631 12-5", "5-12 \u0631"),
    ("12-5 \u0631", "\u0631 12-5"),
    ("\u05d0 (1)", "(1) \u05d0"),
    ("\u0664\u0667\u0661\u0661", "\u0664\u0667\u0661\u0661"),  # Arabic digits are read from the left
    ("\u0645\u06cc\u200c\u062e", "\u062e\u200c\u06cc\u0645"),  # the joiner is spelling in Persian
    ("\u05e9\u05b8\u05dc", "\u05dc\u05b8\u05e9"),
    ("\u05de\u05d7\u05d9\u05e8 (USD) 12.50", "12.50 (USD) \u05e8\u05d9\u05d7\u05de"),  # brackets go in pairs
    ("\u05d0 [12] {x}", "{x} [12] \u05d0"),
    ("\u0648\u0632\u0646 835 kg", "kg 835 \u0646\u0632\u0648"),  # a number stands before its unit
    ("12:30 PM \u0627", "\u0627 PM 12:30"),
    ("LOT 4711 \u03a9", "LOT 4711 \u03a9"),
]


@pytest.mark.parametrize(("logical", "visual"), VISUAL)
def test_texts_turn_into_the_order_of_their_glyphs_and_back(logical: str, visual: str) -> None:
    assert to_visual(logical) == visual
    assert to_logical(visual) == logical


def test_of_two_texts_that_look_the_same_one_is_read() -> None:
    one, other = "\u0631 5-A-4", "\u0631 A-4-5"
    assert to_visual(one) == to_visual(other)
    assert to_logical(to_visual(one)) in (one, other)
    assert is_same(one, other)
    assert not is_same(one, "\u0631 5-A-5")
    assert score([one], [other]).exact_match == 1
    assert score([one], [other]).cer == 0
    assert not is_same("A-5", "5-A")


def test_labels_are_learnt_from_left_to_right_and_read_in_logical_order() -> None:
    text = "\u0633\u0644 12"
    charset = Charset.collect([text])
    assert charset.right_to_left
    classes = charset.encode(text)
    assert [charset.characters[c - 1] for c in classes] == list("12 \u0644\u0633")
    frames = np.eye(charset.classes, dtype=np.float32)[[x for c in classes for x in (c, 0)]][None]
    assert default_decoder(charset)(frames)[0].text == text


def test_a_bracket_is_learnt_as_it_is_displayed() -> None:
    charset = Charset.collect(["\u05d0("])
    assert charset.characters == (")", "\u05d0")
    assert charset.missing("\u05d0(") == []
    assert charset.decode(charset.encode("\u05d0(")) == "\u05d0("


@pytest.mark.parametrize("text", ["\u0633\u0644\u0627\u0645", "plain"])
def test_a_model_that_learnt_right_to_left_text_against_its_frames_is_refused(
    text: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    model = with_charset(load_base("PP-OCRv5_mobile_rec"), Charset.collect([text])).model
    save_model(model, path)
    assert load_model(path).charset == model.charset
    with safe_open(path, framework="np") as file:
        header = {k: v for k, v in file.metadata().items() if k != "text_order"}
    save_file(load_file(path), path, header)
    if text == "plain":
        assert load_model(path).charset == model.charset
        return
    with pytest.raises(LinetuneError, match="right-to-left text in the wrong order; train it again"):
        load_model(path)


def test_an_export_says_what_its_readers_do_with_right_to_left_text(tmp_path: Path) -> None:
    base = load_base("PP-OCRv5_mobile_rec")
    hebrew = with_charset(base, Charset.collect(["\u05e9\u05dc 12"])).model
    (note,) = FORMATS["onnx"].export(hebrew, tmp_path / "a.onnx", ()).notes
    assert "visual order" in note
    assert "RapidOCR" in note
    assert load_base(str(tmp_path / "a.onnx")).charset == hebrew.charset
    latin = dataclasses.replace(with_charset(base, Charset.collect(["12"])).model)
    assert FORMATS["onnx"].export(latin, tmp_path / "b.onnx", ()).notes == ()


@pytest.mark.parametrize("marked", ["\u200f{}\u200f", "\u202b{}\u202c", "{}\u200e"])
def test_marks_of_direction_are_not_learnt(marked: str) -> None:
    text = "\u05e9\u05dc\u05d5\u05dd"
    label = marked.format(text)
    charset = Charset.collect([label])
    assert "".join(sorted(charset.characters)) == "".join(sorted(text))
    assert charset.decode(charset.encode(label)) == text
    assert score([text], [label]).exact_match == 1
