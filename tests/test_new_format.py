"""A format that linetune does not know, as one file: what adding one takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from linetune import formats
from linetune.core.charset import Charset
from linetune.formats import registry
from linetune.formats.model import Model
from linetune.formats.official import load_file
from linetune.formats.registry import FORMATS, find_formats
from linetune.formats.targets import export_targets
from linetune.models.families.pp_ocr_mobile import PPOCRMobile
from linetune.models.layers.reparam import fold
from linetune.models.network import Network

TOY = """
from linetune.formats import store
from linetune.formats.parity import Exported
from linetune.formats.registry import Format

FORMAT = Format(
    "toy",
    ".toy",
    files=(".toy", ".note"),
)


def recognises(path):
    return path.suffix == ".toy"


def load(path, official=None):
    return store.load_model(path)


def export(model, path, crops=()):
    store.save_model(model, path)
    path.with_suffix(".note").touch()
    return Exported(path, len(crops), 0.0)
"""


def test_a_format_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy_file.py").write_text(TOY, encoding="utf-8")
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    found = find_formats()
    assert list(found) == ["onnx", "hf", "paddle", "pdparams", "toy"]
    assert {name: found[name] for name in FORMATS} == FORMATS
    monkeypatch.setitem(registry.FORMATS, "toy", found["toy"])
    torch.manual_seed(0)
    model = Model(
        fold(Network(PPOCRMobile(scale=0.35), 3)).eval(), Charset(("A", "B")), "PP-OCRv5_mobile_rec", "here"
    )
    (target,) = export_targets("model", "toy", tmp_path / "a.toy")
    assert target.files == [tmp_path / "a.toy", tmp_path / "a.note"]
    assert target.export(model, []).path == tmp_path / "a.toy"
    assert all(path.is_file() for path in target.files)
    assert load_file(tmp_path / "a.toy").charset == model.charset
