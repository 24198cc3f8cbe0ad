"""A web service that reads crops: POST an image of one text line, get its text as JSON.

    pip install . starlette uvicorn                  # the small installation and two packages; no torch
    python examples/service/service.py MODEL.onnx    # --help lists the settings
    curl --data-binary @crop.png http://127.0.0.1:8000/read
    {"text":"LOT 4711","confidence":0.98,"accepted":true}

`accepted` is null if the model has no promise. An error is one line of text. 422: the body is no image of a
text line. 413: it has more than --largest MiB. 503: --queue requests are waiting; Retry-After says when to
try again. `GET /health` answers `ok` when the service can read. `GET /metrics` has figures for Prometheus.

Crops that come within --wait milliseconds, or while others are read, share a batch of at most 32. One thread
reads. SIGTERM closes the port, answers the requests that the service holds, and ends it. That may take longer
than your process manager waits before it kills. The service has no password and no TLS, and only this machine
reaches it: put a proxy in front.
"""

import asyncio
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from linetune import LinetuneError, Recogniser
from linetune.core import image
from linetune.decode import Reading


def application(recogniser: Recogniser, wait: int, queue: int, largest: float) -> Starlette:
    """Return the service. `main` has the same arguments."""
    waiting, readings = dict[Request, image.Crop](), dict[Request, Reading]()
    totals, one_reads, pool = Counter[str](), asyncio.Lock(), ThreadPoolExecutor(1)

    async def answer(request: Request) -> Response:
        body = bytearray()
        if totals["linetune_waiting"] > queue:
            return PlainTextResponse("too many requests are waiting\n", 503, {"Retry-After": "1"})
        try:
            async for part in request.stream():
                body += part
                if len(body) > largest * 2**20:
                    return PlainTextResponse(f"the body has more than {largest:g} MiB\n", 413)
            waiting[request] = await asyncio.to_thread(lambda: image.resize(image.to_crop(body, "the body")))
        except (LinetuneError, ClientDisconnect) as error:
            return PlainTextResponse(f"{error}\n", 422)
        await asyncio.sleep(wait / 1000)
        async with one_reads:
            if request in waiting:  # not read with others: read it, with those that wait
                batch = {each: waiting.pop(each) for each in list(waiting)[:32]}
                found = await asyncio.get_event_loop().run_in_executor(pool, recogniser.read, batch.values())
                readings.update(zip(batch, found, strict=True))
                totals.update(linetune_batches_total=1, linetune_crops_total=len(batch))
        its = readings.pop(request)
        return JSONResponse({"text": its.text, "confidence": its.confidence, "accepted": its.accepted})

    async def read(request: Request) -> Response:
        started, code = time.perf_counter(), 500
        totals["linetune_waiting"] += 1
        try:
            response = await answer(request)
            code = response.status_code
            return response
        finally:
            seconds = time.perf_counter() - started
            totals.update({"linetune_waiting": -1, f'linetune_requests_total{{code="{code}"}}': 1})
            totals.update({"linetune_seconds_sum": seconds, "linetune_seconds_count": 1})
            for bound in (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, "+Inf"):
                totals[f'linetune_seconds_bucket{{le="{bound}"}}'] += seconds <= float(bound)

    async def metrics(request: Request) -> Response:
        return PlainTextResponse("".join(f"{name} {value}\n" for name, value in sorted(totals.items())))

    app = Starlette()
    app.add_route("/read", read, ["POST"])
    app.add_route("/health", lambda request: PlainTextResponse("ok\n"))
    app.add_route("/metrics", metrics)
    return app


def main(
    model: str, host: str = "127.0.0.1", port: int = 8000, wait: int = 5, queue: int = 256, largest: float = 4
) -> None:
    """Read crops over HTTP."""
    app = application(Recogniser.load(model), wait, queue, largest)
    uvicorn.run(app, host=host, port=port, access_log=False)


if __name__ == "__main__":
    try:
        typer.run(main)
    except LinetuneError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
