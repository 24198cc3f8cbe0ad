from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from linetune.core import atomic, image
from linetune.core.errors import LinetuneError, ManyErrors
from linetune.core.labelfile import Line, read_labels, scan_labels, write_labels
from linetune.data.check import check
from linetune.data.dataset import load_dataset


def labels(folder: Path, content: str | bytes) -> Path:
    path = folder / "labels.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.png", "A"),
        ("my crops/line 1.png", "AB 12"),
        ("a.png", " spaces around "),
        ("a.png", " "),
        ("a.png", "one\u2028two\u0085three\x0cfour"),
        ("größe/電.png", "\u3000電😀"),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", ""])
def test_path_and_text_are_kept_as_they_stand(name: str, text: str, line_end: str, tmp_path: Path) -> None:
    path = labels(tmp_path, f"{name}\t{text}{line_end}")
    assert read_labels(path) == [Line(tmp_path / name, text, f"{path}:1")]


def test_byte_order_mark_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = labels(tmp_path, "\ufeff\r\na.png\tA\r\n\r\n \t \r\nb.png\tB\r\n\n")
    lines = read_labels(path)
    assert [(line.image.name, line.text) for line in lines] == [("a.png", "A"), ("b.png", "B")]
    assert [line.source for line in lines] == [f"{path}:2", f"{path}:5"]


def test_an_absolute_image_path_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.png"
    assert read_labels(labels(tmp_path, f"{elsewhere}\tA\n"))[0].image == elsewhere


def test_files_are_read_one_after_the_other_and_none_twice(tmp_path: Path) -> None:
    first, second = labels(tmp_path, "a.png\tA\n"), tmp_path / "second.txt"
    second.write_text("b.png\tB\n")
    assert [line.text for line in read_labels(second, first)] == ["B", "A"]
    again = tmp_path / "folder" / ".." / "labels.txt"
    (tmp_path / "folder").mkdir()
    with pytest.raises(LinetuneError, match="listed twice"):
        read_labels(first, second, again)


def test_all_lines_that_are_no_labels_are_told_together(tmp_path: Path) -> None:
    path = labels(tmp_path, "a.png A\nb.png\tB\nc.png\t\n\tD\n")
    with pytest.raises(LinetuneError) as caught:
        read_labels(path)
    assert str(caught.value).splitlines() == [
        f"{path}:1: no tab between path and text; write path<TAB>text, or linetune import {path} --to DIR "
        "reads other formats",
        f"{path}:3: empty text; write path<TAB>text",
        f"{path}:4: no image path; write path<TAB>text",
        "3 lines that are not labels",
    ]


def test_a_list_whose_crops_nobody_has_labelled_yet_is_one_line(tmp_path: Path) -> None:
    path = labels(tmp_path, "a.png\t\nb.png\t\n")
    with pytest.raises(LinetuneError) as caught:
        read_labels(path)
    hint = f"linetune review {path} labels them"
    assert str(caught.value) == f"{path}: none of the 2 crops has a label yet; {hint}"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_an_image_is_not_taken_for_a_text_in_another_encoding(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"crop{suffix}"
    image.write(path, np.full((20, 30, 3), 90, np.uint8))
    with pytest.raises(LinetuneError) as caught:
        read_labels(path)
    assert str(caught.value) == f"{path}: an image, where a label file should be"


def test_a_third_column_is_an_error_and_not_part_of_the_text(tmp_path: Path) -> None:
    path = labels(tmp_path, "a.png\tA\tlatin\nb.png\t\tB\nc.png\tC\t\nd.png\tD\n")
    good, bad = scan_labels(path)
    assert [line.text for line in good] == ["D"]
    assert [str(error).removeprefix(f"{path}:") for error in bad.values()] == [
        "1: a second tab; write path<TAB>text; "
        "linetune import --text-column NUMBER reads one column of several",
        "2: a second tab; write one tab between path and text, not two",
        "3: a second tab; remove the tab at the end of the line",
    ]


def test_a_byte_order_mark_where_files_were_joined_is_passed_over(tmp_path: Path) -> None:
    path = labels(tmp_path, "\ufeffa.png\tA\r\n\ufeffb.png\tB\r\n")
    assert [line.image.name for line in read_labels(path)] == ["a.png", "b.png"]


@pytest.mark.parametrize(("image", "text"), [("a\tb.png", "A"), ("a.png", "A\tB"), ("a.png", "A\nB")])
def test_what_would_be_another_column_or_line_is_not_written(image: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match="a tab or line break in"):
        write_labels(tmp_path / "labels.txt", [("x.png", "X"), (image, text)])
    assert not list(tmp_path.iterdir())


def test_of_many_only_the_first_ten_are_listed(tmp_path: Path) -> None:
    path = labels(tmp_path, "a.png A\n" * 25)
    with pytest.raises(LinetuneError) as caught:
        read_labels(path)
    message = str(caught.value).splitlines()
    assert len(message) == 11
    assert message[9].startswith(f"{path}:10: ")
    assert message[10] == "25 lines that are not labels, the first 10 above"


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"a.png\tA\nb.png\tB\nc.png\t\xff\x80\n", ":3", "not UTF-8; save the file as UTF-8"),
        (b"a.png\tA\nb.png\tB\nc.png\tcaf\xe9\n", ":3", "not UTF-8; it reads 'café' as cp1252"),
        (
            "a.png\t서울12가3456\n".encode("cp949"),
            ":1",
            r"'서울12가3456' as cp949.*; linetune import .*txt --to DIR --encoding NAME writes it as",
        ),
        ("a.png\tМосква\nb.png\tГоден до\n".encode("cp1251"), ":1", "it reads 'Москва' as cp1251"),
        (b"\xef\xbb\xbfa.png\tA\nc.png\t\xe9\n", ":2", "not UTF-8"),
        ("a.png\tA\n".encode("utf-16"), ":1", "not UTF-8 but UTF-16; linetune import .* --to DIR writes it"),
        ("a.png\tA\n".encode("utf-16-le"), ":1", "not UTF-8 but UTF-16; .* --encoding utf-16-le writes it"),
        (b"", "", "the label file has no labels"),
        (b"\n \r\n\n", "", "the label file has no labels"),
    ],
)
def test_files_that_hold_no_labels(content: bytes, place: str, message: str, tmp_path: Path) -> None:
    path = labels(tmp_path, content)
    with pytest.raises(LinetuneError, match=message) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}{place}: ")


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match=r"none\.txt: label file not found"):
        read_labels(tmp_path / "none.txt")
    with pytest.raises(LinetuneError, match="label file expected, but this is a folder"):
        read_labels(tmp_path)


def test_written_labels_are_read_back(tmp_path: Path) -> None:
    pairs = [("a b.png", " A 1 "), ("行/c.png", "\u3000😀\u2028")]
    path = tmp_path / "labels.txt"
    write_labels(path, pairs)
    assert [(line.image.relative_to(tmp_path).as_posix(), line.text) for line in read_labels(path)] == pairs
    assert b"\r" not in path.read_bytes()


def test_an_interruption_leaves_the_old_labels_and_nothing_else(tmp_path: Path) -> None:
    def interrupted() -> Iterator[tuple[str, str]]:
        yield "b.png", "B"
        raise KeyboardInterrupt

    path = labels(tmp_path, "a.png\tA\n")
    with pytest.raises(KeyboardInterrupt):
        write_labels(path, interrupted())

    def half_written() -> None:
        with atomic.written(path) as partial:
            partial.write_bytes(b"b.png")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_written()
    assert [file.name for file in tmp_path.iterdir()] == ["labels.txt"]
    assert [line.text for line in read_labels(path)] == ["A"]


@pytest.mark.parametrize(
    ("written", "text", "hint"),
    [
        ("/content/drive/crops/00.png", "AB", "did you mean {}? linetune import finds images by the ends"),
        (r"C:\data\00.png", "AB", "did you mean {}? linetune import finds images by the ends"),
        ("images/00.png", "AB", "did you mean {}? linetune import finds images by the ends"),
        ('["00.png"]', "AB", "linetune import reads lists of images as PaddleOCR writes them"),
        ("AB", "00.png", "the text is the name of an image: write path<TAB>text"),
        ("path", "text", "this looks like a header: remove the line"),
    ],
)
def test_a_missing_image_comes_with_the_way_out(
    written: str, text: str, hint: str, tmp_path: Path, make_crops: Callable[..., Path]
) -> None:
    crops = make_crops(tmp_path / "data" / "crops", ["AB", "CD"]).parent
    folder = tmp_path / "data" / "labels"
    folder.mkdir()
    path = labels(folder, f"{written}\t{text}\n")
    expected = hint.format(folder.resolve().parent / "crops" / "00.png")
    assert crops.is_dir()
    with pytest.raises(LinetuneError) as caught:
        load_dataset(read_labels(path), None)
    assert isinstance(caught.value, ManyErrors)
    assert expected in str(caught.value.errors[0])
    assert expected in str(check({"train": [path]}).findings[0].hint)
