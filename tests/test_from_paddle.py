from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest
from conftest import Cli

from linetune.config import Augment, Config, load
from linetune.core.errors import LinetuneError
from linetune.models.families import OFFICIAL
from linetune.paddle_config import convert

STAGE = """\
Global:
  epoch_num: 12
  save_model_dir: ./output/mine
  eval_batch_step: [0, 20]
  pretrained_model: ./weights/PP-OCRv5_mobile_rec_pretrained.pdparams
  character_dict_path: ./dicts/chars.txt
  max_text_length: &longest 25
  use_space_char: true
  print_batch_step: 10
Optimizer:
  name: Adam
  lr:
    name: Cosine
    learning_rate: 0.0004
    warmup_epoch: 2
Architecture:
  model_type: rec
  algorithm: SVTR_LCNet
  Backbone:
    name: PPLCNetV3
    scale: 0.95
  Head:
    name: MultiHead
    head_list:
      - CTCHead:
          Neck:
            name: svtr
            dims: 120
      - NRTRHead:
          nrtr_dim: 384
          max_text_length: *longest
Loss:
  name: MultiLoss
  loss_config_list:
    - CTCLoss:
    - NRTRLoss:
Train:
  dataset:
    name: MultiScaleDataSet
    data_dir: ./crops/
    label_file_list:
    - ./crops/rendered.txt
    transforms:
    - DecodeImage:
        img_mode: BGR
    - MultiLabelEncode:
        gtc_encode: NRTRLabelEncode
    - KeepKeys:
        keep_keys: [image, label_ctc]
  sampler:
    name: MultiScaleSampler
    scales: [[320, 32], [320, 48], [320, 64]]
    first_bs: &bs 16
    fix_bs: true
  loader:
    shuffle: true
    batch_size_per_card: *bs
    drop_last: true
Eval:
  dataset:
    name: SimpleDataSet
    data_dir: ./crops
    label_file_list: [./crops/val.txt]
    transforms:
    - DecodeImage:
    - RecResizeImg:
        image_shape: [3, 48, 320]
  loader:
    batch_size_per_card: 64
"""
FREEZE = ("    scale: 0.95\n", "    scale: 0.95\n    freeze: true\n")
REAL = ("- ./crops/rendered.txt", "- ./crops/real.txt")
AUG = (
    "    - MultiLabelEncode:\n",
    "    - RecConAug:\n        prob: 0.3\n    - RecAug:\n    - MultiLabelEncode:\n",
)
EMPTY = ("./weights/PP-OCRv5_mobile_rec_pretrained.pdparams", "")
SEED = Path(__file__).parents[2] / "shared" / "seed"


@pytest.fixture
def cli(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``linetune from-paddle`` in the folder that PaddleOCR ran in."""
    monkeypatch.chdir(tmp_path)
    return partial(cli, "from-paddle")


def written(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    text = STAGE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def converted(folder: Path, *changes: tuple[str, str]) -> tuple[Config, list[str]]:
    """A single stage's run and its notes."""
    path = written(folder, "one.yml", *changes)
    conversion = convert([path], folder / "linetune.yaml", folder)
    (folder / "linetune.yaml").write_bytes(conversion.text.encode())
    for note in conversion.notes:
        assert f"# - {note}\n" in conversion.text, "notes stand in the file too"
    return load(folder / "linetune.yaml"), [str(note) for note in conversion.notes]


def refused(folder: Path, *changes: tuple[str, str]) -> str:
    with pytest.raises(LinetuneError) as caught:
        converted(folder, *changes)
    (line,) = str(caught.value).splitlines()
    return line.replace(f"{folder}/", "")


def test_a_chain_becomes_one_run(cli: Cli, tmp_path: Path) -> None:
    written(tmp_path, "head.yml", FREEZE)
    written(tmp_path, "full.yml", AUG, EMPTY, ("epoch_num: 12", "epoch_num: 30"), ("0.0004", "3e-05"))
    written(tmp_path, "real.yml", REAL, EMPTY, ("first_bs: &bs 16", "first_bs: &bs 8"))
    done = cli("head.yml", "full.yml", "real.yml", "-o", "runs/linetune.yaml")
    assert (done.code, done.err) == (0, "")
    assert "wrote runs/linetune.yaml, 3 stages\nnext: linetune train runs/linetune.yaml\n" in done.out
    config = load(tmp_path / "runs/linetune.yaml")
    here = tmp_path.resolve()
    assert config.output == here / "output/mine"
    assert config.base_model == "PP-OCRv5_mobile_rec"
    assert (config.charset, config.charset_space) == (here / "dicts/chars.txt", True)
    assert (config.data.train, config.data.val) == ([here / "crops/real.txt"], [here / "crops/val.txt"])
    head, full, real = config.stages
    assert [stage.name for stage in config.stages] == ["head", "full", "real"]
    rendered = here / "crops/rendered.txt"
    assert [stage.data for stage in config.stages] == [[rendered], [rendered], ["train"]]
    assert [stage.epochs for stage in config.stages] == [12, 30, 12]
    assert [stage.learning_rate for stage in config.stages] == [4e-4, 3e-5, 4e-4]
    assert [stage.warmup_epochs for stage in config.stages] == [2, 2, 2]
    assert [stage.batch_size for stage in config.stages] == [16, 16, 8]
    assert [stage.freeze for stage in config.stages] == [["backbone"], [], []]
    assert [stage.nrtr_weight for stage in config.stages] == [1, 1, 1]
    assert head.augment == real.augment == Augment(heights=[32, 48, 64])
    gates = dict.fromkeys(("warp", "crop", "blur", "brightness", "noise", "invert"), 0.4)
    assert full.augment == Augment(join=0.3, heights=[32, 48, 64], **gates)


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        (("epoch_num: 12", "epoch_num: 12\n  seed: 7"), "seed", 7),
        (("epoch_num: 12", "epoch_num: 12\n  use_gpu: false"), "device", "cpu"),
        (("epoch_num: 12", "epoch_num: 12\n  use_gpu: yes"), "device", "auto"),
        (("use_space_char: true", "use_space_char: false"), "charset_space", False),
        (("use_space_char: true", "use_space_char: yes"), "charset_space", True),
        (("./dicts/chars.txt", ""), "charset", "auto"),
        (("./dicts/chars.txt", "auto"), "charset", "auto"),
        (("./dicts/chars.txt", r".\dicts\my chars.txt"), "charset", "dicts/my chars.txt"),
        (("./dicts/chars.txt", "'字典/a: #b.txt'"), "charset", "字典/a: #b.txt"),
        (("./weights/PP-OCRv5_mobile_rec_pretrained.pdparams", "null"), "base_model", "PP-OCRv5_mobile_rec"),
        (("./weights/", "https://example.org/"), "base_model", "PP-OCRv5_mobile_rec"),
        (
            (EMPTY[0], "PP-OCRv5_mobile_rec/best_accuracy"),
            "base_model",
            "PP-OCRv5_mobile_rec/best_accuracy.pdparams",
        ),
        ((EMPTY[0], "/models/mine.pdparams"), "base_model", "/models/mine.pdparams"),
        (("./output/mine", "Y:/out"), "output", "Y:/out"),
    ],
)
def test_settings_of_the_run(change: tuple[str, str], key: str, value: object, tmp_path: Path) -> None:
    config, _ = converted(tmp_path, change)
    got = getattr(config, key)
    if change[1] == "auto":
        assert got == tmp_path.resolve() / "auto", "a file of that name, not the word"
    elif isinstance(value, str) and "/" in value:
        assert Path(got) == tmp_path.resolve() / value
    else:
        assert got == value


V4 = ("    name: PPLCNetV3\n    scale: 0.95\n", "    name: PPLCNetV4\n")


def resized(size: str) -> tuple[str, str]:
    return V4[0], f"{V4[1]}    model_size: {size}\n"


@pytest.mark.parametrize(
    ("changes", "official", "noted"),
    [
        (
            [("print_batch", "model_name: korean_PP-OCRv5_mobile_rec\n  print_batch")],
            "korean_PP-OCRv5_mobile_rec",
            [],
        ),
        ([("print_batch", "model_name: PP-OCRv6_small_rec\n  print_batch")], "PP-OCRv5_mobile_rec", []),
        (
            [("print_batch", "model_name: PP-OCRv6_tiny_rec\n  print_batch"), V4],
            "PP-OCRv6_tiny_rec",
            ["Neck.name", "Neck.dims"],
        ),
        ([resized("medium")], "PP-OCRv6_medium_rec", ["Neck.name", "Neck.dims", "NRTRHead.nrtr_dim"]),
        ([resized("small"), ("name: svtr", "name: lightsvtr")], "PP-OCRv6_small_rec", []),
        ([V4], "PP-OCRv6_small_rec", ["Neck.name"]),
        ([resized("base"), ("name: svtr", "name: lightsvtr")], "PP-OCRv6_small_rec", ["Backbone.model_size"]),
        ([(V4[0], "    name: PPHGNetV2_B4\n")], "PP-OCRv5_server_rec", []),
        ([(V4[0], "    name: ResNet\n")], "PP-OCRv5_mobile_rec", ["Backbone.name"]),
    ],
    ids=[
        "language",
        "name of another network",
        "name",
        "size",
        "small",
        "no size",
        "no model",
        "server",
        "unknown",
    ],
)
def test_a_run_starts_from_the_official_model_of_its_network(
    changes: list[tuple[str, str]], official: str, noted: list[str], tmp_path: Path
) -> None:
    config, notes = converted(tmp_path, EMPTY, *changes)
    assert config.base_model == official
    assert any(note.endswith(f"starts from random weights, linetune from {official}") for note in notes)
    network = [note.split(": ")[1] for note in notes if "Architecture." in note]
    assert [".".join(key.split(".")[-2:]) for key in network] == noted


def test_every_official_model_is_known_by_the_name_of_its_weights(tmp_path: Path) -> None:
    for name in OFFICIAL:
        config, _ = converted(tmp_path, (EMPTY[0], f"./weights/{name}_pretrained.pdparams"))
        assert config.base_model == name


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        (("    - NRTRLoss:\n", ""), "nrtr_weight", 0),
        (("  name: MultiLoss\n", "  name: MultiLoss\n  weight_2: 0.5\n"), "nrtr_weight", 0.5),
        (("first_bs: &bs 16", "first_bs: &bs 24"), "batch_size", 24),
        (("batch_size_per_card: *bs", "batch_size_per_card: 99"), "batch_size", 16),
        (("    warmup_epoch: 2\n", ""), "warmup_epochs", 0),
        (("warmup_epoch: 2", "warmup_epoch: 0.5"), "warmup_epochs", 0.5),
        (
            ("name: Cosine\n    learning_rate: 0.0004", "name: Piecewise\n    values: [1e-3, 1e-4]"),
            "learning_rate",
            1e-3,
        ),
        (("[320, 32], [320, 48], [320, 64]", "[320, 48]"), "augment", Augment()),
        (("[320, 32], [320, 48], [320, 64]", "[320, 40], [320, 64]"), "augment", Augment(heights=[64])),
        (
            ("- MultiLabelEncode", "- RecConAug:\n    - MultiLabelEncode"),
            "augment",
            Augment(join=0.5, heights=[32, 48, 64]),
        ),
        (
            (
                "- MultiLabelEncode",
                "- RecAug: {tia_prob: 0.9, crop_prob: 0, reverse_prob: 0, noise_prob: 0, "
                "jitter_prob: 0, blur_prob: 0, hsv_aug_prob: 0.1}\n    - MultiLabelEncode",
            ),
            "augment",
            Augment(warp=0.9, brightness=0.1, heights=[32, 48, 64]),
        ),
    ],
)
def test_settings_of_a_stage(change: tuple[str, str], key: str, value: object, tmp_path: Path) -> None:
    config, _ = converted(tmp_path, change)
    assert getattr(config.stages[0], key) == value


def test_without_a_sampler_the_loader_and_the_transform_count(tmp_path: Path) -> None:
    start, end = STAGE.index("  sampler:"), STAGE.index("  loader:")
    plain = (STAGE[start:end], "")
    bs = ("batch_size_per_card: *bs", "batch_size_per_card: 48")
    config, _ = converted(tmp_path, plain, bs)
    assert (config.stages[0].batch_size, config.stages[0].augment) == (48, Augment())
    resized = ("    - KeepKeys", "    - RecResizeImg:\n        image_shape: [3, 32, 320]\n    - KeepKeys")
    config, _ = converted(tmp_path, plain, bs, resized)
    assert config.stages[0].augment == Augment(heights=[32])
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops/rendered.txt").write_text("a.png\tA\n" * 49, encoding="utf-8")
    for drop, steps in (("true", 12), ("false", 24)):
        _, notes = converted(
            tmp_path, plain, bs, ("drop_last: true", f"drop_last: {drop}"), ("[0, 20]", "99")
        )
        assert any(f"PaddleOCR's run has {steps} steps" in note for note in notes)


GLOBAL = "epoch_num: 12"


@pytest.mark.parametrize(
    ("change", "line", "expected"),
    [
        (FREEZE, 22, "Architecture.Backbone.freeze: PaddleOCR ignores it"),
        (FREEZE, 37, "Loss.loss_config_list.NRTRLoss: with a frozen backbone the guide trains only itself"),
        (None, 36, "Loss.loss_config_list.NRTRLoss: the guide starts from the base model's"),
        (None, 12, "Optimizer.lr: the learning rate keeps its number and changes its meaning"),
        (
            ("  lr:\n", "  regularizer: {name: L2, factor: 3.0e-05}\n  lr:\n"),
            12,
            "Optimizer.regularizer: linetune's Adam has no coupled L2; PaddleOCR's has 3e-05",
        ),
        (None, 7, "Global.max_text_length: PaddleOCR drops labels longer than 25 characters"),
        (
            ("    - ./crops/rendered.txt\n", "    - ./crops/rendered.txt\n    - crops/rendered.txt\n"),
            41,
            "Train.dataset.label_file_list: a file is named twice; linetune reads it once",
        ),
        ((GLOBAL, f"{GLOBAL}\n  distributed: true"), 3, "Global.distributed: linetune trains on one device"),
        ((GLOBAL, f"{GLOBAL}\n  use_amp: True"), 3, "Global.use_amp: linetune trains in bf16 if"),
        ((GLOBAL, f"{GLOBAL}\n  checkpoints: ./x/latest"), 3, "Global.checkpoints: linetune does not resume"),
        ((GLOBAL, f"{GLOBAL}\n  new_thing: 3"), 3, "Global.new_thing: linetune has no such setting"),
        (EMPTY, 5, "Global.pretrained_model: empty"),
        (("./dicts/chars.txt", ""), 6, "Global.character_dict_path: empty"),
        (None, 4, "Global.eval_batch_step: PaddleOCR evaluates from step 20 on"),
        (
            None,
            67,
            "RecResizeImg.image_shape: PaddleOCR's evaluation squeezes lines longer than 6.67",
        ),
        (
            ("dims: 120", "dims: 120\n            use_guide: True"),
            29,
            "use_guide: in PaddleOCR only the NRTR loss",
        ),
        (("name: Cosine", "name: Linear"), 13, "Optimizer.lr.name: Linear in PaddleOCR, Cosine in linetune"),
        (("name: Adam", "name: AdamW"), 11, "Optimizer.name: AdamW in PaddleOCR, Adam in linetune"),
        (
            ("scale: 0.95", "scale: 0.5"),
            21,
            "Architecture.Backbone.scale: 0.5 in PaddleOCR, 0.95 in linetune",
        ),
        (
            ("fix_bs: true", "fix_bs: false"),
            54,
            "Train.sampler.fix_bs: batches of PaddleOCR hold 16 of height 32, 10 of height 48, 8 of",
        ),
        (
            ("[320, 48]", "[320, 40]"),
            52,
            "Train.sampler.scales: linetune leaves out height 40; it has 32, 48, 64",
        ),
        (
            ("[320, 48]", "[400, 48]"),
            52,
            "Train.sampler.scales: linetune pads a batch to the width of its crops",
        ),
        (("img_mode: BGR", "img_mode: RGB"), 45, "DecodeImage.img_mode: linetune's images are always BGR"),
        (
            ("    - KeepKeys", "    - SSLRotateResize:\n    - KeepKeys"),
            48,
            "SSLRotateResize: linetune does not have this",
        ),
        (
            ("- MultiLabelEncode", "- RecAug:\n    - MultiLabelEncode"),
            46,
            "Train.dataset.transforms.RecAug: brightness",
        ),
        (
            ("- MultiLabelEncode", "- RecConAug: {ext_data_num: 2}\n    - MultiLabelEncode"),
            46,
            "PaddleOCR joins up to 2 more crops",
        ),
        (
            ("shuffle: true", "shuffle: false"),
            56,
            "Train.loader.shuffle: False in PaddleOCR, True in linetune",
        ),
        (
            ("data_dir: ./crops/", "data_dir: ./images/"),
            40,
            "Train.dataset.data_dir: PaddleOCR looks for images in ./images/",
        ),
        (
            ("    data_dir: ./crops\n", "    data_dir: ./x\n"),
            62,
            "Eval.dataset.data_dir: PaddleOCR looks for images in ./x;",
        ),
        (
            ("Train:\n", "Metric: {name: RecMetric}\nTrain:\n"),
            37,
            "Metric: PaddleOCR's accuracy ignores spaces",
        ),
        (
            ("Train:\n", "Metric: {main_indicator: norm_edit_dis}\nTrain:\n"),
            37,
            "Metric.main_indicator: norm_edit_dis",
        ),
    ],
)
def test_what_changes_meaning_is_told(
    change: tuple[str, str] | None, line: int, expected: str, tmp_path: Path
) -> None:
    _, notes = converted(tmp_path, *[change] if change else [])
    (note,) = [note for note in notes if expected in note]
    assert note.startswith(f"one.yml:{line}: ")


def test_what_means_the_same_is_not_told(tmp_path: Path) -> None:
    _, notes = converted(tmp_path)
    keys = {note.split(": ")[1] for note in notes}
    assert keys == {
        "Global.eval_batch_step",
        "Global.max_text_length",
        "Optimizer.lr",
        "Loss.loss_config_list.NRTRLoss",
        "Eval.dataset.transforms.RecResizeImg.image_shape",
        "Metric",
    }
    text = (tmp_path / "linetune.yaml").read_text("utf-8")
    assert (
        "without effect on what is learned: Eval.loader.batch_size_per_card, Global.print_batch_step" in text
    )


def test_what_changes_meaning_between_stages_is_told(cli: Cli, tmp_path: Path) -> None:
    written(tmp_path, "a.yml")
    other = ("chars.txt", "others.txt"), ("use_space_char: true", "use_space_char: false")
    written(tmp_path, "b.yml", EMPTY, *other, ("[./crops/val.txt]", "[./crops/val2.txt]"))
    written(tmp_path, "c.yml", (EMPTY[0], "elsewhere/best"))
    written(tmp_path, "d.yml", (EMPTY[0], "./output/mine/best_accuracy"))
    lines = cli("a.yml", "b.yml", "c.yml", "d.yml").out.splitlines()
    for expected in (
        "note: b.yml:6: Global.character_dict_path: ./dicts/others.txt, but ./dicts/chars.txt in the last",
        "note: b.yml:8: Global.use_space_char: False, but linetune uses True",
        "note: b.yml:5: Global.pretrained_model: empty: PaddleOCR starts from random weights, unless",
        "note: c.yml:5: Global.pretrained_model: PaddleOCR starts from elsewhere/best; linetune starts",
        "note: b.yml:63: Eval.dataset.label_file_list: PaddleOCR validates on ./crops/val2.txt;",
        "note: a.yml:41, b.yml:41, c.yml:41, d.yml:41: Train.dataset.label_file_list: all stages name",
        f"not found yet: {tmp_path / 'crops/rendered.txt'}",
        f"not found yet: {tmp_path / 'dicts/chars.txt'}",
    ):
        assert sum(line.startswith(expected) for line in lines) == 1, expected
    assert not any("d.yml:5" in line for line in lines), "this is what happens here too"


@pytest.mark.parametrize(
    ("lines", "sizes", "steps"),
    [
        (40, "fix_bs: true", 36),
        (200, "fix_bs: true", 180),
        (40, "fix_bs: false", 72),
        (5, "fix_bs: true", 36),
    ],
)
def test_an_evaluation_beyond_the_run_is_told(lines: int, sizes: str, steps: int, tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops/rendered.txt").write_text("a.png\tA\n" * lines, encoding="utf-8")
    never = f"run has {steps} steps and would first evaluate in step {steps + 1}, so it never writes"
    for first, told in ((steps, False), (steps + 1, True)):
        for form in (f"[1, {first - 1}]", str(first)):
            _, notes = converted(tmp_path, ("[0, 20]", form), ("fix_bs: true", sizes))
            assert any(never in note for note in notes) == told


def test_stages_that_add_to_the_last_ones_files(tmp_path: Path) -> None:
    both = ("    - ./crops/rendered.txt\n", "    - ./crops/real.txt\n    - crops/train\n")
    paths = [written(tmp_path, "a.yml", both), written(tmp_path, "b.yml", REAL)]
    (tmp_path / "run").mkdir()
    output = tmp_path / "crops" / "linetune.yaml"
    output.parent.mkdir()
    output.write_bytes(convert(paths, output, tmp_path).text.encode())
    config = load(output)
    assert config.stages[0].data == ["train", tmp_path.resolve() / "crops/train"]
    assert config.stages[1].data == ["train"]


def test_stage_names_are_made_fit(tmp_path: Path) -> None:
    paths = [
        written(tmp_path / f, n)
        for f, n in (("a", "x y.yml"), ("b", "x y.yml"), ("c", "第一.yml"), ("d", "1.yml"))
    ]
    conversion = convert(paths, tmp_path / "linetune.yaml", tmp_path)
    (tmp_path / "linetune.yaml").write_bytes(conversion.text.encode())
    assert [s.name for s in load(tmp_path / "linetune.yaml").stages] == ["x_y", "x_y_2", "stage3", "1"]
    assert str(conversion.notes[0]).startswith(f"{paths[0]}:"), (
        "names that are not unique come with their folder"
    )


def test_paths_are_relative_to_where_paddleocr_ran(cli: Cli, tmp_path: Path) -> None:
    written(tmp_path, "one.yml", ("./crops/rendered.txt", r"Y:\crops\r.txt"))
    assert cli("one.yml", "--root", tmp_path / "PaddleOCR", "-o", "out put/run.yaml").code == 0
    config = load(tmp_path / "out put/run.yaml")
    assert config.charset == tmp_path.resolve() / "PaddleOCR/dicts/chars.txt"
    assert "train: Y:/crops/r.txt" in (tmp_path / "out put/run.yaml").read_text("utf-8").replace('"', "")


def test_an_output_folder_that_is_taken_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "output/mine/best_model").mkdir(parents=True)
    config, notes = converted(tmp_path)
    assert config.output == tmp_path.resolve() / "output/mine_linetune"
    assert any(
        note.startswith("one.yml:3: Global.save_model_dir: the folder already has files") for note in notes
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("  epoch_num", "\u00a0 epoch_num"),
            "2:1: a non-breaking space (U+00A0) where YAML needs a plain space; --repair reads",
        ),
        (("  epoch_num", " \u3000epoch_num"), "2:2: ideographic space (U+3000)"),
        (("  epoch_num", "\tepoch_num"), "2:1: a tab (U+0009)"),
        (("epoch_num: 12", "epoch_num:\u00a012"), "2:13: a non-breaking space"),
        (("epoch_num: 12", "epoch_num: 12\u200b"), "2:16: zero width space (U+200B)"),
        (("    - ./crops/rendered", "    -\u00a0./crops/rendered"), "42:6: a non-breaking space"),
        (
            ("Global:\n  epoch", "\u2003\nGlobal:\n\u00a0\u00a0epoch"),
            "1:1: em space (U+2003) where YAML needs a plain space, and 2 more like it",
        ),
        (("epoch_num: 12", "epoch_num: [12"), "3:17: not valid YAML"),
        (("epoch_num: 12", "epoch_num: *no"), "2:14: not valid YAML: found undefined alias 'no'"),
        (("  epoch_num: 12", "  epoch_num: 12\n  epoch_num: 13"), "3:3: not valid YAML: found duplicate key"),
        (
            ("model_type: rec", "model_type: det"),
            "17:3: Architecture.model_type: a detection configuration, not a recognition configuration",
        ),
        (
            ("model_type: rec", "model_type: cls"),
            "17:3: Architecture.model_type: a classification configuration",
        ),
        (("model_type: rec", "model_type: kie"), "17:3: Architecture.model_type: a kie configuration"),
        (
            ("  model_type: rec\n", ""),
            "16:1: Architecture.model_type: not a PaddleOCR recognition configuration",
        ),
        (
            ("epoch_num: 12", "epoch_num: many"),
            "2:3: Global.epoch_num: expected a whole number from 1, not 'many'",
        ),
        (("epoch_num: 12", "epoch_num: 0"), "2:3: Global.epoch_num: expected a whole number from 1, not 0"),
        (("  epoch_num: 12\n", ""), "1:1: Global.epoch_num: missing"),
        (
            ("learning_rate: 0.0004", "learning_rate: fast"),
            "14:5: Optimizer.lr.learning_rate: expected a number from",
        ),
        (
            ("learning_rate: 0.0004", "learning_rate: -1"),
            "14:5: Optimizer.lr.learning_rate: expected a number from",
        ),
        (
            ("learning_rate: 0.0004", "learning_rate: .nan"),
            "14:5: Optimizer.lr.learning_rate: expected a number from",
        ),
        (("    learning_rate: 0.0004\n", ""), "12:3: Optimizer.lr.learning_rate: missing"),
        (
            ("warmup_epoch: 2", "warmup_epoch: -2"),
            "15:5: Optimizer.lr.warmup_epoch: expected a number from 0",
        ),
        (
            ("use_space_char: true", "use_space_char: maybe"),
            "8:3: Global.use_space_char: expected true or false, not 'maybe'",
        ),
        (("[0, 20]", "[0, x]"), "4:3: Global.eval_batch_step: expected a number of steps, or [start, steps]"),
        (("./dicts/chars.txt", "[a, b]"), "6:3: Global.character_dict_path: expected a text"),
        (("./dicts/chars.txt", '"a\\nb"'), "6:3: Global.character_dict_path: expected a text"),
        (
            (EMPTY[0], "https://example.org/other.pdparams"),
            "5:3: Global.pretrained_model: an address of other weights",
        ),
        (("first_bs: &bs 16", "first_bs: &bs 0"), "53:5: Train.sampler.first_bs: expected a whole number"),
        (("[[320, 32], [320, 48], [320, 64]]", "[[a, 32]]"), "52:5: Train.sampler.scales: expected pairs"),
        (("[[320, 32], [320, 48], [320, 64]]", "2020-01-01"), "52:5: Train.sampler.scales: expected pairs"),
        (
            ("- MultiLabelEncode", "- RecConAug: {prob: 2}\n    - MultiLabelEncode"),
            "46:19: Train.dataset.transforms.RecConAug.prob: expected a number from 0 to 1, not 2",
        ),
        (("MultiScaleDataSet", "LMDBDataSet"), "39:5: Train.dataset.name: a LMDBDataSet has no label files"),
        (
            ("    label_file_list:\n    - ./crops/rendered.txt\n", ""),
            "38:3: Train.dataset.label_file_list: missing",
        ),
        (("    label_file_list: [./crops/val.txt]\n", ""), "60:3: Eval.dataset.label_file_list: missing"),
    ],
)
def test_mistakes_name_file_line_and_column(change: tuple[str, str], expected: str, tmp_path: Path) -> None:
    message = refused(tmp_path, change)
    assert message.startswith(f"one.yml:{expected}"), message
    assert not (tmp_path / "linetune.yaml").exists()


def pasted(text: str) -> str:
    """As a web page gives it: blank lines, and every other space of the indentation a non-breaking one."""
    lines = []
    for line in text.splitlines():
        bare = line.lstrip(" ")
        lines.append("\u00a0 " * ((len(line) - len(bare)) // 2) + bare.replace("120", "120\u00a0"))
    return "\n\n".join(lines) + "\n\u00a0\n"


def test_a_pasted_file_is_refused_with_its_place_and_read_when_repaired(cli: Cli, tmp_path: Path) -> None:
    original = written(tmp_path, "one.yml", FREEZE)
    (tmp_path / "pasted.yml").write_text(pasted(original.read_text("utf-8")), encoding="utf-8")
    done = cli("pasted.yml")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("error: pasted.yml:3:1: a non-breaking space (U+00A0) where YAML needs")
    assert "--repair" in line
    assert not (tmp_path / "linetune.yaml").exists()
    assert cli("one.yml", "-o", "plain.yaml").code == 0
    done = cli("pasted.yml", "--repair")
    assert done.code == 0
    assert "note: pasted.yml:3: --repair: " in done.out
    plain, repaired = load(tmp_path / "plain.yaml"), load(tmp_path / "linetune.yaml")
    stages = [stage.model_copy(update={"name": "one"}) for stage in repaired.stages]
    assert repaired.model_copy(update={"stages": stages}) == plain


def test_odd_spaces_that_do_no_harm_are_left_alone(tmp_path: Path) -> None:
    harmless = (GLOBAL, "epoch_num: 12 # zwölf\u00a0\u3000"), ("chars.txt", "my\u3000chars.txt")
    config, _ = converted(tmp_path, *harmless)
    assert config.charset == tmp_path.resolve() / "dicts/my\u3000chars.txt"


def test_a_file_that_is_there_is_not_replaced(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, "one.yml")
    (tmp_path / "linetune.yaml").write_text("mine", encoding="utf-8")
    done = cli("one.yml")
    assert done.code == 2
    assert done.err == "error: linetune.yaml: the file already exists; --overwrite replaces it\n"
    assert (tmp_path / "linetune.yaml").read_text("utf-8") == "mine"
    assert cli("one.yml", "--overwrite").code == 0
    assert load(tmp_path / "linetune.yaml").stages[0].name == "one"
    before = path.read_bytes()
    done = cli("one.yml", "-o", "./one.yml", "--overwrite")
    assert (done.code, path.read_bytes()) == (2, before)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert "cannot write" in cli("one.yml", "-o", "file/run.yaml").err
    assert "next: linetune train 'my runs/x.yaml'" in cli("one.yml", "-o", "my runs/x.yaml").out
    assert cli("none.yml", "-o", "x.yaml").err == "error: none.yml: configuration not found\n"
    (tmp_path / "empty.yml").write_text("", encoding="utf-8")
    assert "no keys in this configuration" in cli("empty.yml", "-o", "x.yaml").err
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob("x.yaml"))


def test_corrupted_files_give_one_line_or_a_run(tmp_path: Path) -> None:
    rng = random.Random(0)
    path, output = tmp_path / "one.yml", tmp_path / "linetune.yaml"
    source = STAGE.encode()
    for _ in range(200):
        data = bytearray(source)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[at] = rng.randrange(256)
            elif kind == 1:
                del data[at : at + rng.randint(1, 30)]
            elif kind == 2:
                data[at:at] = rng.choice(
                    [b": ", b"- ", b"\t", b"{", b"]", b"'", b"&a ", b"*a", b"\n", b"!x ", b"\x00"]
                )
            else:
                other = rng.randrange(len(data))
                data[at:at] = data[other : other + rng.randint(1, 40)]
        path.write_bytes(data)
        message = ""
        try:
            conversion = convert([path], output, tmp_path, repair=rng.random() < 0.5)
        except LinetuneError as error:
            message = str(error)
        if message:
            assert message.startswith(str(path))
            assert "\n" not in message
        else:
            output.write_bytes(conversion.text.encode())
            load(output)


@pytest.mark.skipif(
    not SEED.exists(), reason="the first user's configurations are not part of the repository"
)
def test_the_first_users_files_become_one_run(cli: Cli, tmp_path: Path) -> None:
    done = cli(*(SEED / f"stage{n}.yml" for n in (1, 2, 3)))
    assert (done.code, done.err) == (0, "")
    stages = load(tmp_path / "linetune.yaml").stages
    assert [s.epochs for s in stages] == [20, 30, 20]
    assert [s.learning_rate for s in stages] == [3e-4, 3e-5, 3e-5]
    assert [s.warmup_epochs for s in stages] == [3, 7, 3]
    assert [s.batch_size for s in stages] == [64, 64, 64]
    assert [s.freeze for s in stages] == [["backbone"], [], []]
    assert [s.augment.join for s in stages] == [0, 0.3, 0.3]
    assert [s.augment.warp for s in stages] == [0, 0, 0.4]
    assert "stage2.yml:18: Global.character_dict_path" in done.out
    pasted_file = SEED / "stage1-as-pasted.yml"
    done = cli(pasted_file, "-o", "pasted.yaml")
    assert done.err.startswith(f"error: {pasted_file}:4:1: a non-breaking space (U+00A0)")
    assert cli(pasted_file, "-o", "pasted.yaml", "--repair").code == 0
    repaired = load(tmp_path / "pasted.yaml").stages[0]
    assert repaired.model_copy(update={"name": "stage1"}) == stages[0]
