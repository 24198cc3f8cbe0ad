from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from linetune.config import Config, Pattern, load, save
from linetune.config.schema import STANDARD, Augment
from linetune.core.errors import LinetuneError, ManyErrors

RUN = """\
output: runs/first
data:
  train: crops/train.txt
  val: [crops/val.txt, more/val.txt]
synth:
  rule: '[A-Z]{2}\\d'
  fonts: fonts
  output: synth
stages:
  - name: head
    data: synth
    freeze: backbone
    epochs: 2
    learning_rate: 1e-3
    augment:
      warp: 0.5
      heights: [32, 48]
  - name: real
    data: train
    epochs: 20
    learning_rate: 3e-4
    augment: standard
"""


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    return written(tmp_path, RUN)


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_bytes(text.encode())
    return path


def refused(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(LinetuneError) as caught:
        load(path, overrides)
    return str(caught.value).splitlines()


def test_a_path_may_be_text(run_file: Path) -> None:
    assert load(str(run_file)) == load(run_file)


def test_a_run_file_means_what_it_says(run_file: Path) -> None:
    config = load(run_file)
    assert config.base_model == "PP-OCRv6_small_rec"
    assert config.charset == "auto"
    assert config.synth
    assert config.synth.rule == [Pattern(pattern=r"[A-Z]{2}\d")]
    head, real = config.stages
    assert (head.data, head.freeze, head.epochs, head.learning_rate) == (["synth"], ["backbone"], 2, 1e-3)
    assert head.augment == Augment(warp=0.5, heights=[32, 48])
    assert real.augment == STANDARD
    assert (real.data, real.freeze, real.learning_rate, real.patience) == (["train"], [], 3e-4, None)


@pytest.mark.parametrize(
    ("line", "wrong", "key", "hint"),
    [
        (1, "sed: 1\n", "sed", "did you mean 'seed'?"),
        (3, "  tran: x\n", "data.tran", "did you mean 'train'?"),
        (6, "  font: x\n", "synth.font", "did you mean 'fonts'?"),
        (12, "    epoch: 1\n", "stages.head.epoch", "did you mean 'epochs'?"),
        (16, "      blurr: 1\n", "stages.head.augment.blurr", "did you mean 'blur'?"),
        (19, "    xyz: 1\n", "stages.real.xyz", "known: augment, batch_size, data, epochs, freeze"),
    ],
)
def test_unknown_keys_are_refused_on_every_level(
    line: int, wrong: str, key: str, hint: str, tmp_path: Path
) -> None:
    lines = RUN.splitlines(keepends=True)
    path = written(tmp_path, "".join([*lines[: line - 1], wrong, *lines[line - 1 :]]))
    (message,) = refused(path)
    assert message.startswith(f"{path}:{line}: unknown key '{key}'; {hint}")


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = RUN.replace("warp: 0.5", "warp: 1.5").replace("epochs: 20", "epochs: many")
    text = text.replace("  fonts: fonts\n", "").replace("freeze: backbone", "freeze: back")
    path = written(tmp_path, text + "device: gpu\nsedd: 1\n")
    messages = refused(path)
    assert len(messages) == 6
    for expected in (
        f"{path}:5: missing key 'synth.fonts'",
        f"{path}:11: stages.head.freeze.0: input should be 'backbone', 'neck' or 'head'",
        f"{path}:15: stages.head.augment.warp: input should be less than or equal to 1",
        f"{path}:19: stages.real.epochs: input should be a valid integer",
        f"{path}:22: device: input should be 'auto', 'cpu'",
        f"{path}:23: unknown key 'sedd'; did you mean 'seed'?",
    ):
        assert sum(message.startswith(expected) for message in messages) == 1, expected
    with pytest.raises(ManyErrors):
        load(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("freeze: backbone", "freeze: [backbone, neck, head]", "everything is frozen"),
        ("name: real", "name: head", "two stages have the same name: head, head"),
        ("name: real", "name: a/b", "stages.1.name"),
        ("augment: standard", "augment: strong", "expected none, standard, or a mapping"),
        ("heights: [32, 48]", "heights: [47]", "input should be 32, 48 or 64"),
        ("learning_rate: 1e-3", "learning_rate: 0", "greater than 0"),
        ("train: crops/train.txt", "train: []", "data.train"),
        ("train: crops/train.txt", "train: 5", "expected a path"),
        ("train: crops/train.txt", "train: [crops/a.txt, ./crops/x/../a.txt]", "a.txt is named twice"),
        ("data: train", "data: [train, train]", "train is named twice"),
        ("train: crops/train.txt", "train: ''", "expected a path"),
        ("train: crops/train.txt", "train: ~no-such-user/x", "no home folder for ~no-such-user/x"),
    ],
)
def test_values_that_make_no_sense(old: str, new: str, message: str, tmp_path: Path) -> None:
    (line,) = refused(written(tmp_path, RUN.replace(old, new)))
    assert message in line


def test_a_stage_may_name_label_files(tmp_path: Path) -> None:
    path = written(tmp_path, RUN.replace("data: synth", "data: [synth, more/extra.txt, ./train]"))
    (tmp_path / "here").mkdir()
    config = load(path, ["stages.real.data=extra.txt", "charset_space=true"])
    folder = tmp_path.resolve()
    assert config.stages[0].data == ["synth", folder / "more/extra.txt", folder / "train"]
    assert config.stages[1].data == [Path.cwd() / "extra.txt"]
    assert config.charset_space
    save(config, tmp_path / "here/copy.yaml")
    assert load(tmp_path / "here/copy.yaml") == config


@pytest.mark.parametrize("wrong", ["trian", "5", "''", "[train, ~]"])
def test_a_mistyped_source_is_no_label_file(wrong: str, tmp_path: Path) -> None:
    (message,) = refused(written(tmp_path, RUN.replace("data: train", f"data: {wrong}")))
    assert message.startswith(f"{tmp_path / 'run.yaml'}:19: stages.real.data.")
    assert message.endswith("synth, train, unlabelled, or a label file such as crops/more.txt")


def test_a_stage_cannot_use_crops_that_nothing_renders(tmp_path: Path) -> None:
    start, end = RUN.index("synth:"), RUN.index("stages:")
    (message,) = refused(written(tmp_path, RUN[:start] + RUN[end:]))
    assert message.endswith("a stage has data: synth, but the file has no synth section; add one")


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message"),
    [
        ("  train", "\ttrain", 3, 1, "line 3 is indented with a tab, write spaces"),
        ("    epochs: 20", "\u00a0   epochs: 20", 21, 18, "line 20 contains a non-breaking space"),
        ("epochs: 20", "epochs:\u00a020", 21, 5, "line 20 contains a non-breaking space"),
        ("epochs: 20", "epochs:20", 21, 5, "could not find expected ':'"),
        ("output: runs/first", "output: runs\noutput: first", 2, 1, 'duplicate key "output"'),
        ("epochs: 20", "epochs: 20\n    data: synth", 21, 5, 'duplicate key "data"'),
        ("fonts: fonts", "fonts: [fonts", 8, 9, "','"),
        ("output: runs/first", "output: runs\x07", 1, 13, "a control character"),
        ("output: runs/first", "output: *runs", 1, 9, "undefined alias"),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(
    old: str, new: str, line: int, column: int, message: str, tmp_path: Path
) -> None:
    path = written(tmp_path, RUN.replace(old, new, 1))
    (told,) = refused(path)
    assert told.startswith(f"{path}:{line}:{column}: not valid YAML: ")
    assert message in told


def test_a_label_file_in_place_of_a_run_file_gets_the_way_out(tmp_path: Path) -> None:
    labels = tmp_path / "train.txt"
    labels.write_text("a.png\tA: 1\n\tb\n", "utf-8")
    (told,) = refused(labels)
    assert told.startswith(f"{labels}:")
    assert told.endswith("; linetune init DIR writes an example")


def test_a_value_that_does_not_fit_its_tag(tmp_path: Path) -> None:
    (message,) = refused(written(tmp_path, "seed: !!int x\n"))
    assert message.endswith(
        "run.yaml: not valid YAML: a value that does not fit its tag; remove words that start with !"
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- a\n- b\n", "just text", "5"])
def test_files_without_keys(text: str, tmp_path: Path) -> None:
    (message,) = refused(written(tmp_path, text))
    assert message.endswith("no keys in this configuration; linetune init DIR writes an example")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml")[0].endswith("not found; linetune init DIR writes one")
    assert "configuration expected, but this is a folder" in refused(tmp_path)[0]
    path = tmp_path / "latin.yaml"
    path.write_bytes("output: runs\n# für\n".encode("latin-1"))
    assert refused(path) == [f"{path}:2: not UTF-8; save the file as UTF-8"]


@pytest.mark.parametrize("editor", ["\ufeff{}", "{}\n\n"])
def test_files_of_every_editor_are_read(editor: str, run_file: Path) -> None:
    expected = load(run_file)
    run_file.write_bytes(editor.format(RUN.replace("\n", "\r\n")).encode())
    assert load(run_file) == expected


def test_paths_belong_to_the_file_and_overrides_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    path = written(tmp_path / "project", RUN + "charset: chars.txt\nbase_model: models/base.onnx\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load(Path("../project/run.yaml"))
    project = tmp_path.resolve() / "project"
    assert config == load(path)
    assert config.output == project / "runs/first"
    assert config.data.val == [project / "crops/val.txt", project / "more/val.txt"]
    assert config.synth
    assert config.synth.fonts == [project / "fonts"]
    assert config.charset == project / "chars.txt"
    assert config.base_model == str(project / "models/base.onnx")

    here = tmp_path.resolve() / "elsewhere"
    overrides = [
        "output=out",
        "data.train=[a.txt, 'b c.txt']",
        f"data.test={project}/t.txt",
        "charset=c.txt",
        "base_model=./m",
    ]
    changed = load(path, overrides)
    assert changed.output == here / "out"
    assert changed.data.train == [here / "a.txt", here / "b c.txt"]
    assert changed.data.test == [project / "t.txt"]
    assert changed.data.val == config.data.val
    assert changed.charset == here / "c.txt"
    assert changed.base_model == str(here / "m")


def test_auto_is_no_path(run_file: Path) -> None:
    assert load(run_file, ["charset=auto"]).charset == "auto"
    assert load(run_file, ["charset=./auto"]).charset == Path.cwd() / "auto"
    assert load(run_file, ["base_model=PP-OCRv4_mobile_rec"]).base_model == "PP-OCRv4_mobile_rec"


def test_overrides_address_stages_by_name_and_number(run_file: Path) -> None:
    overrides = ["stages.real.epochs=5", "stages.0.learning_rate=1e-5", "stages.head.augment.warp=0"]
    config = load(run_file, [*overrides, "seed=7", "device=cpu", "stages.1.data=[synth, train]"])
    head, real = config.stages
    assert (head.epochs, head.learning_rate, head.augment) == (2, 1e-5, Augment(heights=[32, 48]))
    assert (real.epochs, real.data, real.augment) == (5, ["synth", "train"], STANDARD)
    assert (config.seed, config.device) == (7, "cpu")
    assert load(run_file, ["seed=1", "seed=2"]).seed == 2
    assert load(run_file, ["stages.real.augment=none"]).stages[1].augment.is_off
    assert load(run_file, ["stages.real.augment.blur=1"]).stages[1].augment == Augment(blur=1)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "override 'seed': expected key.path=value"),
        ("=1", "override '=1': expected key.path=value"),
        ("data..train=x", "expected key.path=value"),
        ("seed=[", "override 'seed=[': the value is not valid YAML"),
        ("stages.rael.epochs=1", "override 'stages.rael.epochs=1': no stage 'rael'; did you mean 'real'?"),
        ("data.val.2=x", "no item '2'; known: 0, 1"),
        ("stages.2.epochs=1", "no stage '2'; known: head, real"),
        ("stages.².epochs=1", "no stage '²'; known: head, real"),
        ("sed=1", "unknown key 'sed'; did you mean 'seed'?"),
        ("stages.real.epoch=1", "unknown key 'stages.real.epoch'; did you mean 'epochs'?"),
        ("stages.real.epochs=many", "stages.real.epochs: input should be a valid integer"),
        ("seed.x=1", "override 'seed.x=1': seed: input should be a valid integer"),
        ("data.train.0x=x", "override 'data.train.0x=x': data.train.0: expected a path"),
        ("output=", "output: expected a path"),
    ],
)
def test_overrides_that_make_no_sense(override: str, message: str, run_file: Path) -> None:
    (told,) = refused(run_file, override)
    assert message in told


RULES = [
    "AB",
    "0123",
    "1e5",
    "yes",
    "~",
    "- a",
    "a: b",
    " #x",
    "'\"",
    "é電😀",
    "A  B " * 40,
    r"\d{2}[A-C]?",
    "{",
    "*",
]


def with_rule(run_file: Path, *lines: str) -> Path:
    text = run_file.read_text(encoding="utf-8")
    start, end = text.index("  rule:"), text.index("  fonts:")
    run_file.write_text(
        text[:start] + "".join(f"  {line}\n" for line in lines) + text[end:], encoding="utf-8"
    )
    return run_file


def test_a_rule_is_one_pattern_or_several_with_their_settings(run_file: Path) -> None:
    several = load(with_rule(run_file, "rule:", "  - A", "  - {pattern: '[0-9]{8}', check: ean}")).synth
    assert several
    assert several.rule == [Pattern(pattern="A"), Pattern(pattern="[0-9]{8}", check="ean")]
    assert several.texts == "balanced"
    given = load(run_file, ["synth.rule=[A, {pattern: B}]", "synth.rule.1.check=luhn"]).synth
    assert given
    assert given.rule == [Pattern(pattern="A"), Pattern(pattern="B", check="luhn")]


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        (["rule: 12"], 6, "synth.rule: expected a regular expression, or a list of them"),
        (["rule: ''"], 6, "synth.rule: expected a regular expression"),
        (["rule: [A, '']"], 6, "synth.rule: expected a regular expression"),
        (["rule: [A-Z]"], 6, "synth.rule: a list of one pattern; write it alone, or quote it, as '[A-Z]'"),
        (["rule: []"], 6, "synth.rule: expected a regular expression"),
        (
            ["rule:", "  - pattern: A", "    wieght: 1"],
            8,
            "unknown key 'synth.rule.0.wieght'; did you mean 'weight'?",
        ),
        (["rule:", "  - weight: 1"], 7, "missing key 'synth.rule.0.pattern'"),
        (
            ["rule:", "  - pattern: A", "    weight: 0"],
            8,
            "synth.rule.0.weight: input should be greater than 0",
        ),
        (["rule:", "  - pattern: A", "    weight: .inf"], 8, "synth.rule.0.weight: input should be a finite"),
        (
            ["rule:", "  - A", "  - {pattern: B, check: lun}"],
            8,
            "synth.rule.1.check: input should be 'iso6346'",
        ),
        (["rule:", "  - A", "  - {pattern: B, weight: 2}"], 6, "synth.rule: some patterns have a weight and"),
        (["rule: A", "texts: even"], 7, "synth.texts: input should be 'balanced', 'uniform' or"),
        (["rule: A", "parts: {1a: B}"], 7, "synth.parts.1a"),
    ],
)
def test_mistakes_in_a_rule_have_their_line(
    lines: list[str], line: int, message: str, run_file: Path
) -> None:
    (told,) = refused(with_rule(run_file, *lines))
    assert told.startswith(f"{run_file}:{line}: {message}")


def test_like_labels_goes_by_the_train_labels_unless_others_are_given(run_file: Path, tmp_path: Path) -> None:
    config = load(run_file, ["synth.texts=like_labels"])
    assert config.synth
    assert config.synth.labels == config.data.train
    save(config, tmp_path / "copy.yaml")
    assert load(tmp_path / "copy.yaml") == config
    other = load(run_file, ["synth.texts=like_labels", "synth.labels=more.txt"]).synth
    assert other
    assert other.labels == [Path.cwd() / "more.txt"]
    balanced = load(run_file).synth
    assert balanced
    assert balanced.labels is None


@pytest.mark.parametrize("rule", RULES)
def test_a_saved_configuration_loads_to_the_same_one(rule: str, run_file: Path, tmp_path: Path) -> None:
    config = load(run_file, ["charset=c s.txt", "output=a b/電", "seed=-1", "stages.head.learning_rate=1e-7"])
    assert config.synth
    config = config.model_copy(
        update={"synth": config.synth.model_copy(update={"rule": [Pattern(pattern=rule)]})}
    )
    copy = tmp_path / "elsewhere/copy.yaml"
    copy.parent.mkdir()
    save(config, copy)
    assert load(copy) == config
    assert "warmup_epochs: 0.5" in copy.read_text(encoding="utf-8"), "defaults are spelled out"
    assert list(copy.parent.iterdir()) == [copy]


def test_the_shipped_preset_loads(tmp_path: Path) -> None:
    preset = resources.files("linetune") / "config/presets/default.yaml"
    text = preset.read_text(encoding="utf-8")
    config = load(written(tmp_path, text))
    assert [stage.name for stage in config.stages] == ["head", "real"]
    assert [stage.data for stage in config.stages] == [["synth"], ["train"]]
    assert config.stages[0].freeze == ["backbone"]
    assert config.charset == "auto"
    assert config.output == tmp_path.resolve() / "runs/first"
    save(config, tmp_path / "saved.yaml")
    assert load(tmp_path / "saved.yaml") == config
    assert not any(stage.epochs or stage.steps for stage in config.stages), "a time for the run can be kept"


def test_a_configuration_cannot_be_changed_by_accident(run_file: Path) -> None:
    config: Config = load(run_file)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]
