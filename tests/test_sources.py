"""Official models that come as Paddle's inference files, their dictionary among them."""

from __future__ import annotations

import errno
import io
import tarfile
from pathlib import Path

import pytest
import torch
from test_export_paddle import exported_arrays, limited, tiny, write_folder
from test_unfold import SERVER
from test_weights import Server, at, cache, quiet, server

from linetune.core.errors import LinetuneError
from linetune.formats.official import load_base
from linetune.formats.pdparams import export as export_pdparams
from linetune.formats.sources import download, find
from linetune.models.architecture import Architecture
from linetune.models.families import OFFICIAL
from linetune.models.families.pp_ocrv6 import SMALL, TINY

__all__ = ["cache", "server"]  # fixtures
NAME = "en_PP-OCRv5_mobile_rec"


def archive(folder: Path) -> bytes:
    """A folder's files as the official address sends them, in a folder of their own."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, f"{NAME}_infer/{file.name}")
    return content.getvalue()


def test_a_language_comes_with_its_dictionary(
    tmp_path: Path, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = limited("ABCé ")
    with torch.no_grad():
        write_folder(tmp_path / "made", exported_arrays(model), model.charset, NAME)
    server.content = archive(tmp_path / "made")
    monkeypatch.setitem(OFFICIAL, NAME, at(server, NAME))
    assert find(OFFICIAL[NAME]) is None
    back = load_base(NAME)
    assert (back.charset, back.base_model) == (model.charset, NAME)
    assert [path.name for path in cache.iterdir()] == [NAME]
    assert find(OFFICIAL[NAME]) == cache / NAME
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], tensor)
    asked = len(server.asked)
    load_base(NAME)
    assert len(server.asked) == asked, "it was in the cache"


@pytest.mark.parametrize("whole", [True, False])
def test_an_archive_of_something_else_leaves_nothing(
    tmp_path: Path, server: Server, cache: Path, whole: bool
) -> None:
    (tmp_path / "inference.json").write_text("{}", encoding="utf-8")
    server.content = archive(tmp_path) if whole else b"<html>log in</html>"
    with pytest.raises(LinetuneError, match=f"no inference files of {NAME}"):
        download(at(server, NAME), quiet)
    assert not list(cache.iterdir())


def test_a_cache_that_cannot_be_written_is_no_fault_of_the_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(LinetuneError, match=r"cache folder cannot be written \(.*LINETUNE_CACHE") as caught:
        download(at(server, NAME), quiet)
    assert caught.value.where == tmp_path / "file" / "cache"
    assert not server.asked


def test_a_disk_that_fills_up_during_a_download_is_told_as_that(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, block: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    server.content = b"x" * 100
    monkeypatch.setattr(Path, "open", lambda self, mode: Full())
    with pytest.raises(
        LinetuneError, match=r"cache folder cannot be written \(No space left.*free some space"
    ):
        download(at(server, NAME), quiet)


def test_training_weights_of_a_language_want_their_dictionary_beside_them(tmp_path: Path) -> None:
    path = export_pdparams(limited("ABC"), tmp_path / "en.pdparams").path
    path.with_suffix(".txt").unlink()
    with pytest.raises(
        LinetuneError, match=r"its dictionary gives 18385; save its dictionary in the same folder as en"
    ):
        load_base(str(path))


@pytest.mark.parametrize("architecture", [SMALL, TINY, SERVER], ids=["small", "tiny", "server"])
def test_a_folder_names_its_network(tmp_path: Path, architecture: Architecture) -> None:
    model = tiny("AB ", architecture=architecture)
    with torch.no_grad():
        write_folder(tmp_path, exported_arrays(model), model.charset, model.base_model)
    back = load_base(str(tmp_path))
    assert (back.network.architecture, back.base_model) == (architecture, model.base_model)
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], tensor)
