"""What an import takes by itself, and what it asks about: formats, columns, encodings, names."""

from __future__ import annotations

import json
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from test_encodings import GERMAN, KOREAN
from test_importers import IMAGES, Tree, brought, grow, import_crops, left_out

from linetune.core.errors import LinetuneError
from linetune.data.importers.run import Imported

WORDS = ["XE1231", "11F02", "15F07", "LOT 4711"]
"""The texts of the four images."""


def taken(source: Path, tmp_path: Path, **options: Any) -> Imported:
    return import_crops(source, tmp_path / "to", overwrite=True, **options)


def refused(source: Path, tmp_path: Path, **options: Any) -> str:
    with pytest.raises(LinetuneError) as caught:
        import_crops(source, tmp_path / "refused", **options)
    assert not (tmp_path / "refused").exists()
    message = str(caught.value).replace(f"{source}/", "")
    assert "\n" not in message
    return message


def table(header: str, row: str, texts: list[str] = WORDS) -> str:
    """A row an image: its name, its text and its number."""
    body = "".join(f"{row.format(f'{i}.png', text, i)}\n" for i, text in enumerate(texts))
    return f"{header}\n{body}" if header else body


def lines(**keys: Any) -> list[str]:
    """JSON lines of the four images; {} in a value becomes the text."""
    return [
        json.dumps(
            {"file_name": f"{i}.png"} | {k: v.format(t) if isinstance(v, str) else v for k, v in keys.items()}
        )
        for i, t in enumerate(WORDS)
    ]


def whole(texts: list[str] = WORDS) -> list[tuple[int, str]]:
    return [(10 * i, text) for i, text in enumerate(texts)]


# Names are labels only where nothing else could hold any

PAGE = '<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2013-07-15"></PcGts>'
YOLO = "0 0.51 0.5 0.2 0.1\n"
ICDAR = "\ufeff48,9,94,17,88,40,42,33,2P24\r\n"
PLATES = {"AB 12.png": 0, "AB 12_1.png": 1, "CD 345.png": 2}
UNKNOWN: list[tuple[str, str | bytes, str]] = [
    ("0.xml", "<nothing/>", "labels could be in 0.xml"),
    ("notes.txt", "any words\n", "labels could be in notes.txt"),
    ("0.txt", YOLO, "labels could be in 0.txt, which looks like boxes of YOLO or ICDAR"),
    ("0.txt", YOLO, "labels could be in 0.txt, which looks like boxes of YOLO or ICDAR"),
    ("deep/er/labels.xlsx", b"PK", "labels could be in deep/er/labels.xlsx, which looks like a spreadsheet"),
    ("all.zip", b"PK", "labels could be in all.zip, which looks like a ZIP archive"),
    ("labels.db", b"", "labels could be in labels.db, which looks like a database"),
    ("classes.yaml", "a: b", "labels could be in classes.yaml, which looks like YAML"),
]


@pytest.mark.parametrize(("file", "content", "told"), UNKNOWN, ids=[file for file, _, _ in UNKNOWN])
def test_names_are_no_labels_beside_files_that_could_hold_them(
    file: str, content: str | bytes, told: str, tmp_path: Path
) -> None:
    source = grow(tmp_path / "photos", IMAGES | {file: content})
    assert told in refused(source, tmp_path)
    assert "pass --format names to use the names anyway" in refused(source, tmp_path)
    assert brought(taken(source, tmp_path, form="names")) == whole(["0", "1", "2", "3"])
    folders = grow(tmp_path / "folders", {"A 1/0.png": 0, "B 2/1.png": 1, f"A 1/{file}": content})
    assert "linetune does not use the names of folders as labels" in refused(folders, tmp_path)
    assert brought(taken(folders, tmp_path, form="folders")) == [(0, "A 1"), (1, "B 2")]


@pytest.mark.parametrize("name", ["fileState.txt", "Cache.cach"])
@pytest.mark.parametrize("photos", [PLATES, {"IMG_1.png": 0}])
def test_what_ppocrlabel_keeps_for_itself_holds_no_labels(
    name: str, photos: dict[str, int], tmp_path: Path
) -> None:
    states = "".join(f"{photo}\t1\n" for photo in photos)
    source = grow(tmp_path / "mine", photos | {name: states})
    for path in (source, source / name):
        message = refused(path, tmp_path)
        assert "the state of PPOCRLabel" in message
        assert "choose File > Export Label in PPOCRLabel, which writes Label.txt" in message
    grow(source, {"labels.txt": "".join(f"{photo}\tA\n" for photo in photos)})
    assert len(brought(import_crops(source, tmp_path / "to"))) == len(photos)


def test_names_are_no_labels_where_a_file_one_folder_up_names_the_images(tmp_path: Path) -> None:
    images = {f"data/crops/{name}": pixels for name, pixels in PLATES.items()}
    source = grow(tmp_path / "source", images | {"data/labels.csv": "image,text\nAB 12_1.png,X\n"})
    assert f"labels could be in {source}/data/labels.csv" in refused(source / "data" / "crops", tmp_path)
    cameras = grow(
        tmp_path / "cameras", {"crops/IMG_1.png": 0, "crops/IMG_2.png": 1, "gt.lst": "IMG_1.png\tX\n"}
    )
    told = refused(cameras / "crops", tmp_path)
    assert f"format not recognised; the labels may be in {cameras}/gt.lst: import that" in told
    apart = grow(tmp_path / "apart", {"images/AB 1.png": 0, "images/CD 2.png": 1, "labels/CD 2.txt": "x"})
    assert f"labels could be in {apart}/labels/CD 2.txt" in refused(apart / "images", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "the folder holds no images and no labels" in refused(tmp_path / "empty", tmp_path)
    grow(source, {"data/labels.csv": "image,text\nother.png,X\n", "data/make.py": "save('AB 12_1.png')"})
    assert taken(source / "data" / "crops", tmp_path).format == "names"


def test_names_are_labels_beside_files_that_hold_none(tmp_path: Path) -> None:
    source = grow(
        tmp_path / "plates", PLATES | {"README.txt": "x", "LICENSE": "x", ".hidden.csv": "x", "Thumbs.db": ""}
    )
    assert taken(source, tmp_path).format == "names"


@pytest.mark.parametrize(
    "name",
    ["license_plates.json", "licence plates.xlsx", "readme_labels.dat", "labels.pickle", "labels.xlsb",
     "labels", "labels.docx", "labels.text", "labels.gt", "labels.md", "labels.ini"],
)  # fmt: skip
def test_any_file_that_is_no_image_may_hold_labels(name: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {name: "0 AB 1234\n"})
    assert f"labels could be in {name}" in refused(source, tmp_path)


def test_images_that_are_not_read_are_told_beside_names(tmp_path: Path) -> None:
    source = grow(tmp_path / "names", PLATES | {"EF56.heic": b"x", "GH78.tga": b"x"})
    result = taken(source, tmp_path)
    assert result.format == "names"
    assert result.notes[-1] == f"files that are not read: 2, such as {source / 'EF56.heic'}"
    source = grow(tmp_path / "folders", {"A/0.png": 0, "B/1.png": 1, "C/2.heic": b"x", "notes.txt": "x"})
    told = taken(source, tmp_path, form="folders").notes[-1]
    assert told == f"files that are not read: 2, such as {source / 'C/2.heic'}"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["00_AB", "01_CD"], "'00_AB' has several parts"),
        (["7", "8", "9"], "'7' and the other names only count up"),
        (["SN0007", "SN0008", "SN0010"], "'SN0007' and the other names only count up"),
        (["KA_1234", "KB_8710", "KC_0042"], "the digits after the _ of 'KA_1234' may be part of the text"),
        (["AB12", "AB12 (2)"], "'AB12 (2)' holds the number of a copy"),
        (["AB12", "AB12 - Copy"], "holds the number of a copy"),
        (["AB12_jpg.rf.0f2c74d28b1b9e3a5f6d7c8b9a0b1c2d"], "holds a random part"),
        (["0b5bd6f8-4c57-4d5c-9b1e-0d1c2b3a4f5e"], "holds a random part"),
        (["AB12 2024-01-31 12.45.01"], "holds a date and a time"),
        (["1700000000123", "1712345678901"], "holds a time"),
        (["DSC01234", "DSC07777"], "looks like a camera's file name"),
    ],
)
def test_names_that_hold_more_than_a_text_are_asked_about(
    names: list[str], told: str, tmp_path: Path
) -> None:
    source = grow(tmp_path / "files", {f"{name}.png": number for number, name in enumerate(names)})
    message = refused(source, tmp_path)
    assert "linetune does not use the names of files as labels, because " in message
    assert told in message
    assert taken(source, tmp_path, form="names").count == len(names)
    assert taken(source, tmp_path, pattern="(?P<text>.)+").count == len(names)


@pytest.mark.parametrize(
    "names",
    [
        ["AB12_0", "CD34_1", "EF56_2"],
        ["AB12", "CD34", "2026-10-31"],
        ["0148", "9932", "5120"],
        ["8944500602003001234", "0012 (A)"],
    ],
)
def test_names_that_may_be_texts_are_labels(names: list[str], tmp_path: Path) -> None:
    source = grow(tmp_path / "files", {f"{name}.png": number for number, name in enumerate(names)})
    assert sorted(brought(taken(source, tmp_path))) == [
        (number, name.removesuffix(f"_{number}")) for number, name in enumerate(names)
    ]


def test_names_of_folders_that_are_hardly_texts_are_asked_about(tmp_path: Path) -> None:
    one = grow(tmp_path / "one", {"camera/x.png": 0, "camera/y.png": 1})
    assert "because all images are in one folder, 'camera'" in refused(one, tmp_path)
    many = grow(tmp_path / "many", {f"class{number}/x.png": number for number in range(4)})
    assert (
        "linetune does not use the names of folders as labels, because 'class0' and the other names"
        in refused(many, tmp_path)
    )
    days = grow(tmp_path / "days", {"2024-01-01/AB.png": 0, "2024-01-02/CD.png": 1})
    assert "'2024-01-01' holds a date" in refused(days, tmp_path)
    digits = grow(tmp_path / "digits", {f"{number}/x.png": number for number in range(4)})
    assert brought(taken(digits, tmp_path)) == [(0, "0"), (1, "1"), (2, "2"), (3, "3")]


def test_numbers_of_a_lexicon_are_no_texts(tmp_path: Path) -> None:
    names = {f"1/{number}_AB_{7000 + number}.png": number for number in range(3)}
    rows = [f"./{name} {name[-8:-4]}" for name in names]
    source = grow(tmp_path / "source", names | {"annotation.txt": rows})
    told = refused(source, tmp_path)
    assert "7000 is the number of a text in a lexicon, as in MJSynth's lists; import the folder" in told
    assert brought(taken(source, tmp_path, form="path_text")) == [(0, "7000"), (1, "7001"), (2, "7002")]
    assert brought(taken(source, tmp_path, pattern=r"\d+_(?P<text>.+)_\d+"))[0] == (0, "AB")


def test_names_are_asked_about_where_images_lie_in_the_folder_and_below(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", {"A/0.png": 0, "B/1.png": 1, "loose.png": 2})
    told = "linetune does not use names as labels, because images are in the folder and in its subfolders"
    assert told in refused(source, tmp_path)
    assert taken(source, tmp_path, form="names").count == 3
    assert taken(source, tmp_path, form="folders").count == 2
    (source / "loose.png").unlink()
    # What an import wrote into the folder is not of its images.
    import_crops(source, source / "A 2", "folders")
    assert import_crops(source, source / "A 2", overwrite=True).count == 2


LOOKS = [
    ('{"0.png1": {"filename": "0.png", "regions": [{"shape_attributes": {"x": 1}}]}}', "VGG Image Annotator"),
    (
        '{"id": 1, "annotations": [{"result": [{"original_width": 9, "value": {"bbox": {}}}]}]}',
        "Label Studio",
    ),
    ('{"description": "", "size": {}, "objects": [], "tags": []}', "Supervisely"),
    ('{"form": [{"box": [1, 2, 3, 4], "text": "A"}]}', "FUNSD"),
]


@pytest.mark.parametrize(("content", "look"), LOOKS)
def test_other_tools_files_are_named(content: str, look: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"ann/0.json": content})
    assert f"which looks like {look};" in refused(source, tmp_path)


def test_a_name_longer_than_any_file_has_is_told(tmp_path: Path) -> None:
    assert "no such file or folder" in refused(tmp_path / ("x" * 300), tmp_path)


def test_long_names_of_columns_are_shortened(tmp_path: Path) -> None:
    long = "x" * 5000
    source = grow(tmp_path / "source", IMAGES | {"a.csv": f"file,{long},b\n0.png,{long},B\n"})
    assert len(refused(source, tmp_path)) < 300


def test_names_lose_the_accents_that_macos_sets_apart(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "Größe")
    assert brought(taken(grow(tmp_path / "n", {f"{apart}_1.png": 1, "b.png": 2}), tmp_path)) == [
        (1, "Größe"),
        (2, "b"),
    ]
    assert brought(taken(grow(tmp_path / "f", {f"{apart}/1.png": 1, "b/1.png": 2}), tmp_path)) == [
        (1, "Größe"),
        (2, "b"),
    ]


# Sources in subfolders

SPLITS: list[Tree] = [
    {"train/metadata.jsonl": lines(text="{}"), "test/metadata.jsonl": lines(text="{}")},
    {
        "training/labels.csv": table("filename,words", "{},{}"),
        "validating/labels.csv": table("filename,words", "{},{}"),
    },
    {"batch_a/labels.txt": table("", "{}\t{}"), "batch_b/labels.txt": table("", "{}\t{}")},
    {"train/gt.txt": table("", '{}, "{}"'), "val/gt.txt": table("", '{}, "{}"')},
]


@pytest.mark.parametrize("tree", SPLITS)
def test_several_sources_in_subfolders_are_listed(tree: Tree, tmp_path: Path) -> None:
    files = list(tree)
    images = {f"{Path(file).parent}/{name}": shade for file in files for name, shade in IMAGES.items()}
    source = grow(tmp_path / "source", tree | images)
    told = refused(source, tmp_path)
    assert "several sources in its subfolders: " in told
    assert all(file in told for file in files)
    assert told.endswith("; import them one by one")
    (source / files[1]).unlink()
    # What lies in the folder of a source is part of it.
    grow(source, {f"{Path(files[0]).parent}/part/{Path(files[0]).name}": (source / files[0]).read_text()})
    result = taken(source, tmp_path)
    assert brought(result) == whole()
    assert f"the source is {source / files[0]}, the only one in the subfolders" in result.notes


# Which column is the text

CLEAR: list[tuple[str, str, str]] = [
    ("a.csv", table("image_path,plate_text,plate_region", "{},{},Spain"), ""),
    ("a.csv", table("filename,label,transcription", "{},plate,{}"), "'label' is the same in every row"),
    ("a.csv", table("image,id,label,transcription", '{0},{2},"[{{""x"": 0}}]",{1}'), "'label' holds JSON"),
    ("a.csv", table("path,text,label", "{},{},"), "'label' is empty"),
    ("a.csv", table(",image,path,text", "{2},{2},{0},{1}"), ""),
    ("a.csv", table("FILENAME,IDENTITY", "{},{}"), "the texts are in the column 'IDENTITY'"),
    ("a.csv", table("Image ID;Plate Text", "{};{}"), ""),
    ("a.csv", table("file_name,text,text_length", "{},{},{}"), ""),
    ("a.csv", table("", "{},{}"), "the texts are in the column '2'"),
    ("a.csv", table("", "{1}|{0}"), "the texts are in the column '1'"),
    ("a.tsv", table("", "{}\tLatin\t{}"), "'2' is the same in every row"),
    ("gt.txt", table("", "{},Latin,{}"), "'2' is the same in every row"),
    ("a.txt", table("", "{}\t\t{}"), "'2' is empty"),
    ("a.txt", table("", "{}\t{}\tlatin"), "'3' is the same in every row"),
    ("a.jsonl", "\n".join(lines(label="{}")), ""),
    ("a.jsonl", "\n".join(lines(transcription="{}", label=3)), "'label' holds numbers, perhaps of classes"),
    ("a.jsonl", "\n".join(lines(ground_truth="{}")), ""),
    ("a.jsonl", "\n".join(lines(prefix="read", suffix="{}")), ""),
    ("a.ndjson", "\n".join(lines(caption="{}", objects=[1])), ""),
]


@pytest.mark.parametrize(("file", "content", "note"), CLEAR)
def test_a_column_that_is_clearly_the_text_is_taken(
    file: str, content: str, note: str, tmp_path: Path
) -> None:
    source = grow(tmp_path / "source", IMAGES | {file: content})
    result = taken(source, tmp_path)
    assert brought(result) == whole()
    assert result.refused == []
    assert note in " ".join(result.notes)
    assert bool(note) == bool(result.notes)
    assert brought(taken(source / file, tmp_path)) == whole()


UNCLEAR: list[tuple[str, str, str, str]] = [
    ("a.csv", table("image,plate,region", "{},{},R{}"), "'plate' ('XE1231'), 'region' ('R0')", "plate"),
    (
        "a.csv",
        table("image,label,ocr text", "{0},L{2},{1}"),
        "'label' ('L0'), 'ocr text' ('XE1231')",
        "OCR_Text",
    ),
    ("a.csv", table("image,label,plate", "{},car,{}"), "'label' ('car'), 'plate' ('XE1231')", "plate"),
    ("a.csv", table("", "{0},S{2},{1}"), "'2' ('S0'), '3' ('XE1231')", "3"),
    ("gt.txt", table("", "{0},S{2},{1}"), "'2' ('S0'), '3' ('XE1231')", "3"),
    ("a.txt", table("", "{}\t{}\tS{}"), "'2' ('XE1231'), '3' ('S0')", "2"),
    (
        "a.jsonl",
        "\n".join(lines(words="{}", caption="a {}")),
        "'words' ('XE1231'), 'caption' ('a XE1231')",
        "words",
    ),
]


@pytest.mark.parametrize(("file", "content", "told", "column"), UNCLEAR)
def test_several_columns_that_could_be_the_text_are_asked_about(
    file: str, content: str, told: str, column: str, tmp_path: Path
) -> None:
    source = grow(tmp_path / "source", IMAGES | {file: content}) / file
    message = refused(source, tmp_path)
    assert f"it is not clear which column has the texts: {told}" in message
    assert message.endswith("name the column of the texts with --text-column")
    assert brought(taken(source, tmp_path, text_column=column)) == whole()
    assert "--text-column: no column 'none'; known: " in refused(source, tmp_path, text_column="none")


KINDS = [
    "text_type", "caption", "gt_status", "word_count", "transcription_by", "ocr_engine", "label_name",
    "label", "labels", "text", "transcription",
]  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_column_of_few_kinds_is_asked_about_whatever_its_name(name: str, tmp_path: Path) -> None:
    rows = [(f"{i % 4}.png", "abc"[i % 3], f"LOT {i}") for i in range(6)]
    source = grow(
        tmp_path / "a",
        IMAGES | {"a.csv": f"file,{name},reading\n" + "".join(f"{','.join(row)}\n" for row in rows)},
    )
    told = f"it is not clear which column has the texts: '{name}' ('a'), 'reading' ('LOT 0'); "
    assert told in refused(source, tmp_path)
    keys = ("file_name", name, "reading")
    source = grow(
        tmp_path / "b", IMAGES | {"a.jsonl": [json.dumps(dict(zip(keys, r, strict=True))) for r in rows]}
    )
    assert told in refused(source, tmp_path)
    assert taken(source, tmp_path, text_column="reading").count == 6


def test_texts_that_repeat_are_texts_where_nothing_else_could_be(tmp_path: Path) -> None:
    rows = "".join(f"{i % 4}.png,{'OK' if i % 2 else 'NO'},{i},0.{i}\n" for i in range(8))
    source = grow(tmp_path / "source", IMAGES | {"a.csv": f"image,text,id,score\n{rows}"})
    assert [text for _, text in brought(taken(source, tmp_path))] == ["NO", "OK"] * 4


def test_of_two_columns_with_one_name_the_number_is_asked_for(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"a.csv": table("file,text,text", "{0},x{2},{1}")})
    assert "2 'text' ('x0'), 3 'text' ('XE1231')" in refused(source, tmp_path)
    told = refused(source, tmp_path, text_column="text")
    assert told == "--text-column: 2 columns are named 'text'; pass the number, 2 or 3"
    assert brought(taken(source, tmp_path, text_column="3")) == whole()


def test_a_class_column_is_not_taken_for_the_text(tmp_path: Path) -> None:
    rows = "".join(f"{i % 4}.png,{'car' if i % 2 else 'bus'},AB {i}\n" for i in range(8))
    source = grow(tmp_path / "source", IMAGES | {"a.csv": f"image,label,number\n{rows}"})
    assert "it is not clear which column has the texts" in refused(source, tmp_path)
    assert taken(source, tmp_path, text_column="number").count == 8


def test_json_is_no_text(tmp_path: Path) -> None:
    donut = json.dumps({"gt_parse": {"total": "1"}})
    tree = IMAGES | {
        "metadata.jsonl": [json.dumps({"file_name": f"{i}.png", "ground_truth": donut}) for i in range(4)]
    }
    told = refused(grow(tmp_path / "source", tree), tmp_path)
    assert "no column of texts: 'ground_truth'" in told
    assert "holds JSON of whole documents, as for Donut" in told


def test_the_column_of_images_is_the_one_that_leads_to_them(tmp_path: Path) -> None:
    both = IMAGES | {f"masks/m{i}.png": 99 for i in range(4)}
    source = grow(tmp_path / "a", both | {"a.csv": table("picture,mask,text", "{0},masks/m{2}.png,{1}")})
    assert "several columns lead to files: 'picture' ('0.png'), 'mask'" in refused(source, tmp_path)
    assert brought(taken(source, tmp_path, image_column="picture")) == whole()
    source = grow(tmp_path / "b", both | {"a.csv": table("image,mask,text", "{0},masks/m{2}.png,{1}")})
    result = taken(source, tmp_path)
    assert brought(result) == whole()
    assert "the images are in the column 'image'" in result.notes[0]
    for option in ("text_column", "image_column"):
        message = refused(grow(tmp_path / "c", {"0.gt.txt": "A", "0.png": 1}), tmp_path, **{option: "a"})
        assert f"--{option.replace('_', '-')}: the format gt_txt has no columns" in message


@pytest.mark.parametrize(
    ("other", "texts"),
    [
        ("text_new", ["AB 1284", "京A·12345", "LOT 4711", "x"]),
        ("text2", ["AB 1284", "", "", ""]),
        ("normalized", WORDS),
        ("label_fixed", ["", "", WORDS[2], ""]),
    ],
)
def test_two_versions_of_the_texts_are_asked_about(other: str, texts: list[str], tmp_path: Path) -> None:
    rows = [f"{i}.png,{text},{new}" for i, (text, new) in enumerate(zip(WORDS, texts, strict=True))]
    source = grow(tmp_path / "source", IMAGES | {"a.csv": [f"image,text,{other}", *rows]})
    if texts[0][:2] == WORDS[0][:2] or texts[2] == WORDS[2]:
        assert f"it is not clear which column has the texts: 'text' ({WORDS[0]!r}), '{other}'" in refused(
            source, tmp_path
        )
    else:
        assert brought(taken(source, tmp_path)) == whole()


@pytest.mark.parametrize("between", ["-", ":", "->", "="])
def test_what_stands_before_every_text_is_no_part_of_it(between: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"a.txt": table("", f"{{}} {between} {{}}")})
    result = taken(source, tmp_path)
    assert brought(result) == whole()
    assert f"the {between} before every text is not part of the text" in result.notes


def test_a_column_of_splits_is_told(tmp_path: Path) -> None:
    rows = [f"{i}.png,{text},{['train', 'test'][i % 2]}" for i, text in enumerate(WORDS)]
    source = grow(tmp_path / "source", IMAGES | {"a.csv": ["image,text,split", *rows]})
    (note,) = taken(source, tmp_path).notes
    assert note == "'split' is ignored: the crops of test, train go into one label file"


@pytest.mark.parametrize("row", ["{}, {}", "{},{}", "{} , {}"])
def test_a_comma_and_a_space_stand_between_path_and_text(row: str, tmp_path: Path) -> None:
    for number, file in enumerate(("labels.txt", "labels.csv")):
        source = grow(tmp_path / f"{number}", IMAGES | {file: table("", row)})
        assert brought(taken(source, tmp_path)) == whole()


def test_an_inch_sign_at_the_beginning_takes_no_lines_along(tmp_path: Path) -> None:
    rows = [f"{i}.png\t{text}" for i, text in enumerate(['"A', 'B"', "C", '5" D'])]
    source = grow(tmp_path / "source", IMAGES | {"a.tsv": ["image\ttext", *rows]})
    assert [text for _, text in brought(taken(source, tmp_path))] == ['"A', 'B"', "C", '5" D']
    spanning = table("image,text", '{},"{}\nx"')
    assert "a line break inside the text" in refused(
        grow(tmp_path / "two", IMAGES | {"a.csv": spanning}), tmp_path
    )


def test_a_photo_beside_its_crops_is_no_crop(tmp_path: Path) -> None:
    rows = [f"photo.png,{i}.png,{text}" for i, text in enumerate(WORDS)]
    source = grow(tmp_path / "source", IMAGES | {"photo.png": 7, "a.csv": ["image,crop,text", *rows]})
    assert "several columns lead to files: 'image' ('photo.png'), 'crop'" in refused(source, tmp_path)
    assert brought(taken(source, tmp_path, image_column="crop")) == whole()


def test_images_that_no_label_names_are_told(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"a.txt": "0.png\tA\n", ".hidden.png": 3})
    told = taken(source, tmp_path).notes
    assert told == [f"images in the same folder without a label: 3, such as {source / '1.png'}"]


def test_label_studios_csv_leads_to_its_json(tmp_path: Path) -> None:
    cell = '"[{""x"": 1, ""original_width"": 9}]"'
    source = grow(
        tmp_path / "source", IMAGES | {"a.csv": f'ocr,bbox,transcription\n0.png,{cell},"[""A""]"\n'}
    )
    assert "a CSV of Label Studio does not say which text belongs to which box; export as JSON" in refused(
        source, tmp_path
    )


@pytest.mark.parametrize("form", ["txt", "csv", "path_text", "jsonl"])
def test_marks_of_illegible_crops_are_left_out_of_every_format(form: str, tmp_path: Path) -> None:
    files: dict[str, dict[str, Any]] = {
        "txt": {"0.txt": "###", "1.txt": "AB"},
        "csv": {"a.csv": "image,text\n0.png,###\n1.png,AB\n"},
        "path_text": {"a.txt": "0.png ###\n1.png AB\n"},
        "jsonl": {"a.jsonl": [*lines(text="{}")[1:2], '{"file_name": "0.png", "text": "###"}']},
    }
    result = taken(grow(tmp_path / "source", IMAGES | files[form]), tmp_path)
    assert result.count == 1
    assert "'###': marked as illegible" in [error.what for error in result.refused]


def test_a_text_file_as_tesseract_writes_it_holds_one_line(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", {"0.png": 0, "0.txt": "AB 12\n\f", "1.png": 1, "1.txt": "\nCD\n"})
    assert brought(taken(source, tmp_path)) == [(0, "AB 12"), (1, "CD")]


@pytest.mark.parametrize("header", ["original_image,crop,text", "source_image,crop_path,text"])
def test_paths_that_lead_exactly_go_before_paths_that_end_alike(header: str, tmp_path: Path) -> None:
    rows = [f"photos/{3 - i}.png,{i}.png,{text}" for i, text in enumerate(WORDS)]
    source = grow(tmp_path / "source", IMAGES | {"a.csv": [header, *rows]})
    result = taken(source, tmp_path)
    assert brought(result) == whole()
    assert f"the images are in the column '{header.split(',')[1]}'" in result.notes[0]
    grow(source, {f"photos/{i}.png": 99 for i in range(4)})
    assert "several columns lead to files" in refused(source, tmp_path)


def test_names_without_a_suffix_lead_to_images_where_all_do(tmp_path: Path) -> None:
    for number, header in enumerate(("id,label", "filename,label", "")):
        source = grow(tmp_path / f"{number}", IMAGES | {"train.csv": table(header, "{2},{1}")})
        result = taken(source, tmp_path)
        assert brought(result) == whole()
        assert "has no suffixes: '0' is 0.png" in " ".join(result.notes)
    keys = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(WORDS)]
    assert brought(taken(grow(tmp_path / "lines", IMAGES | {"a.jsonl": keys}), tmp_path)) == whole()
    # A table of other numbers is no second source.
    grow(tmp_path / "0", {"losses.csv": "epoch,loss\n0,0.5\n9,0.4\n"})
    assert brought(taken(tmp_path / "0", tmp_path)) == whole()
    grow(tmp_path / "0", {"3.jpg": 1})
    assert "no column leads to images" in refused(tmp_path / "0" / "train.csv", tmp_path)
    source = grow(tmp_path / "other", IMAGES | {"a.csv": "file,text\n0.jpg,A\n"})
    told = f"image not found: 0.jpg; there is {source / '0.png'}, another kind of image"
    assert told.replace(f"{source}/", "") in refused(source, tmp_path)


BOXES: list[tuple[str, list[str], str]] = [
    ("a.csv", ["image,x,y,w,h,text", "0.png,2,1,9,4,A1", "1.png,3,1,9,4,B1"], "csv"),
    ("a.csv", ["image,xmin,ymin,xmax,ymax,text", "0.png,2,1,9,4,A1", "1.png,2,1,9,4,B1"], "csv"),
    ("a.csv", ["image,left,top,width,height,text", "0.png,2.5,1,9,4,A1", "1.png,2,1,9,4,B1"], "csv"),
    ("a.csv", ["path,bbox_x,bbox_y,bbox_w,bbox_h,text", "0.png,2,1,9,4,A1", "1.png,3,1,9,4,B1"], "csv"),
    ("a.csv", ["image,startX,startY,endX,endY,text", "0.png,2,1,9,4,A1", "1.png,3,1,9,4,B1"], "csv"),
    ("a.csv", ["image,tl_x,tl_y,br_x,br_y,text", "0.png,2,1,9,4,A1", "1.png,3,1,9,4,B1"], "csv"),
    ("a.csv", ["image,x_center,y_center,box_0,box_1,text", "0.png,2,1,9,4,A1", "1.png,3,1,9,4,B1"], "csv"),
    ("a.csv", ["0.png,A1,2,1,9,4", "1.png,B1,2,1,9,4"], "csv"),
    ("a.csv", ["image,points,text", '0.png,"[[2, 1], [9, 4]]",A1', '1.png,"[[2, 1], [9, 5]]",B1'], "csv"),
    ("a.csv", ["image,bbox,text", '0.png,"[{""x"": 2, ""y"": 1, ""width"": 5}]",A1'], "csv"),
    ("a.csv", ["filename,shape,text", '0.png,"{""name"": ""rect"", ""x"": 2, ""y"": 1}",A1'], "csv"),
    ("a.txt", ["0.png\t2 1 9 4\tA1", "1.png\t2 1 9 4\tB1"], "paddleocr"),
    ("a.txt", ["0.png\t2,1,9,4,A1", "1.png\t2,1,9,4,B1"], "paddleocr"),
    ("a.txt", ["0.png 2 1 9 4 A1", "1.png 2 1 9 5 B1"], "path_text"),
    ("a.txt", ["0.png 2,1,9,4,A1", "1.png 2,1,9,4,B1"], "path_text"),
    ("a.jsonl", ['{"file_name": "0.png", "bbox": [2, 1, 9, 4], "text": "A1"}'], "jsonl"),
    ("a.json", ['[{"image": "0.png", "box": {"x": 2, "y": 1}, "text": "A1"}]'], "jsonl"),
    ("a.json", ['[{"image": "0.png", "at": {"a": 2, "b": 1, "c": 9, "d": 4.5}, "text": "A1"}]'], "jsonl"),
]


@pytest.mark.parametrize(("file", "content", "form"), BOXES)
def test_boxes_beside_texts_are_no_crops_unless_asked_for(
    file: str, content: list[str], form: str, tmp_path: Path
) -> None:
    source = grow(tmp_path / "source", IMAGES | {file: content})
    told = refused(source, tmp_path)
    assert told.startswith(f"{file}")
    assert "boxes" in told
    assert (
        f"pass --format {form} to import whole images anyway; linetune imports boxes from ppocrlabel, "
        in told
    )
    texts = [text for _, text in brought(taken(source, tmp_path, form=form))]
    assert [text[-2:] for text in texts] == ["A1", "B1"][: len(texts)]


def test_long_cells_and_lines_are_judged_by_their_beginning(tmp_path: Path) -> None:
    rows = [json.dumps({"image": "0.png", "text": "A", "more": '{"x": "A", ' * 10_000})]
    source = grow(tmp_path / "source", IMAGES | {"a.jsonl": rows})
    long = grow(tmp_path / "long", {"0.png": 0, "0.txt": "[" * 50_000})
    before = time.perf_counter()
    assert taken(source, tmp_path).count == taken(long, tmp_path).count == 1
    assert time.perf_counter() - before < 3


def test_boxes_and_names_of_files_in_a_table(tmp_path: Path) -> None:
    boxes = "".join(f"{i}.png,20,8,plate,{i},2,3,4\n" for i in range(4))
    header = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    assert "it is not clear which column has the texts" in refused(
        grow(tmp_path / "a", IMAGES | {"a.csv": header + boxes}), tmp_path
    )
    source = grow(tmp_path / "b", IMAGES | {"a.csv": "image,text\n0.png,1.png\n1.png,2.png\n"})
    assert brought(taken(source, tmp_path)) == [(0, "1.png"), (10, "2.png")]


# Path and text on one line

SPLIT: list[tuple[str, list[tuple[int, str]]]] = [
    (table("", "{}    {}"), whole()),
    (table("", "{},{}"), whole()),
    (table("", "./{} , {}"), whole()),
    ("sub dir/my 1.png A 1\n0.png B,C\n", [(7, "A 1"), (0, "B,C")]),
    ("odd.png x/1.png A\n0.png 1.png B\n", [(8, "A"), (0, "1.png B")]),
]


@pytest.mark.parametrize(("content", "expected"), SPLIT)
def test_path_and_text_with_spaces_or_a_comma(
    content: str, expected: list[tuple[int, str]], tmp_path: Path
) -> None:
    odd = {"sub dir/my 1.png": 7, "odd.png x/1.png": 8}
    source = grow(tmp_path / "source", IMAGES | odd | {"labels.txt": content})
    result = taken(source, tmp_path)
    assert (result.format, brought(result)) == ("path_text", expected)


def test_more_commas_and_numbers_are_no_text_unless_asked_for(tmp_path: Path) -> None:
    source = grow(tmp_path / "a", IMAGES | {"labels.txt": "0.png,A\n1.png,B,C\n2.png,D,E,F\n"})
    assert (
        "labels.txt:2: several commas, so the text may be one of several columns; pass --format path_text"
        in refused(source, tmp_path)
    )
    assert brought(taken(source, tmp_path, form="path_text")) == [(0, "A"), (10, "B,C"), (20, "D,E,F")]
    source = grow(tmp_path / "b", IMAGES | {"labels.txt": "0.png 89 201 241 178\n1.png 48,9,94,17,0\n"})
    assert "labels.txt:1: every line has four or more numbers after its path" in refused(source, tmp_path)
    assert taken(source, tmp_path, form="path_text").count == 2


# Label files that other programs, or people, have been at


@pytest.mark.parametrize(
    "content", [table("sep=;\r\nfile;text;date", "{};{};2024"), "sep=,\n" + table("", "{},{}")]
)
def test_excels_first_line_names_what_separates(content: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"a.csv": content})
    assert brought(taken(source, tmp_path)) == whole()


def test_spaces_before_quotes_are_no_part_of_a_text(tmp_path: Path) -> None:
    source = grow(tmp_path / "a", IMAGES | {"a.csv": table("file, text", '{}, "{}, ""x"""')})
    assert brought(taken(source, tmp_path)) == whole([f'{text}, "x"' for text in WORDS])
    source = grow(tmp_path / "b", IMAGES | {"a.csv": table("file,text", "{}, {}")})
    result = taken(source, tmp_path)
    assert brought(result) == whole()
    assert "the space before every text is not part of the text" in result.notes
    quoted = "".join(f'"{i}.png", "{text}"\n' for i, text in enumerate(WORDS))
    for file in ("a.csv", "a.txt"):
        source = grow(tmp_path / file, IMAGES | {file: quoted})
        assert brought(taken(source, tmp_path)) == whole()


QUOTED: list[tuple[list[str], list[str]]] = [
    (["0.png\tAB", '1.png\t"5"" pipe"', '2.png\t"a,b"'], ["AB", '5" pipe', "a,b"]),
    (["filename\ttext", "0.png\tAB", '1.png\t"CD"'], ["AB", "CD"]),
    (['"filename"\t"text"', '"0.png"\t"AB"', '"1.png"\t"CD"'], ["AB", "CD"]),
]


@pytest.mark.parametrize(("lines", "expected"), QUOTED)
def test_the_quotes_of_spreadsheets_are_left_out_and_told(
    lines: list[str], expected: list[str], tmp_path: Path
) -> None:
    result = taken(grow(tmp_path / "source", IMAGES | {"labels.txt": lines}), tmp_path)
    assert [text for _, text in brought(result)] == expected
    assert "the quotes around " in result.notes[0]
    assert result.notes[0].endswith("are removed")


@pytest.mark.parametrize("other", ["CD", '"a,b" c', '"'])
def test_quotes_that_no_program_wrote_are_kept_and_told(other: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"labels.txt": ['0.png\t"AB"', f"1.png\t{other}"]})
    result = taken(source, tmp_path)
    assert brought(result) == [(0, '"AB"'), (10, other)]
    assert result.notes == [
        f'the quotes around 1 cells of {source / "labels.txt"} are kept: "AB"',
        f"images in the same folder without a label: 2, such as {source / '2.png'}",
    ]


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("a.txt", "{}\t{}"),
        ("a.txt", "{} {}"),
        ("a.txt", '{}, "{}"'),
        ("a.csv", "{},{}"),
        ("a.jsonl", '{{"image": "{}", "text": "{}"}}'),
    ],
)
def test_old_line_ends_of_cr_alone_are_read(file: str, row: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {file: table("", row).replace("\n", "\r")})
    assert brought(taken(source, tmp_path)) == whole()


@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_list_of_objects_is_read_as_json_lines_are(indent: int | None, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"image": f"{i}.png", "text": text} for i, text in enumerate(WORDS)]
    source = grow(tmp_path / "source", IMAGES | {"a.json": json.dumps(rows, indent=indent)})
    result = taken(source, tmp_path)
    assert (result.format, brought(result)) == ("jsonl", whole())
    rows[1]["text"] = 3
    rows[3]["image"] = "9.png"
    grow(source, {"a.json": json.dumps(rows, indent=indent)})
    places = (1, 1) if indent is None else (6, 14)
    assert left_out(taken(source, tmp_path), source) == [
        f"a.json:{places[0]}, entry 2: 'text' is not a string",
        f"a.json:{places[1]}, entry 4: image not found: 9.png",
    ]
    tasks = [row | {"annotation_id": 1, "id": 1} for row in rows]
    grow(source, {"a.json": json.dumps(tasks)})
    assert taken(source, tmp_path).format == "label_studio"


TIDIED: list[tuple[str, str]] = [
    (table("", '"{}"\t"{}"'), "the quotes around every path and every text"),
    (table("", "{} \t {}"), "the spaces around every tab"),
    (table("filename\ttext", "{}\t{}"), "is a header and not a label"),
    (
        "\ufeff" + table("", "{}\t{}", WORDS[:2]) + "\ufeff2.png\t15F07\n3.png\tLOT 4711\n",
        "start with a byte order mark",
    ),
]


@pytest.mark.parametrize(("content", "note"), TIDIED)
def test_what_is_plainly_not_part_of_a_label_is_left_out_and_told(
    content: str, note: str, tmp_path: Path
) -> None:
    result = taken(grow(tmp_path / "source", IMAGES | {"labels.txt": content}), tmp_path)
    assert brought(result) == whole()
    assert note in result.notes[0]


def test_quotes_that_a_table_doubles_are_one_each(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"a.txt": '0.png,"A, B"\n1.png,"5"" pipe"\n'})
    result = taken(source, tmp_path)
    assert brought(result) == [(0, "A, B"), (10, '5" pipe')]
    assert "quotes inside the texts of" in result.notes[0]
    grow(source, {"a.txt": '0.png, "A"\n1.png, """B"""\n'.replace('"""B"""', r'"\"\"B"')})
    assert brought(taken(source, tmp_path)) == [(0, "A"), (10, '""B')]


def test_quotes_and_spaces_of_some_lines_are_part_of_them(tmp_path: Path) -> None:
    source = grow(
        tmp_path / "source", IMAGES | {"labels.txt": '0.png\t"A"\n1.png\t B\n2.png\tC\tD\n3.png\tE\t\n'}
    )
    result = taken(source, tmp_path)
    assert brought(result) == [(0, '"A"'), (10, " B")]
    assert left_out(result, source) == ["labels.txt:3: a second tab", "labels.txt:4: a second tab"]


# A text file beside each image


def test_a_txt_beside_each_image(tmp_path: Path) -> None:
    apart = unicodedata.normalize("NFD", "é")
    tree: Tree = {f"{i}.txt": f"{text}\n" for i, text in enumerate(WORDS)}
    tree |= {"sub/é.txt": "in\n", f"sub/{apart}.png": 5, "two.png": 6, "two.txt": "a\nb\n", "lone.png": 7}
    source = grow(tmp_path / "source", IMAGES | tree)
    result = taken(source, tmp_path)
    assert (result.format, brought(result)) == ("txt", [*whole(), (5, "in")])
    assert left_out(result, source) == [
        "lone.png: no .txt beside the image",
        "two.txt:2: more than one line of text",
    ]
    for box in (YOLO, ICDAR, '38 43 920 215 "Tiredness"\n'):
        grow(source, {name: box for name in tree if name.endswith(".txt")})
        assert ("looks like boxes of YOLO" if box is YOLO else "is outside the photo") in refused(
            source, tmp_path
        )
        assert "hold boxes, as those of YOLO or ICDAR" in refused(source, tmp_path, form="txt")


DETECTED = [
    "20 16 180 16 180 58 20 58 plate 0", "Car 0.00 0 -1.57 20.0 16.0 180.0 58.0 1.4", "20,16,180,58",
    "plate 0.98 20 16 180 58", "plate 20 16 180 58", "20 16 180 58 AB1234", "20\t16\t180\t58\tAB1234",
    "20 16 180 16 180 58 20 58 AB1234", "(20,16) (180,58) AB1234", "x: [[20 180 180 20]], y: [[16 16 58 58]]",
]  # fmt: skip


@pytest.mark.parametrize("line", DETECTED)
def test_boxes_in_text_files_beside_photos_are_no_texts(line: str, tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {f"{i}.txt": f"{line}\n" for i in range(4)})
    told = refused(source, tmp_path)
    assert "labels could be in 4 files, such as 0.txt, which looks like boxes" in told


def test_numbers_beside_each_image_are_texts_where_asked_for(tmp_path: Path) -> None:
    source = grow(
        tmp_path / "source", {"0.png": 0, "0.txt": "01 23 45 67 89\n", "1.png": 1, "1.txt": "12 34 56 78\n"}
    )
    assert "(--format txt reads them as texts)" in refused(source, tmp_path)
    assert brought(taken(source, tmp_path, form="txt")) == [(0, "01 23 45 67 89"), (1, "12 34 56 78")]


def test_capital_suffixes_of_text_files_are_seen(tmp_path: Path) -> None:
    for form, end in (("txt", ".TXT"), ("gt_txt", ".GT.TXT")):
        tree: Tree = {f"IMG{i}{end}": text for i, text in enumerate(WORDS)}
        source = grow(tmp_path / form, tree | {f"IMG{i}.png": 10 * i for i in range(4)})
        result = taken(source, tmp_path)
        assert (result.format, brought(result)) == (form, whole())


# Links


def test_every_importer_follows_links_and_leaves_hidden_files_out(tmp_path: Path) -> None:
    store = grow(
        tmp_path / "store", {"m.png": 5, "m.gt.txt": "M", "m.txt": "M", ".h.png": 6, ".h.gt.txt": "H"}
    )
    for name, label in (("gt", ".gt.txt"), ("txt", ".txt")):
        source = grow(tmp_path / name, {"l.png": 4, f"l{label}": "L"})
        linked = grow(tmp_path / f"{name} store", {"m.png": 5, f"m{label}": "M", "._m.png": 6})
        (source / "linked").symlink_to(linked)
        assert sorted(brought(taken(source, tmp_path))) == [(4, "L"), (5, "M")]
    (grow(tmp_path / "folders", {"A 1/1.png": 1}) / "B 2").symlink_to(store)
    assert brought(taken(tmp_path / "folders", tmp_path, form="folders")) == [(1, "A 1"), (5, "B 2")]
    (grow(tmp_path / "names", {"A 1.png": 1}) / "more").symlink_to(store)
    assert brought(taken(tmp_path / "names", tmp_path, form="names")) == [(1, "A 1"), (5, "m")]


# Paths and names


@pytest.mark.parametrize(
    "written",
    [
        "/data/upload/3/c 0 ä.png",
        "/data/upload/3/8a7b6c5d-c 0 ä.png",
        "/data/local-files/?d=images/c%200%20%C3%A4.png",
        "http://localhost:8080/data/local-files/?d=images/c%200%20%C3%A4.png",
        "file:///images/c%200%20%C3%A4.png",
        "https://host.example/bucket/images/c%200%20%C3%A4.png?X-Amz-Signature=1#a",
        "s3://bucket/images/c 0 ä.png",
        "images/c%200%20%C3%A4.png",
        "images/C 0 Ä.PNG",
        " images/c 0 ä.png ",
        unicodedata.normalize("NFD", "images/c 0 ä.png"),
    ],
)
def test_paths_of_label_studio_urls_and_twins_lead_to_their_image(written: str, tmp_path: Path) -> None:
    inside = "images/c 0 ä.png" if "upload" not in written else "c 0 ä.png"
    source = grow(
        tmp_path / "source", {inside: 7, "0.png": 0, "a.csv": f'image,text\n"{written}",A\n0.png,B\n'}
    )
    result = taken(source, tmp_path)
    assert brought(result) == [(7, "A"), (0, "B")]


def test_a_twin_is_told_and_never_another_labels_image(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", {"a.png": 1, "b.png": 2, "labels.txt": "A.png\tA\nb.png\tB\n"})
    result = taken(source, tmp_path)
    assert brought(result) == [(1, "A"), (2, "B")]
    assert result.notes == [
        "images whose names differ in Unicode form, capitals, spaces or quotes: 1, "
        f"such as '{source}/a.png' for 'A.png'"
    ]
    grow(source, {"labels.txt": "a.png\tA\nA.png\tB\n"})
    assert "labels.txt:2: A.png does not exist and ends like a.png" in refused(source, tmp_path)


def test_where_the_images_are_is_suggested(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", {"images/0.png": 0, "labels.txt": "0.png\tA\n"})
    assert refused(source, tmp_path).endswith(
        "image not found: 0.png; it is in images, so pass --images images"
    )
    assert brought(taken(source, tmp_path, images=source / "images")) == [(0, "A")]
    source = grow(tmp_path / "other", {"0.png": 0, "ann/labels.txt": "0.png\tA\n"})
    assert f"so pass --images {source}" in refused(source / "ann", tmp_path)


def test_cvats_gt_txt_finds_its_crops_in_images(tmp_path: Path) -> None:
    tree: Tree = {f"train/images/{name}": shade for name, shade in IMAGES.items()}
    source = grow(tmp_path / "source", tree | {"train/gt.txt": table("", '{}, "{}"')})
    for place in (source, source / "train", source / "train" / "gt.txt"):
        assert brought(taken(place, tmp_path)) == whole()


# Encodings


def test_an_encoding_that_is_not_certain_is_asked_about(tmp_path: Path) -> None:
    korean = "".join(f"{i}.png\t{text}\n" for i, text in enumerate(KOREAN[:4])).encode("cp949")
    source = grow(tmp_path / "a", IMAGES | {"labels.txt": korean})
    told = refused(source, tmp_path)
    assert "labels.txt:1: not UTF-8; it reads" in told
    assert "'서울12가3456' as cp949" in told
    assert "; pass --encoding" in told
    assert brought(taken(source, tmp_path, encoding="cp949")) == whole(KOREAN[:4])
    german = (
        "filename;text\r\n" + "".join(f"{i}.png;{text}\r\n" for i, text in enumerate(GERMAN[:4]))
    ).encode("cp1252")
    source = grow(tmp_path / "b", IMAGES | {"labels.csv": german})
    assert "labels.csv:2: not UTF-8; it reads 'Größe 12' as cp1252; pass --encoding cp1252" in refused(
        source, tmp_path
    )
    assert brought(taken(source, tmp_path, encoding="cp1252")) == whole(GERMAN[:4])
    assert "labels.csv:2: not utf-8; try another --encoding" in refused(source, tmp_path, encoding="utf-8")
    both = grow(tmp_path / "c", IMAGES | {"labels.txt": "0.png\tü\n"})
    assert "read as gbk as you asked" in taken(both, tmp_path, encoding="gbk").notes[0]
    assert "--encoding: unknown encoding 'cp125'; did you mean" in refused(source, tmp_path, encoding="cp125")


def test_utf_16_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    content = table("image\ttext", "{}\t{}").encode("utf-16")
    assert brought(taken(grow(tmp_path / "a", IMAGES | {"a.csv": content}), tmp_path)) == whole()
    plain = table("", "{}\t{}").encode("utf-16")
    assert brought(taken(grow(tmp_path / "b", IMAGES | {"a.txt": plain}), tmp_path)) == whole()


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [("euc_jp", ["福岡", "氏名", "住所", "なにわ"]), ("big5", ["高雄", "臺北", "電話號碼", "地址"])],
)
def test_small_text_files_are_judged_together(encoding: str, texts: list[str], tmp_path: Path) -> None:
    labels = {f"{number}.txt": f"{text}\n".encode(encoding) for number, text in enumerate(texts)}
    source = grow(tmp_path / "source", IMAGES | labels)
    assert f"it reads '{texts[0]}' as {encoding}" in refused(source, tmp_path)
    result = taken(source, tmp_path, encoding=encoding)
    assert [text for _, text in brought(result)] == texts


def test_one_of_many_small_files_may_be_utf_16(tmp_path: Path) -> None:
    labels = {f"{number}.txt": text.encode("gbk") for number, text in enumerate(["生产日期", "批号", "上海"])}
    source = grow(tmp_path / "source", IMAGES | labels | {"3.txt": "生产 12345\n".encode("utf-16-le")})
    result = taken(source, tmp_path)
    assert result.count == 3
    assert [error.what for error in result.refused] == ["not UTF-8"]
    assert "utf-16-le" in str(result.refused[0].hint)


def test_an_lmdb_stores_labels_are_judged_together(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    crop = (grow(tmp_path / "images", IMAGES) / "0.png").read_bytes()
    for name, texts in (("gbk", ["生产日期", "有效期至", "京A"]), ("cp949", KOREAN)):
        with lmdb.open(str(tmp_path / name), map_size=1 << 20) as store, store.begin(write=True) as view:
            for number, text in enumerate(texts, 1):
                view.put(f"label-{number:09}".encode(), text.encode(name))
                view.put(f"image-{number:09}".encode(), crop)
            view.put(b"num-samples", str(len(texts)).encode())
    result = taken(tmp_path / "gbk", tmp_path)
    assert [text for _, text in brought(result)] == ["生产日期", "有效期至", "京A"]
    assert "read as GBK" in result.notes[0]
    assert "'서울12가3456' as cp949" in refused(tmp_path / "cp949", tmp_path)
    assert [text for _, text in brought(taken(tmp_path / "cp949", tmp_path, encoding="cp949"))] == KOREAN


# Parquet


def parquet(path: Path, rows: list[dict[str, Any]], stream: bool = True) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    made = pyarrow.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pq.write_table(made, path, row_group_size=3)
        return
    open_it = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with pyarrow.OSFile(str(path), "wb") as file, open_it(file, made.schema) as writer:
        writer.write_table(made, max_chunksize=3)


def hugging_face(folder: Path, **keys: Any) -> list[dict[str, Any]]:
    content = [(grow(folder, IMAGES) / f"{i}.png").read_bytes() for i in range(4)]
    return [
        {"image": {"bytes": content[i], "path": f"crop {i}.png"}, "text": text, "label": i % 2} | keys
        for i, text in enumerate(WORDS)
    ]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_parquet_and_arrow_in_parts(suffix: str, tmp_path: Path) -> None:
    rows = hugging_face(tmp_path / "images")
    first, second = (tmp_path / "data" / f"train-0000{i}-of-00002{suffix}" for i in range(2))
    parquet(first, rows)
    parquet(second, rows[::-1])
    result = taken(tmp_path / "data", tmp_path)
    assert brought(result) == whole() + whole()[::-1]
    assert result.format == "parquet"
    assert (tmp_path / "to" / "images" / "crop_0.png").exists()
    second.unlink()
    assert "is one of 2 files; missing: 1" in " ".join(taken(tmp_path / "data", tmp_path).notes)
    parquet(tmp_path / "data" / f"test-00000-of-00001{suffix}", rows)
    assert "several sources: parquet (test-00000" in refused(tmp_path / "data", tmp_path)


@pytest.mark.parametrize("suffix", [".arrow", ".feather"])
def test_arrow_files_that_are_no_streams_are_read(suffix: str, tmp_path: Path) -> None:
    parquet(tmp_path / "data" / f"a{suffix}", hugging_face(tmp_path / "images"), stream=False)
    result = taken(tmp_path / "data", tmp_path)
    assert (result.format, brought(result)) == ("parquet", whole())


def test_parquets_columns_are_chosen_as_tables_are(tmp_path: Path) -> None:
    rows = hugging_face(tmp_path / "images")
    path = tmp_path / "a.parquet"
    parquet(path, [{key: row[key] for key in ("image", "label")} for row in rows])
    assert "no column of texts: 'label' ('0') holds numbers, perhaps of classes" in refused(path, tmp_path)
    parquet(path, [row | {"caption": f"a {row['text']}"} for row in rows])
    assert "it is not clear which column has the texts" in refused(path, tmp_path)
    assert brought(taken(path, tmp_path, text_column="text")) == whole()
    parquet(path, [*rows[:3], rows[3] | {"text": None}, rows[3] | {"image": {"bytes": None, "path": None}}])
    result = taken(path, tmp_path)
    assert brought(result) == whole()[:3]
    assert left_out(result, tmp_path) == ["a.parquet: row 4: no text in 'text'", "a.parquet: row 5: no image"]
    data = path.read_bytes()
    path.write_bytes(data[:-4])
    assert "a.parquet: not a Parquet file (" in refused(path, tmp_path)


def test_a_parquet_of_paths_counts_each_image_once(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES)
    parquet(source / "a.parquet", [{"image": f"old/{i}.png", "text": text} for i, text in enumerate(WORDS)])
    result = taken(source / "a.parquet", tmp_path)
    assert brought(result) == whole()
    assert "paths that lead to no image: 4; linetune takes" in " ".join(result.notes)


# What a person corrected


@pytest.mark.parametrize(
    "header",
    ["image,ocr_text,corrected", "image,text,truth", "image,text,text_final", "image,annotation,ocr"],
)
def test_a_text_beside_its_correction_is_asked_for(header: str, tmp_path: Path) -> None:
    rows = "".join(f"{i}.png,x{text},{text}\n" for i, text in enumerate(WORDS))
    source = grow(tmp_path / "source", IMAGES | {"a.csv": f"{header}\n{rows}"})
    assert "it is not clear which column has the texts" in refused(source, tmp_path)
    named = header.rpartition(",")[2]
    result = import_crops(source, tmp_path / "to", text_column=named)
    assert brought(result) == whole()


def test_one_image_with_several_texts_is_told(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"a.csv": "image,text\n0.png,AB12\n0.png,CD34\n1.png,EF\n"})
    assert any("images with several different texts: 1" in note for note in taken(source, tmp_path).notes)


def test_a_path_of_nothing_is_one_line_left_out(tmp_path: Path) -> None:
    source = grow(tmp_path / "source", IMAGES | {"a.csv": "image,text\n0.png,AB12\n/,CD34\n1.png,EF\n"})
    assert left_out(taken(source, tmp_path), source) == ["a.csv:3: image not found: /"]
