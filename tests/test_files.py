"""Which files of a folder count, and what a mistyped name was meant to be."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from linetune.core import files, image
from linetune.core.errors import LinetuneError, place


def put(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_subfolders_and_linked_folders_count_and_hidden_files_do_not(tmp_path: Path) -> None:
    inside, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    put(inside / "b.png", inside / "sub" / "a.png", inside / "._b.png", inside / ".git" / "c.png")
    put(elsewhere / "d.png", elsewhere / ".e.png")
    (inside / "linked").symlink_to(elsewhere)
    (inside / "linked.png").symlink_to(elsewhere / "d.png")
    (inside / "nowhere.png").symlink_to(elsewhere / "gone.png")
    found = [path.relative_to(inside).as_posix() for path in files.below(inside)]
    assert found == ["b.png", "linked.png", "linked/d.png", "nowhere.png", "sub/a.png"]


def test_a_folder_linked_into_itself_ends(tmp_path: Path) -> None:
    put(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert [path.name for path in files.below(tmp_path)] == ["x.png"]


@pytest.mark.parametrize(
    ("there", "asked", "said"),
    [
        (unicodedata.normalize("NFD", "Prüfung é.png"), "Prüfung é.png", "Unicode form"),
        ("Images/A.PNG", "images/a.png", "upper and lower case"),
        ("a.png", "a.png ", "spaces"),
        ("a.png", "\ufeffa.png", "byte order mark"),
        ("a.png", '"a.png"', "quotes"),
        ("images/a.png", "a.png", "images"),
        ("sub/a.png", "sub\\a.png", "use / instead of \\"),
    ],
)
def test_a_name_that_leads_nowhere_is_told_beside_its_twin(
    there: str, asked: str, said: str, tmp_path: Path
) -> None:
    image_file = tmp_path / there
    image_file.parent.mkdir(parents=True, exist_ok=True)
    image.write(image_file.with_suffix(".png"), np.full((8, 20, 3), 9, np.uint8))
    image_file.with_suffix(".png").rename(image_file)
    with pytest.raises(LinetuneError) as caught:
        image.read(tmp_path / asked)
    assert caught.value.what == "image not found"
    assert said in (caught.value.hint or "")


def test_of_two_twins_none_is_named(tmp_path: Path) -> None:
    put(tmp_path / "A.png", tmp_path / "a.PNG")
    if len(os.listdir(tmp_path)) < 2:  # noqa: PTH208
        pytest.skip("this file system takes capitals for small letters")
    assert files.missing_file_hint(tmp_path / "a.png") is None
    assert files.missing_file_hint(tmp_path / "nothing" / "like.it") is None


def test_a_pipe_in_place_of_an_image_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(LinetuneError, match=r"a\.png: a pipe, not an image file"):
        image.read(tmp_path / "a.png")
    assert files.below(tmp_path) == []


def test_a_place_is_short_and_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, linked = tmp_path / "here", tmp_path / "else" / "deep"
    put(here / "crops" / "a.png", here / "mine" / "labels" / "train.txt", linked / "b.png")
    (here / "link").symlink_to(linked)
    monkeypatch.chdir(here)
    assert place(Path("mine/labels/../../crops/a.png")) == str(Path("crops/a.png"))
    assert place(f"{here / 'mine' / 'train.txt'}:3") == f"{Path('mine/train.txt')}:3"
    assert place(tmp_path / "here" / ".." / "else" / "c.png") == str(tmp_path / "else" / "c.png")
    assert place(Path("../else/c.png")) == str(Path("../else/c.png"))
    # What the parent of a linked folder is, only the system knows.
    assert place(Path("link/../c.png")) == str(tmp_path / "else" / "c.png")
    assert place(here) == str(here)
    assert place("stages.real") == "stages.real"
    assert str(LinetuneError("no", here / "x" / "y.txt")) == f"{Path('x/y.txt')}: no"
