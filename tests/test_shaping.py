"""Rendered texts with letters that join, stack, have marks or run from right to left."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

from linetune.config import Synth
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.rules.infer import propose
from linetune.rules.rule import Rule
from linetune.synth import fonts, generate, lettering
from linetune.synth.render import Renderer

ROBOTO = Path(str(resources.files("font_roboto"))) / "files" / "Roboto-Bold.ttf"
AMATIC = Path(str(resources.files("font_amatic_sc"))) / "files" / "AmaticSC-Bold.ttf"
INTUITIVE = next(Path(str(resources.files("font_intuitive"))).rglob("Intuitive.ttf"))
DEJAVU = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")

shaping = pytest.mark.skipif(not features.check("raqm"), reason="this Pillow cannot shape")
arabic = pytest.mark.skipif(not DEJAVU.exists(), reason="a font with Arabic letters is not installed")


def renderer(rule: str, font: Path | list[Path], **changes: Any) -> Renderer:
    return Renderer.of(Synth.model_validate({"rule": rule, "fonts": font, "count": 8} | changes))


def drawn(rule: str, font: Path, **changes: Any) -> Crop:
    """Draw the text of the first crop black on white."""
    return renderer(rule, font, **changes).undegraded(0)[0]


def ink(text: str, font: Path, alphabet: str = "") -> NDArray[np.bool_]:
    """Return the ink of a text, without empty rows and columns around it."""
    (found,) = fonts.load([font], sorted(set(text + alphabet)))
    mask = lettering._set_text(text, found, 64, 4) > 127
    rows = np.flatnonzero(mask.any(1))
    return np.asarray(mask[rows[0] : rows[-1] + 1])


def columns(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return the parts of a mask that share no column, from left to right, without empty rows."""
    filled = np.flatnonzero(mask.any(0))
    runs = np.split(filled, np.flatnonzero(np.diff(filled) > 1) + 1)
    found = [mask[:, run[0] : run[-1] + 1] for run in runs]
    return [part[np.flatnonzero(part.any(1))[0] : np.flatnonzero(part.any(1))[-1] + 1] for part in found]


def pieces(text: str, font: Path) -> int:
    """Return how many parts of a text do not touch."""
    return int(cv2.connectedComponents(ink(text, font).astype(np.uint8))[0]) - 1


def set_by_hand(text: str, font: Path, size: int, spacing: float) -> Crop:
    """Set one character after the other with Pillow's basic layout."""
    face = ImageFont.truetype(font, size, layout_engine=ImageFont.Layout.BASIC)
    canvas = Image.new("L", (size * (len(text) + 2) * 2, 3 * size))
    x = float(size)
    for character in text:
        ImageDraw.Draw(canvas).text((round(x), 2 * size), character, 255, face, anchor="ls")
        x += face.getlength(character) + spacing
    ink = np.asarray(canvas)
    columns = np.flatnonzero(ink.any(0))
    return ink[:, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize("text", ["QF12", "Größe", "Việt Nam", "Жук й", "Ωμέγα ΐ", "AVATAR fi"])
def test_simple_scripts_are_set_letter_by_letter_as_ever(text: str) -> None:
    (font,) = fonts.load([ROBOTO], sorted(set(text)))
    for size, spacing in ((48, 0.0), (72, 5.3), (40, -1.2)):
        mask = lettering._set_text(text, font, size, spacing)
        by_hand = set_by_hand(text, ROBOTO, size, spacing)
        rows = np.flatnonzero(by_hand.any(1))
        above = int(np.flatnonzero(mask.any(1))[0])
        assert np.array_equal(mask[above : above + np.ptp(rows) + 1], by_hand[rows[0] : rows[-1] + 1])


def test_the_draws_of_simple_texts_are_those_of_old() -> None:
    texts = "".join(
        renderer(r"-?(QF\d{1,2}|[A-Z]{2}[0-9.:]{0,3}\d|2[NP]24)", ROBOTO).text(i) for i in range(99)
    )
    assert hashlib.sha256(texts.encode()).hexdigest()[:16] == "5fc880c5a019302b"


@shaping
@pytest.mark.parametrize("style", ["print", "outline", "dots", "peened", "engraved"])
def test_accents_apart_are_drawn_as_on_their_letters(style: str) -> None:
    apart, composed = (drawn(rule, AMATIC, style=style) for rule in ("Vie\u0323\u0302t", "Việt"))
    assert abs(apart.shape[1] - composed.shape[1]) <= 8, "no accent stands beside its letter"
    if style == "print":
        assert np.array_equal(apart, composed)


@shaping
def test_a_font_without_accents_draws_them_on_the_letters_that_it_has() -> None:
    alphabet = "e\u0301\u00e9a"
    assert np.array_equal(ink("e\u0301a", INTUITIVE, alphabet), ink("\u00e9a", INTUITIVE, alphabet))


@shaping
def test_hebrew_runs_from_right_to_left() -> None:
    word = "\u05e9\u05dc\u05d5\u05dd"
    found = columns(ink(word, AMATIC))
    alone = [columns(ink(letter, AMATIC, word))[0] for letter in reversed(word)]
    assert [part.shape for part in found] == [part.shape for part in alone]
    # A letter may begin between two pixels.
    assert all(np.mean(one != other) < 0.05 for one, other in zip(found, alone, strict=True))


@shaping
def test_digits_in_a_hebrew_text_keep_their_direction() -> None:
    text = "\u05d0 12"
    found = columns(ink(text, AMATIC))
    alone = [columns(ink(letter, AMATIC, text))[0] for letter in "12\u05d0"]
    assert [part.shape for part in found] == [part.shape for part in alone]


@shaping
def test_points_stand_at_their_letters() -> None:
    assert len(columns(ink("\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", AMATIC))) == 4


@shaping
@arabic
def test_arabic_letters_join() -> None:
    assert pieces("\u0645\u062d\u0645\u062f", DEJAVU) == 1
    assert pieces("\u0645\u0631\u062f", DEJAVU) == 2, "no letter joins after reh"
    assert pieces("\u0645\u0645", DEJAVU) == 1
    assert pieces("\u0645\u200c\u0645", DEJAVU) == 2, "the non-joiner parts them"


@shaping
@arabic
@pytest.mark.parametrize("style", ["print", "outline", "dots", "peened"])
def test_no_style_loses_a_dot_or_a_mark(style: str) -> None:
    # Damma above, the dot of beh below, the two of teh above.
    wanted = renderer("\u0628\u064f\u062a", DEJAVU, style=style)
    for i in range(8):
        rows = np.flatnonzero((wanted.undegraded(i)[0][:, :, 0] < 128).any(1))
        ink = wanted.undegraded(i)[0][rows[0] : rows[-1] + 1, :, 0] < 128
        body = int(ink.sum(1).argmax()) / len(ink)
        assert 0.35 < body < 0.9, "there is ink above and below the letters' line"


@shaping
@arabic
def test_nothing_of_a_joined_text_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(mask: object) -> None:
        raise AssertionError("something is cut")

    monkeypatch.setattr(lettering, "max_cuts", refuse)
    wanted = renderer("\u0628\u064f\u062a", DEJAVU)
    assert all(wanted(i)[0].size for i in range(30))
    latin = renderer("AB", DEJAVU)
    with pytest.raises(AssertionError, match="something is cut"):
        [latin(i) for i in range(30)]


@shaping
@arabic
def test_a_joiner_needs_no_outline_but_a_letter_does() -> None:
    wanted = renderer("\u0645\u06cc\u200c\u062e", [ROBOTO, DEJAVU])
    assert [wanted(i)[1] for i in range(3)] == ["\u0645\u06cc\u200c\u062e"] * 3
    with pytest.raises(LinetuneError, match="no font draws '\u062e'"):
        renderer("\u0645\u06cc\u200c\u062e", ROBOTO)


@shaping
def test_a_font_is_not_chosen_for_a_letter_with_a_mark_that_it_lacks() -> None:
    wanted = renderer("x\u0301|e\u0301", [INTUITIVE, ROBOTO])
    intuitive = next(font for font in wanted.fonts if font.path == INTUITIVE)
    assert intuitive.draws("e\u0301")
    assert not intuitive.draws("x\u0301")
    assert all(wanted(i)[0].size for i in range(6))
    alone = renderer("x\u0301|e\u0301", INTUITIVE)
    with pytest.raises(LinetuneError, match="no font draws all of"):
        [alone(i) for i in range(20)]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("\u0633\u0644\u0627\u0645", r"cannot shape Arabic \('\u0627' \(U\+0627\), "),
        ("\u05d0 1|\u0915", "cannot shape Devanagari and Hebrew"),
        ("ae\u0301", "cannot shape letters with combining marks"),
    ],
)
def test_a_machine_that_cannot_shape_says_so_at_once(
    rule: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "check", lambda name: False)
    settings = Synth.model_validate({"rule": rule, "fonts": ROBOTO, "output": tmp_path / "out"})
    with pytest.raises(LinetuneError, match=message) as raised:
        generate(settings, lambda done: None)
    assert "install libfribidi" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_rule_may_hold_the_joiners_of_spelling() -> None:
    assert "\u200c" in Rule("\u0645\u06cc\u200c\u062e").alphabet
    with pytest.raises(LinetuneError, match="unprintable"):
        Rule("A\u200bB")
    labels = ["\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062f"] * 4
    assert all(Rule(propose(labels).patterns).matches(label) for label in labels)


@shaping
def test_workers_shape_as_this_process_does(tmp_path: Path) -> None:
    def write(name: str, workers: int) -> list[bytes]:
        wanted = {"rule": "\u05e9\u05dc\u05d5\u05dd", "fonts": AMATIC, "count": 34, "output": tmp_path / name}
        labels = generate(Synth.model_validate(wanted), lambda done: None, workers)
        return [path.read_bytes() for path in sorted(labels.parent.rglob("*.jpg"))]

    assert write("one", 1) == write("two", 2)
