from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from linetune.core import image, labelfile
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import Line, read_labels
from linetune.core.progress import Silent
from linetune.data.groups import group
from linetune.data.split import Division, divide, write
from linetune.drafting.labels import with_labels

SHARES = {"val": 0.15, "test": 0.15}
MakeCrops = Callable[[Path, Sequence[str]], Path]


def lines_of(texts: Sequence[str]) -> list[Line]:
    return [Line(Path(f"{i}.png"), text, f"labels.txt:{i + 1}") for i, text in enumerate(texts)]


def singles(lines: Sequence[Line]) -> list[list[int]]:
    return [[number] for number in range(len(lines))]


def codes(count: int, seed: int = 0) -> list[str]:
    """Numbers of three lengths, one in five of them with a letter."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        digits = "".join(rng.choices("0123456789", k=rng.choice((3, 4, 4, 4, 6))))
        texts.append((rng.choice("ABCDEFGHIJ") if rng.random() < 0.2 else "") + digits)
    return texts


def has_letter(letter: str, text: str) -> bool:
    return letter in text


def has_length(length: int, text: str) -> bool:
    return len(text) == length


def sizes(division: Division) -> list[int]:
    return [len(lines) for lines in division.splits.values()]


# Groups


@pytest.fixture
def photos(tmp_path: Path, make_crops: MakeCrops) -> list[Line]:
    """Nine crops of three photos; the last is the first one's picture once more."""
    labels = make_crops(tmp_path, [f"{7919 * i % 1000:03} {'ABCDEFGHI'[i]}" for i in range(9)])
    rows = []
    for number, line in enumerate(read_labels(labels)):
        name = f"photo_{number // 3}_crop_{number % 3}.png"
        line.image.rename(tmp_path / name)
        rows.append((name, line.text))
    labelfile.write_labels(labels, rows)
    return read_labels(labels)


def test_crops_of_one_photo_stay_together(photos: list[Line]) -> None:
    assert group(photos) == singles(photos)
    assert group(photos, r"photo_(\d+)") == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_a_new_run_file_keeps_the_crops_of_one_photo_in_one_split(photos: list[Line], tmp_path: Path) -> None:
    draft = with_labels(tmp_path / "mine", tmp_path / "labels.txt", Silent())
    assert sorted(len(lines) for lines in draft.splits.values()) == [3, 3, 3]
    assert all(len({line.image.name[:7] for line in lines}) == 1 for lines in draft.splits.values())
    assert "crops of one photo" in " ".join(draft.reasons)


def test_equal_and_nearly_equal_images_stay_together(photos: list[Line]) -> None:
    crop = image.read(photos[0].image)
    image.write(photos[8].image, crop)
    image.write(photos[4].image, np.asarray((image.read(photos[3].image) * 0.8 + 20).round(), np.uint8))
    image.write(photos[6].image, image.half_turned(image.read(photos[5].image)))
    # Running numbers in one print look nearly alike, and are no copies.
    assert group(photos) == [[0, 8], [1], [2], [3], [4], [5], [6], [7]]
    texts = {4: photos[3].text, 6: photos[5].text}
    copies = [Line(line.image, texts.get(i, line.text), line.source) for i, line in enumerate(photos)]
    assert group(copies) == [[0, 8], [1], [2], [3, 4], [5, 6], [7]]
    assert group(copies, r"photo_(\d+)") == [[0, 1, 2, 3, 4, 5, 6, 7, 8]]


def test_an_unreadable_image_is_grouped_by_its_name(photos: list[Line]) -> None:
    photos[1].image.unlink()
    photos[2].image.write_text("text", encoding="utf-8")
    seen: list[int] = []
    assert group(photos, r"photo_(\d+)", seen.append)[0] == [0, 1, 2]
    assert seen == list(range(1, 10))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "photo_(",
            r"pattern photo_\(: not a regular expression: missing \), unterminated subpattern at position 6",
        ),
        ("photo", "the pattern has no group"),
        (r"(\d+)_crop_0", r"labels\.txt:2: the pattern does not match photo_0_crop_1\.png"),
    ],
)
def test_patterns_that_name_no_photo(photos: list[Line], pattern: str, message: str) -> None:
    with pytest.raises(LinetuneError, match=message):
        group(photos, pattern)


def test_a_folder_may_name_the_photo(photos: list[Line]) -> None:
    moved = [
        Line(Path(f"p{i // 3}") / f"{i % 3}.png", line.text, line.source) for i, line in enumerate(photos)
    ]
    assert group(moved, r"^(p\d+)/") == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    with pytest.raises(LinetuneError, match=r"of 9 names do not match pattern \^\(q"):
        group(moved, r"^(q\d+)/")


# Division


def test_every_line_once_and_in_order() -> None:
    lines = lines_of(codes(300))
    division = divide(lines, singles(lines), SHARES)
    assert all(abs(size - wanted) <= 1 for size, wanted in zip(sizes(division), (210, 45, 45), strict=True))
    assert list(division.groups.values()) == sizes(division)
    numbers = {line.source: number for number, line in enumerate(lines)}
    for split in division.splits.values():
        places = [numbers[line.source] for line in split]
        assert places == sorted(places)
    assert Counter(line for split in division.splits.values() for line in split) == Counter(lines)


def test_lengths_and_rare_characters_are_spread() -> None:
    lines = lines_of(codes(600))
    division = divide(lines, singles(lines), SHARES)
    assert division.unbalanced == []

    def missed(has: Callable[[str], bool]) -> float:
        total = sum(has(line.text) for line in lines)
        return max(
            abs(sum(has(line.text) for line in division.splits[name]) - share * total)
            for name, share in (("train", 0.7), ("val", 0.15), ("test", 0.15))
        )

    assert all(missed(partial(has_letter, letter)) < 1.5 for letter in "ABCDEFGHIJ")
    assert all(missed(partial(has_length, length)) < 3 for length in range(3, 8))


def test_groups_stay_whole_and_splits_keep_their_size() -> None:
    lines = lines_of(codes(400))
    rng = random.Random(1)
    groups: list[list[int]] = []
    numbers = list(range(400))
    while numbers:
        size = rng.choice((1, 2, 3, 8, 20))
        groups.append(numbers[:size])
        numbers = numbers[size:]
    division = divide(lines, groups, SHARES)
    places = {line.source: name for name, split in division.splits.items() for line in split}
    assert all(len({places[lines[number].source] for number in members}) == 1 for members in groups)
    assert all(abs(size - wanted) <= 6 for size, wanted in zip(sizes(division), (280, 60, 60), strict=True))


def test_the_division_depends_on_the_seed_alone() -> None:
    lines = lines_of(codes(200))

    def names(seed: int) -> list[str]:
        return [line.source for line in divide(lines, singles(lines), SHARES, seed).splits["test"]]

    first = names(0)
    random.seed(3)
    assert names(0) == first
    assert names(1) != first


def test_what_stands_in_one_group_is_trained_on_and_told() -> None:
    lines = lines_of([*codes(100), "#123", "123456789"])
    division = divide(lines, singles(lines), SHARES)
    assert lines[100] in division.splits["train"]
    assert "'#' is in only one group, which is in train: labels.txt:101" in division.unbalanced
    assert "val has no label of 7, 9 characters" in division.unbalanced
    assert "test has no label of 7, 9 characters" in division.unbalanced


def test_a_group_too_large_for_its_split_is_told() -> None:
    lines = lines_of(["123"] * 10)
    division = divide(lines, [[0, 1, 2, 3, 4, 5, 6, 7], [8], [9]], SHARES)
    assert sizes(division) == [8, 1, 1]
    halves = divide(lines, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], {"val": 0.2})
    assert (
        halves.unbalanced[1]
        == "val has 50.0% of the lines instead of 20.0%; the largest group has 5 of 10 lines"
    )


def test_no_split_is_empty() -> None:
    lines = lines_of(["123", "124", "125"])
    assert sizes(divide(lines, singles(lines), SHARES)) == [1, 1, 1]
    assert sizes(divide(lines, singles(lines), {"val": 0.15, "test": 0})) == [2, 1]


@pytest.mark.parametrize("shares", [{"val": 0.5, "test": 0.5}, {"val": -0.1}, {"val": 1.2}])
def test_shares_that_leave_nothing_to_train_on(shares: dict[str, float]) -> None:
    lines = lines_of(codes(10))
    with pytest.raises(LinetuneError, match="leave lines to train on"):
        divide(lines, singles(lines), shares)


def test_fewer_groups_than_splits() -> None:
    lines = lines_of(codes(10))
    with pytest.raises(LinetuneError, match="the 10 lines form 2 groups, too few for 3 splits"):
        divide(lines, [[0, 1, 2], [3, 4, 5, 6, 7, 8, 9]], SHARES)


# Files


def test_paths_work_from_where_they_are_written(photos: list[Line], tmp_path: Path) -> None:
    division = divide(photos, group(photos), SHARES)
    for folder in (tmp_path, tmp_path / "deep" / "er"):
        read = {path.stem: read_labels(path) for path in write(division, folder)}
        assert list(read) == ["train", "val", "test"]
        for name, lines in read.items():
            assert [line.text for line in lines] == [line.text for line in division.splits[name]]
            assert all(line.image.is_file() for line in lines)
            assert "\\" not in (folder / f"{name}.txt").read_text("utf-8")


def test_an_earlier_split_is_replaced_only_on_demand(photos: list[Line], tmp_path: Path) -> None:
    files = write(divide(photos, group(photos), SHARES), tmp_path)
    without = divide(photos, group(photos), {"val": 0.3})
    before = [path.read_bytes() for path in files]
    with pytest.raises(LinetuneError, match=r"train\.txt: the label file already exists"):
        write(without, tmp_path)
    assert [path.read_bytes() for path in files] == before
    write(without, tmp_path, overwrite=True)
    # Its lines are trained on now.
    assert not (tmp_path / "test.txt").exists()
    lines = read_labels(files[0])
    of_itself = divide(lines, singles(lines), {"val": 0.3})
    with pytest.raises(LinetuneError, match="the split would overwrite its own input"):
        write(of_itself, tmp_path, overwrite=True)


def test_files_appear_all_or_none(
    photos: list[Line], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    division = divide(photos, group(photos), SHARES)
    plain = labelfile.write_labels

    def full(path: Path, lines: Sequence[tuple[str, str]]) -> None:
        if path.name.startswith("test"):
            raise OSError(28, "No space left on device")
        plain(path, lines)

    monkeypatch.setattr(labelfile, "write_labels", full)
    with pytest.raises(LinetuneError, match="No space left"):
        write(division, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_split_leads_to_the_same_images_through_a_link(tmp_path: Path) -> None:
    real, unrelated = tmp_path / "real", tmp_path / "images"
    for folder, shade in ((real / "images", 10), (unrelated, 200)):
        folder.mkdir(parents=True)
        for number in range(8):
            image.write(folder / f"{number}.png", np.full((8, 20 + number, 3), shade + number, np.uint8))
    (real / "sub").mkdir()
    (tmp_path / "link").symlink_to(real / "sub")
    labelfile.write_labels(real / "sub" / "labels.txt", [(f"../images/{n}.png", f"A{n}") for n in range(8)])
    lines = labelfile.read_labels(tmp_path / "link" / "labels.txt")
    written = write(divide(lines, singles(lines), {"val": 0.5}), tmp_path / "to")
    for path in written:
        for line in labelfile.read_labels(path):
            assert image.read(line.image)[0, 0, 0] < 100
