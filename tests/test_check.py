from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Cli
from PIL import Image

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels
from linetune.data.check import CheckResult, Expected, Severity, check
from linetune.data.check.characters import CharacterChecks
from linetune.data.check.clean import CHANGES, write_clean
from linetune.data.check.findings import KINDS

CHARSET = Charset(tuple("ABCDEFGH0123456789 -"))
RULE = re.compile(r"[A-H]{2}[ -]?[0-9]{4}")
SHARED = Path(__file__).parents[2] / "shared" / "data" / "wire_codes"


def objection(text: str) -> str | None:
    return None if RULE.fullmatch(text) else "does not follow the rule"


def draw(text: str, seed: int) -> Crop:
    """A crop like no other: its own place, slope, light and noise."""
    rng = np.random.default_rng(seed)
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 2)
    crop = np.full((48, width + 24, 3), 255, np.uint8)
    place = (int(rng.integers(2, 22)), int(rng.integers(28, 44)))
    cv2.putText(crop, text, place, cv2.FONT_HERSHEY_SIMPLEX, 1, (30, 30, 30), 2, cv2.LINE_AA)
    left, right = rng.uniform(0.4, 1, 2)
    light = np.linspace(left, right, crop.shape[1])[None, :, None]
    return np.asarray((crop * light * rng.uniform(0.9, 1, crop.shape)).round(), np.uint8)


def text_of(number: int) -> str:
    letters = "ABCDEFGH"
    return f"{letters[number % 8]}{letters[number // 3 % 8]}{' -'[number % 2]}{number * 7919 % 10000:04}"


@pytest.fixture(scope="session")
def clean_crops(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clean")
    for number in range(130):
        image.write(folder / f"{number:03}.png", draw(text_of(number), number))
    return sorted(folder.iterdir())


@dataclass
class Project:
    """A clean data set in which faults can be planted."""

    folder: Path
    rows: dict[str, list[str]]
    expected: set[tuple[str, str]] = field(default_factory=set)
    charset: Charset | None = CHARSET
    seed: int = 1000

    def add(self, split: str, path: Path | str, text: str, *kinds: str) -> str:
        """Add a line in which findings of these kinds are expected; where it stands comes back."""
        return self.row(split, f"{path}\t{text}", *kinds)

    def row(self, split: str, row: str, *kinds: str) -> str:
        self.rows[split].append(row)
        source = f"{self.folder / split}.txt:{len(self.rows[split])}"
        self.expected |= {(kind, source) for kind in kinds}
        return source

    def crop(self, text: str = "AB 1234", name: str | None = None) -> Path:
        self.seed += 1
        path = self.folder / (name or f"{self.seed}.png")
        image.write(path, draw(text, self.seed))
        return path

    def save(self, crop: Crop, suffix: str = ".png") -> Path:
        self.seed += 1
        path = self.folder / f"{self.seed}{suffix}"
        image.write(path, crop)
        return path

    def label(self, text: str, *kinds: str, split: str = "train") -> str:
        return self.add(split, self.crop(), text, *kinds)

    def files(self) -> dict[str, list[Path]]:
        for split, rows in self.rows.items():
            (self.folder / f"{split}.txt").write_bytes(
                "".join(f"{row}\n" for row in rows).encode(errors="surrogateescape")
            )
        return {split: [self.folder / f"{split}.txt"] for split in self.rows}

    def check(self) -> CheckResult:
        return check(self.files(), Expected(self.charset, objection))


@pytest.fixture
def project(tmp_path: Path, clean_crops: list[Path]) -> Project:
    rows = [f"{path}\t{text_of(number)}" for number, path in enumerate(clean_crops)]
    return Project(tmp_path, {"train": rows[:110], "val": rows[110:120], "test": rows[120:]})


def test_a_clean_set_has_no_findings(project: Project) -> None:
    checked = project.check()
    assert checked.findings == []
    assert [figures["lines"] for figures in checked.figures.values()] == [110, 10, 10]


FAULTS: dict[str, Callable[[Project], object]] = {}
Fault = Callable[[Project], object]


def fault(plant: Fault) -> Fault:
    FAULTS[getattr(plant, "__name__", "").replace("_", " ")] = plant
    return plant


@fault
def no_tab(project: Project) -> None:
    project.row("train", f"{project.crop()} AB 1234", "no-tab")


@fault
def not_utf8(project: Project) -> None:
    project.row("train", f"{project.crop()}\tGr\udcf6\udcdfe", "encoding")


@fault
def no_path(project: Project) -> None:
    project.row("val", "\tAB 1234", "no-path")


@fault
def empty_label(project: Project) -> None:
    project.label("", "empty-label")


@fault
def label_of_spaces(project: Project) -> None:
    project.label("   ", "empty-label", split="test")


@fault
def label_of_what_nobody_sees(project: Project) -> None:
    project.label("\u200b\u200b", "empty-label", "rare-character", "rare-length")


@fault
def carriage_return(project: Project) -> None:
    project.label("AB\r1234", "carriage-return")


@fault
def missing_image(project: Project) -> None:
    project.add("train", "gone.png", "AB 1234", "missing-image")


@fault
def path_of_windows(project: Project) -> None:
    (project.folder / "crops").mkdir()
    project.crop(name="crops/a.png")
    project.add("train", "crops\\a.png", "AB 1234", "missing-image")


@fault
def empty_image(project: Project) -> None:
    (project.folder / "empty.png").touch()
    project.add("train", "empty.png", "AB 1234", "empty-image")


@fault
def not_an_image(project: Project) -> None:
    (project.folder / "text.png").write_text("text", encoding="utf-8")
    project.add("test", "text.png", "AB 1234", "unreadable-image")


@fault
def a_folder_for_an_image(project: Project) -> None:
    (project.folder / "folder.png").mkdir()
    project.add("test", "folder.png", "AB 1234", "unreadable-image")


@fault
def null_character_in_the_path(project: Project) -> None:
    project.add("train", "a\0.png", "AB 1234", "missing-image")


@fault
def path_without_end(project: Project) -> None:
    project.add("train", "a" * 5000 + ".png", "AB 1234", "missing-image")


@fault
def too_long(project: Project) -> None:
    crop = np.tile(draw("AB 1234", 5)[:10], (1, 5, 1))
    project.add("train", project.save(crop), "AB 1234", "too-long", "tiny")


@fault
def outside_the_charset(project: Project) -> None:
    project.label("XX 1234", "charset", "rule", "rare-character")


@fault
def outside_the_charset_but_only_scored(project: Project) -> None:
    project.label("XX 1234", "charset", "rule", "unseen-character", split="test")


@fault
def too_few_frames(project: Project) -> None:
    project.label("1" * 21, "frames", "rule", "rare-length")


@fault
def more_characters_than_the_crop_is_wide(project: Project) -> None:
    crop = np.ascontiguousarray(draw("AB 1234", 77)[:, 40:70])
    project.add("train", project.save(crop), "AB 1234", "crowded")


@fault
def leak_from_training_into_the_test(project: Project) -> None:
    copy = project.folder / "copy.png"
    shutil.copyfile(project.rows["test"][3].split("\t")[0], copy)
    project.add("train", copy, text_of(123), "leak")


@fault
def leak_in_another_format(project: Project) -> None:
    copy = project.folder / "copy.bmp"
    image.write(copy, image.read(Path(project.rows["train"][7].split("\t")[0])))
    project.rows["val"].append(f"{copy}\t{text_of(7)}")
    project.expected.add(("leak", f"{project.folder / 'train'}.txt:8"))


@fault
def leak_from_validation_into_the_test(project: Project) -> None:
    project.add("val", project.rows["test"][3].split("\t")[0], text_of(123), "leak")


@fault
def twice_in_a_split(project: Project) -> None:
    project.row("train", project.rows["train"][4], "duplicate")


@fault
def one_image_with_two_labels(project: Project) -> None:
    project.add("train", project.rows["train"][4].split("\t")[0], "AB 1234", "conflict")


@fault
def nearly_the_same_in_two_splits(project: Project) -> None:
    crop = image.read(Path(project.rows["test"][3].split("\t")[0]))
    project.add("train", project.save(crop, ".jpg"), text_of(123), "near-leak")


@fault
def nearly_the_same_and_smaller(project: Project) -> None:
    crop = image.read(Path(project.rows["train"][3].split("\t")[0]))
    smaller = np.asarray(cv2.resize(crop, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), np.uint8)
    project.add("train", project.save(smaller), text_of(3), "near-duplicate")


@fault
def nearly_the_same_with_another_label(project: Project) -> None:
    crop = image.read(Path(project.rows["train"][3].split("\t")[0]))
    brighter = np.asarray((crop * 0.8 + 30).round(), np.uint8)
    project.add("train", project.save(brighter), "AB 1234", "near-conflict")


@fault
def nearly_the_same_upside_down(project: Project) -> None:
    crop = image.read(Path(project.rows["test"][4].split("\t")[0]))[::-1, ::-1]
    project.add("train", project.save(crop, ".jpg"), text_of(124), "near-leak")


@fault
def space_at_an_end(project: Project) -> None:
    project.label("AB 1234 ", "edge-space", "rule", "rare-length")


@fault
def two_spaces(project: Project) -> None:
    project.label("AB  1234", "double-space", "rule", "rare-length")


def unusual(project: Project, text: str, *kinds: str) -> None:
    """A label whose characters are outside of every other check."""
    project.charset = None
    project.label(text, "rule", "rare-character", *kinds)


@fault
def zero_width_space(project: Project) -> None:
    unusual(project, "AB\u200b1234", "invisible")


@fault
def tab_in_the_text(project: Project) -> None:
    project.row("train", f"{project.crop()}\tAB\t1234", "third-column")


@fault
def full_width_digit(project: Project) -> None:
    unusual(project, "AB 123４", "lookalike")


@fault
def cyrillic_letter(project: Project) -> None:
    unusual(project, "АB 1234", "lookalike")


@fault
def non_breaking_space(project: Project) -> None:
    unusual(project, "AB\u00a01234", "lookalike")


@fault
def dash_for_a_hyphen(project: Project) -> None:
    unusual(project, "AB–1234", "lookalike")


@fault
def accent_apart(project: Project) -> None:
    project.charset = None
    source = project.label("AE\u03011234", "rule", "decomposed")
    project.expected.add(("rare-character", source))


@fault
def replacement_character(project: Project) -> None:
    unusual(project, "AB\ufffd1234", "garbled")


@fault
def json_for_a_text(project: Project) -> None:
    unusual(project, '[{"x": 1.5, "label": "plate"}]', "json", "rare-length", "crowded")


@fault
def no_value(project: Project) -> None:
    unusual(project, "nan", "missing-value", "rare-length")


@fault
def one_glyph_with_two_code_points(project: Project) -> None:
    unusual(project, "AB 123\u2126", "mixed")
    unusual(project, "AB 123\u03a9")


@fault
def digits_of_two_keyboards(project: Project) -> None:
    unusual(project, "AB 123\u0661", "mixed", "script")
    unusual(project, "AB 123\u06f1")


@fault
def mark_of_an_illegible_crop(project: Project) -> None:
    unusual(project, "###", "illegible", "rare-length")


@fault
def number_of_a_spreadsheet(project: Project) -> None:
    unusual(project, "1.23457E+12", "exponent", "rare-length")


@fault
def html_entity(project: Project) -> None:
    unusual(project, "AB &amp; 12", "escaped", "rare-length")


@fault
def zeros_guarded_by_a_spreadsheet(project: Project) -> None:
    unusual(project, '="0012"', "escaped")


@fault
def bytes_shown_by_python(project: Project) -> None:
    unusual(project, "b'AB12'", "escaped")


@fault
def two_lines_in_one_crop(project: Project) -> None:
    two = np.vstack([draw("AB 1234", 51), draw("CD 5678", 51)[:, : draw("AB 1234", 51).shape[1]]])
    project.charset = None
    project.add("train", project.save(two), "AB12CD56", "two-lines", "rule", "rare-length")


@fault
def a_whole_photo(project: Project) -> None:
    whole = np.full((480, 640, 3), 255, np.uint8)
    whole[:48, :140] = draw("AB 1234", 52)[:, :140]
    project.add("train", project.save(whole), "AB 1234", "photo")


@fault
def letters_from_right_to_left(project: Project) -> None:
    unusual(project, "שלום", "script", "rare-length")


@fault
def text_that_is_displayed_as_another(project: Project) -> None:
    unusual(project, "א 5-A-4", "order", "script")


@fault
def reversed_hebrew(project: Project) -> None:
    unusual(project, "םולש", "order", "script", "rare-length")


@fault
def text_that_was_encoded_twice(project: Project) -> None:
    unusual(project, "MÃ¼ller", "garbled")


@fault
def label_beside_the_rule(project: Project) -> None:
    project.label("A12345B", "rule")


@fault
def turned_by_exif(project: Project) -> None:
    exif = Image.Exif()
    exif[274] = 8
    path = project.folder / "turned.jpg"
    crop = np.rot90(draw("AB 1234", 42), -1)
    Image.fromarray(np.ascontiguousarray(crop[:, :, ::-1])).save(path, exif=exif)
    project.add("train", path, "AB 1234", "rotated")


@fault
def truncated_file(project: Project) -> None:
    path = project.save(draw("AB 1234", 43), ".jpg")
    path.write_bytes(path.read_bytes()[:-300])
    project.add("train", path, "AB 1234", "truncated")


@fault
def nothing_to_see(project: Project) -> None:
    project.add("train", project.save(np.full((48, 150, 3), 128, np.uint8)), "AB 1234", "blank")


@fault
def tiny_crop(project: Project) -> None:
    small = np.asarray(cv2.resize(draw("AB 1234", 44), (40, 9), interpolation=cv2.INTER_AREA), np.uint8)
    project.add("val", project.save(small), "AB 1234", "tiny")


@fault
def standing_text(project: Project) -> None:
    standing = np.ascontiguousarray(np.rot90(draw("AB 1234", 45)))
    project.add("train", project.save(standing), "AB 1234", "aspect", "crowded")


@fault
def endless_line(project: Project) -> None:
    long = np.tile(draw("AB 1234", 46), (1, 10, 1))
    project.add("train", project.save(long), "AB 1234", "aspect")


@fault
def character_that_is_only_tested(project: Project) -> None:
    project.charset = None
    project.label("ABZ1234", "rule", "unseen-character", split="test")


@fault
def rare_character(project: Project) -> None:
    project.charset = None
    project.label("ABZ1234", "rule", "rare-character")


@fault
def length_that_is_only_tested(project: Project) -> None:
    project.label("AB 1234567", "rule", "unseen-length", split="val")


@fault
def rare_length(project: Project) -> None:
    project.label("AB1234", "rare-length")


@fault
def one_label_everywhere(project: Project) -> None:
    sources = [project.label("AB 1234") for _ in range(20)]
    project.expected.add(("frequent-label", sources[0]))


@pytest.mark.parametrize("plant", FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found_where_it_stands(plant: Fault, project: Project) -> None:
    plant(project)
    checked = project.check()
    assert {(finding.kind, finding.source) for finding in checked.findings} == project.expected


def test_a_file_of_two_encodings_is_told_by_its_lines(project: Project) -> None:
    path = project.files()["train"][0]
    path.write_bytes("a.png\t批号 12\n".encode() + "b.png\t生产日期\nc.png\t有效期\n".encode("gbk"))
    found = [finding for finding in check({"train": [path]}).findings if finding.kind == "encoding"]
    assert [finding.source for finding in found] == [f"{path}:2", f"{path}:3"]
    assert found[0].message == "not UTF-8, but line 1 is"


def test_letters_of_one_script_alone_are_no_lookalikes() -> None:
    for plates in (["А123ВС", "О789РТ", "МОСКВА"], ["ΑΒΕ1234", "ΖΗ 77"]):
        checks = CharacterChecks.of(plates)
        assert [checks.repaired(text) for text in plates] == plates
        assert CharacterChecks.of([*plates, "AB 12"]).repaired(plates[0]) != plates[0]


def test_characters_at_home_are_no_lookalikes() -> None:
    russian = CharacterChecks.of(["Жар", "АВ 12", "СОН"])
    assert russian.lookalikes("АВ 12") == {}
    assert russian.lookalikes("АB 12") == {"А": "A"}
    assert CharacterChecks.of(["АВ 12", "AB 12"]).repaired("АВ 12") == "AB 12"
    chinese = CharacterChecks.of(["中文（1）", "АВ"], wanted="４")
    assert chinese.lookalikes("中文（1）、４") == {}
    assert chinese.lookalikes("(1）") == {"）": ")"}
    assert chinese.lookalikes("中５") == {"５": "5"}


def kinds_of(project: Project, text: str) -> set[str]:
    source = project.label(text)
    return {finding.kind for finding in project.check().findings if finding.source == source}


TOLD_ALONE = {"json", "missing-value", "exponent", "escaped", "illegible", "garbled"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{'points': [[1, 2]]}", "json"),
        ('["plate"]', "json"),
        ("[12, 30, 140, 52.5]", "json"),
        ("[12]", None),
        ("[A]", None),
        ("{A}", None),
        ("NULL", "missing-value"),
        ("#REF!", "missing-value"),
        ("<NA>", "missing-value"),
        ("NA", None),
        ("None of us", None),
        ("1E+12", "exponent"),
        ("1,5E-05", "exponent"),
        ("2E-01", None),
        ("12E34", None),
        ("1.5+2", None),
        ("&#39;A&#39;", "escaped"),
        ("A & B; C", None),
        ("AT&T;", None),
        (r"A\tB", "escaped"),
        (r"caf\u00e9", "escaped"),
        (r"C:\temp", None),
        ("A%20B", "escaped"),
        ("caf%C3%A9", "escaped"),
        ("6%20.00", None),
        ('"5"" pipe"', "escaped"),
        ('"5" pipe"', None),
        ("('AB12', 0.98)", "json"),
        ("('AB12')", None),
        ("[unclear]", "illegible"),
        ("Do not care", "illegible"),
        ("РџСЂРёРІРµС‚", "garbled"),
        ("Ïðèâåò", "garbled"),
        ("鐢ㄦ埛", "garbled"),
        ("MÃ¼ller", "garbled"),
        ("????", "garbled"),
        ("A?", None),
        ("Привет", None),
        ("模A12 用户", None),
        ("déjà créée", None),
        ("100% AB", None),
    ],
)
def test_what_programs_leave_in_a_label_is_told(project: Project, text: str, kind: str | None) -> None:
    project.charset = None
    assert kinds_of(project, text) & TOLD_ALONE == ({kind} if kind else set())


def test_a_text_that_the_rule_allows_is_meant(project: Project) -> None:
    source = project.label("nan")
    checked = check(project.files(), Expected(objection=lambda text: None))
    assert source not in {finding.source for finding in checked.findings if finding.kind == "missing-value"}


@pytest.mark.parametrize(
    ("kind", "labels", "other"),
    [
        ("quoted", ('"AB 1234"', '"AB"', '"CD"'), "AB 1235"),
        ("decimals", ("12.0", "3.0", "-4711.0"), "5.5"),
        ("confidence", ("AB 12 0.98", "7 1.000", "CD 0.5"), "EF"),
    ],
)
def test_what_a_program_left_around_every_label_is_told_once(
    kind: str, labels: tuple[str, ...], other: str, project: Project
) -> None:
    project.rows = {"train": [], "val": []}
    first = project.label(labels[0])
    for text in labels[1:]:
        project.label(text, split="val")
    project.charset = None
    assert [finding.source for finding in project.check().findings if finding.kind == kind] == [first]
    project.label(other, split="val")
    assert kind not in {finding.kind for finding in project.check().findings}


def test_one_label_for_all_training_lines_is_told(project: Project) -> None:
    project.rows = {"train": [], "val": []}
    sources = [project.label("plate") for _ in range(19)]
    project.label("AB 1234", split="val")
    project.charset = None
    assert "constant-label" not in {finding.kind for finding in project.check().findings}
    project.label("plate")
    (told,) = (finding for finding in project.check().findings if finding.kind == "constant-label")
    assert told.source == sources[0]
    assert "'plate' is the label of all 20 training lines" in told.message
    assert "--text-column" in str(told.hint)


def test_a_note_says_how_letters_from_right_to_left_are_learnt(project: Project) -> None:
    project.charset = None
    source = project.label("شارع 12 AB")
    project.label("שלום")
    checked = project.check()
    (told,) = checked.of(Severity.note)
    assert told.source == source
    assert told.message == (
        "Arabic, Hebrew: the network learns the letters in visual order, from left to right; "
        "label files and readings stay in logical order"
    )
    assert checked.as_dict()["notes"] == 1


def test_a_header_and_a_comment_are_told_as_such(project: Project) -> None:
    project.charset = None
    project.rows["train"].insert(0, "filename\ttext")
    project.rows["train"].insert(1, "# by hand")
    project.rows["train"].insert(2, "gone.png\ttext")
    errors = {str(finding.as_error()) for finding in project.check().of(Severity.error)}
    train = project.folder / "train.txt"
    assert errors == {
        f"{train}:1: image not found: {project.folder / 'filename'}; "
        "this looks like a header: remove the line",
        f"{train}:2: no tab between path and text; label files have no comments: remove the line",
        f"{train}:3: image not found: {project.folder / 'gone.png'}",
    }


def test_paths_start_at_the_current_folder_without_detours(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train", "val"):
        labels = tmp_path / "mine" / "labels" / f"{name}.txt"
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text(f"../../crops/{name}.png\tAB\n", "utf-8")
    config = tmp_path / "mine" / "linetune.yaml"
    data = "data: {train: labels/train.txt, val: labels/val.txt}"
    config.write_text(f"output: run\n{data}\nstages: [{{name: a, data: train}}]\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    for arguments in (["mine/linetune.yaml"], ["mine/labels/train.txt", "mine/labels/val.txt"]):
        assert "  mine/labels/train.txt:1: image not found: crops/train.png\n" in cli("check", *arguments).out


def test_a_missing_image_is_told_with_its_twin(project: Project) -> None:
    project.crop(name="caf\u00e9.png")
    project.add("train", "cafe\u0301.png", "AB 1234")
    project.add("train", "CAF\u00c9.png", "AB 1234")
    hints = [str(finding.hint) for finding in project.check().of(Severity.error)]
    if hints:  # some file systems find the file by either name
        assert all("caf\u00e9.png" in hint for hint in hints)


def test_one_tall_letter_is_not_told_to_be_turned(project: Project) -> None:
    letter = np.ascontiguousarray(np.pad(draw("1", 3), ((40, 40), (0, 0), (0, 0)), constant_values=255))
    source = project.add("train", project.save(letter), "1")
    (told,) = (f for f in project.check().findings if f.kind == "aspect" and f.source == source)
    assert told.hint is None


@pytest.mark.parametrize("text", ["AB 1234", "Ágÿ", "i:;=%", "8B3", "= = =", ":", "=="])
def test_one_line_is_not_taken_for_two(project: Project, text: str) -> None:
    assert "two-lines" not in kinds_of(project, text)


def test_two_lines_are_found_where_the_label_has_one_of_them(project: Project) -> None:
    lines = [draw(text, 9)[:, :150] for text in ("AB 1234", "CD 5678")]
    source = project.add("train", project.save(np.vstack(lines)), "AB 1234")
    assert "two-lines" in {f.kind for f in project.check().findings if f.source == source}


def test_every_kind_is_planted(project: Project) -> None:
    for plant in FAULTS.values():
        plant(project)
    # Of all labels together, or of a run file, each with a test of its own.
    assert {kind for kind, _ in project.expected} == set(KINDS) - {
        "alias",
        "one-case",
        "quoted",
        "decimals",
        "confidence",
        "constant-label",
    }


def test_an_error_is_one_line_with_its_place(project: Project) -> None:
    missing = project.add("train", "gone.png", "AB 1234")
    project.label(" AB 1234")
    errors = [str(finding.as_error()) for finding in project.check().of(Severity.error)]
    assert errors == [f"{missing}: image not found: {project.folder / 'gone.png'}"]


def test_characters_outside_the_charset_are_counted(project: Project) -> None:
    for text in ("XX 1234", "XB 12#4", "AB 1234"):
        project.label(text)
    assert project.check().as_dict()["outside_charset"] == {"X": 2, "#": 1}


def test_two_files_of_one_split_and_none_to_train_on(project: Project) -> None:
    files = project.files()
    both = check({"test": [*files["val"], *files["test"], *files["test"]]})
    assert both.findings == []
    assert both.figures["test"]["lines"] == 20
    with pytest.raises(LinetuneError, match="label file not found"):
        check({"train": [project.folder / "none.txt"]})


def test_a_crop_upside_down_is_told_as_such_and_once(project: Project) -> None:
    crop = image.read(Path(project.rows["train"][5].split("\t")[0]))[::-1, ::-1]
    source = project.add("train", project.save(crop), "AB 1234")
    # Symmetrical, so that it is like itself upside down.
    half = draw("H", 7)
    project.add("train", project.save(np.hstack([half, half[::-1, ::-1]])), "HOH 1")
    first = f"{project.folder / 'train'}.txt:6"
    (told,) = (finding.message for finding in project.check().findings if finding.kind.startswith("near"))
    assert told == (
        f"nearly the same image as {first} upside down, but labelled 'AB 1234' instead of {text_of(5)!r}"
    )
    assert source.endswith(":111")


def test_one_label_file_for_two_splits_is_refused(project: Project) -> None:
    train = project.files()["train"]
    again = [project.folder / ".." / project.folder.name / "train.txt"]
    with pytest.raises(
        LinetuneError, match=r"train\.txt: the label file is in both train and val; divide it"
    ):
        check({"train": train, "val": again})
    assert len(check({"train": train + train}).lines) == 110


# A cleaned copy


def test_a_cleaned_copy_has_no_errors_and_leaves_the_original(project: Project) -> None:
    for plant in FAULTS.values():
        plant(project)
    project.charset = CHARSET
    checked = project.check()
    before = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    cleaned = write_clean(checked, project.folder / "new" / "clean")
    assert {path: path.read_bytes() for path in before} == before
    again = check(
        {split: [cleaned.folder / f"{split}.txt"] for split in cleaned.kept},
        Expected(CHARSET, checked.labels.objection),
    )
    gone = {"duplicate", "conflict", "edge-space", "invisible", "lookalike", "decomposed", "rotated"}
    assert again.of(Severity.error) == []
    assert not gone & {finding.kind for finding in again.findings}
    told = (cleaned.folder / CHANGES).read_text("utf-8").splitlines()
    assert len(told) == len(cleaned.left_out) + len(cleaned.changed)
    rows = sum(len(rows) for rows in project.rows.values())
    assert sum(cleaned.kept.values()) + len({change.source for change in cleaned.left_out}) == rows


def test_what_a_cleaned_copy_keeps_and_repairs(project: Project) -> None:
    shown = project.crop()
    repaired = project.add("train", shown, " АB\u200b 123４ ")
    leak = project.add("train", project.rows["test"][0].split("\t")[0], text_of(120))
    conflict = project.add("train", project.rows["train"][0].split("\t")[0], "AB 1234")
    cleaned = write_clean(project.check(), project.folder / "clean")
    assert cleaned.kept == {"train": 110, "val": 10, "test": 10}
    assert [change.source for change in cleaned.changed] == [repaired]
    first = f"{project.folder / 'train'}.txt:1"
    assert {change.source for change in cleaned.left_out} == {leak, conflict, first}
    last = read_labels(cleaned.folder / "train.txt")[-1]
    assert last.text == "AB 1234"
    assert last.image.read_bytes() == shown.read_bytes()


def test_a_cleaned_copy_keeps_what_it_cannot_repair(project: Project) -> None:
    project.charset = None
    texts = ["A &amp; B", "nan", "1.5E+12", '{"a": 1}', "שלום\u200f!", "10 \u2126", "USBкабель"]
    for text in texts:
        project.label(text)
    cleaned = write_clean(project.check(), project.folder / "clean")
    assert cleaned.changed == cleaned.left_out == []
    assert [line.text for line in read_labels(cleaned.folder / "train.txt")][-len(texts) :] == texts


def test_a_cleaned_copy_is_whole_or_not_there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = project.check()
    taken = project.folder / "taken"
    taken.mkdir()
    with pytest.raises(LinetuneError, match="already exists"):
        write_clean(checked, taken)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = sorted(project.folder.iterdir())
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(LinetuneError, match="No space left"):
        write_clean(checked, project.folder / "clean")
    assert sorted(project.folder.iterdir()) == before


@pytest.mark.skipif(not SHARED.exists(), reason="the photographed wire codes are not part of the repository")
def test_photos_of_one_code_are_not_near_duplicates() -> None:
    checked = check({"test": [SHARED / "test.txt"], "val": [SHARED / "val.txt"]})
    assert not [finding for finding in checked.findings if finding.kind.startswith("near")]
    assert checked.of(Severity.error) == []


def test_photographed_lines_are_hardly_ever_taken_for_two() -> None:
    folders = [SHARED.parent / name for name in ("wire_codes", "receipt_codes", "energy_meter_lcd")]
    if not all(folder.exists() for folder in folders):
        pytest.skip("the photographed lines are not part of the repository")
    for folder in folders:
        checked = check({"train": [folder / "train.txt"]})
        told = sum(finding.kind == "two-lines" for finding in checked.findings)
        assert told < 0.005 * len(checked.lines)
