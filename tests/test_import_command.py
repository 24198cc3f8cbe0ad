"""The folder an import fills, and the command."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from test_importers import import_crops

from linetune.core import image, labelfile
from linetune.core.errors import LinetuneError
from linetune.data.importers.folder import RECORD
from linetune.data.naming import Names, safe

Snapshot = dict[str, bytes]


def snapshot(folder: Path) -> Snapshot:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def texts(target: Path) -> list[str]:
    return [line.text for line in labelfile.read_labels(target / "labels.txt")]


def put_labels(source: Path, *names: str) -> Path:
    labelfile.write_labels(source / "labels.txt", [(name, f"text {name}") for name in names])
    return source


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for shade, name in enumerate(("a.png", "b.png", "sub/A.PNG", "sub/线 é.png", "con.png", "-.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        crop = np.full((8, 20, 3), shade, np.uint8)
        image.write(folder / "crop.png", crop)
        (folder / "crop.png").rename(folder / name)
    return put_labels(folder, "a.png", "b.png")


def interrupt(at: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == at:
            raise KeyboardInterrupt

    return progress


def test_names_are_unique_and_safe_everywhere(source: Path, tmp_path: Path) -> None:
    put_labels(source, "a.png", "sub/A.PNG", "sub/线 é.png", "con.png", "-.png", "a.png")
    labels = import_crops(source, tmp_path / "to").labels
    assert [line.image.name for line in labelfile.read_labels(labels)] == [
        "a.png", "sub-A.png", "sub-u7ebf_e.png", "crop_con.png", "crop.png", "a-2.png",
    ]  # fmt: skip
    assert [safe(f"{photo}_crop_0") for photo in ("发票", "收据", "ü")] == [
        "u53d1u7968_crop_0", "u6536u636e_crop_0", "u_crop_0",
    ]  # fmt: skip
    names = Names(["x.png", "X-2.png"])
    assert [names.take(safe(stem), ".png") for stem in ("x", "X", "x-3", "y" * 300)] == [
        "x-3.png", "X-4.png", "x-3-2.png", f"{'y' * 80}.png",
    ]  # fmt: skip


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("at", [1, 2])
def test_an_interruption_leaves_everything_as_it_was(
    source: Path, tmp_path: Path, at: int, existing: bool
) -> None:
    target = tmp_path / "to"
    if existing:
        import_crops(source, target)
    before = snapshot(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        import_crops(source, target, overwrite=True, progress=interrupt(at))
    assert snapshot(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == (["source", "to"] if existing else ["source"])


@pytest.mark.parametrize("kind", [KeyboardInterrupt, PermissionError(13, "Permission denied")])
@pytest.mark.parametrize("at", range(1, 9))
def test_an_interruption_of_the_exchange_is_undone(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, kind: BaseException
) -> None:
    target = tmp_path / "to"
    import_crops(source, target)
    put_labels(source, "a.png", "sub/A.PNG")
    before = snapshot(tmp_path)
    calls = 0
    rename = Path.rename

    def stopped(here: Path, there: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == at:
            raise kind
        return rename(here, there)

    monkeypatch.setattr(Path, "rename", stopped)
    with pytest.raises((KeyboardInterrupt, LinetuneError)):
        import_crops(source, target, overwrite=True)
    monkeypatch.undo()
    assert snapshot(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "to"]


def test_an_empty_folder_is_filled_or_stays_empty(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "to"
    target.mkdir()
    with pytest.raises(LinetuneError, match="no source of the format csv"):
        import_crops(source, target, "csv")
    put_labels(source, "none.png")
    with pytest.raises(LinetuneError, match=r"labels\.txt:1: nothing can be imported, 1 left out"):
        import_crops(source, target)
    assert not list(target.iterdir())
    assert import_crops(put_labels(source, "a.png"), target).count == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "to"]


def test_a_folder_in_use_is_refused(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "to"
    target.mkdir()
    (target / "labels.txt").write_text("mine", encoding="utf-8")
    for overwrite in (False, True):
        with pytest.raises(LinetuneError, match="not empty, and no import wrote it"):
            import_crops(source, target, overwrite=overwrite)
    (target / "import.json").write_text('{"images": ["../x"], "labels_sha256": ""}', encoding="utf-8")
    with pytest.raises(LinetuneError, match="no import wrote it"):
        import_crops(source, target, overwrite=True)
    with pytest.raises(LinetuneError, match="not a folder"):
        import_crops(source, target / "labels.txt")
    assert (target / "labels.txt").read_text("utf-8") == "mine"
    for place in (source, tmp_path):
        with pytest.raises(LinetuneError, match="the source is inside the target"):
            import_crops(source, place, overwrite=True)


def test_overwriting_replaces_only_what_an_import_wrote(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "to"
    import_crops(source, target)
    (target / "train.txt").write_text("mine", encoding="utf-8")
    (target / "images" / "B.png").with_name("mine.png").write_bytes(b"mine")
    (source / "mine.png").write_bytes((source / "a.png").read_bytes())
    put_labels(source, "mine.png")
    with pytest.raises(LinetuneError, match="holds an earlier import; pass --overwrite"):
        import_crops(source, target)
    import_crops(source, target, overwrite=True)
    assert sorted(snapshot(target)) == [
        "images/mine-2.png", "images/mine.png", "import.json", "labels.txt", "train.txt",
    ]  # fmt: skip
    assert (target / "images" / "mine.png").read_bytes() == b"mine"
    assert texts(target) == ["text mine.png"]
    (target / "labels.txt").write_text("images/mine-2.png\tcorrected\n", encoding="utf-8")
    with pytest.raises(LinetuneError, match="changed since it was imported"):
        import_crops(source, target, overwrite=True)


def test_an_earlier_import_inside_the_source_is_not_imported(tmp_path: Path, source: Path) -> None:
    (source / "labels.txt").unlink()
    for _ in range(2):
        assert import_crops(source, source / "imported", "names", overwrite=True).count == 6


def test_a_full_disk_is_told_in_one_line(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(LinetuneError, match=r"to: cannot write \(No space left on device\)"):
        import_crops(source, tmp_path / "to")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_damaged_sources_give_whole_imports_or_one_error(source: Path, tmp_path: Path) -> None:
    entry = {"img_path": "a.png", "instances": [{"text": "A"}]}
    quad = [[1, 1], [9, 1], [9, 5], [1, 5]]
    boxes = json.dumps([{"transcription": "京A", "points": quad}], ensure_ascii=False)
    sound = {
        "Label.txt": "".join(f"{name}.png\t{boxes}\n" for name in "abab").encode(),
        "x.txt": ("a.png\t京A\nb.png\tB\n" * 2).encode(),
        "gt.txt": ('a.png, "京A"\nb.png, "B\\"C"\n' * 2).encode(),
        "x.csv": 'image,text\na.png,京A\nb.png,"B,""C"\n'.encode(),
        "x.json": json.dumps({"data_list": [entry] * 3}, indent=1).encode(),
        "x.tsv": "a.png\t京A\tlatin\nb.png\tB\tlatin\n".encode("utf-16"),
        "y.txt": ("a.png 京A\nb.png B\n" * 2).encode(),
        "b.txt": ("京A LOT 4711 " * 6).encode(),
        "x.jsonl": b'{"filename": "a.png", "text": "A"}\n' * 3,
        "a.png": (source / "a.png").read_bytes(),
    }
    rng = random.Random(0)
    came_in = 0
    told: list[str] = []
    for number in range(300):
        folder, target = tmp_path / f"damaged {number}", tmp_path / f"to {number}"
        folder.mkdir()
        for name in ("a.png", "b.png"):
            (folder / name).write_bytes((source / name).read_bytes())
        name = list(sound)[number % len(sound)]
        data = bytearray(sound[name])
        for _ in range(rng.randint(1, 6)):
            # A PNG's size is let alone: OpenCV gets memory for whatever it says.
            at = rng.randrange(33 if name == "a.png" else 0, len(data))
            how = rng.random()
            if how < 0.5:
                data[at] = rng.randrange(256)
            elif how < 0.8:
                del data[at : at + rng.randint(1, 9)]
            else:
                data[at:at] = rng.choice([b"\0", b"\t", b"\n", b'"', b"[", b"\r", b"\xef\xbb\xbf", b"\xff"])
        (folder / name).write_bytes(bytes(data))
        path = folder if name in ("a.png", "b.txt") else folder / name
        form = {"a.png": "names", "b.txt": "txt"}.get(name)
        try:
            result = import_crops(path, target, form)
        except LinetuneError as error:
            told.append(str(error))
            assert not target.exists()
        else:
            came_in += 1
            assert len(texts(target)) == result.count == len(list((target / "images").iterdir()))
    assert 50 < came_in < 300
    assert not any("\n" in line for line in told)
    assert not list(tmp_path.glob(".*.part"))


# The command


@pytest.fixture
def cli(cli: Cli) -> Cli:
    """``linetune import``."""
    return partial(cli, "import")


def test_the_command_says_what_came_in_and_what_did_not(source: Path, tmp_path: Path, cli: Cli) -> None:
    put_labels(source, "a.png", "none.png", "b.png")
    unused = [path for path in sorted(source.glob("*.png")) if path.name not in ("a.png", "b.png")]
    code, out, err = cli(source, "--to", tmp_path / "to")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"wrote {tmp_path / 'to' / 'labels.txt'} with 2 crops (paddleocr: label file: path<TAB>text)",
        f"images in the same folder without a label: {len(unused)}, such as {unused[0]}",
        "1 left out:",
        f"  {source / 'labels.txt'}:2: image not found: none.png",
    ]
    code, out, err = cli(source, "--to", tmp_path / "to", "--overwrite", "--json")
    told = json.loads(out)
    assert told["imported"] == 2
    assert told["refused"] == [{"place": f"{source / 'labels.txt'}:2", "reason": "image not found: none.png"}]
    record = json.loads((tmp_path / "to" / RECORD).read_bytes())
    assert record["images"] == ["a.png", "b.png"]
    assert told.items() <= record.items()
    put_labels(source, "a.png", *(f"none{i}.png" for i in range(30)))
    out = cli(source, "--to", tmp_path / "many").out
    assert "30 left out, the first 20 here and all in" in out
    assert len(out.splitlines()) == 23


def test_mistakes_are_one_line(source: Path, tmp_path: Path, cli: Cli) -> None:
    for arguments, message in (
        ((tmp_path / "none",), "none: no such file or folder"),
        ((source, "--format", "cvs"), "--format: unknown format 'cvs'; did you mean 'csv'?"),
        ((source, "--images", tmp_path / "none"), "none: no such folder"),
        ((source, "--format", "names", "--images", source), "the format names has no image paths"),
        ((source, "--pattern", "("), "--pattern: not a regular expression"),
        ((source / "sub",), None),
    ):
        code, out, err = cli(*arguments, "--to", tmp_path / "to")
        if message is None:
            assert code == 0
            continue
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1
