"""A run with several seeds, or without one of its stages: the mean and the figures of every run, row by row.

    python benchmarks/seeds.py CONFIG [KEY=VALUE ...] [--seeds 0 1 2] [--without STAGE] [--output DIR]

A seed is the run's and that of its rendered crops. A run that is finished is not run again.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linetune.analysis.learning_curve import finished_run
from linetune.config import Config, load
from linetune.report.terminal import terminal


def main() -> None:
    """Train, and print one line for every model of the runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--without", action="append", default=[], metavar="STAGE", help="leave it out")
    parser.add_argument("--output", type=Path, default=Path("runs/seeds"), help="a folder for every seed")
    options = parser.parse_intermixed_args()
    config = load(options.config, options.overrides)
    names = [stage.name for stage in config.stages]
    if not set(options.without) < set(names):
        parser.error(f"--without takes some of the stages {', '.join(names)}, not all and no other")
    wanted = [seeded(config, seed, options.without, options.output) for seed in options.seeds]
    for run in wanted:
        if differs(run):
            parser.error(f"{run.output} holds a run of other settings; name another folder with --output")
    with terminal() as reporter:
        runs = [finished_run(run, False, reporter) for run in wanted]
    for rows in zip(*(run["rows"] for run in runs), strict=True):
        print(rows[0]["name"])
        for name in ("val", "test"):
            if rows[0][name]:
                print(f"  {name:<4} exact {shown(rows, name, 'exact_match')}  CER {shown(rows, name, 'cer')}")
    print("seconds in all:", ", ".join(f"{run['seconds']:.0f}" for run in runs))


def seeded(config: Config, seed: int, without: Sequence[str], output: Path) -> Config:
    """The same run with another seed, in a folder of its own, without some stages."""
    changes: dict[str, Any] = {"seed": seed, "output": (output / str(seed)).resolve()}
    if config.synth:
        changes["synth"] = config.synth.model_copy(update={"seed": seed})
    changes["stages"] = [stage for stage in config.stages if stage.name not in without]
    return config.model_copy(update=changes)


def differs(config: Config) -> bool:
    """Whether its folder holds a run of other settings."""
    path = config.output / "config.yaml"
    # A run writes there what it found for auto.
    return path.is_file() and load(path).model_copy(update={"both_ways": config.both_ways}) != config


def shown(rows: Sequence[dict[str, Any]], name: str, figure: str) -> str:
    """The mean and each run's own, in percent."""
    values = [100 * row[name][figure] for row in rows]
    return f"{statistics.mean(values):.1f} ({', '.join(f'{value:.1f}' for value in values)})"


if __name__ == "__main__":  # rendering starts worker processes
    main()
