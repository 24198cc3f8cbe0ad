from __future__ import annotations

import random
import shlex
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import pytest
from conftest import Cli
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from linetune.config import Config, Synth, load
from linetune.core import labelfile
from linetune.core.charset import Charset
from linetune.core.labelfile import read_labels
from linetune.core.progress import Silent
from linetune.drafting import decisions
from linetune.drafting import draft as drafting
from linetune.drafting.charset import Ask
from linetune.drafting.decisions import Draft, save
from linetune.drafting.labels import with_labels
from linetune.report.terminal import terminal
from linetune.rules.rule import Rule
from linetune.rules.series import SERIES, gaps, widened
from linetune.synth import generate

PACKAGES = [
    Path(str(resources.files(name) / "files")) for name in ("font_roboto", "font_amatic_sc", "font_intuitive")
]
AMATIC = PACKAGES[1]
MakeCrops = Callable[[Path, Sequence[str]], Path]


def codes(count: int, letters: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", digits: str = "0123456789") -> list[str]:
    draw = random.Random(count)
    return ["".join(draw.choices(letters, k=2) + draw.choices(digits, k=4)) for _ in range(count)]


def splits(folder: Path, train: Sequence[str], val: Sequence[str], make_crops: MakeCrops) -> Path:
    """A folder as ``linetune split`` leaves it, without a test.txt."""
    labels = read_labels(make_crops(folder, [*train, *val]))
    for name, some in (("train", labels[: len(train)]), ("val", labels[len(train) :])):
        labelfile.write_labels(folder / f"{name}.txt", ((line.image.name, line.text) for line in some))
    return folder


@pytest.fixture(scope="module")
def amatic_crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops in one font, with one label file."""
    settings = {"rule": "[A-Z]{2}[0-9]{4}", "fonts": AMATIC, "count": 60, "material": "paper"}
    folder = tmp_path_factory.mktemp("amatic") / "crops"
    return generate(Synth.model_validate(settings | {"output": folder}), lambda done: None, workers=1)


def stages(config: Config) -> list[str]:
    return [stage.name for stage in config.stages]


# The whole


def test_labels_alone_make_a_file_that_needs_no_editing(cli: Cli, tmp_path: Path, amatic_crops: Path) -> None:
    run = tmp_path / "it's a run"
    fonts = [word for path in PACKAGES for word in ("--fonts", path)]
    done = cli("init", run, "--from", amatic_crops, *fonts)
    assert (done.code, done.errors) == (0, [])
    assert shlex.split(done.out.splitlines()[-1]) == ["linetune", "train", str(run / "linetune.yaml")]

    config = load(run / "linetune.yaml")
    example = cli("init", tmp_path / "example")
    assert config.stages == load(tmp_path / "example" / "linetune.yaml").stages, example
    assert config.synth is not None
    assert (config.synth.count, config.synth.output) == (24000, (run / "synth").resolve())
    assert config.synth.looks == config.data.train == [(run / "labels" / "train.txt").resolve()]
    # Every crop is in one split, and its image is found.
    lines = read_labels(*config.data.train, *config.data.val, *config.data.test or ())
    assert sorted(line.text for line in lines) == sorted(line.text for line in read_labels(amatic_crops))
    assert all(line.image.is_file() for line in lines)
    # The rule is the one that `linetune rule` prints.
    printed = cli("rule", config.data.train[0]).out
    pattern = printed.partition("rule: ")[2].partition("\n")[0]
    assert f"rule: {pattern}" in (run / "linetune.yaml").read_text("utf-8")
    assert (
        f"of {len(read_labels(*config.data.val))} validation labels: {pattern.strip(chr(39))}\n" in done.out
    )
    assert all(Rule.of(config.synth).matches(line.text) for line in read_labels(*config.data.train))
    # The font of the crops comes first, and no family fills the list.
    assert config.synth.fonts[0].parent == AMATIC
    assert sum(path.name.startswith("Roboto") for path in config.synth.fonts) <= 3
    assert "AmaticSC" in done.out
    assert not list(run.glob("*.part"))

    again = cli("init", run, "--from", amatic_crops)
    assert (again.code, again.out) == (2, "")
    assert again.errors[0].endswith("the run file already exists; choose another folder")


def test_a_folder_of_splits_is_named_as_it_is(cli: Cli, tmp_path: Path, make_crops: MakeCrops) -> None:
    texts = codes(40)
    folder = splits(tmp_path / "crops", texts[:30], texts[30:], make_crops)
    done = cli("init", tmp_path / "run", "--from", folder, "--fonts", AMATIC)
    assert done.code == 0
    text = (tmp_path / "run" / "linetune.yaml").read_text("utf-8")
    assert "train: ../crops/train.txt\n" in text
    assert "charset: auto  " in text
    config = load(tmp_path / "run" / "linetune.yaml")
    assert (config.data.val, config.data.test) == ([(folder / "val.txt").resolve()], None)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["linetune.yaml"]


@pytest.mark.parametrize("source", ["", "labels.txt"], ids=["splits", "one file"])
def test_images_that_cannot_be_read_are_counted(source: str, tmp_path: Path, make_crops: MakeCrops) -> None:
    texts = codes(20)
    folder = splits(tmp_path / "crops", texts[:12], texts[12:], make_crops)
    lines = read_labels(folder / "labels.txt")
    lines[3].image.unlink()
    lines[5].image.write_bytes(b"no image")
    found = with_labels(tmp_path / "run", folder / source, Silent()).reasons
    assert [reason for reason in found if "cannot be read" in reason] == [
        "data: 2 of 20 images cannot be read, such as this one: image not found: "
        f"{lines[3].image}; linetune check names each"
    ]


PROSE = """
Decide what a run file says. Raises an error, if the labels cannot be read (or split), no crop can be read,
or there is no base model: "None" means the fonts of this machine. It asks whether characters can occur that
the labels lack; nobody answers? Then the default counts. Args: folder, source - a label file of all crops,
or a folder with train.txt and val.txt. Font files, and folders of them, to choose from; opens a reporter
for slow work, e.g. 12 downloads.
"""


def test_free_text_is_learnt_from_real_crops_alone(cli: Cli, tmp_path: Path, make_crops: MakeCrops) -> None:
    words = PROSE.split()
    draw = random.Random(1)
    texts = [" ".join(draw.sample(words, draw.randint(1, 4))) for _ in range(80)]
    folder = splits(tmp_path / "crops", texts[:60], texts[60:], make_crops)
    done = cli("init", tmp_path / "run", "--from", folder, "--also", "")
    assert done.code == 0
    assert "no rule (" in done.out
    config = load(tmp_path / "run" / "linetune.yaml")
    assert (config.synth, stages(config)) == (None, ["real"])


def test_without_a_font_that_draws_the_rule_nothing_is_rendered(
    cli: Cli, tmp_path: Path, make_crops: MakeCrops
) -> None:
    texts = [f"京{code}" for code in codes(30)]
    folder = splits(tmp_path / "crops", texts[:24], texts[24:], make_crops)
    done = cli("init", tmp_path / "run", "--from", folder, "--fonts", AMATIC)
    (told,) = [line for line in done.out.splitlines() if "rendered" in line]
    assert "none of 2 fonts draws every character of the rule" in told
    assert "--fonts" in told
    assert stages(load(tmp_path / "run" / "linetune.yaml")) == ["real"]


def test_small_letters_under_labels_in_capitals_are_rendered_as_well(cli: Cli, tmp_path: Path) -> None:
    settings = {"rule": "(Lot|Bill) No[0-9]{4}", "fonts": PACKAGES[0], "count": 40, "material": "paper"}
    labels = generate(
        Synth.model_validate(settings | {"output": tmp_path / "crops"}), lambda done: None, workers=1
    )
    fonts = ("--fonts", PACKAGES[0] / "Roboto-Regular.ttf", "--also", "")
    for folder, upper in (("small", False), ("capitals", True)):
        lines = [(line.image.as_posix(), line.text) for line in read_labels(labels)]
        file = tmp_path / f"{folder}.txt"
        labelfile.write_labels(file, ((path, text.upper() if upper else text) for path, text in lines))
        assert cli("init", tmp_path / folder, "--from", file, *fonts).code == 0
    shares, read_as = [], []
    for folder in ("small", "capitals"):
        config = load(tmp_path / folder / "linetune.yaml")
        assert config.synth is not None
        shares.append(config.synth.small_letters)
        read_as.append(config.read_as)
    assert shares[0] == 0
    assert shares[1] == 0.5
    assert read_as == [[], ["capitals"]]


# Fonts


def test_a_font_of_icons_is_refused(cli: Cli, tmp_path: Path, make_crops: MakeCrops) -> None:
    icons = TTFont(PACKAGES[0] / "Roboto-Regular.ttf")
    for table in icons["cmap"].tables:
        for digit, other in zip("0123456789", "@#&%§¶¿©ß†", strict=True):
            if ord(other) in table.cmap:
                table.cmap[ord(digit)] = table.cmap[ord(other)]
    (tmp_path / "fonts").mkdir()
    icons.save(tmp_path / "fonts" / "Icons.ttf")
    texts = [code[2:] for code in codes(40)]
    folder = splits(tmp_path / "crops", texts[:30], texts[30:], make_crops)
    fonts = ("--fonts", tmp_path / "fonts", "--fonts", AMATIC)
    done = cli("init", tmp_path / "run", "--from", folder, *fonts)
    assert "refused" in done.out
    config = load(tmp_path / "run" / "linetune.yaml")
    assert config.synth is not None
    assert {path.parent for path in config.synth.fonts} == {AMATIC}


# Characters


@pytest.mark.parametrize(
    ("texts", "missing", "avoided"),
    [
        (codes(60, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "012345689"), {"digits": "7"}, ""),
        (codes(200, "ABCDEFGHJKLMNPRSTUVWXY"), {"capital letters": "Z"}, "IOQ"),
        (codes(200, "ABCDEFGHIJKLMNOPRSTUVWXYZ"), {"capital letters": "Q"}, ""),
        (["ABCDEFGHJKLMNPRSTUVWXYZ"], {"capital letters": "IOQ"}, ""),
        (["ABC"], {}, ""),
        ([SERIES["provinces on Chinese plates"][:-1]], {"provinces on Chinese plates": "琼"}, ""),
    ],
)
def test_what_is_missing_of_a_series(texts: list[str], missing: dict[str, str], avoided: str) -> None:
    found = gaps(texts, "".join(texts))
    assert {gap.series: gap.missing for gap in found} == missing
    assert "".join(gap.avoided for gap in found) == avoided


def test_a_rule_lists_the_provinces_that_may_come() -> None:
    most = SERIES["provinces on Chinese plates"][:-2]
    assert widened(f"[{most}][A-Z]", "琼Z") == f"[{most}琼][A-Z]"
    assert widened(r"[京津][A-HJ]\[[0-9]", "琼I") == r"[京津][A-HJ]\[[0-9]"


def drafted(folder: Path, crops: Path, also: str | None, ask: Ask | None) -> Draft:
    return drafting.draft(folder, crops, [AMATIC], also, ask, terminal)


def test_missing_characters_are_asked_for_taken_or_given(tmp_path: Path, make_crops: MakeCrops) -> None:
    # Words, which make a list as a rule: without letters that no label has.
    words = ["ABCDEF", "GHJKLM", "NPRSTU", "VWXY"] * 8
    crops = splits(tmp_path / "crops", words[:24], words[24:], make_crops)
    run = tmp_path / "run"
    there = set("".join(words))
    by_default = drafted(run, crops, None, None)
    assert by_default.charset is not None
    assert {*by_default.charset.characters} - there == {"Z"}
    assert any("I O Q" in told for told in by_default.reasons)

    asked = []

    def ask(question: str, default: bool) -> bool:
        asked.append((question, default))
        return not default

    answered = drafted(run, crops, None, ask)
    assert answered.charset is not None
    assert {*answered.charset.characters} - there == {"I", "O", "Q"}
    assert [default for _, default in asked] == [True, False]
    assert "Z" in asked[0][0]

    given = drafted(run, crops, "Z#", None)
    assert given.charset is not None
    assert {*given.charset.characters} - there == {"Z", "#"}
    assert drafted(run, crops, "", None).charset is None
    assert not run.exists()

    path = save(given)
    assert Charset.read(run / "charset.txt") == given.charset
    assert load(path).charset == (run / "charset.txt").resolve()


# Refusals


def test_bad_sources_are_told_in_one_line(cli: Cli, tmp_path: Path, make_crops: MakeCrops) -> None:
    texts = codes(12)
    crops = splits(tmp_path / "crops", texts[:8], texts[8:], make_crops)
    run = tmp_path / "run"

    def told(*words: object) -> str:
        done = cli("init", run, *words)
        assert (done.code, len(done.errors), done.out) == (2, 1, "")
        assert not run.exists()
        return done.errors[0]

    assert told("--from", crops / "train.txt").endswith(
        f"the folder also has a val.txt; name the folder: --from {crops}"
    )
    assert "--from" in told("--also", "Z")
    assert "label file not found" in told("--from", tmp_path / "none.txt")
    (crops / "val.txt").unlink()
    assert "the folder has no val.txt" in told("--from", crops)
    for image in crops.glob("*.png"):
        image.unlink()
    assert "none of the images can be read" in told("--from", crops / "labels.txt")
    (crops / "Label.txt").write_text('p/1.jpg\t[{"transcription": "A1", "points": [[0, 0]]}]\n', "utf-8")
    cut = f"linetune import {crops} --to crops cuts the crops out; then --from crops/labels.txt"
    assert cut in told("--from", crops / "Label.txt")
    assert cut in told("--from", crops)
    (crops / "Label.txt").unlink()
    assert f"linetune splits it: --from {crops / 'labels.txt'}" in told("--from", crops)


def test_nothing_is_left_of_an_interrupted_init(
    cli: Cli, tmp_path: Path, make_crops: MakeCrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    labels = make_crops(tmp_path / "crops", codes(30))
    monkeypatch.setattr(decisions, "write", interrupted)
    done = cli("init", tmp_path / "run", "--from", labels, "--fonts", AMATIC)
    assert done.code == 130
    assert not (tmp_path / "run").exists()


def test_what_lies_there_is_not_replaced(cli: Cli, tmp_path: Path, make_crops: MakeCrops) -> None:
    labels = make_crops(tmp_path / "crops", codes(30))
    mine = tmp_path / "run" / "labels" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    done = cli("init", tmp_path / "run", "--from", labels)
    assert (done.code, len(done.errors)) == (2, 1)
    assert [path.name for path in (tmp_path / "run").rglob("*")] == ["labels", "mine.txt"]
