"""linetune doctor: what it finds, and that nothing stops it."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Cli

from linetune import doctor
from linetune.core.install import EXTRAS

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def failing(module: str, error: Exception) -> Callable[[str], Any]:
    real = importlib.import_module

    def imported(name: str) -> Any:
        if name == module:
            raise error
        return real(name)

    return imported


def unwrapped(text: str) -> str:
    """What the doctor prints, with one line for each thing."""
    return re.sub(r"\n {18}", " ", text)


def test_it_lists_what_a_question_needs_and_no_folder_of_the_user(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "PP-OCRv4_mobile_rec_pretrained.pdparams").write_bytes(bytes(25_000_000))
    done = cli("doctor")
    assert done.code == 0
    out = unwrapped(done.out)
    lines = dict(re.split(r"  +", line, maxsplit=1) for line in reversed(out.splitlines()))
    assert "train installation" in lines["linetune"]
    assert f"numpy {np.__version__}" in lines["packages"]
    assert re.search(r"\d cores?, \d+ for torch, bf16 (yes|no)$", lines["processor"])
    assert re.match(r"[\d.]+ GB, [\d.]+ GB free$", lines["memory"])
    cache = Path("~", "cache")
    assert re.match(rf"{re.escape(str(cache))}, 0\.0[23] GB, can be written, [\d.]+ GB free", lines["cache"])
    assert "official weights  in the cache: PP-OCRv4_mobile_rec\n" in out
    assert re.search(r"^official weights  downloaded at first use: .*PP-OCRv5_server_rec", out, re.M)
    assert out.splitlines()[-1].startswith("result            works: reading exported files; training")
    assert str(tmp_path) not in out
    assert max(map(len, done.out.splitlines())) <= 100
    assert f"numpy {np.__version__}" in done.out, "a package and its version are on one line"


def test_json_has_the_same_findings(cli: Cli) -> None:
    findings = json.loads(cli("doctor", "--json").out)
    assert {"linetune", "packages", "cache", "fonts", "result"} <= {each["name"] for each in findings}
    assert not any(each["broken"] for each in findings)


@pytest.mark.parametrize("error", [ImportError("libGL.so.1: cannot open\nshared object file"), OSError()])
def test_a_package_that_does_not_work_is_named_and_counts(
    error: Exception, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib, "import_module", failing("cv2", error))
    done = cli("doctor")
    assert done.code == 1
    reason = "libGL.so.1: cannot open shared object file" if str(error) else "OSError"
    assert f"cv2               BROKEN cannot be imported: {reason}\n" in unwrapped(done.out)
    assert done.out.endswith("result            BROKEN linetune does not work as it should: cv2\n")


def test_a_cache_that_cannot_be_written_counts(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path / "file"))
    done = cli("doctor")
    assert done.code == 1
    out = unwrapped(done.out)
    assert re.search(r"^cache +BROKEN not known: .*: the cache folder cannot be written \(", out, re.M)


def test_a_question_without_an_answer_is_a_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("driver\nfailed")

    for ask in ("_gpu", "_fonts", "_processor", "_weights"):
        monkeypatch.setattr(doctor, ask, broken)
    done = cli("doctor")
    assert done.code == 0
    assert done.out.count("not known: driver failed\n") == 4


def test_a_missing_extra_says_how_to_get_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor._has
    monkeypatch.setattr(doctor, "_has", lambda module: module != "pyarrow" and real(module))
    done = cli("doctor")
    assert done.code == 0
    without = "without pyarrow (importing Parquet and Arrow files): pip install 'linetune[parquet]'"
    assert without in unwrapped(done.out)
    missing = unwrapped(done.out).splitlines()[-1].partition("Missing: ")[2]
    assert "importing Parquet and Arrow files" in missing


def test_every_extra_for_users_is_known() -> None:
    text = PROJECT.read_text("utf-8").partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", text, re.M)) - {"demo", "dev", "docs"}
    assert extras == EXTRAS.keys() == doctor.GIVES.keys()
