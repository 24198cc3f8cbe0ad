"""Every format: what comes in, and what is said of a source that is broken."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hostile import lmdb_store

from linetune.core import image, labelfile
from linetune.core.errors import LinetuneError
from linetune.data.importers import FORMATS
from linetune.data.importers.registry import READERS
from linetune.data.importers.run import Imported
from linetune.data.importers.run import import_crops as import_with_options
from linetune.data.importers.source import Options

SAMPLE = Path(__file__).parents[2] / "shared" / "data" / "ppocrlabel_sample"
TEXTS = ["LOT 4711", '5" "x"', "京A·12345", " a,b;c\\d "]

Tree = dict[str, Any]
"""Files by their path: text, lines, bytes, or a number for an image of that shade."""


def grow(folder: Path, tree: Tree) -> Path:
    for name, content in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            image.write(path, np.full((8, 20, 3), content, np.uint8))
        else:
            joined = "".join(f"{row}\n" for row in content) if isinstance(content, list) else content
            path.write_bytes(joined if isinstance(joined, bytes) else joined.encode())
    return folder


def import_crops(
    source: Path,
    target: Path,
    form: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Imported:
    """Import with the options as keyword arguments."""
    return import_with_options(source, target, Options(form=form, **options), overwrite, progress)


def brought(result: Imported) -> list[tuple[int, str]]:
    """Shade and text of every crop that came in."""
    return [
        (int(image.read(line.image)[0, 0, 0]), line.text) for line in labelfile.read_labels(result.labels)
    ]


def left_out(result: Imported, folder: Path) -> list[str]:
    return [f"{error.where}: {error.what}".replace(f"{folder}/", "") for error in result.refused]


def rows(template: str, texts: list[str] = TEXTS) -> str:
    return "".join(template.format(f"{i}.png", text) for i, text in enumerate(texts))


def boxes(*texts: str) -> str:
    corners = [[2, 1], [18, 1], [18, 7], [2, 7]]
    return json.dumps([{"transcription": t, "points": corners, "difficult": False} for t in texts])


def quad(*corners: tuple[float, float], text: str = "q") -> str:
    return json.dumps([{"transcription": text, "points": corners}])


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


IMAGES: Tree = {f"{i}.png": 10 * i for i in range(4)}
ESCAPED = [escaped(text) for text in TEXTS]
DOUBLED = [text.replace('"', '""') for text in TEXTS]
DATA_LIST = [{"img_path": f"{i}.png", "instances": [{"text": text}]} for i, text in enumerate(TEXTS)]

WHOLE: dict[str, list[Tree]] = {
    "ppocrlabel": [
        {"Label.txt": "".join(f"p/{i}.png\t{boxes(text)}\n" for i, text in enumerate(TEXTS))},
        {"train_det.txt": "".join(f"{i}.png\t{boxes(text)}\n" for i, text in enumerate(TEXTS))},
    ],
    "rec_gt": [
        {"rec_gt.txt": rows("crop_img/{}\t{}\n"), "fileState.txt": rows("/x/{}\t1\n")}
        | {f"crop_img/{name}": shade for name, shade in IMAGES.items()}
    ],
    "paddleocr": [
        {"train.txt": rows("{}\t{}\n"), "dict.txt": "a\nb\n"},
        {"train.txt": rows('["{0}", "./{0}"]\t{1}\n')},
    ],
    "icdar": [{"gt.txt": "\ufeff" + rows('{}, "{}"\r\n', ESCAPED)}],
    "csv": [
        {"a.csv": "text,File Name,x\n" + "".join(f'"{t}",{i}.png,\n' for i, t in enumerate(DOUBLED))},
        {"a.csv": "\ufeffimage;words\r\n" + rows('{};"{}"\r\n', DOUBLED)},
        {"a.tsv": "path\tlabel\n" + rows('{}\t"{}"\n', DOUBLED)},
    ],
    "gt_txt": [
        {f"{i}.gt.txt": f"{text}\n" for i, text in enumerate(TEXTS)},
        {f"{i}.gt.txt": text for i, text in enumerate(TEXTS)} | {"0.bin.png": 99, "3.nrm.png": 99},
    ],
    "mmocr": [
        {"a.json": json.dumps({"metainfo": {"data_list": 1, "x": [{}]}, "data_list": DATA_LIST})},
        {"a.json": json.dumps({"data_list": DATA_LIST, "y": 1}, indent=1, ensure_ascii=False)},
    ],
    "jsonl": [
        {"a.jsonl": [json.dumps({"filename": f"{i}.png", "text": text}) for i, text in enumerate(TEXTS)]}
    ],
}  # fmt: skip


@pytest.mark.parametrize(("form", "tree"), [(f, tree) for f, trees in WHOLE.items() for tree in trees])
def test_a_whole_source_is_recognised_and_comes_in(form: str, tree: Tree, tmp_path: Path) -> None:
    source = grow(tmp_path / "my source 线", tree | (IMAGES if form != "rec_gt" else {}))
    result = import_crops(source, tmp_path / "to 线")
    times = 2 if "./" in str(tree) else 1
    assert brought(result) == [(10 * i, text) for i, text in enumerate(TEXTS) for _ in range(times)]
    assert (result.format, result.refused) == (form, [])
    copied = [line.image.read_bytes() for line in labelfile.read_labels(result.labels)]
    if form != "ppocrlabel":
        originals = {path.read_bytes() for path in source.rglob("*.png")}
        assert set(copied) <= originals
    if form != "gt_txt":
        file = next(source / name for name in tree)
        assert brought(import_crops(file, tmp_path / "again")) == brought(result)
    assert brought(import_crops(source, tmp_path / "named", form)) == brought(result)


def test_paths_that_start_with_the_folder_of_the_project_are_normal(tmp_path: Path) -> None:
    lines = "".join(f"mine/{i}.png\t{boxes(text)}\n" for i, text in enumerate(TEXTS))
    source = grow(tmp_path / "mine", IMAGES | {"Label.txt": lines})
    result = import_crops(source, tmp_path / "to")
    assert brought(result) == [(10 * i, text) for i, text in enumerate(TEXTS)]
    assert result.notes == []


BROKEN: list[tuple[str, str, Tree, list[str]]] = [
    (
        "ppocrlabel",
        "Label.txt",
        {
            "Label.txt": [
                f"0.png\t{boxes('a')}",
                f"1.png {boxes('b')}",
                "1.png\t[{]",
                f"9.png\t{boxes('c', 'd')}",
                "1.png\t7",
                '1.png\t[{"points": []}]',
                f"1.png\t{quad((1, 2))}",
                f"1.png\t{boxes('###')}",
                f"1.png\t{boxes('x').replace('false', 'true')}",
                f"1.png\t{quad((20, 1), (30, 1), (30, 7), (20, 7))}",
                f"1.png\t{quad((2, 1), (2, 1), (2, 7), (2, 7))}",
                f"1.png\t{quad((2, 1), (1e9, 1), (1e9, 7), (2, 7))}",
                f"1.png\t{quad((2, 1), (float('nan'), 1), (18, 7), (2, 7))}",
                f"bad.png\t{boxes('w')}",
                "1.png\t[]",
                f"1.png\t{boxes('')}",
                f"1.png\t{'[' * 99999}",
                f"1.png\t{quad((18, 1), (2, 1), (2, 7), (18, 7))}",
                f"1.png\t{quad((2, 1), (18, 1), (5, 3), (2, 7))}",
            ],
            "bad.png": b"x",
        },
        [
            "2: no tab between photo and boxes",
            "3: not valid JSON (Expecting property name enclosed in double quotes at character 3)",
            "4: photo not found: 9.png (boxes: 2)",
            "5: no list of boxes after the tab",
            "6: box 1 has no points that are four pairs of numbers",
            "7: box 1 'q' has no points that are four pairs of numbers",
            "8: box 1 '###': marked as illegible",
            "9: box 1 'x': marked as difficult",
            "10: 'q': the box is outside the photo of 20 x 8 px",
            "11: 'q': the box is empty",
            "12: 'q': the box is far larger than the photo of 20 x 8 px",
            "13: 'q': a corner is not a number",
            "14: 'w': not an image that can be decoded: bad.png",
            "16: box 1 has no text",
            "17: not valid JSON (nested too deeply)",
            "18: 'q': the corners run counter-clockwise, and the crop would be mirrored",
            "19: 'q': the corners do not follow the outline of the box",
        ],
    ),
    (
        "paddleocr",
        "train.txt",
        {
            "train.txt": [
                "0.png\ta", "1.png b", "", "9.png\tc", "bad.png\td", "\te", "1.png\t", '["1.png"\tf',
                '[ "1.png", 2]\tg', f"{'x' * 9999}.png\th", "1.png\ti\rj", "\0.png\tk",
            ],
            "bad.png": b"",
        },
        [
            "2: no tab between path and text",
            "4: image not found: 9.png",
            "5: image file is empty: bad.png",
            "6: no image path",
            "7: empty text",
            "8: the list of images is not valid JSON (Expecting ',' delimiter at character 9)",
            "9: the list of images may only have paths",
            f"10: image not found: {'x' * 200}…",
            "11: a line break inside the text 'i\\rj'",
            "12: image not found: '\\x00.png'",
        ],
    ),
    (
        "icdar",
        "gt.txt",
        {"gt.txt": ['0.png, "a"', "1.png, b", '9.png, "c"', '1.png, "d']},
        [
            "2: not a path, a comma and a quoted text",
            "3: image not found: 9.png",
            "4: not a path, a comma and a quoted text",
        ],
    ),
    (
        "csv",
        "a.csv",
        {
            "a.csv": [
                "image,text", "0.png,a", "1.png", "1.png,b,c", "", '1.png,"d', 'e"', "9.png,f", '1.png,"g" h',
                '1.png,"i', "2.png,j",
            ]
        },
        [
            "3: 1 fields, but the header has 2",
            "4: 3 fields, but the header has 2",
            "6: a line break inside the text 'd\\ne'",
            "8: image not found: 9.png",
            "9: not a row of a table (',' expected after '\"')",
            "10: not a row of a table (unexpected end of data, lines 10 to 11 are lost)",
        ],
    ),
    (
        "gt_txt",
        "",
        {"0.gt.txt": "a", "1.gt.txt": "b\nc\n", "2.gt.txt": b"\xff\n", "9.gt.txt": "d", "4.gt.txt": "\n"}
        | {"4.png": 4, "5.png": 5, "5.jpg": 5, "5.gt.txt": "e"},
        [
            "1.gt.txt:2: more than one line of text",
            "2.gt.txt:1: not UTF-8",
            "3.png: no .gt.txt beside the image",
            "4.gt.txt:1: empty text",
            "5.gt.txt: several images: 5.jpg, 5.png",
            "9.gt.txt: no image beside the text",
        ],
    ),
    (
        "names",
        "",
        {"bad_1.png": b"x", "a_1.jpg": 1},
        ["bad_1.png: not an image that can be decoded"],
    ),
    (
        "mmocr",
        "a.json",
        {
            "a.json": [
                '{"data_list": [',
                '{"img_path": "0.png", "instances": [{"text": "a"}]},',
                '{"img_path": "1.png"},',
                '{"img_path": "1.png", "instances": []},',
                '{"img_path": "1.png", "instances": [{"text": 1}]},',
                '{"img_path": "1.png", "instances": [{"text": "\\ud800"}]},',
                '{"img_path": "9.png", "instances": [{"text": "b"}]}, 7]}',
            ]
        },
        [
            "3, entry 2: no img_path or no instances",
            "4, entry 3: 0 instances, but a crop has one",
            "5, entry 4: the instance has no text",
            "6, entry 5: the text is not valid Unicode: '\\ud800'",
            "7, entry 6: image not found: 9.png",
            "7, entry 7: no img_path or no instances",
        ],
    ),
    (
        "jsonl",
        "a.jsonl",
        {
            "a.jsonl": [
                '{"filename": "0.png", "text": "a"}', '{"filename": "1.png"}', "{", "[]",
                '{"filename": "9.png", "text": "b"}',
            ]
        },
        [
            "2: no 'text'",
            "3: not valid JSON (Expecting property name enclosed in double quotes at character 2)",
            "4: not a JSON object",
            "5: image not found: 9.png",
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("form", "file", "tree", "expected"), BROKEN, ids=[b[0] for b in BROKEN])
def test_what_cannot_be_used_is_told_with_its_line(
    form: str, file: str, tree: Tree, expected: list[str], tmp_path: Path
) -> None:
    source = grow(tmp_path / "source", IMAGES | tree)
    result = import_crops(source / file, tmp_path / "to")
    assert result.format == form
    told = left_out(result, source)
    for message, awaited in zip(told, expected, strict=True):
        # The wording of the JSON module differs between versions of Python.
        shape = re.sub(r"\(Expecting.*\)", "(Expecting …)", f"{file}:{awaited}" if file else awaited)
        shown = re.sub(r"\((Expecting|Illegal).*\)", "(Expecting …)", message)
        assert shown == shape
    assert result.count == len(labelfile.read_labels(result.labels)) > 0


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.csv", "x.png,text\n", "a.csv:1: nothing can be imported, 1 left out, the first: image not found"),
        ("a.csv", "x,y\n1,2\n", "a.csv:1: no column leads to images: 'x' ('1'), 'y' ('2'); pass"),
        ("a.csv", "image,text\n", "a.csv: holds no labelled crops"),
        ("a.csv", "0.png\n1.png\n", "a.csv:1: the table has only one column; it needs one column of images"),
        ("a.json", '{"data_list":\n[}', "a.json:2: not valid JSON"),
        ("a.json", '{"data": []}', "a.json: format not recognised"),
        ("a.json", '{"data_list": []}', "a.json: holds no labelled crops"),
        ("a.jsonl", "\n", "a.jsonl: holds no labelled crops"),
        ("rec_gt.txt", "9.png\ta\n8.png\tb\n", "rec_gt.txt:1: nothing can be imported, 2 left out, "),
        ("a.txt", "0.png\n1.png\n", "a.txt: format not recognised; pass --format with one"),
        ("a.jsonl", b"{}\n\xff\x80", "a.jsonl:2: not UTF-8; save the file as UTF-8, or pass --encoding NAME"),
        ("a.zip", b"PK", "a.zip: format not recognised (it looks like a ZIP archive); unpack it"),
        ("a.xlsx", b"PK", "a.xlsx: format not recognised (it looks like a spreadsheet); save it as"),
        ("a.parquet", b"PAR1PAR1", "a.parquet: not a Parquet file ("),
        ("data.mdb", b"nothing of the kind", "data.mdb: "),
    ],
)  # fmt: skip
def test_a_source_that_gives_nothing(file: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {file: content}) / file
    with pytest.raises(LinetuneError) as caught:
        import_crops(source, tmp_path / "to")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


# Names as labels


def test_file_names_as_labels(tmp_path: Path) -> None:
    tree = {"京A12345_07.png": 1, "京A12345_08.png": 2, "sub/B_2_30.jpg": 3, "C.png": 4, ".hidden.png": 5}
    source = grow(tmp_path / "plates", tree)
    with pytest.raises(LinetuneError, match="images are in the folder and in its subfolders"):
        import_crops(source, tmp_path / "to")
    result = import_crops(source, tmp_path / "to", "names")
    assert sorted(text for _, text in brought(result)) == ["B_2", "C", "京A12345", "京A12345"]
    assert result.notes[0].startswith("file names that lose their last _ and digits: 3, such as B_2_30")
    assert "labels are names" in result.notes[1]
    result = import_crops(source, tmp_path / "to", pattern=r".(?P<text>[A-Z])\d+_\d+", overwrite=True)
    assert [text for _, text in brought(result)] == ["A", "A"]
    assert result.format == "names"
    assert left_out(result, source)[0] == r"C.png: the file name does not match .(?P<text>[A-Z])\d+_\d+"
    for pattern, message in (("(", "not a regular expression"), (".*", "no group named text")):
        with pytest.raises(LinetuneError, match=message):
            import_crops(source, tmp_path / "to", pattern=pattern, overwrite=True)
    with pytest.raises(LinetuneError, match="a pattern does not apply to the format csv"):
        import_crops(source, tmp_path / "other", "csv", pattern=".*")


def test_a_cameras_file_names_are_no_labels(tmp_path: Path) -> None:
    source = grow(tmp_path / "photos", {"IMG_0001.png": 1, "IMG_0002.png": 2})
    with pytest.raises(LinetuneError, match="images, but no labels"):
        import_crops(source, tmp_path / "to")
    assert import_crops(source, tmp_path / "to", "names").count == 2


def test_folders_as_labels(tmp_path: Path) -> None:
    tree = {"A 1/x.png": 1, "A 1/y.png": 2, "京/x.png": 3, "京/deeper/x.png": 4, "京/bad.png": b""}
    source = grow(tmp_path / "source", tree)
    result = import_crops(source, tmp_path / "to")
    assert result.format == "folders"
    assert sorted(brought(result)) == [(1, "A 1"), (2, "A 1"), (3, "京")]
    names = [line.image.name for line in labelfile.read_labels(result.labels)]
    assert names == ["A_1-x.png", "A_1-y.png", "u4eac-x.png"]
    assert left_out(result, source) == [
        "京/bad.png: image file is empty",
        "京/deeper/x.png: not directly in a folder whose name is the label",
    ]
    splits = grow(tmp_path / "splits", {"train/1.png": 1, "val/2.png": 2})
    with pytest.raises(LinetuneError, match="images, but no labels"):
        import_crops(splits, tmp_path / "other")


def test_mmocr_says_where_a_missing_image_is(tmp_path: Path) -> None:
    entries = [{"img_path": f"{i}.png", "instances": [{"text": text}]} for i, text in enumerate(TEXTS)]
    tree = {f"x/{i}.png": i for i in range(1, len(TEXTS))} | {"0.png": 0}
    source = grow(tmp_path / "source", tree | {"a.json": json.dumps({"data_list": entries})})
    result = import_crops(source, tmp_path / "to")
    assert result.count == 1
    hint = f"it is in {source / 'x'}, so pass --images {source / 'x'}"
    assert [error.hint for error in result.refused] == [hint] * (len(TEXTS) - 1)


# LMDB


def test_an_lmdb_store(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    source = grow(tmp_path / "source", IMAGES)
    labels = [text.encode() for text in TEXTS] + [b"b", "京京".encode(), b"\xff", b""]
    with lmdb.open(str(tmp_path / "store"), map_size=1 << 20) as store, store.begin(write=True) as view:
        for number, label in enumerate(labels, 1):
            view.put(f"label-{number:09}".encode(), label)
            if number != 5:
                crop = (source / f"{(number - 1) % 4}.png").read_bytes()
                view.put(f"image-{number:09}".encode(), crop if number != 8 else b"x")
        view.put(b"num-samples", b"9")
    result = import_crops(tmp_path / "store", tmp_path / "to")
    assert result.format == "lmdb"
    assert brought(result) == [*((10 * i, text) for i, text in enumerate(TEXTS)), (10, "京京")]
    assert (tmp_path / "to" / "images" / "crop_000000001.png").read_bytes() == (source / "0.png").read_bytes()
    place = tmp_path / "store"
    assert [str(error) for error in result.refused] == [
        f"{place}: 000000005: no image-000000005 in the store",
        f"{place}: 000000007: the label is not utf-8; pass its encoding with --encoding",
        f"{place}: 000000008: empty text; write the text of the crop, or delete this label",
        f"{place}: 000000009: no image-000000009 in the store",
    ]
    with lmdb.open(str(tmp_path / "empty"), map_size=1 << 20) as store:
        store.sync()
    with pytest.raises(LinetuneError, match="no num-samples"):
        import_crops(tmp_path / "empty", tmp_path / "other")


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    source = grow(tmp_path / "data", {"a.parquet": b""})
    with pytest.raises(LinetuneError, match=r"needs the package pyarrow; pip install 'linetune\[parquet\]'"):
        import_crops(source, tmp_path / "to")


def test_lmdb_is_read_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.mdb").write_bytes(lmdb_store())
    monkeypatch.setitem(sys.modules, "lmdb", None)
    assert import_crops(tmp_path / "data.mdb", tmp_path / "to").count == 1


# Encodings, paths


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_encodings_and_line_ends(encoding: str, line_end: str, tmp_path: Path) -> None:
    content = "".join(f"{i}.png\t京A{i}{line_end}" for i in range(3)).encode(encoding)
    source = grow(tmp_path / "source", IMAGES | {"labels.txt": content})
    result = import_crops(source, tmp_path / "to")
    assert brought(result) == [(10 * i, f"京A{i}") for i in range(3)]
    assert any("GBK" in note for note in result.notes) == (encoding == "gbk")


def test_damaged_utf_8_is_not_taken_for_gbk(tmp_path: Path) -> None:
    content = "0.png\t京津冀\n1.png\t晋蒙辽\n".encode().replace("蒙".encode(), b"\xe4\xe4")
    source = grow(tmp_path / "source", IMAGES | {"labels.txt": content})
    with pytest.raises(LinetuneError, match=r"labels\.txt:2: not UTF-8; the rest is UTF-8"):
        import_crops(source, tmp_path / "to")


@pytest.mark.parametrize(
    "written",
    [r"crops\a b.png", "/home/me/data/crops/a b.png", r"D:\data\crops\a b.png", "d:/crops/a b.png",
     r"\\server\share\crops\a b.png", r".\crops\a b.png", "data/crops/a b.png", "crops/a b.png"],
)  # fmt: skip
def test_paths_of_other_systems_and_places(written: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", {"crops/a b.png": 7, "labels.txt": f"{written}\tA\n"})
    result = import_crops(source, tmp_path / "to")
    assert brought(result) == [(7, "A")]
    moved = not written.lstrip(".\\").startswith("crops")
    assert any("lead to no image" in note for note in result.notes) == moved


def test_two_paths_with_one_end_are_refused(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", {"1.png": 7, "labels.txt": "train/1.png\tA\nval/1.png\tB\n"})
    with pytest.raises(
        LinetuneError, match=r"labels\.txt:2: val/1\.png does not exist and ends like train/1"
    ):
        import_crops(source, tmp_path / "to")
    images = grow(tmp_path / "elsewhere", {"train/1.png": 1, "val/1.png": 2})
    assert brought(import_crops(source, tmp_path / "to", images=images)) == [(1, "A"), (2, "B")]


def test_several_label_files_and_formats(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"train.txt": rows("{}\t{}\n"), "val.txt": rows("{}\t{}\n")})
    with pytest.raises(LinetuneError, match=r"paddleocr \(train\.txt\) or paddleocr \(val\.txt\); pass"):
        import_crops(source, tmp_path / "to")
    (source / "val.txt").unlink()
    grow(source, {"a.csv": "image,text\n0.png,A\n"})
    with pytest.raises(LinetuneError, match="of one of them, or --format NAME"):
        import_crops(source, tmp_path / "to")
    assert brought(import_crops(source, tmp_path / "to", "csv")) == [(0, "A")]
    with pytest.raises(LinetuneError, match="unknown format 'paddle'; did you mean 'paddleocr'"):
        import_crops(source, tmp_path / "other", "paddle")
    with pytest.raises(LinetuneError, match="no source of the format mmocr"):
        import_crops(source, tmp_path / "other", "mmocr")


def test_every_format_has_a_name_and_a_reader() -> None:
    assert list(FORMATS) == list(READERS)


# Cutting


def test_boxes_are_cut_out_and_standing_ones_turned(
    tmp_path: Path, make_crops: Callable[[Path, list[str]], Path]
) -> None:
    drawn = make_crops(tmp_path / "drawn", ["LOT 4711"])
    crop = image.read(labelfile.read_labels(drawn)[0].image)
    height, width = crop.shape[:2]
    photo = np.zeros((300, 300, 3), np.uint8)
    photo[20 : 20 + height, 30 : 30 + width] = crop
    source = grow(tmp_path / "source", {"fileState.txt": "standing.png\t1\n"})
    lines = []
    # Lying, and reading downwards.
    for name, pixels, (x, y), (wide, tall) in (
        ("lying", photo, (30, 20), (width, height)),
        ("standing", np.rot90(photo, -1), (280 - height, 30), (height, width)),
    ):
        image.write(source / f"{name}.png", np.ascontiguousarray(pixels))
        box = quad((x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall), text="LOT 4711")
        lines.append(f"{name}.png\t{box}\n")
    grow(source, {"Label.txt": "".join(lines)})
    written = labelfile.read_labels(import_crops(source, tmp_path / "to").labels)
    assert [line.image.name for line in written] == ["lying_crop_0.png", "standing_crop_0.png"]
    assert all((image.read(line.image) == crop).all() for line in written)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the PPOCRLabel project is not part of the repository")
def test_a_real_project_gives_the_same_from_photos_and_from_crops(tmp_path: Path) -> None:
    cut = labelfile.read_labels(import_crops(SAMPLE, tmp_path / "photos").labels)
    own = labelfile.read_labels(import_crops(SAMPLE, tmp_path / "crops", "rec_gt").labels)
    by_stem = {line.image.stem: line for line in own}
    shared = [(line, by_stem[line.image.stem]) for line in cut if line.image.stem in by_stem]
    assert len(shared) == len(own) == 60
    assert all(a.text == b.text for a, b in shared)
    near = 0
    for a, b in shared:
        ours, theirs = image.read(a.image), image.read(b.image)
        ours = np.asarray(cv2.resize(ours, theirs.shape[1::-1]), np.uint8)
        near += bool(np.abs(ours.astype(int) - theirs.astype(int)).mean() < 12)
    assert near >= 0.95 * len(shared)
