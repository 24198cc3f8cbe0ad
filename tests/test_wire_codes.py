from __future__ import annotations

from pathlib import Path

import pytest

from linetune.core.charset import Charset
from linetune.core.labelfile import read_labels
from linetune.data.dataset import load_dataset
from linetune.evaluation.metrics import score
from linetune.recogniser import Recogniser

LABELS = Path(__file__).parents[2] / "shared" / "data" / "wire_codes" / "test.txt"


@pytest.mark.skipif(not LABELS.exists(), reason="the photographed wire codes are not part of the repository")
def test_the_official_model_reads_most_photographed_wire_codes() -> None:
    data = load_dataset(read_labels(LABELS)[::3], None)
    recogniser = Recogniser.load("PP-OCRv5_mobile_rec", Charset.collect(data.texts))
    readings = recogniser.read(data.crops)
    assert score([reading.text for reading in readings], data.texts).exact_match >= 0.65
