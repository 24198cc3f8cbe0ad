"""How the web service of examples/service holds up: clients that ask without a pause, then SIGTERM.

    taskset -c 1 python benchmarks/service.py MODEL.onnx CROPS [--clients 100] [--seconds 120]

CROPS is a label file or a folder of images. The service and all clients share the cores of this command.
Each client keeps its connection, and sends the next crop when it has its answer. The answer has to be the
text that linetune reads from the crop alone. In the end the service gets SIGTERM while all clients wait.
The command fails if an answer is missing or wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil

from linetune import Recogniser
from linetune.core import image
from linetune.core.labelfile import read_labels

SERVICE = Path(__file__).parents[1] / "examples/service/service.py"
WARM_UP = 10.0
"""Seconds before the memory is measured first."""


class Load:
    """What the clients do, and what came of it."""

    def __init__(self, port: int, crops: Sequence[tuple[bytes, str]]) -> None:
        self.port, self.crops = port, crops
        self.latencies, self.lost = list[float](), list[str]()
        self.sent, self.ending = 0, False

    async def client(self, crops: Iterator[tuple[bytes, str]]) -> None:
        """Ask until the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while not self.ending:
            body, expected = next(crops)
            started = time.perf_counter()
            self.sent += 1
            try:
                code, answer = await ask(reader, writer, b"POST /read", body)
                if code != 200 or json.loads(answer)["text"] != expected:
                    self.lost.append(f"{code} {answer!r}, expected {expected!r}")
            except (OSError, IndexError, asyncio.IncompleteReadError) as error:
                self.lost.append(repr(error))
                return
            self.latencies.append(time.perf_counter() - started)
        writer.close()


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: bytes, body: bytes = b""
) -> tuple[int, bytes]:
    """Return the code and the content of an answer."""
    writer.write(b"%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (what, len(body)) + body)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split()[0])
    return int(head.split()[1]), await reader.readexactly(length)


async def figures(port: int) -> dict[str, float]:
    """Return what /metrics says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    _, text = await ask(reader, writer, b"GET /metrics")
    writer.close()
    pairs = (line.rsplit(" ", 1) for line in text.decode().splitlines())
    return {name: float(value) for name, value in pairs}


async def measure(load: Load, process: psutil.Process, clients: int, seconds: float) -> None:
    """Run the clients, end the service, and print the figures."""
    places = np.random.default_rng(0).integers(len(load.crops), size=clients)
    own = [itertools.islice(itertools.cycle(load.crops), int(place), None) for place in places]
    tasks = [asyncio.create_task(load.client(crops)) for crops in own]
    await asyncio.sleep(min(WARM_UP, seconds / 2))
    memory, started, before = [process.memory_info().rss], time.perf_counter(), len(load.latencies)
    while time.perf_counter() - started < seconds:
        await asyncio.sleep(seconds / 4)
        memory.append(process.memory_info().rss)
    rate = (len(load.latencies) - before) / (time.perf_counter() - started)
    measured = np.array(load.latencies[before:])
    said = await figures(load.port)
    load.ending = True
    answered, waiting = len(load.latencies), load.sent - len(load.latencies)
    process.send_signal(signal.SIGTERM)
    await asyncio.gather(*tasks)
    percentiles = ", ".join(f"{1000 * np.percentile(measured, each):.0f}" for each in (50, 95, 99))
    batch = said["linetune_crops_total"] / said["linetune_batches_total"]
    print(f"{load.sent} requests of {clients} clients, {rate:.1f} a second; lost or wrong: {len(load.lost)}")
    print(f"latency in ms, percentiles 50, 95, 99: {percentiles}; crops a batch: {batch:.1f}")
    print(f"memory of the service {', '.join(f'{each / 2**20:.0f}' for each in memory)} MiB")
    print(f"SIGTERM while {waiting} requests waited: {len(load.latencies) - answered} of them answered")


def main() -> None:
    """Start the service, load it, and exit with 1 if an answer is missing or wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("crops", type=Path)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    if options.crops.is_dir():
        paths = image.in_folder(options.crops)[0]
    else:
        paths = [line.image for line in read_labels(options.crops)]
    texts = [reading.text for reading in Recogniser.load(options.model).read(paths)]
    crops = [(path.read_bytes(), text) for path, text in zip(paths, texts, strict=True)]
    command = [sys.executable, str(SERVICE), str(options.model), "--port", "0"]
    with subprocess.Popen(command, text=True, stderr=subprocess.PIPE) as service:
        assert service.stderr
        said = next((line for line in service.stderr if "running on" in line), "")
        load = Load(int(said.split("127.0.0.1:")[1].split()[0]), crops)
        asyncio.run(measure(load, psutil.Process(service.pid), options.clients, options.seconds))
        code = service.wait()
    for each in load.lost[:10]:
        print(each)
    print(f"the service ended with {code}")
    sys.exit(bool(load.lost))


if __name__ == "__main__":
    main()
