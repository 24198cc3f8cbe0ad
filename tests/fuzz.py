"""Fuzz the readers of strangers' files, guided by coverage: python tests/fuzz.py [READER ...] [--seconds 60]

Each reader has a process of its own. It starts from the valid content that the tests have, and keeps what it
finds in ``.fuzz/READER``. A content that raises anything but LinetuneError, takes 10 s or 2 GB is written to
``.fuzz/READER-crash-…``. Needs atheris.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".fuzz"


def main() -> None:
    """Fuzz the readers one after the other, and exit with 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("readers", nargs="*", help="by default all")
    parser.add_argument("--seconds", type=int, default=60, help="time for each reader")
    arguments = parser.parse_args()
    from test_strangers import READERS

    failed = []
    for name in arguments.readers or READERS:
        corpus = FOLDER / name
        corpus.mkdir(parents=True, exist_ok=True)
        (corpus / "valid").write_bytes(READERS[name][1])
        command = [sys.executable, __file__, "--in-process", name, str(arguments.seconds)]
        print(f"{name}: {arguments.seconds} s", flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}; see {FOLDER}" if failed else "no failure")
    sys.exit(bool(failed))


def fuzz(name: str, seconds: str) -> None:
    """Fuzz one reader in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["linetune"]):
        from test_strangers import READERS

        from linetune.core.errors import LinetuneError
    read, _ = READERS[name]
    folder = Path(tempfile.mkdtemp(prefix="linetune-fuzz-"))

    def once(content: bytes) -> None:
        try:
            read(folder, content)
        except LinetuneError:
            return

    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]
    outputs = [f"-artifact_prefix={FOLDER / name}-", "-print_final_stats=1", "-verbosity=0"]
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], *limits, *outputs, str(FOLDER / name)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-process"]:
        fuzz(*sys.argv[2:])
    else:
        main()
