"""Which crops to label next: doubtful ones, each doubt once, and nothing that is labelled already."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Cli

from linetune.analysis.next_crops import BLANK, EQUAL, LABELLED, next_crops, spread_out
from linetune.core import image
from linetune.core.labelfile import read_labels
from linetune.formats.official import load_base
from linetune.recogniser import Recogniser

READS = "PP-OCRv5_mobile_rec"
"""A model that reads the crops of these tests."""
CLEAR = ["LOT 4711", "AB 1234", "KV 5678", "XY 9012"]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, make_crops: Callable[..., Path]) -> Path:
    """Clear crops, two unclear ones, one that is there twice, a blank one, and one that has a label."""
    folder = tmp_path_factory.mktemp("next")
    make_crops(folder / "labelled", ["QR 3456"])
    make_crops(folder / "pool", CLEAR)
    pool = folder / "pool"
    (pool / "labels.txt").unlink()
    rng = np.random.default_rng(0)
    for name, text in (("unclear-1.png", "I1I-1I1I"), ("unclear-2.png", "O0Q0OQ")):
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 2)
        crop = np.full((40, width + 12, 3), 220, np.uint8)
        cv2.putText(crop, text, (6, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, (30, 30, 30), 2, cv2.LINE_AA)
        noisy = cv2.GaussianBlur(crop, (0, 0), 2) + rng.integers(0, 12, crop.shape, np.uint8)
        image.write(pool / name, noisy)
    image.write(pool / "twice.png", image.read(pool / "00.png") + np.uint8(6))
    image.write(pool / "blank.png", np.full((40, 120, 3), 200, np.uint8))
    shutil.copy(folder / "labelled/00.png", pool / "known.png")
    return folder


def test_the_doubtful_crops_come_first_and_others_are_left_out_with_a_reason(pool: Path) -> None:
    paths = sorted((pool / "pool").iterdir())
    found = next_crops(Recogniser.load(READS), paths, 2, [pool / "labelled/00.png"])
    assert {path.name for path in found.chosen} == {"unclear-1.png", "unclear-2.png"}
    assert found.left_out == {EQUAL: 1, BLANK: 1, LABELLED: 1}
    assert found.crops == len(CLEAR) + 5
    everything = next_crops(Recogniser.load(READS), paths, 100, [pool / "labelled/00.png"])
    assert {path.name for path in everything.chosen} == {path.name for path in paths} - {
        "twice.png",
        "blank.png",
        "known.png",
    }


def test_a_random_choice_has_easy_crops_too_and_those_that_the_model_cannot_read(
    pool: Path, tmp_path: Path, cli: Cli
) -> None:
    crops = shutil.copytree(pool / "pool", tmp_path / "pool")
    stripes = np.full((40, 120, 3), 220, np.uint8)
    stripes[::8] = 30
    image.write(crops / "stripes.png", stripes)

    def chosen(number: int, *options: str) -> list[str]:
        out = tmp_path / "list.txt"
        given = ("-n", number, "--labels", pool / "labelled/labels.txt", "--output", out, "--overwrite")
        ended = cli("next", READS, crops, *given, *options)
        assert ended.code == 0, ended.err
        assert (f"chosen: {number} of 10 crops, by chance" in ended.out) == bool(options)
        return [line.image.stem for line in read_labels(out, unlabelled=True)]

    assert set(chosen(2)) == {"unclear-1", "unclear-2"}
    some = chosen(2, "--random")
    assert set(some) != {"unclear-1", "unclear-2"}
    assert chosen(2, "--random") == some
    assert sorted(chosen(7, "--random")) == ["00", "01", "02", "03", "stripes", "unclear-1", "unclear-2"]
    assert "stripes" not in chosen(6)


def test_whole_photos_among_the_crops_are_told(pool: Path, tmp_path: Path, cli: Cli) -> None:
    shutil.copytree(pool / "pool", tmp_path / "pool")
    image.write(tmp_path / "pool/street.png", np.tile(image.read(pool / "pool/00.png"), (12, 4, 1)))
    ended = cli("next", READS, tmp_path / "pool", "-n", "1", "--output", tmp_path / "1.txt")
    assert ended.code == 0, ended.err
    assert (
        "warning: 1 of 10 images look like whole photos, not like crops of one text line: street.png"
        in ended.err
    )


def test_a_folder_with_the_labelled_crops_and_their_doubles_is_the_usual_one(
    pool: Path, tmp_path: Path
) -> None:
    shutil.copytree(pool / "pool", tmp_path / "pool")
    doubled = image.read(tmp_path / "pool/01.png") + np.uint8(6)
    image.write(tmp_path / "pool/zz-double.png", doubled)
    paths = sorted((tmp_path / "pool").iterdir())
    found = next_crops(Recogniser.load(READS), paths, 100, [tmp_path / "pool/01.png"])
    assert found.left_out == {EQUAL: 1, BLANK: 1, LABELLED: 2}
    assert not {"01.png", "zz-double.png"} & {path.name for path in found.chosen}


def test_the_list_is_a_label_file_without_labels_that_a_review_takes(
    pool: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = pool / "labelled/labels.txt"
    ended = cli("next", READS, pool / "pool", "-n", "2", "--labels", labels)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == "chosen: 2 of 9 crops, the most worthwhile first"
    assert "1 show what a crop of your label files shows" in ended.out
    assert ended.out.splitlines()[-1] == f"label   linetune review next.txt --model {READS}"
    lines = read_labels(tmp_path / "next.txt", unlabelled=True)
    assert [line.text for line in lines] == ["", ""]
    assert {line.image.name for line in lines} == {"unclear-1.png", "unclear-2.png"}
    assert all(line.image.is_file() for line in lines)
    again = cli("next", READS, pool / "pool", "--labels", labels)
    review = f"linetune review next.txt --model {READS}"
    assert (again.code, again.errors) == (
        2,
        [f"error: next.txt: the file already exists; {review} labels its crops; --overwrite replaces it"],
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("01.png\tAB 1234\n02.png\t\n", "the file has 1 label, which would be lost"),
        ("notes of a person\n", "the file is not a list of crops, and stays as it is"),
        (None, "a folder, where the file should be"),
    ],
)
def test_overwrite_replaces_nothing_but_such_a_list(
    tmp_path: Path, cli: Cli, content: str | None, said: str
) -> None:
    out = tmp_path / "list.txt"
    if content is None:
        out.mkdir()
    else:
        out.write_text(content, "utf-8")
    ended = cli("next", READS, tmp_path, "--output", out, "--overwrite")
    assert ended.code == 2
    (error,) = ended.errors
    assert said in error
    assert out.is_dir() if content is None else out.read_text("utf-8") == content


def test_a_review_of_the_list_can_begin_at_once(
    pool: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[Path, str, str]] = []
    module = sys.modules["linetune.cli.review"]
    monkeypatch.setattr(module, "review", lambda source, model, lang: opened.append((source, model, lang)))
    options = ("--output", tmp_path / "1.txt", "--review", "--lang", "zh")
    ended = cli("next", READS, pool / "pool", "-n", "1", *options)
    assert ended.code == 0, ended.err
    assert opened == [(tmp_path / "1.txt", READS, "zh")]
    assert "linetune review" not in ended.out
    wrong = cli("next", READS, pool / "pool", "--output", tmp_path / "2.txt", "--review", "--json")
    assert (wrong.code, len(wrong.errors)) == (2, 1)


def test_crops_that_a_review_called_unusable_are_not_chosen_again(
    pool: Path, tmp_path: Path, cli: Cli
) -> None:
    shutil.copytree(pool, tmp_path / "all")
    (tmp_path / "all/labelled/unusable.txt").write_text("../pool/unclear-1.png\t\n", "utf-8")
    out = tmp_path / "list.txt"
    options = ("--labels", tmp_path / "all/labelled/labels.txt", "--output", out, "--json")
    ended = cli("next", READS, tmp_path / "all/pool", "-n", "1", *options)
    assert ended.code == 0, ended.err
    (chosen,) = json.loads(ended.out)["chosen"]
    assert Path(chosen["image"]).name == "unclear-2.png"
    assert 0 <= chosen["confidence"] < 1


def test_a_split_of_a_review_keeps_its_unusable_crops_known(pool: Path, tmp_path: Path, cli: Cli) -> None:
    shutil.copytree(pool / "pool", tmp_path / "pool")
    review = tmp_path / "1.review"
    review.mkdir()
    labels = [f"../pool/{number:02}.png\t{text}\n" for number, text in enumerate(CLEAR)]
    (review / "labels.txt").write_text("".join(labels), "utf-8")
    (review / "unusable.txt").write_text("../pool/unclear-1.png\t\n", "utf-8")
    assert cli("split", review / "labels.txt", "--to", tmp_path / "mine/labels").code == 0
    train, out = tmp_path / "mine/labels/train.txt", tmp_path / "lists/2.txt"
    ended = cli("next", READS, tmp_path / "pool", "--labels", train, "--output", out, "--json")
    assert ended.code == 0, ended.err
    chosen = {line.image.name for line in read_labels(out, unlabelled=True)}
    assert "unclear-2.png" in chosen
    assert "unclear-1.png" not in chosen


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "nowhere"),
        (("{pool}/labelled", "--labels", "{pool}/labelled/labels.txt"), "no crop is left to label"),
        (("{pool}/pool", "--labels", "{pool}/nothing.txt"), "nothing.txt"),
        (("{pool}/pool", "-n", "0"), "-n"),
        (("{pool}/empty",), "empty: no images in this folder"),
        (("{pool}/tab\t.png",), "rename the image"),
        (("{pool}/labelled/labels.txt",), "error: [^:]*labels.txt: a text file, not an image$"),
    ],
)
def test_what_cannot_be_chosen_from_is_one_line(
    pool: Path, tmp_path: Path, cli: Cli, arguments: tuple[str, ...], said: str
) -> None:
    (pool / "empty").mkdir(exist_ok=True)
    given = [each.replace("{pool}", str(pool)) for each in arguments]
    ended = cli("next", READS, *given, "--output", tmp_path / "next.txt")
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert re.search(said, ended.errors[0])
    assert not (tmp_path / "next.txt").exists()


def test_all_names_that_a_list_cannot_have_are_named_at_once(pool: Path, tmp_path: Path, cli: Cli) -> None:
    ended = cli("next", READS, pool / "a\t.png", pool / "b\n.png", "--output", tmp_path / "next.txt")
    first, second, counted = ended.err.splitlines()
    assert ended.code == 2
    assert r"a\t.png" in first
    assert r"b\n.png" in second
    assert "2 names that a list cannot have" in counted


def test_a_calibrated_model_says_how_many_crops_it_misreads(pool: Path, tmp_path: Path) -> None:
    plain = load_base(READS)
    certain = replace(plain, calibration={"bias": 0.0, "weights": {"text": 0.0}}, promise={"threshold": 0.9})
    paths = sorted((pool / "pool").iterdir())
    found = next_crops(Recogniser(certain), paths, 2)
    assert found.misread == pytest.approx(3.5), "half of the seven crops that are left"
    assert "by its confidence, the model misreads about 4 of the other 7" in found.as_text()
    assert next_crops(Recogniser(plain), paths, 2).misread is None, "a score is no probability"


def test_points_are_taken_far_from_each_other() -> None:
    rng = np.random.default_rng(1)
    centres = np.array([[9, 0, 0], [0, 7, 0], [0, 0, 8]], np.float32)
    near = np.concatenate([centre + rng.normal(0, 0.05, (20, 3)) for centre in centres])
    sure = rng.normal(0, 0.05, (200, 3))
    points = np.concatenate((sure, near)).astype(np.float32)
    chosen = spread_out(points, 3)
    assert sorted((place - 200) // 20 for place in chosen) == [0, 1, 2]
    assert sorted(spread_out(points[:5], 9)) == [0, 1, 2, 3, 4]
    assert sorted(spread_out(np.ones((3, 2), np.float32), 3)) == [0, 1, 2]
