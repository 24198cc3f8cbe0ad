from __future__ import annotations

import itertools
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from linetune.config import Synth
from linetune.config.synth import Material
from linetune.core import cache, image, labelfile
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.rules.rule import Rule
from linetune.synth import fonts, generate, is_current, lettering, looks, measure, preview, scene
from linetune.synth.compare import separation_accuracy
from linetune.synth.generate import stream
from linetune.synth.looks import Look
from linetune.synth.pool import map_chunks
from linetune.synth.render import Renderer

ROBOTO = Path(str(resources.files("font_roboto"))) / "files"
AMATIC = Path(str(resources.files("font_amatic_sc"))) / "files"
CODES = r"-?(QF\d{1,2}|[A-Z]{2}[0-9.:]{0,3}\d|2[NP]24)"


def settings(output: Path | None, **changes: Any) -> Synth:
    values = {"rule": CODES, "fonts": ROBOTO / "Roboto-Bold.ttf", "count": 40, "output": output}
    return Synth.model_validate(values | changes)


def same_files(one: Path, other: Path) -> bool:
    return files(one) == files(other)


def quiet(_: int) -> None:
    """Ignore progress."""


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
    amatic, roboto = fonts.load(paths, ["A", "α"])
    assert not amatic.draws("Aα")
    assert roboto.draws("Aα")
    alone = Renderer.of(settings(tmp_path, rule="Aα", fonts=paths[1]))
    both = Renderer.of(settings(tmp_path, rule="Aα", fonts=paths))
    assert all(np.array_equal(alone(i)[0], both(i)[0]) for i in range(5))


def test_a_character_in_no_font_is_named() -> None:
    with pytest.raises(LinetuneError, match=r"no font draws '電' \(U\+96FB\)"):
        fonts.load([ROBOTO], ["A", "電"])


def test_fonts_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(LinetuneError, match="no such file or folder"):
        fonts.load([tmp_path / "none"], ["A"])
    with pytest.raises(LinetuneError, match=r"no \.otf, \.ttc, \.ttf file in the folder; .*/usr/share/fonts"):
        fonts.load([tmp_path], ["A"])
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(LinetuneError, match=r"broken\.ttf: cannot be opened as a font"):
        fonts.load([tmp_path], ["A"])


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


def test_capital_labels_may_stand_under_small_letters(tmp_path: Path) -> None:
    capitals = Renderer.of(settings(tmp_path, rule="[A-Z]{3} [A-Z]{3}"))
    some = Renderer.of(settings(tmp_path, rule="[A-Z]{3} [A-Z]{3}", small_letters=0.5))
    every = Renderer.of(settings(tmp_path, rule="[A-Z]{3} [A-Z]{3}", small_letters=1))
    assert [every(i)[1] for i in range(20)] == [capitals(i)[1] for i in range(20)]
    assert all(text == text.upper() for _, text in map(every, range(20)))
    drawn = [[renderer._draw(i).shown for i in range(40)] for renderer in (capitals, some, every)]
    shares = [sum(text != text.upper() for text in texts) / 40 for texts in drawn]
    assert shares[0] == 0
    assert 0.2 < shares[1] < 0.8
    assert shares[2] == 1
    # Some are in small letters, others have a capital at the start of each word.
    assert {text == text.lower() for text in drawn[2]} == {True, False}


def test_ink_stands_out_from_every_surface(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    image.write(photo, noise)
    materials: tuple[Material, ...] = ("plastic", "paper", "metal", "concrete")
    for seed in range(150):
        rng = np.random.default_rng(seed)
        look = looks.random_look(rng)
        # Ink and surface may have been measured on a faint crop.
        look = replace(look, ink=look.paper) if seed % 3 == 0 else look
        where = photo if seed % 2 else None
        surface = scene.make_surface(rng, (30, 80), look, materials[seed % 4], where, recolour=seed % 4 == 1)
        colour = scene.ink_colour(look, surface)
        assert np.abs(surface @ looks.LUMINANCE - colour @ looks.LUMINANCE).min() >= scene.CONTRAST - 0.5
        assert 0 <= colour.min() <= colour.max() <= 255


def written(text: str, **changes: Any) -> Crop:
    """Draw a crop with the given properties of a look."""
    canvas = np.full((120, 60 + 60 * len(text), 3), changes.get("paper", (200, 200, 200)), np.uint8)
    cv2.putText(canvas, text, (20, 90), cv2.FONT_HERSHEY_SIMPLEX, 2.6, changes.get("ink", (20, 20, 20)), 9)
    shear = np.array([[1, -changes.get("slant", 0.0), 60 * changes.get("slant", 0.0)], [0, 1, 0]])
    canvas = np.asarray(cv2.warpAffine(canvas, shear, canvas.shape[1::-1], borderMode=cv2.BORDER_REPLICATE))
    canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), 120 * changes.get("blur", 0.01)))
    noise = np.random.default_rng(0).normal(0, changes.get("noise", 0.01), (*canvas.shape[:2], 1))
    return np.asarray(np.clip(canvas + noise + 0.5, 0, 255), np.uint8)


def look_of(**changes: Any) -> Look:
    look = measure.measure(written("HX48", **changes))
    assert look is not None
    return look


def test_a_look_is_what_was_drawn() -> None:
    plain = look_of()
    assert plain.height == 120
    assert plain.contrast == pytest.approx(-180, abs=5)
    assert plain.brightness == pytest.approx(200, abs=3)
    assert plain.top == pytest.approx(plain.bottom, abs=0.1)
    assert plain.noise < 0.5
    assert abs(plain.slant) <= 0.1
    assert 0.5 < plain.glyph < plain.pitch < 1.1
    assert look_of(paper=(30, 200, 220)).saturation == pytest.approx(190, abs=5)
    assert look_of(paper=(20, 20, 20), ink=(220, 220, 220)).contrast == pytest.approx(200, abs=5)
    assert look_of(noise=6).noise == pytest.approx(6, rel=0.25)
    assert look_of(slant=0.25).slant - plain.slant == pytest.approx(0.25, abs=0.08)
    for sigma in (0.02, 0.035):
        assert look_of(blur=sigma).blur == pytest.approx(sigma, rel=0.25)


@pytest.mark.parametrize("crop", [np.full((40, 90, 3), 128, np.uint8), np.zeros((3, 2, 3), np.uint8)])
def test_a_crop_without_a_line_has_no_look(crop: Crop) -> None:
    assert measure.measure(crop) is None


def test_rendered_crops_look_like_the_real_ones(tmp_path: Path) -> None:
    lines = []
    for i in range(12):
        crop = written("HX48", paper=(30, 200, 220), ink=(10, 10, 120 if i % 2 else 10), slant=0.2)
        small = np.asarray(cv2.resize(crop, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA), np.uint8)
        image.write(tmp_path / f"{i}.png", small)
        lines.append((f"{i}.png", "HX48"))
    labels = tmp_path / "labels.txt"
    labelfile.write_labels(labels, lines)
    renderer = Renderer.of(settings(tmp_path / "out", looks=labels))
    seen = [look for look in (measure.measure(renderer(i)[0]) for i in range(60)) if look is not None]
    assert len(seen) > 50
    median = {name: float(np.median(values)) for name, values in looks.figures_of(seen).items()}
    assert median["height"] == pytest.approx(36, rel=0.2)
    assert median["saturation"] > 120
    assert median["contrast"] < -90
    assert median["slant"] > 0.08


def test_looks_that_cannot_be_had(tmp_path: Path) -> None:
    image.write(tmp_path / "grey.png", np.full((40, 90, 3), 128, np.uint8))
    labelfile.write_labels(tmp_path / "labels.txt", [("grey.png", "A")])
    with pytest.raises(LinetuneError, match="text and surface are too alike on all crops"):
        Renderer.of(settings(tmp_path / "out", looks=tmp_path / "labels.txt"))
    missing = settings(tmp_path / "out", looks=tmp_path / "none.txt")
    for look in (Renderer.of, lambda wanted: generate(wanted, quiet)):
        with pytest.raises(LinetuneError, match=r"none\.txt"):
            look(missing)
    labelfile.write_labels(tmp_path / "labels.txt", [("none.png", "A")])
    with pytest.raises(LinetuneError, match="no image can be read"):
        Renderer.of(settings(tmp_path / "out", looks=tmp_path / "labels.txt"))


def test_dots_leave_no_stroke_out(tmp_path: Path) -> None:
    for font in ("Roboto-Thin.ttf", "Roboto-Bold.ttf"):
        renderer = Renderer.of(settings(tmp_path, fonts=ROBOTO / font, style="dots", rule="H"))
        for i in range(20):
            dark = renderer.undegraded(i)[0][:, :, 0] < 128
            rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
            letter = dark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            height, width = letter.shape
            bar = letter[height // 3 : -height // 3, width // 3 : -width // 3]
            assert bar.any(0).mean() > 0.6, "the H keeps its bar"
            assert letter[:, : width // 2].any(1).mean() > 0.6, "and its stems"


def test_a_cut_leaves_every_character_known() -> None:
    mask = np.zeros((100, 200), np.uint8)
    mask[10:90, 20:60] = 255  # a letter
    mask[80:90, 100:110] = 255  # a full stop
    left, above, right, below = lettering.max_cuts(mask)
    assert left == pytest.approx(0.35 * 40)
    assert right == pytest.approx(0.35 * 10)
    assert above == pytest.approx(10 + 0.35 * 80)
    assert below == pytest.approx(10 + 0.35 * 10), "the full stop decides"


@pytest.mark.parametrize("style", ["print", "outline", "dots", "peened", "engraved"])
def test_every_style_can_be_seen(tmp_path: Path, style: str) -> None:
    renderer = Renderer.of(settings(tmp_path, style=style))
    printed = Renderer.of(settings(tmp_path))
    pairs = [(renderer(i)[0], printed(i)[0]) for i in range(8)]
    assert all(crop.std() > 4 for crop, _ in pairs)
    assert all(np.array_equal(a, b) == (style == "print") for a, b in pairs)


def test_text_before_degradation_is_black_on_white(tmp_path: Path) -> None:
    renderer = Renderer.of(settings(tmp_path))
    crop, text = renderer.undegraded(3)
    assert text == renderer(3)[1] == renderer.text(3)
    assert crop.min() < 20
    assert (crop[0] == 255).all()


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


@pytest.mark.parametrize(("pattern", "check"), [("[0-9]{13}", "ean"), ("[A-Z]{3}U[0-9]{7}", "iso6346")])
def test_texts_with_check_digits_are_rendered_by_several_workers(pattern: str, check: str) -> None:
    wanted = settings(None, rule=[{"pattern": pattern, "check": check}])
    lines, crops = stream(wanted, workers=2, store=False)
    assert len(lines) == len(list(crops)) == 40


def test_any_number_of_workers_gives_the_same_folder(tmp_path: Path) -> None:
    seen: list[int] = []
    labels = generate(settings(tmp_path / "one"), seen.append, workers=1)
    generate(settings(tmp_path / "two"), quiet, workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert seen == [32, 40]
    lines = labelfile.read_labels(labels)
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
    fewer, more = (settings(tmp_path / "out", count=count) for count in (2, 4))
    assert is_current(fewer), "the first crops of more are the same"
    assert not is_current(more)
    for change in (
        {"seed": 1},
        {"half_turn": 0.5},
        {"rule": "A"},
        {"fonts": AMATIC},
        {"style": "dots"},
        {"material": "metal"},
    ):
        assert not is_current(settings(tmp_path / "out", **({"count": 3} | change)))
    first, second = (tmp_path / f"out/images/00000{i}.jpg" for i in (0, 1))
    before = first.stat().st_mtime_ns
    second.unlink()
    assert not is_current(wanted)
    generate(more, quiet)
    assert is_current(more)
    assert first.stat().st_mtime_ns == before, "what is there is not rendered again"
    second.write_bytes(b"")
    assert not is_current(wanted)


def test_other_peoples_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(LinetuneError, match="not rendered crops"):
        generate(settings(tmp_path), quiet)
    assert list(files(tmp_path)) == ["notes.txt"]


def test_crops_without_a_folder_are_the_same_at_the_networks_height() -> None:
    wanted = settings(None)
    lines, crops = stream(wanted, workers=2)
    renderer = Renderer.of(wanted)
    for i, (line, crop) in enumerate(zip(lines, crops, strict=True)):
        assert line.text == renderer.text(i)
        if i % 10 == 0:
            assert np.array_equal(crop, image.resize(renderer(i)[0]))
    with pytest.raises(LinetuneError, match=r"synth.output: no folder for the crops"):
        generate(wanted, quiet)


def test_crops_without_a_folder_are_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINETUNE_CACHE", str(tmp_path))
    rendered = list[int]()
    call = Renderer.__call__

    def counted(self: Renderer, index: int) -> tuple[Crop, str]:
        rendered.append(index)
        return call(self, index)

    monkeypatch.setattr(Renderer, "__call__", counted)

    def crops(count: int) -> list[Crop]:
        # As many as there are, and no more: nobody asks whether there is another one.
        return list(itertools.islice(stream(settings(None, count=count), workers=1)[1], count))

    first, more, fewer = crops(6), crops(9), crops(4)
    assert rendered == list(range(9))
    assert all(map(np.array_equal, more, first))
    assert all(map(np.array_equal, fewer, first))
    (stored,) = tmp_path.glob("*.crops")
    data = bytearray(stored.read_bytes())
    data[10] ^= 1
    stored.write_bytes(data)
    assert all(map(np.array_equal, crops(9), more))
    assert rendered == [*range(9), *range(9)]
    list(stream(settings(None, count=9, seed=1), workers=1)[1])
    assert len(list(tmp_path.glob("*.crops"))) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_leaves_no_labels_and_is_completed(tmp_path: Path, workers: int) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    here = tmp_path / "interrupted"
    generate(settings(here, count=1, seed=1), quiet)
    with pytest.raises(KeyboardInterrupt):
        generate(settings(here), interrupt, workers)
    assert not (here / "labels.txt").exists()
    assert not is_current(settings(here))
    there = {path: path.stat().st_mtime_ns for path in here.rglob("*.jpg")}
    assert there
    generate(settings(here), quiet, workers=1)
    assert all(path.stat().st_mtime_ns == time for path, time in there.items()), "none is rendered again"
    generate(settings(tmp_path / "whole"), quiet, workers=1)
    assert same_files(here, tmp_path / "whole")


def test_a_script_that_renders_unguarded_ends_with_the_way_out(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\n"
        "from linetune.synth.pool import map_chunks\n"
        "def work(much, chunk):\n"
        "    return list(chunk)\n"
        "print(list(map_chunks(partial(work, bytes(1 << 20)), 40, 10, 2)))\n"
    )
    # The work is larger than a pipe. Without a file for it, the parent would wait forever.
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "calls linetune below `if __name__ == '__main__':`" in done.stderr.splitlines()[-1]


def test_two_do_not_render_into_one_folder(tmp_path: Path) -> None:
    here = tmp_path / "out"
    with cache.locked(here), pytest.raises(LinetuneError, match="another linetune is writing to this folder"):
        generate(settings(here), quiet)
    assert not here.exists()
    generate(settings(here), quiet, workers=1)


def test_crops_of_other_settings_are_not_taken_for_these(tmp_path: Path) -> None:
    here = tmp_path / "out"
    generate(settings(here, count=50, seed=1), quiet, workers=1)
    generate(settings(here), quiet, workers=1)
    generate(settings(tmp_path / "whole"), quiet, workers=1)
    assert same_files(here, tmp_path / "whole")


def test_the_preview_shows_the_first_crops(tmp_path: Path) -> None:
    sheet = preview(settings(tmp_path / "out"), 2, 3)
    assert sheet.shape == (128, 720, 3)
    cells = [sheet[y : y + 64, x : x + 240] for y in (0, 64) for x in (0, 240, 480)]
    assert all(cv2.cvtColor(cell, cv2.COLOR_BGR2GRAY).std() > 5 for cell in cells)
    assert not (tmp_path / "out").exists()


def test_the_preview_shows_real_crops_beside(tmp_path: Path, make_crops: Callable[..., Path]) -> None:
    labels = make_crops(tmp_path / "crops", ["AB12", "CD34", "EF56"])
    sheet = preview(settings(tmp_path / "out", looks=labels), 2, 2)
    height, width = sheet.shape[:2]
    assert height > 128
    assert width > 960
    rendered = preview(settings(tmp_path / "out", looks=labels, seed=1), 2, 2)
    same = (sheet == rendered).all((0, 2))
    assert same[:480].all(), "the real crops are on the left"
    assert not same[-480:].all()


def test_sets_are_told_apart_only_if_they_differ() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 1, (2, 300, 40))
    assert separation_accuracy(one, other) == pytest.approx(0.5, abs=0.08)
    assert separation_accuracy(one, other + 0.5) > 0.85


def blocked(indices: range) -> list[bool]:
    return [signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()) for _ in indices]


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows")
def test_ctrl_c_reaches_this_process_alone_even_while_workers_start() -> None:
    assert [flag for chunk in map_chunks(blocked, 4, 1, 2) for flag in chunk] == [True] * 4
    assert blocked(range(1)) == [False]
