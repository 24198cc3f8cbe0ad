from __future__ import annotations

import json
import random
import re
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linetune import image, records
from linetune.config import Synth
from linetune.errors import LinetuneError
from linetune.synth import Rule, fonts, generate, is_current, preview, scene
from linetune.synth.render import Renderer

ROBOTO = Path(str(resources.files("font_roboto"))) / "files"
AMATIC = Path(str(resources.files("font_amatic_sc"))) / "files"
CODES = r"-?(QF\d{1,2}|[A-Z]{2}[0-9.:]{0,3}\d|2[NP]24)"


def settings(output: Path, **changes: Any) -> Synth:
    values = {"rule": CODES, "fonts": ROBOTO / "Roboto-Bold.ttf", "count": 40, "output": output}
    return Synth.model_validate(values | changes)


def quiet(_: int) -> None:
    pass


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.mark.parametrize(
    "pattern", [CODES, r"^\d{4}$", r"[A-C](?:-[xyz]){1,3}", "(?i)ab", r"\w{5}", "A B|C", "é{1,3}?"]
)
def test_texts_match_the_rule_and_stay_in_its_alphabet(pattern: str) -> None:
    rule = Rule(pattern)
    texts = [rule.sample(random.Random(i)) for i in range(300)]
    assert all(re.fullmatch(pattern, text) for text in texts)
    assert set().union(*texts) <= set(rule.alphabet)


def test_the_alphabet_is_exact() -> None:
    assert "".join(Rule(r"-?[A-C]\d{2}(x|yz)?").alphabet) == "-0123456789ABCxyz"
    assert "".join(Rule("a{0}b").alphabet) == "b"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[A-Z", "at position 0"),
        ("AB)", "at position 2"),
        (r"\d+", "write bounds"),
        ("A*B", "write bounds"),
        ("(A{1,})?B", "write bounds"),
        ("A.", "negated class"),
        ("[^A]", "negated class"),
        ("[^AB]", "negated class"),
        (r"A\s", r"\\s"),
        (r"A\n", r"unprintable characters, such as U\+000A"),
        ("(?=A)A", "cannot be drawn"),
        (r"(A)\1", "cannot be drawn"),
        (r"A\bB", "inside"),
        ("A^B", "inside"),
        ("$A", "inside"),
        ("", "empty text"),
        ("A?|B", "empty text"),
        ("(A{50}){3}", "150 characters"),
        ("A{1,99999999999}", "too large"),
        (" ?A", "begins or ends with a space"),
        ("A[B ]{0,2}", "begins or ends with a space"),
        ("A( )", "begins or ends with a space"),
    ],
)
def test_rules_that_cannot_be_drawn_from_are_refused(pattern: str, message: str) -> None:
    with pytest.raises(LinetuneError, match=message):
        Rule(pattern)


def test_a_font_serves_only_texts_that_it_draws(tmp_path: Path) -> None:
    paths = [AMATIC / "AmaticSC-Bold.ttf", ROBOTO / "Roboto-Bold.ttf"]
    amatic, roboto = fonts.find(paths, ["A", "α"])
    assert not amatic.draws("Aα")
    assert roboto.draws("Aα")
    alone = Renderer.of(settings(tmp_path, rule="Aα", fonts=paths[1]))
    both = Renderer.of(settings(tmp_path, rule="Aα", fonts=paths))
    assert all(np.array_equal(alone(i)[0], both(i)[0]) for i in range(5))


def test_a_character_in_no_font_is_named() -> None:
    with pytest.raises(LinetuneError, match=r"no font draws '電' \(U\+96FB\)"):
        fonts.find([ROBOTO], ["A", "電"])


def test_fonts_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match="no such file or folder"):
        fonts.find([tmp_path / "none"], ["A"])
    with pytest.raises(LinetuneError, match=r"no \.otf, \.ttc, \.ttf file in the folder; .*/usr/share/fonts"):
        fonts.find([tmp_path], ["A"])
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(LinetuneError, match=r"broken\.ttf: not a font"):
        fonts.find([tmp_path], ["A"])


def test_a_crop_depends_on_seed_and_index_alone(tmp_path: Path) -> None:
    renderer = Renderer.of(settings(tmp_path))
    forwards = [renderer(i) for i in range(6)]
    random.seed(1)
    np.random.seed(1)
    backwards = [renderer(i) for i in reversed(range(6))][::-1]
    assert [text for _, text in forwards] == [text for _, text in backwards]
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(forwards, backwards, strict=True))
    other = Renderer.of(settings(tmp_path, seed=-1))
    assert not any(np.array_equal(a, other(i)[0]) for i, (a, _) in enumerate(forwards))


def test_half_turn_turns_every_crop(tmp_path: Path) -> None:
    upright = Renderer.of(settings(tmp_path))
    turned = Renderer.of(settings(tmp_path, half_turn=1))
    assert all(np.array_equal(upright(i)[0][::-1, ::-1], turned(i)[0]) for i in range(6))


def test_ink_stands_out_from_every_paper(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    image.write(photo, noise)
    for seed in range(150):
        rng = np.random.default_rng(seed)
        paper = scene.paper(rng, 30, 80, photo if seed % 2 else None)
        colour = scene.ink(rng, paper)
        assert np.abs(scene.luminance(paper) - scene.luminance(colour)).min() >= scene.CONTRAST - 0.01
        assert 0 <= colour.min() <= colour.max() <= 255


def test_photos_become_backgrounds(tmp_path: Path) -> None:
    image.write(tmp_path / "green.png", np.full((300, 400, 3), (40, 160, 60), np.uint8))
    plain, photographed = (
        Renderer.of(settings(tmp_path, backgrounds=backgrounds)) for backgrounds in (None, tmp_path)
    )
    green = [
        sum(
            bool(np.median(crop[..., 1]) > 1.5 * np.median(crop[..., 2]))
            for crop, _ in map(renderer, range(20))
        )
        for renderer in (plain, photographed)
    ]
    assert green[0] < 5 < green[1]


def test_any_number_of_workers_gives_the_same_folder(tmp_path: Path) -> None:
    seen: list[int] = []
    labels = generate(settings(tmp_path / "one"), seen.append, workers=1)
    generate(settings(tmp_path / "two"), quiet, workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert seen == [32, 40]
    lines = records.read_labels(labels)
    assert len(lines) == 40
    assert all(re.fullmatch(CODES, line.text) for line in lines)
    assert all(16 <= image.read(line.image).shape[0] <= 120 for line in lines)


def test_a_finished_folder_is_used_again(tmp_path: Path) -> None:
    wanted = settings(tmp_path / "out", count=3)
    assert not is_current(wanted)
    labels = generate(wanted, quiet)
    before = labels.stat().st_mtime_ns
    assert is_current(wanted)
    assert generate(wanted, quiet).stat().st_mtime_ns == before
    for change in ({"seed": 1}, {"count": 4}, {"half_turn": 0.5}, {"rule": "A"}, {"fonts": AMATIC}):
        assert not is_current(settings(tmp_path / "out", **({"count": 3} | change)))
    (tmp_path / "out/images/000001.jpg").unlink()
    assert not is_current(wanted)
    generate(wanted, quiet)
    assert is_current(wanted)


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(LinetuneError, match="not rendered crops"):
        generate(settings(tmp_path), quiet)
    assert list(files(tmp_path)) == ["notes.txt"]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_leaves_no_labels_and_starts_again(tmp_path: Path, workers: int) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    generate(settings(tmp_path, count=1), quiet)
    with pytest.raises(KeyboardInterrupt):
        generate(settings(tmp_path), interrupt, workers)
    assert not (tmp_path / "labels.txt").exists()
    assert not is_current(settings(tmp_path))
    generate(settings(tmp_path), quiet, workers=1)
    assert is_current(settings(tmp_path))
    assert json.loads((tmp_path / "synth.json").read_text(encoding="utf-8"))["count"] == 40


def test_the_preview_shows_the_first_crops(tmp_path: Path) -> None:
    sheet = preview(settings(tmp_path / "out"), 2, 3)
    assert sheet.shape == (128, 720, 3)
    cells = [sheet[y : y + 64, x : x + 240] for y in (0, 64) for x in (0, 240, 480)]
    assert all(cv2.cvtColor(cell, cv2.COLOR_BGR2GRAY).std() > 5 for cell in cells)
    assert not (tmp_path / "out").exists()
