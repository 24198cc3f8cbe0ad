"""How much faster two processes train than one, each on one core, and how far their losses differ.

    python benchmarks/processes.py CONFIG [KEY=VALUE ...] [--steps 60] [--rounds 2]

One stage trains on the real crops of a configuration. The times are those between its first journal entry and
its last, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

STAGE = "[{{name: real, data: train, steps: {}, learning_rate: 1.5e-5, augment: standard, batch_size: 32}}]"


def main() -> None:
    """Train in turns, and print the seconds a step and the losses."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_intermixed_args()
    settings = [*options.overrides, "synth=null", f"stages={STAGE.format(options.steps)}"]
    seconds: dict[int, list[float]] = {1: [], 2: []}
    losses: dict[int, list[float]] = {}
    for _ in range(options.rounds):
        for count in seconds:
            took, losses[count] = measured(count, options.config, settings)
            seconds[count].append(took)
            print(f"{count} process{'es' if count > 1 else ''}: {took:.3f} s a step", flush=True)
    one, two = (statistics.median(times) for times in seconds.values())
    apart = max(abs(a - b) / abs(a) for a, b in zip(losses[1], losses[2], strict=True))
    print(f"two processes are {one / two:.2f} times as fast as one; the losses differ by {apart:.1e} at most")


def measured(count: int, config: str, settings: list[str]) -> tuple[float, list[float]]:
    """Train with some processes, one core each. Return the seconds a step, and the losses."""
    with TemporaryDirectory() as folder:
        start = ["-m", "linetune"]
        if count > 1:
            start = ["-m", "torch.distributed.run", "--nproc-per-node", str(count), *start]
        cores = ",".join(map(str, range(count)))
        pin = ["taskset", "-c", cores] if shutil.which("taskset") else []
        command = [*pin, sys.executable, *start, "train", config, f"output={folder}/run", *settings]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        rows = map(json.loads, (Path(folder) / "run/journal.jsonl").read_text("utf-8").splitlines())
        entries = [row for row in rows if row["event"] == "real"]
    first, last = entries[0], entries[-1]
    took = (last["seconds"] - first["seconds"]) / (last["step"] - first["step"])
    return took, [entry["loss"] for entry in entries]


if __name__ == "__main__":
    main()
