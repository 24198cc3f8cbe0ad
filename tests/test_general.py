"""The texts of the general reading, and the score of a model on them."""

from __future__ import annotations

import string

import numpy as np
import pytest

from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.image import HEIGHT
from linetune.evaluation import general
from linetune.evaluation.general import draw, general_reading, texts_for
from linetune.formats.official import load_base
from linetune.formats.transfer import with_charset


def charset(characters: str) -> Charset:
    return Charset(tuple(characters))


def test_only_texts_that_the_charset_can_spell_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general, "MOST", 200)  # as in the program; other tests read fewer
    capitals = charset(string.ascii_uppercase + string.digits + "-")
    texts = texts_for(capitals)
    assert 150 <= len(texts) <= general.MOST
    assert not any(capitals.missing(text) for text in texts)
    assert len(set(texts)) == len(texts)
    assert any(text.isalpha() for text in texts)
    assert any(text.isdigit() for text in texts)
    assert all(text.isdigit() for text in texts_for(charset(string.digits)))
    small = texts_for(charset(string.ascii_lowercase))
    assert all(text.islower() for text in small)
    every = texts_for(charset(string.printable[:95]))
    assert any(" " in text for text in every)
    assert any(text[0].isupper() for text in every)


def test_too_few_texts_are_refused_with_their_number() -> None:
    with pytest.raises(LinetuneError, match=r"the charset can spell only 0 of 5\d\d everyday texts"):
        texts_for(charset("线é"))


def test_texts_are_drawn_completely_and_always_the_same() -> None:
    texts = ["Wednesday", "4,711.50", "jump", "QUICK", "1"]
    crops = draw(texts)
    for crop, again in zip(crops, draw(texts), strict=True):
        assert np.array_equal(crop, again)
        assert crop.shape[0] == HEIGHT
        assert crop.min() < 80
        edge = np.concatenate([crop[[0, -1]].ravel(), crop[:, [0, -1]].ravel()])
        assert edge.min() > 180, "no ink at the edge"


def test_the_official_model_reads_nearly_all_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(general, "MOST", 24)
    base = with_charset(
        load_base("PP-OCRv5_mobile_rec"), charset(string.ascii_uppercase + string.digits)
    ).model
    before = general_reading(base.network.run, base.charset)
    assert before.exact_match > 0.85
