"""Formats of whole pages and of other tools: each as its own documentation writes it, and each broken."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Cli
from PIL import Image
from test_importers import import_crops

from linetune.core import image, labelfile
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.data.importers.run import Imported

WIDTH, HEIGHT = 300, 120
LINES = {"LOT 4711": (20, 10, 180, 40), '京A·12345 "x"': (40, 60, 200, 100)}
"""Every text with its place: left, top, right, bottom, px."""
Tree = dict[str, str | bytes]
WRITE = "; write the text, or delete this entry"
DRAW_BOX = "; draw the box again, or delete it"
DRAW = "; draw it again, or delete this entry"


@pytest.fixture
def photo() -> Crop:
    """Noise, so that no two parts of it are equal."""
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def grow(tmp_path: Path, photo: Crop) -> Callable[..., Path]:
    """Writes files, and the photo under each name of an image, into a folder ``source é``."""

    def write(tree: Tree, *photos: str) -> Path:
        source = tmp_path / "source é"
        for name, content in tree.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        for name in photos:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            image.write(source / name, photo)
        return source

    return write


def part(photo: Crop, text: str) -> Crop:
    left, top, right, bottom = LINES[text]
    return photo[top:bottom, left:right]


def assert_whole(result: Imported, photo: Crop, form: str, times: int = 1) -> None:
    """Every text has come in with its part of the photo, and nothing is left out."""
    lines = labelfile.read_labels(result.labels)
    assert [line.text for line in lines] == list(LINES) * times
    for line in lines:
        crop, expected = image.read(line.image), part(photo, line.text)
        assert crop.shape == expected.shape
        assert np.abs(crop.astype(int) - expected).max() <= 2
    assert (result.format, result.refused) == (form, [])


def told(result: Imported, source: Path) -> list[str]:
    return [str(error).replace(f"{source}/", "") for error in result.refused]


def page(*lines: str, name: str = "a.png", version: str = "2019-07-15", size: str = "300,120") -> str:
    width, height = size.split(",")
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/{version}">\n'
        "<Metadata><Creator>prov=READ-COOP</Creator></Metadata>\n"
        f'<Page imageFilename="{name}" imageWidth="{width}" imageHeight="{height}">\n'
        '<TextRegion id="r1"><Coords points="0,0 9,0 9,9"/>\n<TextRegion id="r2">\n'
        + "\n".join(lines)
        + "\n</TextRegion><TextEquiv><Unicode>a region</Unicode></TextEquiv></TextRegion></Page></PcGts>"
    )


def page_line(text: str, baseline: bool = True, more: str = "") -> str:
    left, top, right, bottom = LINES[text]
    middle = (left + right) // 2
    outline = f"{left},{bottom} {left},{top} {middle},{top} {right},{top} {right},{bottom} {middle},{bottom}"
    line = f'<Baseline points="{left},{bottom - 5} {right},{bottom - 5}"/>' if baseline else ""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<TextLine id="l{top}"><!-- a comment --><Coords points="{outline}"/>{line}'
        '<Word id="w1"><Coords points="0,0 5,0 5,5"/><TextEquiv><Unicode>word</Unicode></TextEquiv></Word>'
        f'{more}<TextEquiv index="0" conf="0.9"><Unicode>{escaped}</Unicode></TextEquiv></TextLine>'
    )


def alto(*lines: str, unit: str = "pixel", name: str = "a.png") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">\n'
        f"<Description><MeasurementUnit>{unit}</MeasurementUnit>\n"
        f"<sourceImageInformation><fileName>{name}</fileName></sourceImageInformation></Description>\n"
        f'<Layout><Page WIDTH="{WIDTH}" HEIGHT="{HEIGHT}" ID="p1"><PrintSpace><ComposedBlock><TextBlock>\n'
        + "\n".join(lines)
        + "\n</TextBlock></ComposedBlock></PrintSpace></Page></Layout></alto>"
    )


def alto_line(text: str, form: str) -> str:
    left, top, right, bottom = LINES[text]
    box = f'HPOS="{left}" VPOS="{top}" WIDTH="{right - left}" HEIGHT="{bottom - top}"'
    words = [f'<String CONTENT="{word.replace(chr(34), "&quot;")}" {box}/>' for word in text.split(" ")]
    if form == "escriptorium":
        points = f"{left} {top} {right} {top} {right} {bottom} {left} {bottom}"
        whole = text.replace('"', "&quot;")
        return (
            f'<TextLine ID="e1" BASELINE="{left} {bottom} {right} {bottom}" HPOS="0" VPOS="0" '
            f'WIDTH="1" HEIGHT="1">'
            f'<Shape><Polygon POINTS="{points}"/></Shape><String CONTENT="{whole}"/></TextLine>'
        )
    return f'<TextLine ID="t1" BASELINE="{bottom}" {box}>{"<SP/>".join(words)}</TextLine>'


@pytest.mark.parametrize("version", ["2013-07-15", "2019-07-15"])
@pytest.mark.parametrize("baseline", [True, False])
def test_page_xml_as_transkribus_exports_it(
    version: str, baseline: bool, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    content = page(*(page_line(text, baseline) for text in LINES), version=version)
    source = grow({"page/a.xml": content, "mets.xml": "<mets/>", "metadata.xml": "<x/>"}, "a.png")
    assert_whole(import_crops(source, tmp_path / "to"), photo, "page_xml")
    assert_whole(import_crops(source / "page", tmp_path / "folder"), photo, "page_xml")
    assert_whole(import_crops(source / "page" / "a.xml", tmp_path / "file"), photo, "page_xml")


def test_page_xml_finds_its_photo_beside_it_without_a_name_or_a_namespace(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    content = page(*map(page_line, LINES), name="").replace("xmlns=", "x=").encode("utf-8-sig")
    source = grow(
        {"d/1/京.xml": content.replace(b"\n", b"\r\n"), "d/2/京.xml": content}, "d/1/京.png", "d/2/京.png"
    )
    assert_whole(import_crops(source, tmp_path / "to"), photo, "page_xml", times=2)
    with pytest.raises(LinetuneError, match=r"d/1/京\.xml: .*d/2/京\.xml is of the same photo"):
        import_crops(source, tmp_path / "images", images=source / "d" / "1")


def test_page_xml_takes_the_first_of_several_texts_and_points_of_2010(
    grow: Callable[..., Path], tmp_path: Path
) -> None:
    points = [f'<Point x="{x}" y="{y}"/>' for x, y in corners(*LINES["LOT 4711"])]
    old = f"<Coords>{''.join(points)}</Coords>"
    variants = '<TextEquiv index="1"><Unicode>worse</Unicode></TextEquiv>'
    source = grow(
        {
            "a.xml": page(
                page_line("LOT 4711", more=variants),
                f"<TextLine>{old}<TextEquiv><Unicode>old</Unicode></TextEquiv></TextLine>",
            )
        },
        "a.png",
    )
    lines = labelfile.read_labels(import_crops(source, tmp_path / "to").labels)
    assert [line.text for line in lines] == ["LOT 4711", "old"]
    assert (image.read(lines[0].image) == image.read(lines[1].image)).all()


def test_page_xml_asks_which_of_several_texts_counts(grow: Callable[..., Path], tmp_path: Path) -> None:
    first = page_line("LOT 4711")
    other = "<TextEquiv{}><Unicode>L0T 4711</Unicode></TextEquiv>"
    both = page_line("LOT 4711", more=other.format("")).replace(' index="0"', "")
    read = page_line("LOT 4711").replace('index="0"', 'index="1"').replace("LOT 4711", "L0T 4711")
    source = grow({"a.xml": page(first, both, read)}, "a.png")
    result = import_crops(source, tmp_path / "to")
    assert result.count == 1
    assert [line.partition(": ")[2] for line in told(result, source)] == [
        'line l10 has 2 texts, and no index says which one counts; write index="0" at the right one',
        "line l10 'L0T 4711' has no text of index 0, unlike the corrected lines of its page; "
        'correct the line, or write index="0" if it is right',
    ]
    # Where no line of a page has one, the program that wrote it counts from 1.
    assert import_crops(grow({"b.xml": page(read)}, "a.png") / "b.xml", tmp_path / "b").count == 1


@pytest.mark.parametrize("form", ["escriptorium", "words"])
def test_alto_as_escriptorium_and_libraries_write_it(
    form: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    source = grow({"a.xml": alto(*(alto_line(text, form) for text in LINES))}, "a.png")
    result = import_crops(source, tmp_path / "to")
    assert_whole(result, photo, "alto")
    assert result.notes == []


def test_altos_words_without_spaces_get_one_and_hyphens_stay(
    grow: Callable[..., Path], tmp_path: Path
) -> None:
    box = 'HPOS="20" VPOS="10" WIDTH="160" HEIGHT="30"'
    lines = [
        f'<TextLine {box}><String CONTENT="a"/><String CONTENT="b"/></TextLine>',
        f'<TextLine {box}><String CONTENT="c"/><SP/><String CONTENT="d"/><String CONTENT="e"/>'
        '<HYP CONTENT="&#xAD;"/></TextLine>',
        f'<TextLine {box}><String SUBS_TYPE="HypPart1" SUBS_CONTENT="whole" CONTENT="who"/>'
        '<HYP CONTENT="-"/></TextLine>',
    ]
    result = import_crops(grow({"a.xml": alto(*lines)}, "a.png"), tmp_path / "to")
    assert [line.text for line in labelfile.read_labels(result.labels)] == ["a b", "c de\xad", "who-"]


def test_a_sloping_outline_is_straightened_along_its_baseline(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    outline = "100,20 130,30 100,110 85,105 70,100"
    text = "<TextEquiv><Unicode>abc</Unicode></TextEquiv>"
    lines = [
        f'<TextLine><Coords points="{outline}"/>{baseline}{text}</TextLine>'
        for baseline in (
            '<Baseline points="70,100 100,20"/>',
            '<Baseline points="100,20 70,100"/>',
            # Without one, the longer side leads to the right.
            "",
        )
    ]
    source = grow({"a.xml": page(*lines)})
    image.write(source / "a.png", np.asarray(cv2.GaussianBlur(photo, (0, 0), 4), np.uint8))
    result = import_crops(source, tmp_path / "to")
    up, down, alone = (image.read(line.image) for line in labelfile.read_labels(result.labels))
    assert up.shape == down.shape
    assert (alone == up).all()
    assert up.shape[1] > 2 * up.shape[0]
    assert np.abs(up.astype(int) - down[::-1, ::-1]).mean() < 5
    assert "1 crop a_crop_1.png, upside down" in result.notes[0]


def test_baselines_of_arabic_lines_may_be_drawn_from_the_right(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    line = page_line("LOT 4711").replace("20,35 180,35", "180,35 20,35").replace("LOT 4711", "مرحبا")
    result = import_crops(grow({"a.xml": page(line)}, "a.png"), tmp_path / "to")
    (read,) = labelfile.read_labels(result.labels)
    assert np.abs(image.read(read.image).astype(int) - part(photo, "LOT 4711")).max() <= 2
    assert result.notes == []


def test_boxes_are_scaled_to_a_photo_that_was_made_smaller(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    line = (
        '<TextLine><Coords points="40,20 360,20 360,80 40,80"/>'
        "<TextEquiv><Unicode>LOT 4711</Unicode></TextEquiv></TextLine>"
    )
    source = grow({"a.xml": page(line, size="600,240")}, "a.png")
    result = import_crops(source, tmp_path / "to")
    (read,) = labelfile.read_labels(result.labels)
    assert np.abs(image.read(read.image).astype(int) - part(photo, "LOT 4711")).max() <= 2
    assert "scaled" in result.notes[0]
    assert "300 x 120 px instead of 600 x 240 px" in result.notes[0]
    (source / "a.xml").write_text(page(line, size="600,300"), "utf-8")
    other, outside = import_crops(source, tmp_path / "other").notes
    assert "another aspect ratio than the source says" in other
    assert "boxes extend beyond their photos" in outside
    assert "by 60 px" in outside


def region(text: str, number: int, form: str = "rectangle") -> list[dict[str, Any]]:
    left, top, right, bottom = LINES[text]
    x, y, w, h = (
        100 * left / WIDTH,
        100 * top / HEIGHT,
        100 * (right - left) / WIDTH,
        100 * (bottom - top) / HEIGHT,
    )
    value: dict[str, Any] = {"x": x, "y": y, "width": w, "height": h, "rotation": 0}
    if form == "polygon":
        # Anywhere on the outline, and counter-clockwise.
        value = {"points": [[x + w, y + h], [x + w, y], [x, y], [x, y + h]], "closed": True}
    head = {
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "id": f"r{number}",
        "to_name": "image",
    }
    return [
        {**head, "from_name": "bbox", "type": form, "value": value},
        {**head, "from_name": "label", "type": "labels", "value": {**value, "labels": ["Text"]}},
        {**head, "from_name": "transcription", "type": "textarea", "value": {**value, "text": [text]}},
    ]


def task(
    result: list[dict[str, Any]], image_path: str = "/data/upload/1/a3f0b1c2-a%20b.png"
) -> dict[str, Any]:
    annotation = {"id": 7, "completed_by": 1, "result": result, "was_cancelled": False, "ground_truth": False}
    return {
        "id": 1,
        "annotations": [annotation],
        "file_upload": "a3f0b1c2-a b.png",
        "data": {"ocr": image_path},
        "project": 1,
    }


@pytest.mark.parametrize("form", ["rectangle", "polygon"])
@pytest.mark.parametrize("indent", [None, 2])
def test_label_studios_json_of_an_ocr_project(
    form: str, indent: int | None, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    mixed = [part for n, text in enumerate(LINES) for part in region(text, n, form)]
    # The parts of a region need not follow each other.
    mixed = [*mixed[::3], *mixed[1::3], *mixed[2::3]]
    source = grow({"project-1.json": json.dumps([task(mixed)], indent=indent)}, "a b.png")
    result = import_crops(source, tmp_path / "to")
    assert_whole(result, photo, "label_studio")
    assert_whole(import_crops(source / "project-1.json", tmp_path / "file"), photo, "label_studio")
    assert result.notes == [
        "paths that lead to no image: 1; linetune takes images whose paths end in the same way, such as "
        f"{str(source / 'a b.png')!r} for "
        "'/data/upload/1/a3f0b1c2-a%20b.png'"
    ]


@pytest.mark.parametrize(
    ("written", "lies"),
    [
        ("/data/upload/1/a3f0b1c2-a.png", "a3f0b1c2-a.png"),
        ("/data/upload/1/a3f0b1c2-a.png", "images/a3f0b1c2-a.png"),
        ("/data/upload/a3f0b1c2-a.png", "images/a.png"),
        ("/data/local-files/?d=crops/%E4%BA%AC%20a.png", "crops/京 a.png"),
        ("s3://bucket/crops/a.png", "crops/a.png"),
        ("https://example.com/x/a.png?X-Sig=a%2Fb", "x/a.png"),
        ("a.png", "a.png"),
    ],
)
def test_label_studios_ways_to_name_an_image(
    written: str, lies: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    result = [part for n, text in enumerate(LINES) for part in region(text, n)]
    source = grow({"p.json": json.dumps([task(result, written)])}, lies)
    assert_whole(import_crops(source, tmp_path / "to"), photo, "label_studio")


def test_label_studios_rectangles_turn_about_their_top_left(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    box, _, text = region("LOT 4711", 0)
    # Reading downwards: 80 px long and 30 px high, turned clockwise about the middle of a pixel, (100, 20).
    box["value"] = {"x": 100 / 3, "y": 100 / 6, "width": 80 / 3, "height": 25, "rotation": 90}
    result = import_crops(grow({"p.json": json.dumps([task([box, text])])}, "a b.png"), tmp_path / "to")
    (line,) = labelfile.read_labels(result.labels)
    assert np.abs(image.read(line.image).astype(int) - np.rot90(photo[20:100, 71:101])).max() <= 2


@pytest.mark.parametrize("texts", ["list", "string", "objects"])
def test_label_studios_json_min(texts: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    chosen = list(LINES) if texts != "string" else ["LOT 4711"]
    regions = [region(text, n) for n, text in enumerate(chosen)]
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    written: Any = {"list": chosen, "string": chosen[0], "objects": [{"text": [text]} for text in chosen]}[
        texts
    ]
    entry = {
        "ocr": "/data/upload/1/a3f0b1c2-a.png", "id": 5, "bbox": [{**r[0]["value"], **size} for r in regions],
        "label": [{**r[1]["value"], **size} for r in regions], "transcription": written, "annotator": 1,
        "annotation_id": 9, "created_at": "2024-01-01T00:00:00Z", "updated_at": "x", "lead_time": 3.5,
    }  # fmt: skip
    source = grow({"p.json": json.dumps([entry])}, "a.png")
    result = import_crops(source, tmp_path / "to")
    assert [line.text for line in labelfile.read_labels(result.labels)] == chosen
    if texts != "string":
        assert_whole(result, photo, "label_studio")


def test_label_studio_on_crops_has_one_text_an_image(grow: Callable[..., Path], tmp_path: Path) -> None:
    whole = {
        "type": "textarea",
        "from_name": "answer",
        "to_name": "image",
        "id": "x",
        "value": {"text": ["京A"]},
    }
    minimal = {
        "image": "/data/upload/1/b.png",
        "id": 2,
        "transcription": "B",
        "annotation_id": 3,
        "lead_time": 1,
    }
    source = grow({"p.json": json.dumps([task([whole], "a.png")])}, "a.png", "b.png")
    result = import_crops(source, tmp_path / "to")
    assert [line.text for line in labelfile.read_labels(result.labels)] == ["京A"]
    assert (tmp_path / "to" / "images" / "a.png").read_bytes() == (source / "a.png").read_bytes()
    (source / "p.json").write_text(json.dumps([minimal, {**minimal, "transcription": ""}]), "utf-8")
    result = import_crops(source, tmp_path / "min")
    assert [line.text for line in labelfile.read_labels(result.labels)] == ["B"]
    assert told(result, source) == ["p.json:1: task 2 has no text" + WRITE]


def cvat(*images: str, attributes: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
        f"<meta><task><labels><label><name>line</name><attributes>{attributes}</attributes></label></labels></task></meta>\n"
        + "\n".join(images)
        + "\n</annotations>"
    )


def cvat_box(text: str, form: str = "box", field: str = "text") -> str:
    left, top, right, bottom = LINES[text]
    value = f'<attribute name="quality">good</attribute><attribute name="{field}">{text}</attribute>'
    if form == "polygon":
        points = f"{right}.00,{top}.00;{right}.00,{bottom}.00;{left}.00,{bottom}.00;{left}.00,{top}.00"
        return f'<polygon label="line" occluded="0" points="{points}" z_order="0">{value}</polygon>'
    return (
        f'<box label="line" xtl="{left}.00" ytl="{top}.00" xbr="{right}.00" ybr="{bottom}.00">{value}</box>'
    )


DECLARED = (
    "<attribute><name>quality</name><input_type>select</input_type></attribute>"
    "<attribute><name>plate</name><input_type>text</input_type></attribute>"
)


@pytest.mark.parametrize("form", ["box", "polygon"])
@pytest.mark.parametrize(("field", "declared"), [("text", ""), ("Transcription", ""), ("plate", DECLARED)])
def test_cvat_for_images(
    form: str, field: str, declared: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    shapes = "\n".join(cvat_box(text, form, field) for text in LINES)
    content = cvat(
        f'<image id="0" name="sub/a.png" width="{WIDTH}" height="{HEIGHT}">{shapes}</image>',
        '<image id="1" name="empty.png" width="9" height="9"></image>',
        attributes=declared,
    )
    for folder in ("images/sub/a.png", "sub/a.png"):
        source = grow({"annotations.xml": content}, folder)
        assert_whole(import_crops(source, tmp_path / "to", overwrite=True), photo, "cvat")
        (source / folder).unlink()


def test_cvats_boxes_turn_about_their_centre(grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    box = (
        '<box label="line" xtl="50" ytl="30" xbr="130" ybr="60" rotation="90.00">'
        '<attribute name="text">abc</attribute></box>'
    )
    source = grow({"annotations.xml": cvat(f'<image name="a.png">{box}</image>')}, "a.png")
    (line,) = labelfile.read_labels(import_crops(source, tmp_path / "to").labels)
    assert np.abs(image.read(line.image).astype(int) - np.rot90(photo[5:85, 76:106])).max() <= 2


def icdar_line(text: str, script: str = "") -> str:
    left, top, right, bottom = LINES[text]
    return f"{left},{top},{right},{top},{right},{bottom},{left},{bottom},{script}{text}\r\n"


@pytest.mark.parametrize("script", ["", "Latin,"])
@pytest.mark.parametrize("name", ["gt_a.txt", "a.txt", "gt/gt_a.txt"])
def test_icdars_boxes_of_2015_and_mlt(
    script: str, name: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    content = "\ufeff" + "".join(icdar_line(text, script) for text in LINES)
    result = import_crops(grow({name: content}, "a.png"), tmp_path / "to")
    assert_whole(result, photo, "icdar_boxes")
    assert len(result.notes) == (script != "")


@pytest.mark.parametrize("template", ['{} {} {} {} "{}"\n', '{}, {}, {}, {}, "{}"\r\n'])
def test_icdars_boxes_of_2013(template: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    content = "".join(template.format(*box, text.replace('"', '\\"')) for text, box in LINES.items())
    assert_whole(import_crops(grow({"gt_a.txt": content}, "a.png"), tmp_path / "to"), photo, "icdar_boxes")


def test_a_script_is_one_only_where_every_line_names_it(grow: Callable[..., Path], tmp_path: Path) -> None:
    tree: Tree = {
        "gt_a.txt": icdar_line("LOT 4711", "Latin,"),
        "gt_b.txt": "20,10,180,10,180,40,20,40,Latin, or not, b\n",
    }
    result = import_crops(grow(tree, "a.png", "b.png"), tmp_path / "to")
    assert [line.text for line in labelfile.read_labels(result.labels)] == ["LOT 4711", " or not, b"]
    tree["gt_b.txt"] = "20,10,180,10,180,40,20,40,b, Latin,c\n"
    result = import_crops(grow(tree), tmp_path / "to", overwrite=True)
    assert [line.text for line in labelfile.read_labels(result.labels)] == ["Latin,LOT 4711", "b, Latin,c"]


@pytest.mark.parametrize("indent", [None, 4])
def test_doctrs_labels(indent: int | None, grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    labels: dict[str, Any] = {"img_1.jpg": "I", "img_2.PNG": "京, ."}
    source = grow({"labels.json": json.dumps(labels, indent=indent)}, "images/img_1.jpg", "images/img_2.PNG")
    result = import_crops(source, tmp_path / "to")
    assert [line.text for line in labelfile.read_labels(result.labels)] == list(labels.values())
    assert (result.format, result.refused) == ("doctr", [])
    words = [{"value": text, "geometry": box} for text, box in LINES.items()]
    labels = {"img_2.PNG": {"typed_words": words}, "img_1.jpg": {"typed_words": []}}
    (source / "labels.json").write_text(json.dumps(labels, indent=indent), "utf-8")
    assert_whole(import_crops(source, tmp_path / "words"), photo, "doctr")
    labels = {
        "img_1.jpg": {
            "img_dimensions": [9, 9],
            "img_hash": "x",
            "polygons": [[[1, 1], [9, 1], [9, 9], [1, 9]]],
        }
    }
    (source / "labels.json").write_text(json.dumps(labels, indent=indent), "utf-8")
    with pytest.raises(
        LinetuneError, match=r"labels\.json:\d: holds docTR's labels for detection, boxes without texts"
    ):
        import_crops(source, tmp_path / "detection")


def coco(form: str) -> str:
    annotations: list[dict[str, Any]] = []
    for number, (text, (left, top, right, bottom)) in enumerate(LINES.items()):
        corners = [right, top, right, bottom, left, bottom, left, top]
        entry: dict[str, Any] = {"id": number, "image_id": 3, "bbox": [left, top, right - left, bottom - top]}
        extra: dict[str, dict[str, Any]] = {
            "utf8_string": {
                "utf8_string": text,
                "legibility": "legible",
                "language": "english",
                "mask": corners,
            },
            "polygon": {"utf8_string": text, "polygon": corners, "class": "machine printed"},
            "textocr": {"utf8_string": text, "points": corners, "area": 9},
            "attributes": {
                "attributes": {"text": text, "colour": "red", "occluded": False},
                "segmentation": [corners],
            },
            "caption": {"caption": text, "segmentation": {"counts": "x", "size": [1, 1]}, "category_id": 1},
            "rec_texts": {"rec_texts": [text], "segmentation": []},
        }
        annotations.append(entry | extra[form])
    photo = {"id": 3, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}
    if form in ("utf8_string", "polygon", "textocr"):
        by_id = {str(entry["id"]): entry for entry in annotations}
        return json.dumps({"cats": {}, "anns": by_id, "imgs": {"3": photo}, "imgToAnns": {"3": [0, 1]}})
    return json.dumps({"info": {}, "images": [photo], "annotations": annotations, "categories": []})


@pytest.mark.parametrize("form", ["utf8_string", "polygon", "textocr", "attributes", "caption", "rec_texts"])
def test_coco_with_texts(form: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    source = grow({"_annotations.coco.json": coco(form)}, "a.png")
    assert_whole(import_crops(source, tmp_path / "to"), photo, "coco_text")
    assert_whole(import_crops(source / "_annotations.coco.json", tmp_path / "file"), photo, "coco_text")


def test_boxes_that_may_be_of_smaller_copies_are_told(tmp_path: Path, photo: Crop) -> None:
    def notes(name: str, scale: int, photos: int) -> str:
        source = tmp_path / name
        source.mkdir()
        for number in range(photos):
            image.write(source / f"{number}.png", np.repeat(np.repeat(photo, scale, 0), scale, 1))
            (source / f"gt_{number}.txt").write_text("".join(map(icdar_line, LINES)), "utf-8")
        return " ".join(import_crops(source, tmp_path / f"{name}-to").notes)

    told = notes("larger", 2, 5)
    assert "all boxes are within 33% of the width and 42% of the height of their photos" in told
    assert "all boxes are within" not in notes("few", 2, 4)
    assert "all boxes are within" not in notes("same", 1, 5)


def test_rectangles_that_may_be_two_corners_are_told(grow: Callable[..., Path], tmp_path: Path) -> None:
    def content(box: list[int], count: int) -> str:
        annotations = [{"id": n, "image_id": 1, "bbox": box, "caption": f"A{n}"} for n in range(count)]
        return json.dumps({"images": [{"id": 1, "file_name": "a.png"}], "annotations": annotations})

    for name, box, count, expected in [
        ("corners", [50, 30, 140, 60], 10, 1),
        ("few", [50, 30, 140, 60], 9, 0),
        ("sizes", [50, 30, 90, 30], 10, 0),
    ]:
        source = grow({f"{name}/a.json": content(box, count)}, f"{name}/a.png") / name
        notes = import_crops(source, tmp_path / name).notes
        assert sum("two corners" in note for note in notes) == expected


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_of_a_photo_as_it_is_stored_are_turned_upright_with_it(
    orientation: int, photo: Crop, tmp_path: Path
) -> None:
    flipped = photo.transpose(1, 0, 2)
    stored = {
        5: flipped, 6: np.rot90(photo), 7: np.rot90(flipped, 2), 8: np.rot90(photo, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    source = tmp_path / "source"
    source.mkdir()
    Image.fromarray(np.ascontiguousarray(stored[..., ::-1])).save(source / "a.png", exif=exif)
    assert np.array_equal(image.read(source / "a.png"), photo)
    annotations = []
    for number, (text, (left, top, right, bottom)) in enumerate(LINES.items()):
        x, y = (top, left) if orientation in (5, 6) else (HEIGHT - bottom, left)
        y = y if orientation in (5, 8) else WIDTH - right
        box = [x, y, bottom - top, right - left]
        annotations.append({"id": number, "image_id": 1, "bbox": box, "caption": text})
    photos = [{"id": 1, "file_name": "a.png", "width": HEIGHT, "height": WIDTH}]
    (source / "a.json").write_text(json.dumps({"images": photos, "annotations": annotations}), "utf-8")
    result = import_crops(source, tmp_path / "to")
    assert_whole(result, photo, "coco_text")
    assert (
        "boxes were drawn on photos before EXIF turned them, and are turned too: 2 crops" in result.notes[0]
    )


def test_coco_says_which_field_it_cannot_choose(grow: Callable[..., Path], tmp_path: Path) -> None:
    content = coco("attributes").replace('"text"', '"kind"')
    source = grow({"a.json": content}, "a.png")
    with pytest.raises(LinetuneError, match="it is not clear which field has the text: colour, kind"):
        import_crops(source, tmp_path / "to")


@pytest.mark.parametrize(
    "layout",
    [
        ("annotations/instances_train2017.json", "train2017/a.png"),
        ("annotations/instances_default.json", "images/default/a.png"),
        ("annotations/instances_default.json", "images/a.png"),
        ("annotations/train.json", "train/a.png"),
    ],
)
def test_cocos_own_layout_has_the_photos_beside_the_annotations(
    layout: tuple[str, str], grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    written, lies = layout
    source = grow({written: coco("caption")}, lies)
    # Another subset's photo of that name is another photo.
    image.write(source / "other.png", photo[::-1])
    (source / "val2017").mkdir()
    (source / "other.png").rename(source / "val2017" / "a.png")
    assert_whole(import_crops(source, tmp_path / "to"), photo, "coco_text")
    assert_whole(import_crops(source / written, tmp_path / "file"), photo, "coco_text")


def test_a_photo_not_found_is_looked_for_near_by(grow: Callable[..., Path], tmp_path: Path) -> None:
    source = grow({"labels/a.json": coco("caption")}, "images/a.png")
    with pytest.raises(LinetuneError, match=r"photo not found: a\.png .*it is in .*images, so pass --images"):
        import_crops(source / "labels" / "a.json", tmp_path / "to")


def test_cvats_turned_boxes_in_coco_turn_about_their_centre(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    def annotation(number: int, **attributes: object) -> dict[str, Any]:
        return {"id": number, "image_id": 1, "bbox": [50, 30, 80, 30], "segmentation": [],
                "attributes": {"text": "abc", "occluded": False, **attributes}}  # fmt: skip

    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [
            annotation(1, rotation=90.0),
            annotation(2, rotation=0.0),
            annotation(3, rotation="left"),
            annotation(4, rotation=float("inf")),
        ],
    }
    source = grow({"a.json": json.dumps(content)}, "a.png")
    result = import_crops(source, tmp_path / "to")
    turned, upright = (image.read(line.image).astype(int) for line in labelfile.read_labels(result.labels))
    assert np.abs(turned - np.rot90(photo[5:85, 76:106])).max() <= 2
    assert np.abs(upright - photo[30:60, 50:130]).max() <= 2
    assert told(result, source) == [
        "a.json:1: annotation 3 has a rotation that is not a number; write it in degrees",
        "a.json:1: 'abc': a corner is not a number; draw the box again, or delete it",
    ]


# The text's field


def studio_region(number: int, **areas: str) -> list[dict[str, Any]]:
    box, _, text = region("LOT 4711", number)
    return [
        box,
        *({**text, "from_name": name, "value": {"text": [value]}} for name, value in areas.items()),
    ]


def texts_of(result: Imported) -> list[str]:
    return [line.text for line in labelfile.read_labels(result.labels)]


def test_label_studio_takes_the_text_area_that_the_user_names(
    grow: Callable[..., Path], tmp_path: Path
) -> None:
    regions = [
        *studio_region(0, reading="AB", remark="dirty"),
        *studio_region(1, remark="torn"),
        *studio_region(2, reading="CD"),
    ]
    source = grow({"p.json": json.dumps([task(regions, "a.png")])}, "a.png")
    # The second region's only text is a remark, whatever the first has.
    with pytest.raises(LinetuneError, match="reading, remark; pass --text-column NAME"):
        import_crops(source, tmp_path / "to")
    with pytest.raises(LinetuneError, match="no field 'raeding'; there are: reading, remark"):
        import_crops(source, tmp_path / "to", text_column="raeding")
    result = import_crops(source, tmp_path / "to", text_column="reading")
    assert texts_of(result) == ["AB", "CD"]
    assert told(result, source) == ["p.json:1: task 1, region 2 has no text" + WRITE]


def test_a_remark_on_a_whole_image_is_no_text_where_other_tasks_have_regions(
    grow: Callable[..., Path], tmp_path: Path
) -> None:
    remark = {"from_name": "remark", "id": "x", "type": "textarea", "value": {"text": ["nothing here"]}}
    tasks = [task(studio_region(0, reading="AB"), "a.png"), task([remark], "b.png")]
    source = grow({"p.json": json.dumps(tasks)}, "a.png", "b.png")
    result = import_crops(source, tmp_path / "to")
    assert texts_of(result) == ["AB"]
    assert told(result, source) == ["p.json:1: task 1 has no text" + WRITE]


def test_label_studio_takes_the_image_that_the_user_names(grow: Callable[..., Path], tmp_path: Path) -> None:
    entry = {**task(region("LOT 4711", 0)), "data": {"front": "a.png", "back": "b.png"}}
    source = grow({"p.json": json.dumps([entry])}, "a.png", "b.png")
    with pytest.raises(LinetuneError, match="several images: front, back; pass --image-column NAME"):
        import_crops(source, tmp_path / "to")
    with pytest.raises(LinetuneError, match="no field 'side'; there are: front, back"):
        import_crops(source, tmp_path / "to", image_column="side")
    result = import_crops(source, tmp_path / "to", image_column="back")
    assert [line.image.name for line in labelfile.read_labels(result.labels)] == ["b_crop_0.png"]


def test_label_studios_task_by_itself(grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    regions = [part for n, text in enumerate(LINES) for part in region(text, n)]
    source = grow({"p.json": "\n" + json.dumps(task(regions, "a.png"), indent=2)}, "a.png")
    assert_whole(import_crops(source, tmp_path / "to"), photo, "label_studio")


def test_coco_takes_the_attribute_that_the_user_names(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    content = coco("attributes").replace('"text"', '"reading"')
    source = grow({"a.json": content}, "a.png")
    assert_whole(import_crops(source, tmp_path / "to", text_column="reading"), photo, "coco_text")
    (source / "a.json").write_text(content.replace('"colour": "red", ', ""), "utf-8")
    with pytest.raises(LinetuneError, match="whether the field 'reading' has the text; if it does, pass"):
        import_crops(source, tmp_path / "single")
    assert_whole(import_crops(source, tmp_path / "single", text_column="reading"), photo, "coco_text")
    with pytest.raises(LinetuneError, match=r"--image-column: coco_text has a fixed place .*leave it out"):
        import_crops(source, tmp_path / "image", image_column="file_name")


def test_a_number_in_cocos_attributes_has_lost_its_zeros(grow: Callable[..., Path], tmp_path: Path) -> None:
    source = grow({"a.json": coco("attributes").replace('"LOT 4711"', "4711")}, "a.png")
    result = import_crops(source, tmp_path / "to", text_column="text")
    assert told(result, source) == [
        "a.json:1: annotation 0 has the number 4711 instead of a text; "
        "export it as a text, because a number loses its leading zeros"
    ]


def cvat_attributes(*kinds: tuple[str, str]) -> str:
    return "".join(
        f"<attribute><name>{name}</name><input_type>{kind}</input_type></attribute>" for name, kind in kinds
    )


def test_cvats_numbers_are_texts_where_nothing_else_can_be(grow: Callable[..., Path], tmp_path: Path) -> None:
    content = (
        f'<image name="a.png">{cvat_box("LOT 4711", field="reading").replace(">LOT 4711", ">00471")}</image>'
    )
    kinds = cvat_attributes(("quality", "select"), ("reading", "number"))
    source = grow({"annotations.xml": cvat(content, attributes=kinds)}, "a.png")
    result = import_crops(source, tmp_path / "to")
    assert texts_of(result) == ["00471"]
    assert result.notes == [
        "the texts of line are the numbers in its attribute reading; name another one with --text-column"
    ]
    # Beside a text, it takes the user to say.
    kinds = cvat_attributes(("quality", "text"), ("reading", "number"))
    (source / "annotations.xml").write_text(cvat(content, attributes=kinds), "utf-8")
    with pytest.raises(LinetuneError, match="quality, reading; pass --text-column NAME"):
        import_crops(source, tmp_path / "two")
    assert texts_of(import_crops(source, tmp_path / "two", text_column="reading")) == ["00471"]
    assert texts_of(import_crops(source, tmp_path / "text", text_column="quality")) == ["good"]


def test_cvats_named_attribute_need_not_be_on_each_label(grow: Callable[..., Path], tmp_path: Path) -> None:
    other = '<box label="logo" xtl="1" ytl="1" xbr="9" ybr="9"><attribute name="brand">X</attribute></box>'
    content = cvat(f'<image name="a.png">{cvat_box("LOT 4711", field="reading")}{other}</image>')
    source = grow({"annotations.xml": content}, "a.png")
    result = import_crops(source, tmp_path / "to", text_column="reading")
    assert texts_of(result) == ["LOT 4711"]
    assert told(result, source) == ["annotations.xml:5: box 2 (logo) has no text" + WRITE]
    with pytest.raises(LinetuneError, match="no field 'text'; there are: brand, quality, reading"):
        import_crops(source, tmp_path / "none", text_column="text")
    with pytest.raises(LinetuneError, match="--image-column: cvat has a fixed place"):
        import_crops(source, tmp_path / "image", text_column="reading", image_column="name")


# What stands around texts


BOX = "20,10,180,10,180,40,20,40"


def icdar(grow: Callable[..., Path], *texts: str, box: str = BOX) -> Path:
    return grow({"gt_a.txt": "".join(f"{box},{text}\n" for text in texts)}, "a.png")


@pytest.mark.parametrize(
    ("texts", "expected", "refused"),
    [
        # RCTW 2017.
        (['0,"AB1234"', '1,"CD"', '0,"a,""', '0,"###"', '0,###'], ["AB1234", 'a,"'],
         ["gt_a.txt:2: box 2 'CD': marked as difficult", "gt_a.txt:4: box 4 '###': marked as illegible",
          "gt_a.txt:5: box 5 '###': marked as illegible"]),
        (['"AB1234"', '"CD"', "###"], ["AB1234", "CD"], ["gt_a.txt:3: box 3 '###': marked as illegible"]),
        ([" AB1234", "  CD"], ["AB1234", " CD"], []),
        ([' "AB1234"', ' "CD"'], ["AB1234", "CD"], []),
        (['Latin, "AB1234"', 'None,"CD"'], ["AB1234", "CD"], []),
        # What only some texts have around them is a part of these texts.
        (['"AB1234"', "CD"], ['"AB1234"', "CD"], []),
        (['0,"AB1234"', "CD"], ['0,"AB1234"', "CD"], []),
        ([" AB1234", "CD"], [" AB1234", "CD"], []),
        (["####AB", "CD"], ["####AB", "CD"], []),
        (["12,50", "3,1"], ["12,50", "3,1"], []),
        (["plate,0", "CD"], ["plate,0", "CD"], []),
    ],
)  # fmt: skip
def test_what_stands_around_every_text_is_no_part_of_it(
    texts: list[str], expected: list[str], refused: list[str], grow: Callable[..., Path], tmp_path: Path
) -> None:
    source = icdar(grow, *texts)
    result = import_crops(source, tmp_path / "to")
    assert texts_of(result) == expected
    assert told(result, source) == refused
    assert (result.notes != []) == (all(text not in texts for text in expected))


def test_polygons_have_a_mark_before_the_text(grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    content = "".join(
        f"{left},{top},{left + 9},{top},{right},{top},{right},{bottom},{left},{bottom},####{text}\n"
        for text, (left, top, right, bottom) in LINES.items()
    )
    source = grow({"a.txt": content}, "a.png")
    assert_whole(import_crops(source, tmp_path / "to"), photo, "icdar_boxes")
    (source / "a.txt").write_text(f"{BOX},####LOT 4711\n{BOX},60,####x\n{BOX},####\n{BOX},#######\n", "utf-8")
    result = import_crops(source, tmp_path / "four")
    assert texts_of(result) == ["LOT 4711"]
    assert told(result, source) == [
        "a.txt:2: an odd number of coordinates; write two for each point",
        "a.txt:3: box 3 has no text" + WRITE,
        "a.txt:4: box 4 '###': marked as illegible",
    ]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["plate,0", "vin, 1"], "every line ends in a word and a number, like DOTA's"),
        (
            ["22,33,AB1234", "22.5,33,CD"],
            "every line has over eight numbers before the text; write",
        ),
    ],
)
def test_lines_without_texts_are_refused_as_a_whole(
    texts: list[str], message: str, grow: Callable[..., Path], tmp_path: Path
) -> None:
    source = icdar(grow, *texts)
    with pytest.raises(LinetuneError, match=f"gt_a.txt:1: {message}.* or pass --format icdar_boxes if"):
        import_crops(source, tmp_path / "to")
    assert texts_of(import_crops(source, tmp_path / "to", form="icdar_boxes")) == texts


@pytest.mark.parametrize("word", ["TEMPORARY", "NULL", "待识别", "无法识别"])
def test_what_ppocrlabel_writes_into_a_box_is_no_text(
    word: str, grow: Callable[..., Path], tmp_path: Path
) -> None:
    source = project(grow, ("ab", corners(20, 10, 60, 30)), (word, corners(60, 10, 90, 30)))
    result = import_crops(source, tmp_path / "to")
    assert texts_of(result) == ["ab"]
    assert f"Label.txt:1: box 2 {word!r}: " in told(result, source)[0]
    (source / "Label.txt").unlink()
    source = grow({"rec_gt.txt": f"a.png\tab\nb.png\t{word}\n"}, "a.png", "b.png")
    result = import_crops(source, tmp_path / "crops")
    assert texts_of(result) == ["ab"]
    assert f"rec_gt.txt:2: {word!r}: " in told(result, source)[0]


def test_a_page_file_finds_its_photo_that_was_converted_since(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    content = page(*map(page_line, LINES), name="scans/a.jpg")
    source = grow({"a.xml": content}, "a.png")
    result = import_crops(source, tmp_path / "to")
    assert_whole(result, photo, "page_xml")
    assert result.notes == [f"photos found with another suffix: 1, such as {source}/a.png for scans/a.jpg"]
    (source / "a.xml").write_text(alto(*(alto_line(t, "words") for t in LINES), name="a.tif"), "utf-8")
    assert_whole(import_crops(source, tmp_path / "alto"), photo, "alto")
    # Another stem is another photo.
    (source / "a.xml").write_text(content.replace("scans/a.jpg", "b.jpg"), "utf-8")
    with pytest.raises(LinetuneError, match=r"photo not found: b\.jpg"):
        import_crops(source, tmp_path / "none")


def test_messages_show_the_beginning_of_a_long_text(grow: Callable[..., Path], tmp_path: Path) -> None:
    text = "x" * 5000
    source = project(
        grow,
        ("ab", corners(20, 10, 60, 30)),
        (text, corners(900, 10, 990, 30)),
        (text, corners(1, 1, 2, 2)[:3]),
    )
    result = import_crops(source, tmp_path / "to")
    assert len(result.refused) == 2
    assert all("xxx…'" in line and len(line) < 200 for line in told(result, source))
    content = page(page_line("LOT 4711"), page_line("LOT 4711").replace('id="l10"', f'id="{text}"', 1)
                   .replace("LOT 4711", "###"))  # fmt: skip
    source = grow({"p/a.xml": content}, "p/a.png")
    result = import_crops(source / "p", tmp_path / "page")
    assert len(told(result, source)[0]) < 300


# Broken sources


def wrong_box(**changes: Any) -> list[dict[str, Any]]:
    box, _, text = region("LOT 4711", 0)
    box["value"] = {**box["value"], **changes}
    return [box, text]


BROKEN: list[tuple[str, str, list[str]]] = [
    (
        "page_xml",
        page(
            page_line("LOT 4711"),
            '<TextLine id="a"><Coords points="1,1 9,1"/></TextLine>',
            '<TextLine id="b"/>',
            '<TextLine id="c"><Coords points="1,1 9,x 9,9"/></TextLine>',
            '<TextLine id="d"><Coords points="1,1 9,1 9,9"/></TextLine>',
            '<TextLine id="e"><Coords points="1,1 9,1 9,9"/><TextEquiv><Unicode/></TextEquiv></TextLine>',
            page_line("LOT 4711").replace("LOT 4711", "###"),
            page_line("LOT 4711").replace("20,", "1e999,"),
            page_line("LOT 4711").replace("20,", "2000,").replace("100,", "2000,").replace("180,", "2100,"),
            page_line("LOT 4711").replace(",10", ",40"),
            page_line("LOT 4711").replace("LOT", "LOT\n"),
        ),
        [
            "a.xml:8: line a has no outline (Coords)" + DRAW,
            "a.xml:9: line b has no outline (Coords)" + DRAW,
            "a.xml:10: line c has no outline (Coords)" + DRAW,
            "a.xml:11: line d has no text" + WRITE,
            "a.xml:12: line e has no text" + WRITE,
            "a.xml:13: line l10 '###': marked as illegible",
            "a.xml:14: 'LOT 4711': a corner is not a number; draw the box again, or delete it",
            "a.xml:15: 'LOT 4711': the box is outside the photo of 300 x 120 px" + DRAW_BOX,
            "a.xml:16: 'LOT 4711': the box is empty; draw the box again, or delete it",
            "a.xml:17: a line break inside the text 'LOT\\n 4711'; "
            "a label is one line without tabs: correct the text",
        ],
    ),
    (
        "alto",
        alto(
            alto_line("LOT 4711", "words"),
            "<TextLine/>",
            alto_line("LOT 4711", "words").replace('WIDTH="160"', 'WIDTH="-"'),
            '<TextLine ID="x" HPOS="1" VPOS="1" WIDTH="9" HEIGHT="9"/>',
            alto_line("LOT 4711", "escriptorium").replace("180 10", "180"),
        ),
        [
            "a.xml:7: line 2 has no Polygon and no HPOS, VPOS, WIDTH and HEIGHT" + DRAW,
            "a.xml:8: line t1 'LOT 4711' has no Polygon and no HPOS, VPOS, WIDTH and HEIGHT" + DRAW,
            "a.xml:9: line x has no text" + WRITE,
            "a.xml:10: line e1 'LOT 4711' has no Polygon and no HPOS, VPOS, WIDTH and HEIGHT" + DRAW,
        ],
    ),
    (
        "cvat",
        cvat(
            f'<image name="a.png">{cvat_box("LOT 4711")}',
            '<box label="line" xtl="x" ytl="1" xbr="9" ybr="9"><attribute name="text">a</attribute></box>',
            '<box label="other" xtl="1" ytl="1" xbr="9" ybr="9"></box>',
            '<box label="line" xtl="1" ytl="1" xbr="9" ybr="9">'
            '<attribute name="text">__undefined__</attribute></box>',
            '<polyline label="line" points="1,1;2,2"><attribute name="text">a</attribute></polyline>',
            '<polygon label="line" points="1,1;2,2"><attribute name="text">a</attribute></polygon>',
            '<box label="line" xtl="9" ytl="9" xbr="1" ybr="1"><attribute name="text">abc</attribute></box>'
            "</image>",
            f'<image name="none.png">{cvat_box("LOT 4711")}</image>',
            f"<image>{cvat_box('LOT 4711')}</image>",
        ),
        [
            "a.xml:6: box 2 (line) 'a' has no coordinates" + DRAW,
            "a.xml:7: box 3 (other) has no text" + WRITE,
            "a.xml:8: box 4 (line) has no text" + WRITE,
            "a.xml:9: polyline 5 (line) 'a': neither a box nor a polygon",
            "a.xml:10: polygon 6 (line) 'a' has no coordinates" + DRAW,
            "a.xml:12: photo not found: none.png (boxes: 1); pass --images DIR, the folder of the photos",
            "a.xml:13: the image has no name; export it again, or delete it",
        ],
    ),
    (
        "icdar_boxes",
        icdar_line("LOT 4711")
        + "1,1,9,1,9,9,1,9,###\r\n1,1,9,1,9,9,1,9,\r\n1,1,9,1,9,9,1,9\r\n1,1,9,1,9,9,1,a\r\n"
        + "900,1,990,1,990,9,900,9,far\r\n20,10,20,40,180,40,180,10,back\r\n"
        + "1,1,99999999999999999999,1,9,9,1,9,x\r\n",
        [
            "a.txt:2: box 2 '###': marked as illegible",
            "a.txt:3: box 3 has no text" + WRITE,
            "a.txt:4: box 4 has no text" + WRITE,
            "a.txt:5: neither eight numbers and a text, nor four and a quoted text; "
            'write x1,y1,…,x4,y4,text or left, top, right, bottom, "text"',
            "a.txt:6: 'far': the box is outside the photo of 300 x 120 px" + DRAW_BOX,
            "a.txt:7: 'back': the corners run counter-clockwise, and the crop would be mirrored; "
            "pass --upright to order them",
            "a.txt:8: 'x': the box is far larger than the photo of 300 x 120 px" + DRAW_BOX,
        ],
    ),
    (
        "doctr",
        '{\n"a.png": {"typed_words": [{"value": "b", "geometry": [1, 1, 90, 30]},\n{"value": "c"}, 7,'
        '{"value": "d", "geometry": [1, 2, 3, 4, 5]}, {"geometry": [1, 1, 90, 30]}]},\n'
        '"none.png": "e",\n"a.png": 7}',
        [
            "a.json:2: a.png, word 2 'c' has no geometry of xmin, ymin, xmax, ymax" + DRAW,
            "a.json:2: a.png, word 3 has no geometry of xmin, ymin, xmax, ymax" + DRAW,
            "a.json:2: a.png, word 4 'd' has no geometry of xmin, ymin, xmax, ymax" + DRAW,
            "a.json:2: a.png, word 5 has no text" + WRITE,
            "a.json:4: photo not found: none.png (boxes: 1); pass --images DIR, the folder of the photos",
            "a.json:5: a.png has neither a text nor typed_words",
        ],
    ),
    (
        "coco_text",
        '{"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "none.png"}, {"id": 3}],\n'
        '"annotations": [\n'
        '{"id": 1, "image_id": 1, "bbox": [1, 1, 90, 30], "utf8_string": "abc"},\n'
        '{"id": 2, "image_id": 1, "bbox": [1, 1, 90], "utf8_string": "abc"},\n'
        '{"id": 3, "image_id": 1, "bbox": [1, 1, 90, 30]},\n'
        '{"id": 4, "image_id": 1, "bbox": [1, 1, 90, 30], "utf8_string": "x", "legibility": "illegible"},\n'
        '{"id": 5, "image_id": 9, "bbox": [1, 1, 90, 30], "utf8_string": "x"},\n7,\n'
        '{"id": 7, "image_id": 2, "bbox": [1, 1, 90, 30], "utf8_string": "x"},\n'
        '{"id": 8, "image_id": 3, "bbox": [1, 1, 90, 30], "utf8_string": "x"},\n'
        '{"id": 9, "image_id": 1, "bbox": [1, 1, NaN, 30], "utf8_string": "xyz"},\n'
        '{"id": 10, "image_id": 1, "bbox": [0.1, 0.2, 0.4, 0.1], "utf8_string": "parts"}]}',
        [
            "a.json:7: annotation 5 has no image_id that the list of images contains",
            "a.json:8: annotation 6 has no image_id that the list of images contains",
            "a.json:4: annotation 2 'abc' has no bbox of x, y, width, height" + DRAW,
            "a.json:5: annotation 3 has no text" + WRITE,
            "a.json:6: annotation 4 'x': marked as illegible",
            "a.json:11: 'xyz': a corner is not a number; draw the box again, or delete it",
            "a.json:12: 'parts': the box is inside one pixel, as if it were in parts of the photo's width "
            "and height; write boxes in pixels",
            "a.json:9: photo not found: none.png (boxes: 1); pass --images DIR, the folder of the photos",
            "a.json:10: image 3 has no file_name (boxes: 1); write the path of the photo",
        ],
    ),
    (
        "label_studio",
        "[\n"
        + ",\n".join(
            json.dumps(entry)
            for entry in (
                task(region("LOT 4711", 0), "a.png"),
                task(region("LOT 4711", 0), "none.png"),
                {**task([]), "annotations": []},
                {**task([]), "annotations": [{"was_cancelled": True, "result": []}]},
                {**task([]), "annotations": task([])["annotations"] * 2},
                task(wrong_box(x="wide"), "a.png"),
                task(region("LOT 4711", 0)[:2], "a.png"),
                task(
                    [{"from_name": "transcription", "type": "textarea", "value": {"text": ["a", "b"]}}],
                    "a.png",
                ),
                task([{**p, "image_rotation": 90} for p in region("LOT 4711", 0)], "a.png"),
                task([{**p, "original_width": None} for p in region("LOT 4711", 0)], "a.png"),
                task(wrong_box(x=200), "a.png"),
                {**task(region("LOT 4711", 0)), "data": {"text": "x"}},
                {
                    "image": "a.png",
                    "id": 3,
                    "bbox": [{"x": 1, "y": 1}] * 3,
                    "text": ["a", "b"],
                    "lead_time": 1,
                },
                7,
            )
        )
        + "]",
        [
            "a.json:3: task 1: photo not found: none.png (boxes: 1); "
            "pass --images DIR, the folder of the photos",
            "a.json:4: task 1: not annotated; annotate the task, or delete it",
            "a.json:5: task 1: not annotated, but skipped; annotate the task, or delete it",
            "a.json:6: task 1: 2 annotations; keep one, or mark one as ground truth",
            "a.json:7: task 1, region 1 'LOT 4711' has no rectangle or polygon" + DRAW,
            "a.json:8: task 1, region 1 has no text" + WRITE,
            "a.json:9: task 1 has 2 texts, but a line has one; keep one",
            "a.json:10: task 1, region 1 was drawn on an image that was rotated by 90° for labelling; "
            "rotate the image file itself",
            "a.json:11: task 1, region 1 has no original_width and original_height; export it again as JSON",
            "a.json:12: 'LOT 4711': the box is outside the photo of 300 x 120 px" + DRAW_BOX,
            "a.json:13: task 1: no image; export a project of images, or pass --image-column NAME",
            "a.json:14: task 3: 3 regions and 2 texts, and JSON-MIN does not say which text is in which "
            "region; export as JSON",
            "a.json:15: task 14: not a JSON object; export it again as JSON",
        ],
    ),
]


@pytest.mark.parametrize(("form", "content", "expected"), BROKEN, ids=[form for form, _, _ in BROKEN])
def test_what_cannot_be_used_is_told_with_its_line(
    form: str, content: str, expected: list[str], grow: Callable[..., Path], tmp_path: Path
) -> None:
    suffix = {"page_xml": "xml", "alto": "xml", "cvat": "xml", "icdar_boxes": "txt"}.get(form, "json")
    source = grow({f"a.{suffix}": content}, "a.png")
    result = import_crops(source, tmp_path / "to")
    assert result.format == form
    assert told(result, source) == expected
    assert result.count == len(labelfile.read_labels(result.labels)) > 0


def with_doctype(content: str) -> str:
    return page(page_line("LOT 4711")).replace("<PcGts", f"<!DOCTYPE x {content}><PcGts")


BOMB = '<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.xml", page(page_line("LOT 4711"))[:-40], "a.xml:8: nothing can be imported, 1 left "
         "out, the first: not valid XML ("),
        ("a.xml", page("<TextLine>\n</Textline>"), "the first: not valid XML (Opening and ending tag mism"),
        ("a.xml", page().replace("TextLine", ""), "a.xml: holds no labelled crops"),
        ("a.xml", "<PcGts/>", "a.xml: nothing can be imported, 1 left out, the first: no Page in"),
        ("a.xml", page(page_line("LOT 4711"), name="b.png"), "a.xml:4: nothing can be imported, 1 left out, "
         "the first: photo not found: b.png (boxes: 1); pass --images DIR"),
        ("b.xml", page(page_line("LOT 4711"), name=""), "the first: no photo b.jpg, .png, … (boxes: 1)"),
        ("a.xml", with_doctype(f"[{BOMB}]").replace("LOT", "&i;"),
         "the first: has a DOCTYPE, which may define entities; remove"),
        ("a.xml", with_doctype('[<!ENTITY a SYSTEM "file:///etc/passwd">]').replace("LOT", "&a;"),
         "has a DOCTYPE"),
        ("a.xml", with_doctype('SYSTEM "x.dtd"').replace("LOT", "&nbsp;"), "has a DOCTYPE"),
        ("a.xml", alto(alto_line("LOT 4711", "words"), unit="mm10"),
         "a.xml:3: nothing can be imported, 1 left out, the first: measures in mm10, not in pixels; export"),
        ("a.xml", alto().replace("</Page>", "</Page><Page/>"), "2 pages in one file"),
        ("a.xml", cvat('<image name="a.png">', cvat_box("LOT 4711"), "<image>"), "a.xml:8: not valid XML ("),
        ("a.xml", cvat('<track id="0" label="line"></track>'),
         "a.xml:5: has the tracks of a video; export"),
        ("a.xml", cvat('<image name="a.png">', cvat_box("LOT 4711").replace("quality", "value"), "</image>"),
         "a.xml:6: it is not clear which field has the text: text, value; pass --text-column NAME"),
        ("a.json", json.dumps([task([])], indent=1)[:-60], "not valid JSON ("),
        ("a.json", json.dumps([{**task([]), "data": {"a": "a.png", "b": "b.png"}}]), "several images: a, b"),
        ("a.json", '{"a.png": "b",\n"c.png": "d"', "a.json:2: not valid JSON ("),
        ("a.json", '{"images": [],\n "annotations": [}', "a.json:2: not valid JSON ("),
        ("a.json", '{"images": [{"id": 1}], "annotations": [{"image_id": 1, "bbox": [1, 1, 2, 2]}]}',
         "a.json: has boxes without texts"),
        ("gt_b.txt", icdar_line("LOT 4711"), "no photo b.jpg, .png, … (boxes: 1)"),
        ("a.xml", "", "a.xml: format not recognised"),
        ("a.xml", "<annotation><object/></annotation>", "a.xml: format not recognised"),
        ("a.xml", "<html><body/></html>", "a.xml: format not recognised"),
        ("a.xml", "<annotations><note/></annotations>", "a.xml: format not recognised"),
        ("a.xml", "PcGts alto annotations", "a.xml: format not recognised"),
        ("a.json", "[1, 2]", "a.json: format not recognised"),
        ("a.json", '{"name": "a.png", "version": "1.0"}', "a.json: format not recognised"),
        ("a.json", "", "a.json: format not recognised"),
        ("a.txt", "1 0.5 0.5 0.1 0.1\n", "a.txt: format not recognised"),
    ],
)  # fmt: skip
def test_a_source_that_gives_nothing(
    file: str, content: str | bytes, message: str, grow: Callable[..., Path], tmp_path: Path
) -> None:
    source = grow({file: content}, "a.png")
    with pytest.raises(LinetuneError) as caught:
        import_crops(source / file, tmp_path / "to")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_one_broken_page_leaves_the_others(grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    whole = page(*map(page_line, LINES))
    source = grow(
        {"a.xml": whole, "b.xml": whole[:-9], "c/d.xml": page(page_line("LOT 4711"), name="x.png")}, "a.png"
    )
    result = import_crops(source, tmp_path / "to")
    assert result.count == 2
    assert [line.split(":")[0] for line in told(result, source)] == ["b.xml", "c/d.xml"]


def test_two_uploads_of_one_name_are_not_confused(grow: Callable[..., Path], tmp_path: Path) -> None:
    tasks = [
        task(region("LOT 4711", 0), f"/data/upload/1/{start}-a.png") for start in ("a3f0b1c2", "a3f0b1c3")
    ]
    source = grow({"p.json": json.dumps(tasks)}, "a.png")
    result = import_crops(source, tmp_path / "to")
    assert result.count == 1
    assert "may be the image of either" in result.refused[0].what


def test_two_files_of_boxes_for_one_photo_are_asked_about(grow: Callable[..., Path], tmp_path: Path) -> None:
    lines = "".join(map(icdar_line, LINES))
    source = grow({"gt_a.txt": lines, "a.txt": lines.replace("4711", "4117")}, "a.png")
    with pytest.raises(
        LinetuneError, match=r"gt_a\.txt is of the same photo, and the lines would be imported"
    ):
        import_crops(source, tmp_path / "boxes")
    pages = {"gt/a.xml": page(page_line("LOT 4711")), "ocr/a.xml": page(page_line("LOT 4711"))}
    source = grow(pages, "a.png")
    with pytest.raises(LinetuneError, match="import one of the files or folders"):
        import_crops(source, tmp_path / "pages", "page_xml")


def test_a_flag_before_every_text_is_asked_about(grow: Callable[..., Path], tmp_path: Path) -> None:
    rows = [icdar_line(text).replace(text, f"0,{text}") for text in LINES]
    with pytest.raises(LinetuneError, match="every line has 0 or 1 before the text, perhaps for"):
        import_crops(grow({"gt_a.txt": "".join(rows)}, "a.png"), tmp_path / "to")


@pytest.mark.parametrize("around", ["0.93,{}", "{},0.98", "en,{}"])
def test_fields_beside_icdars_texts_are_no_part_of_them(
    around: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    rows = [icdar_line(text).replace(text, around.format(text)) for text in LINES]
    source = grow({"gt_a.txt": "".join(rows)}, "a.png")
    result = import_crops(source, tmp_path / "to")
    assert_whole(result, photo, "icdar_boxes")
    assert "not part of" in result.notes[0]


def test_pages_of_one_stem_need_the_folder_of_their_photos(grow: Callable[..., Path], tmp_path: Path) -> None:
    source = grow({"gt/gt_a.txt": icdar_line("LOT 4711")}, "x/y/a.png", "x/z/a.png")
    with pytest.raises(LinetuneError, match=r"several photos: .*; pass --images DIR"):
        import_crops(source, tmp_path / "to")
    assert import_crops(source / "gt", tmp_path / "to", images=source / "x" / "y").count == 1


def test_damaged_sources_give_whole_imports_or_one_line(grow: Callable[..., Path], tmp_path: Path) -> None:
    regions = [task([part for n, text in enumerate(LINES) for part in region(text, n)], "a.png")]
    shapes = "".join(cvat_box(text, form) for text in LINES for form in ("box", "polygon"))
    sound = {
        "page.xml": page(*map(page_line, LINES)),
        "alto.xml": alto(*(alto_line(text, form) for text in LINES for form in ("words", "escriptorium"))),
        "cvat.xml": cvat(f'<image name="a.png">{shapes}</image>'),
        "gt_a.txt": "".join(map(icdar_line, LINES)),
        "labels.json": json.dumps({"a.png": {"typed_words": [{"value": "ab", "geometry": [1, 1, 90, 30]}]}}),
        "studio.json": json.dumps(regions),
        "coco.json": coco("utf8_string"),
        "attributes.json": coco("attributes"),
    }
    source = grow({}, "a.png")
    rng = random.Random(0)
    strange = [
        "1e999",
        "NaN",
        "-1e308",
        "1e308",
        "null",
        "[]",
        "{}",
        '""',
        "-5",
        "<",
        "&",
        "\0",
        "\n",
        "9" * 30,
    ]
    came_in = 0
    lines: list[str] = []
    for number in range(400):
        name = list(sound)[number % len(sound)]
        content = sound[name]
        for _ in range(rng.randint(1, 3)):
            figures = list(re.finditer(r"\d+(\.\d+)?", content))
            start, end = rng.choice(figures).span() if figures else (0, 1)
            if rng.random() < 0.3:
                start = rng.randrange(len(content))
                end = start + rng.randint(0, 9)
            content = content[:start] + rng.choice(strange) + content[end:]
        (source / name).write_text(content, "utf-8")
        target = tmp_path / f"to {number}"
        try:
            result = import_crops(source / name, target)
        except LinetuneError as error:
            lines.append(str(error))
            assert not target.exists()
        else:
            came_in += 1
            lines += told(result, source)
            assert len(labelfile.read_labels(result.labels)) == result.count
    assert 100 < came_in < 400
    assert not any("\n" in line for line in lines)


# Cutting


def project(grow: Callable[..., Path], *boxes: tuple[str, list[tuple[int, int]]]) -> Path:
    listed = [{"transcription": text, "points": corners, "difficult": False} for text, corners in boxes]
    return grow({"Label.txt": f"a.png\t{json.dumps(listed, ensure_ascii=False)}\n"}, "a.png")


def corners(left: int, top: int, right: int, bottom: int, first: int = 0) -> list[tuple[int, int]]:
    listed = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return listed[first:] + listed[:first]


@pytest.mark.parametrize("text", ["1", "京", "e\u0301", " I "])
def test_a_box_of_one_character_is_not_turned_however_tall(
    text: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    source = project(grow, (text, corners(20, 10, 50, 90)))
    result = import_crops(source, tmp_path / "to")
    (line,) = labelfile.read_labels(result.labels)
    assert (image.read(line.image) == photo[10:90, 20:50]).all()
    assert result.notes == [
        "high boxes of one character are not turned, but PaddleOCR turns them: "
        f"1 crop a_crop_0.png ({source}/Label.txt:1)"
    ]


def test_a_tall_box_of_a_text_is_turned_and_told(
    grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    tall = [("ab", corners(20, 10, 50, 90)), ("cd", corners(60, 10, 90, 55)), ("ef", corners(60, 10, 90, 54))]
    result = import_crops(project(grow, *tall), tmp_path / "to")
    turned, edge, lying = (image.read(line.image) for line in labelfile.read_labels(result.labels))
    assert (turned == np.rot90(photo[10:90, 20:50])).all()
    assert edge.shape[:2] == (30, 45)
    assert lying.shape[:2] == (44, 30)
    (note,) = result.notes
    assert "are turned a quarter to the left, as in PaddleOCR: 2 crops, such as a_crop_0.png" in note
    assert json.loads((tmp_path / "to" / "import.json").read_bytes())["notes"] == result.notes


@pytest.mark.parametrize(
    ("first", "turn"),
    [(0, None), (1, "upside down"), (2, "upside down"), (3, None)],
)
def test_a_box_from_another_corner_is_cut_as_listed_and_told(
    first: int, turn: str | None, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    source = project(grow, ("LOT 4711", corners(*LINES["LOT 4711"], first)))
    result = import_crops(source, tmp_path / "to")
    (line,) = labelfile.read_labels(result.labels)
    crop, upright = image.read(line.image), part(photo, "LOT 4711")
    assert crop.shape == upright.shape
    if turn is None:
        assert result.notes == []
    else:
        (note,) = result.notes
        assert f"1 crop a_crop_0.png, {turn} ({source}/Label.txt:1)" in note
        assert "pass --upright" in note
    result = import_crops(source, tmp_path / "upright", upright=True)
    (line,) = labelfile.read_labels(result.labels)
    assert (image.read(line.image) == upright).all()
    assert result.notes == []


@pytest.mark.parametrize(("first", "turn"), [(1, "to the left"), (3, "to the right")])
def test_a_nearly_square_box_from_another_corner_lies_on_its_side(
    first: int, turn: str, grow: Callable[..., Path], photo: Crop, tmp_path: Path
) -> None:
    source = project(grow, ("ab", corners(20, 10, 60, 50, first)))
    result = import_crops(source, tmp_path / "to")
    (line,) = labelfile.read_labels(result.labels)
    sides = {"to the left": 1, "to the right": -1}
    blurred = cv2.GaussianBlur(image.read(line.image)[2:-2, 2:-2], (0, 0), 3).astype(int)
    expected = cv2.GaussianBlur(np.rot90(photo[10:50, 20:60], sides[turn])[2:-2, 2:-2], (0, 0), 3)
    assert np.abs(blurred - expected).mean() < 12
    assert f"turned {turn} by a quarter" in result.notes[0]


def test_upright_orders_corners_in_any_order(grow: Callable[..., Path], photo: Crop, tmp_path: Path) -> None:
    box = corners(*LINES["LOT 4711"])
    crossed = [box[0], box[2], box[1], box[3]]
    source = project(grow, ("LOT 4711", box[::-1]), ("LOT 4711", crossed), ("LOT 4711", box))
    result = import_crops(source, tmp_path / "to")
    assert result.count == 1
    assert all("pass --upright" in str(error) for error in result.refused)
    result = import_crops(source, tmp_path / "upright", upright=True)
    crops = [image.read(line.image) for line in labelfile.read_labels(result.labels)]
    assert all((crop == part(photo, "LOT 4711")).all() for crop in crops)
    assert len(crops) == 3


def test_the_command_takes_upright(grow: Callable[..., Path], tmp_path: Path, cli: Cli) -> None:
    source = project(grow, ("LOT 4711", corners(*LINES["LOT 4711"], 2)))
    assert "upside down" in cli("import", source, "--to", tmp_path / "to").out
    assert "upside down" not in cli("import", source, "--to", tmp_path / "other", "--upright").out
