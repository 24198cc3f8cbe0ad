from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import Cli

from linetune.analysis import suspects
from linetune.analysis.suspects import Reading, judge, way_up
from linetune.core import image, labelfile
from linetune.core.labelfile import Line, path_in_file
from linetune.report.suspects import summary, suspects_table
from linetune.report.words import Words

TEXTS = [f"{a}{b}{(a + 3) * (b + 7) % 90 + 10}" for a in range(20) for b in range(4)]
WRONG = {5: "7777", 14: "2199"}
"""Labels that say something else than what is drawn."""

UPSIDE_DOWN = 20
"""A crop whose label is right all the same."""


def reading(label: str, read: str, label_probability: float, read_probability: float) -> Reading:
    line = Line(Path("a.png"), label, f"labels.txt:{label}")
    return Reading(line, read, -math.log(label_probability), -math.log(read_probability))


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[[Path, Sequence[str]], Path]
) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_crops(folder / "crops", TEXTS)
    turned = folder / "crops" / f"{UPSIDE_DOWN:02}.png"
    image.write(turned, image.half_turned(image.read(turned)))
    labels = [WRONG.get(i, text) for i, text in enumerate(TEXTS)]
    labelfile.write_labels(
        folder / "labels.txt", [(f"crops/{i:02}.png", text) for i, text in enumerate(labels)]
    )
    (folder / "linetune.yaml").write_text(
        "output: run\nbase_model: PP-OCRv5_mobile_rec\n"
        "data: {train: labels.txt, val: crops/labels.txt}\n"
        "stages: [{name: real, data: train, epochs: 1, learning_rate: 1e-4}]\n",
        encoding="utf-8",
    )
    return folder


def test_wrong_labels_come_first_and_nothing_is_changed(project: Path, tmp_path: Path, cli: Cli) -> None:
    before = (project / "labels.txt").read_bytes()
    config, output = project / "linetune.yaml", tmp_path / "out"
    done = cli("suspects", config, "--output", output, "--json", "--lang", "zh")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["lines"] == len(TEXTS)
    first = {each["source"]: (each["text"], each["read"]) for each in found["disputed"][: len(WRONG)]}
    assert first == {f"{project / 'labels.txt'}:{i + 1}": (label, TEXTS[i]) for i, label in WRONG.items()}
    assert not any(each["source"].endswith(f":{UPSIDE_DOWN + 1}") for each in found["disputed"])
    assert (project / "labels.txt").read_bytes() == before
    assert not (project / "run").exists()

    rows = [row.split("\t") for row in (output / "suspects.txt").read_text("utf-8").splitlines()]
    assert [row[:3] for row in rows] == [
        [f"crops/{Path(each['image']).name}", each["text"], each["read"]] for each in found["disputed"]
    ]
    page = (output / "suspects.html").read_text("utf-8")
    assert "条可能标错" in page
    assert page.count("data:image/jpeg") == len(found["disputed"])
    copied = re.findall(r'<code class="copy">(.*?)</code>', page)
    assert copied[0] == f"{rows[0][0]}\t{rows[0][2]}"

    # What was listed is not lost by a second look, unless that is wanted; the table is for people.
    refused = cli("suspects", config, "--output", output)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    code, out, _ = cli("suspects", config, "--output", output, "--overwrite", "--top", 1)
    assert code == 0
    assert f"{len(found['disputed'])} of {len(TEXTS)} labels are suspects" in out
    assert "7777" in out or "2199" in out
    assert len((output / "suspects.txt").read_text("utf-8").splitlines()) == 1


def test_too_few_crops_for_the_folds_are_one_clear_error(project: Path, tmp_path: Path, cli: Cli) -> None:
    config = project / "linetune.yaml"
    refused = cli("suspects", config, "--folds", 81, "--output", tmp_path / "out")
    assert refused.code == 2
    (line,) = refused.err.strip().splitlines()
    assert line.startswith("error: the 80 lines form 80 groups, too few for 81 splits")
    assert not (tmp_path / "out").exists()


def test_crops_of_one_photo_stay_in_one_fold() -> None:
    lines = [Line(Path(f"{i}.png"), "ABC"[i % 3], f"labels.txt:{i + 1}") for i in range(20)]
    groups = [[0, 7, 13], [1, 2], *([i] for i in range(3, 20) if i not in (7, 13))]
    folds = suspects._folds(lines, groups, 3)
    assert sorted(number for fold in folds for number in fold) == list(range(20))
    assert all(5 <= len(fold) <= 9 for fold in folds)
    assert all(len({number in fold for number in group}) == 1 for fold in folds for group in groups)


def test_only_what_is_read_with_confidence_is_disputed() -> None:
    agreed = [reading(f"A{i}", f"A{i}", 0.9, 0.9) for i in range(6)]
    doubted = reading("AO1", "A01", 0.01, 0.85)
    denied = reading("77", "A07", 1e-9, 0.9)
    unsure = reading("upside down", "?", 1e-12, 0.05)
    likely = reading("B", "8", 0.4, 0.5)
    found = judge([unsure, doubted, *agreed, denied, likely], skipped=1)
    assert found.doubt() is None
    assert found.disputed == [denied, doubted]
    assert (found.lines, found.agreed, found.skipped) == (10, 6, 1)


def test_a_crop_upside_down_is_judged_the_way_up_that_is_certain() -> None:
    garbage = reading("2005", "10042", 1e-3, 0.15)
    wrong = reading("2005", "2004", 1e-5, 0.99)
    assert way_up(garbage, wrong) is wrong
    assert judge([wrong, *(reading(f"A{i}", f"A{i}", 0.9, 0.9) for i in range(3))]).disputed == [wrong]
    # A label that is read either way is right.
    right = reading("2005", "2005", 0.3, 0.3)
    assert way_up(garbage, right) is right
    # Not where the crop may well say the label as it stands, nor where nothing is certain or read.
    assert way_up(reading("M", "N", 0.1, 0.2), reading("M", "W", 1e-6, 0.99)).read == "N"
    assert way_up(garbage, reading("2005", "2004", 1e-5, 0.6)) is garbage
    assert way_up(garbage, reading("2005", "", 1e-9, 0.99)) is garbage


def test_the_summary_says_what_is_not_shown() -> None:
    found = judge(
        [reading("AO1", "A01", 0.01, 0.9), reading("B", "C", 0.001, 0.9), reading("D", "D", 0.9, 0.9)]
    )
    assert summary(found, 5, Words()) == "2 of 3 labels are suspects"
    assert summary(found, 1, Words()) == "2 of 3 labels are suspects, the first 1 shown"
    assert suspects_table(found, 1).row_count == 1


def test_a_path_is_listed_as_its_label_file_has_it(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    elsewhere = (tmp_path.parent / "else" / "b.png").as_posix()
    labelfile.write_labels(labels, [("../a/1.png", "A"), (elsewhere, "B")])
    assert [path_in_file(line) for line in labelfile.read_labels(labels)] == ["../a/1.png", elsewhere]


def test_a_label_with_a_character_that_nothing_teaches_is_not_disputed() -> None:
    known = [reading(f"A{i}", f"A{i}", 0.9, 0.9) for i in range(6)]
    look_alike = [reading(f"Ж{i}", f"X{i}", 1e-9, 0.9) for i in range(4)]
    wrong = reading("77", "A07", 1e-9, 0.9)
    found = judge([*known, *look_alike, wrong], ["Ж"])
    assert (found.disputed, found.unjudged, found.doubt()) == ([wrong], 4, None)
    assert summary(found, 5, Words()) == "1 of 11 labels are suspects; 4 are not judged"
    # Once the folds read the character, a label with it is judged as any other.
    learnt = [reading(f"Ж{i}", f"Ж{i}", 0.8, 0.8) for i in range(4)]
    assert len(judge([*known, *look_alike, *learnt], ["Ж"]).disputed) == 4


def test_a_model_that_cannot_read_the_crops_disputes_nothing_and_says_so() -> None:
    misread = [reading(f"A{i}", f"X{i}", 1e-9, 0.9) for i in range(8)]
    found = judge([*misread, reading("B", "B", 0.9, 0.9)])
    assert found.disputed == []
    assert summary(found, 5, Words()) == (
        "the base model cannot tell which labels are wrong: it reads only 1 of 9 as they are"
    )
