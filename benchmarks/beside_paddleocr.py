"""PaddleOCR's own trainer beside ours: the same crops, start and threads, and exact match over time.

    python benchmarks/beside_paddleocr.py CHECKOUT CONFIG [KEY=VALUE ...] --paddle-python PYTHON
        [--times 1 10 | --minutes M] [--variants advised low ctc] [--batch-size 32] [--with-rendered]
        [--seeds 0] [--output DIR]

CHECKOUT is PaddleOCR's repository, PYTHON one with paddlepaddle and what PaddleOCR's training imports. CONFIG
is a run's file. Its base model is always PP-OCRv5_mobile_rec, and both train on CPU. Both start from that
model limited to the run's charset. PaddleOCR's NRTR branch starts from official training weights where
linetune's cache holds them. Otherwise it starts at random, with use_guide: False, as linetune's export asks.
What it teaches the backbone may then do harm, so the ctc variants leave its loss out.

PaddleOCR trains by its own PP-OCRv5_mobile_rec.yml. Changed are paths, dictionary, threads, the longest text,
the batch (a set is small) and the learning rate. The rate follows PaddleOCR's fine-tuning guide: 1e-4 for a
batch of 128, in proportion. Each budget, a multiple of linetune's time, has a run of its own: a schedule
that is cut short never lowers its rate. Warm-up keeps its share of the epochs. PaddleOCR saves after whole
epochs, so its runs are whole epochs, at least one.

What counts as linetune's time: all from the first file read, rendering included, with an empty cache, without
validation, scoring and export. What counts as PaddleOCR's: all from its first line of log, which follows its
imports, to the checkpoint. It evaluates nothing meanwhile. Its checkpoints are scored afterwards, with the
reading that scored linetune's: each crop's own width, both ways up where the run reads so. The best on val is
reported. "Own val" is PaddleOCR's own accuracy. It takes characters outside the charset out of labels,
ignores spaces, squashes crops wider than 320 px and reads one way up. Ours without spaces stands beside it,
to show whether both evaluate the same network. A run that is finished is not run again.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from ruamel.yaml import YAML
from seeds import differs, seeded

from linetune.analysis.learning_curve import finished_run
from linetune.config.load import load
from linetune.config.schema import Config
from linetune.core.charset import SPACE, Charset
from linetune.core.labelfile import read_labels
from linetune.data.dataset import Dataset, load_dataset
from linetune.decode.read import read_crops
from linetune.evaluation.intervals import as_text
from linetune.evaluation.metrics import Score, score
from linetune.formats.official import load_base
from linetune.formats.pdparams import export as export_pdparams
from linetune.formats.sources import cached
from linetune.formats.transfer import with_charset
from linetune.models.families import OFFICIAL
from linetune.report.terminal import console, terminal
from linetune.synth.generate import LABELS

BASE = "PP-OCRv5_mobile_rec"
RATE, RATE_BATCH = 1e-4, 128
VARIANTS = {
    "advised": (1.0, 1.0),
    "low": (0.1, 1.0),
    "high": (10.0, 1.0),
    "ctc": (1.0, 0.0),
    "ctc-high": (10.0, 0.0),
}
"""Factor of the advised learning rate, and weight of the NRTR loss."""
PACE_STEPS = 6
"""Steps whose pace tells how many epochs a budget has; a slower one comes first."""
CHECKPOINTS = 40
"""Most that a run saves; 60 MB each."""
STEP = re.compile(r"CTCLoss: ([\d.]+).*avg_batch_cost: ([\d.]+) s, avg_samples: ([\d.]+)")
MOMENTS = (0.25, 0.5, 1, 2, 5, 10, 20)
"""Multiples of linetune's time at which the table says how far both are."""
Figures = dict[str, Any]


def main() -> None:
    """Run both for every seed, write the figures and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--paddle-python", type=Path, required=True)
    parser.add_argument("--times", type=float, nargs="+", default=[1, 10], help="budgets, in linetune's time")
    parser.add_argument("--minutes", type=float, help="one budget, whatever linetune took")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["advised", "low", "ctc"])
    parser.add_argument("--batch-size", type=int, default=32, help="PaddleOCR's, of crops 32 px high")
    parser.add_argument("--with-rendered", action="store_true", help="as many rendered crops as real ones")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--output", type=Path, default=Path("runs/beside_paddleocr"))
    options = parser.parse_intermixed_args()
    options.source = options.checkout / f"configs/rec/PP-OCRv5/{BASE}.yml"
    if not options.source.is_file():
        parser.error(f"{options.checkout} is no checkout of PaddleOCR 3: there is no {options.source}")
    if shutil.which(options.paddle_python) is None:
        parser.error(f"--paddle-python {options.paddle_python} cannot be run")
    if min(1 if options.minutes is None else options.minutes, options.batch_size, *options.times) <= 0:
        parser.error("--times, --minutes and --batch-size take numbers above 0")
    config = load(options.config, [*options.overrides, f"base_model={BASE}", "device=cpu"])
    if options.with_rendered and config.synth is None:
        parser.error(f"--with-rendered, but {options.config} renders nothing")
    for seed in options.seeds:
        folder = (options.output / str(seed)).resolve()
        run = seeded(config, seed, (), folder).model_copy(update={"output": folder / "linetune"})
        if run.synth:
            synth = run.synth.model_copy(update={"output": folder / "rendered"})
            run = run.model_copy(update={"synth": synth})
        if differs(run):
            parser.error(f"{run.output} holds a run of other settings; name another folder with --output")
        with_own_cache(folder / "cache")
        show(Comparison(run, folder, options).figures())


def with_own_cache(folder: Path) -> None:
    """Nothing that an earlier run stored shortens linetune's time; official weights are not fetched again."""
    weights = cached(OFFICIAL[BASE])
    os.environ["LINETUNE_CACHE"] = str(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if weights.exists() and not cached(OFFICIAL[BASE]).exists():
        cached(OFFICIAL[BASE]).symlink_to(weights.resolve())


@dataclass
class Comparison:
    """linetune's run and PaddleOCR's of one seed."""

    config: Config
    folder: Path
    options: argparse.Namespace

    @property
    def start(self) -> Path:
        """The weights that PaddleOCR starts from; their dictionary stands beside them."""
        return self.folder / "start.pdparams"

    @cached_property
    def charset(self) -> Charset:
        """The run's."""
        return Charset.read(self.config.output / "charset.txt")

    @cached_property
    def both_ways(self) -> bool:
        """What the run found for ``auto``."""
        return load(self.config.output / "config.yaml").both_ways is True

    @cached_property
    def data(self) -> dict[str, Dataset]:
        """All crops by set; there may be no test."""
        paths = {"train": self.config.data.train, "val": self.config.data.val, "test": self.config.data.test}
        return {name: load_dataset(read_labels(*some), None) for name, some in paths.items() if some}

    def figures(self) -> Figures:
        """Run what is not finished, and write ``results.json``."""
        with terminal() as reporter:
            results = finished_run(self.config, False, reporter)
        ours = linetune_figures(self.config.output, results)
        export_pdparams(
            with_charset(load_base(BASE), self.charset).model, self.start, self.data["train"].crops
        )
        settings = self.settings()
        before = results["rows"][1] | {"own_val_accuracy": self.own_accuracy(settings, self.start)}
        exported = self.scored(self.start, "val", self.both_ways)
        if exported["exact_match"] != before["val"]["exact_match"]:
            sys.exit(f"the start differs: {before['val']} before, {exported} as exported to {self.start}")
        before["val"] = exported
        pace = self.pace(settings)
        minutes, times = self.options.minutes, self.options.times
        budgets = [60 * minutes] if minutes else [ours["seconds"] * each for each in times]
        variants = self.options.variants
        rendered = self.config.synth.count if self.config.synth else 0
        found = {
            "threads": torch.get_num_threads(),
            "crops": len(self.data["train"]),
            "rendered": {
                "linetune": rendered,
                "PaddleOCR": self.options.with_rendered * min(rendered, len(self.data["train"])),
            },
            "both_ways": self.both_ways,
            "before": before,
            "linetune": ours,
            "paddleocr_pace": pace,
            "paddleocr": [self.trained(settings, v, b, pace) for b in budgets for v in variants],
        }
        write_json(found, self.folder / "results.json")
        return found

    def settings(self) -> Figures:
        """PaddleOCR's settings with what a careful user changes; writes the label files they name."""
        settings: Figures = YAML(typ="safe").load(self.options.source)
        lines = {name: self.data[name].lines for name in ("train", "val")}
        if self.options.with_rendered and self.config.synth and self.config.synth.output:
            # No ratio_list: PaddleOCR's MultiScaleDataSet takes the first lines then, in every epoch.
            rendered = read_labels(self.config.synth.output / LABELS)
            wanted = min(len(lines["train"]), len(rendered))
            lines["rendered"] = random.Random(self.config.seed).sample(rendered, wanted)
        for name, some in lines.items():
            text = "".join(f"{line.image.absolute()}\t{line.text}\n" for line in some)
            (self.folder / f"{name}.txt").write_text(text, "utf-8", newline="\n")
        files = {name: str(self.folder / f"{name}.txt") for name in lines}
        # PaddleOCR leaves longer texts out, and its NRTR branch needs two more places.
        longest = max(25, 2 + max(len(line.text) for some in lines.values() for line in some))
        settings["Global"] |= {
            "use_gpu": False,
            "distributed": False,
            "seed": self.config.seed,
            "pretrained_model": str(self.start),
            "character_dict_path": str(self.start.with_suffix(".txt")),
            "use_space_char": SPACE in self.charset,
            "max_text_length": longest,
            "eval_batch_step": [0, 10**9],
        }
        ctc, nrtr = settings["Architecture"]["Head"]["head_list"]
        ctc["CTCHead"]["Neck"]["use_guide"] = load_base(str(self.start)).network.nrtr is not None
        nrtr["NRTRHead"]["max_text_length"] = longest
        batch = self.options.batch_size
        settings["Optimizer"]["lr"]["learning_rate"] = RATE * batch / RATE_BATCH
        settings["Train"]["sampler"]["first_bs"] = batch
        names = {"Train": [name for name in lines if name != "val"], "Eval": ["val"]}
        for part in names:
            settings[part]["dataset"]["data_dir"] = "/"
            settings[part]["dataset"]["label_file_list"] = [files[name] for name in names[part]]
            settings[part]["loader"] |= {
                "batch_size_per_card": batch,
                "num_workers": torch.get_num_threads(),
            }
        for operation in settings["Train"]["dataset"]["transforms"]:
            if "RecConAug" in operation:
                operation["RecConAug"]["max_text_length"] = longest
        return settings

    def pace(self, settings: Figures) -> Figures:
        """Steps of an epoch, seconds of a step and images a second of PaddleOCR's training."""
        folder = self.folder / "pace"
        settings = changed(settings, folder, epoch_num=1000, print_batch_step=1, save_epoch_step=1000)
        if found := finished(folder, settings):
            return found
        with self.training(settings, folder) as process:
            while len(steps := STEP.findall(log(folder))) <= PACE_STEPS:
                refuse_end(process, folder)
                time.sleep(0.5)
        seconds = sum(float(cost) for _, cost, _ in steps[1:]) / len(steps[1:])
        images = sum(float(samples) for _, _, samples in steps[1:]) / len(steps[1:])
        an_epoch = int(re.findall(r"train dataloader has (\d+) iters", log(folder))[0])
        pace = {"steps": an_epoch, "seconds_per_step": seconds, "images_per_second": images / seconds}
        write_json(pace, folder / "result.json")
        return pace

    def trained(self, settings: Figures, variant: str, budget: float, pace: Figures) -> Figures:
        """What PaddleOCR comes to in so many seconds: every checkpoint on val, the best one on test."""
        epochs = max(1, round(budget / (pace["steps"] * pace["seconds_per_step"])))
        apart = math.ceil(epochs / CHECKPOINTS)
        epochs = math.ceil(epochs / apart) * apart
        folder = self.folder / f"paddleocr-{variant}-{epochs}"
        usual = settings["Global"]["epoch_num"]
        settings = changed(settings, folder, epoch_num=epochs, save_epoch_step=apart)
        factor, settings["Loss"]["weight_2"] = VARIANTS[variant]
        schedule = settings["Optimizer"]["lr"]
        schedule["learning_rate"] *= factor
        schedule["warmup_epoch"] *= epochs / usual
        if found := finished(folder, settings):
            return found
        with self.training(settings, folder) as process:
            started = time.time()
            while process.poll() is None:
                time.sleep(1)
                for path in folder.glob("iter_epoch_*.pdparams"):
                    path.with_suffix(".pdopt").unlink(missing_ok=True)  # 120 MB each
            if process.returncode:
                refuse_end(process, folder)
        points: list[Figures] = []
        for epoch in range(apart, epochs + 1, apart):
            path = folder / f"iter_epoch_{epoch}.pdparams"
            val = self.scored(path, "val", self.both_ways)
            points.append({"seconds": path.stat().st_mtime - started, "path": str(path), "val": val})
        best = max(points, key=lambda point: (point["val"]["exact_match"], -point["val"]["cer"]))
        path = Path(best["path"])
        steps = STEP.findall(log(folder))
        result = {
            "name": f"PaddleOCR, {variant}, {epochs} epoch{'s' * (epochs > 1)}",
            "learning_rate": schedule["learning_rate"],
            "seconds": points[-1]["seconds"],
            "ctc_loss": [float(steps[0][0]), float(steps[-1][0])],
            "points": points,
            "best": path.name,
            "val": best["val"],
            "own_val_accuracy": self.own_accuracy(settings, path),
            "test": self.scored(path, "test", self.both_ways),
            "test_one_way": self.scored(path, "test", False),
        }
        write_json(result, folder / "result.json")
        return result

    @contextlib.contextmanager
    def training(self, settings: Figures, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
        """PaddleOCR's trainer at work in a new folder, from its first line of log on; ended at the end."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with (folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                self.command("train", settings, folder / "settings.yml"),
                cwd=self.options.checkout,
                env=environment(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while not (folder / "train.log").exists():
                    refuse_end(process, folder)
                    time.sleep(0.1)
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # its workers too
                process.wait()

    def own_accuracy(self, settings: Figures, weights: Path) -> float:
        """What PaddleOCR's own evaluation says of weights on val."""
        command = self.command("eval", settings, self.folder / "eval.yml")
        command += ["-o", f"Global.checkpoints={weights}"]
        ran = subprocess.run(
            command, cwd=self.options.checkout, env=environment(), capture_output=True, text=True
        )
        told = re.findall(r"\bacc:([\d.e-]+)", ran.stdout)  # the first may be what a checkpoint remembers
        if not told:
            sys.exit(f"PaddleOCR's evaluation gave no accuracy: {(ran.stdout + ran.stderr)[-500:]}")
        return float(told[-1])

    def command(self, tool: str, settings: Figures, path: Path) -> list[str]:
        """A tool of PaddleOCR's with settings, which are written to a file."""
        path.write_text(as_yaml(settings), "utf-8")
        return [str(self.options.paddle_python.absolute()), f"tools/{tool}.py", "-c", str(path)]

    def scored(self, weights: Path, name: str, both_ways: bool) -> Figures:
        """The score of training weights on a set, by the reading that scores linetune's runs."""
        if name not in self.data:
            return {}
        if not (dictionary := weights.with_suffix(".txt")).exists():
            shutil.copy(self.start.with_suffix(".txt"), dictionary)
        model = replace(load_base(str(weights)), both_ways=both_ways)
        data = self.data[name]
        texts = [reading.text for reading in read_crops(model.reader.run, data.crops, model.decoder)]
        spaceless = score([*map(without_spaces, texts)], [*map(without_spaces, data.texts)])
        return score(texts, data.texts).as_dict() | {"without_spaces": spaceless.exact_match}


def linetune_figures(folder: Path, results: Figures) -> Figures:
    """Seconds that a run took and the validations in it, without the time of any validation or scoring."""
    rows = [json.loads(line) for line in (folder / "journal.jsonl").read_text("utf-8").splitlines()]
    clock = rows[-1]["total_seconds"] - rows[-1]["seconds"]  # before the journal was opened
    began = validating = 0.0
    points = []
    for row in rows:
        if "validation_seconds" in row:
            validating += row["validation_seconds"]
            seconds = clock + row["seconds"] - began - validating
            val = Score(row["exact_match"], -row["cer"], results["rows"][0]["val"]["lines"])
            points.append({"seconds": seconds, "val": val.as_dict(), "speed": row["images_per_second"]})
        elif row["event"] == "result":
            clock += row["training_seconds"] - validating
            began, validating = row["seconds"], 0.0
    kept = next(row for row in results["rows"] if row["name"] == results["best"])
    return {
        "seconds": clock,
        "points": points,
        "best": kept["name"],
        "val": kept["val"],
        "test": kept["test"],
    }


def without_spaces(text: str) -> str:
    """As PaddleOCR's metric compares it."""
    return text.replace(" ", "")


def environment() -> dict[str, str]:
    """As many threads as torch has; PaddlePaddle takes one unless it is told."""
    threads = str(torch.get_num_threads())
    return {**os.environ, "OMP_NUM_THREADS": threads, "FLAGS_paddle_num_threads": threads}


def refuse_end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """End with PaddleOCR's last line where it has ended."""
    if process.poll() is not None:
        last = (folder / "output.txt").read_text("utf-8", "replace").strip().rpartition("\n")[2]
        sys.exit(f"PaddleOCR ended with code {process.returncode}: {last} ({folder / 'output.txt'})")


def changed(settings: Figures, folder: Path, **changes: Any) -> Figures:
    """A copy for a run in that folder."""
    settings = copy.deepcopy(settings)
    settings["Global"] |= {"save_model_dir": str(folder), **changes}
    return settings


def finished(folder: Path, settings: Figures) -> Figures | None:
    """What a run with just these settings came to, if there was one."""
    told, result = folder / "settings.yml", folder / "result.json"
    if not result.is_file() or told.read_text("utf-8") != as_yaml(settings):
        return None
    found: Figures = json.loads(result.read_text("utf-8"))
    return found


def as_yaml(settings: Figures) -> str:
    """YAML 1.1: 3e-05, as 1.2 writes it, is text to PaddleOCR."""
    yaml, text = YAML(typ="safe", pure=True), StringIO()
    yaml.version = (1, 1)
    yaml.dump(settings, text)
    return text.getvalue()


def write_json(figures: Figures, path: Path) -> None:
    path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def log(folder: Path) -> str:
    return (folder / "train.log").read_text("utf-8", "replace")


def show(figures: Figures) -> None:
    """Two tables: where both end, and the best on val so far at multiples of linetune's time."""
    before, ours, runs = figures["before"], figures["linetune"], figures["paddleocr"]
    rendered = ", ".join(f"{count} rendered for {name}" for name, count in figures["rendered"].items())
    ways = ", read both ways up" if figures["both_ways"] else ""
    title = f"{figures['crops']} crops, {rendered}{ways}"
    ends = Table("", "rate", "s", "val", "own / our val, no spaces", "test", title=title)
    for run in (before | {"seconds": 0}, ours | {"name": "linetune"}, *runs):
        own = ""
        if "own_val_accuracy" in run:
            own = f"{run['own_val_accuracy']:.1%} / {run['val']['without_spaces']:.1%}"
        rate = f"{run['learning_rate']:.1e}" if "learning_rate" in run else ""
        ends.add_row(run["name"], rate, f"{run['seconds']:.0f}", shown(run["val"]), own, shown(run["test"]))
    console().print(ends)
    over_time = Table("at", "linetune", *(run["name"] for run in runs), title="best on val so far")
    ended = max(run["seconds"] for run in (ours, *runs))
    for now in (times * ours["seconds"] for times in MOMENTS if times * ours["seconds"] < 2 * ended):
        over_time.add_row(
            f"{now:.0f} s, {now / ours['seconds']:g} x", *(best_by(now, run, before) for run in (ours, *runs))
        )
    console().print(over_time)


def best_by(now: float, run: Figures, before: Figures) -> str:
    """The best exact match on val by then; nothing once the run is over."""
    points = [point for point in run["points"] if point["seconds"] <= now]
    best = max(each["val"]["exact_match"] for each in (before, *points))
    return f"{best:.1%}" + (" (end)" if len(points) == len(run["points"]) else "")


def shown(score: Figures | None) -> str:
    return as_text(score["exact_match"], tuple(score["interval"])) if score else ""


if __name__ == "__main__":  # rendering starts worker processes
    main()
