"""Read millions of crops from Parquet files, on all cores or machines that Ray has.

    pip install 'linetune[parquet]' 'ray[data]'
    python examples/read_with_ray.py MODEL CROPS OUTPUT [--image COLUMN] [--workers 4]

MODEL is whatever linetune.Recogniser.load takes. CROPS is a Parquet file, or a folder of them. Ray Data gives
one row group after the other to its workers. Each writes the readings of a row group as one file of OUTPUT,
whole or not at all. After an interruption, the same command reads the row groups that have no file yet. Each
crop is therefore in OUTPUT exactly once. Another model, or other crops, need another OUTPUT.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray

from linetune import LinetuneError, Recogniser

SCHEMA = pa.schema(
    {
        "file": pa.string(),
        "group": pa.int64(),
        "row": pa.int64(),
        "text": pa.string(),
        "confidence": pa.float64(),
        "error": pa.string(),
    }
)
"""The columns of all parts. Without types, a part that has no error could not be read beside one that has."""
Shard = dict[str, Any]
"""A row group: its file, its number, the column of the images, and the file of its readings."""


class Reader:
    """A worker: one model, one thread."""

    def __init__(self, model: str) -> None:
        import torch

        torch.set_num_threads(1)
        self._recogniser = Recogniser.load(model)

    def __call__(self, shard: Shard) -> Shard:
        """Read a row group, and write its readings."""
        table = pq.ParquetFile(shard["file"]).read_row_group(shard["group"], [shard["column"]])
        # A column of Hugging Face's images has the bytes in a field.
        values = table.column(0).to_pylist()
        images = [value["bytes"] if isinstance(value, dict) else value for value in values]
        rows = [
            {"file": Path(shard["file"]).name, "group": shard["group"], "row": row, **self._read(image)}
            for row, image in enumerate(images)
        ]
        target = Path(shard["target"])
        partial = target.with_suffix(f".{os.getpid()}.part")
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), partial)
        partial.replace(target)
        return {"crops": len(rows)}

    def _read(self, image: bytes) -> dict[str, Any]:
        try:
            (reading,) = self._recogniser.read([image])
        except LinetuneError as error:
            return {"text": None, "confidence": None, "error": str(error)}
        return {"text": reading.text, "confidence": float(reading.confidence), "error": None}


def shards(crops: Path, column: str, output: Path) -> list[Shard]:
    """Return the row groups that have no readings yet.

    Raises:
        LinetuneError: there is no Parquet file, or it has no such column.
    """
    files = sorted(crops.glob("*.parquet")) if crops.is_dir() else [crops]
    if not files or not all(file.is_file() for file in files):
        raise LinetuneError("no Parquet file", crops, "name a file or a folder with *.parquet")
    found = []
    for file in files:
        try:
            parquet = pq.ParquetFile(file)
        except (OSError, pa.ArrowInvalid) as error:
            raise LinetuneError(f"not a Parquet file ({error})", file) from None
        if column not in parquet.schema_arrow.names:
            known = ", ".join(parquet.schema_arrow.names)
            raise LinetuneError(f"no column {column!r}", file, f"--image takes one of: {known}")
        for group in range(parquet.num_row_groups):
            target = output / f"{file.stem}-{group:06}.parquet"
            shard = {"file": str(file), "group": group, "column": column, "target": str(target)}
            found += [] if target.exists() else [shard]
    return found


def main() -> None:
    """Read what is left, and report the progress."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("model")
    parser.add_argument("crops", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--image", default="image", metavar="COLUMN")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    try:
        left = shards(options.crops, options.image, options.output)
        Recogniser.load(options.model)
    except LinetuneError as error:
        sys.exit(f"error: {error}")
    options.output.mkdir(parents=True, exist_ok=True)
    for partial in options.output.glob("*.part"):  # of a killed run
        partial.unlink()
    if not left:
        print(f"{options.output} has all readings")
        return
    ray.init(num_cpus=options.workers, include_dashboard=False, log_to_driver=False)
    workers = min(options.workers, len(left))
    # One row group a task: a part that is written is never read again.
    reading = ray.data.from_items(left, override_num_blocks=len(left)).map(
        Reader, fn_constructor_args=[options.model], concurrency=workers, num_cpus=1
    )
    crops = 0
    for done, row in enumerate(reading.iter_rows(), 1):
        crops += row["crops"]
        print(f"{done} of {len(left)} row groups, {crops} crops", flush=True)


if __name__ == "__main__":
    main()
