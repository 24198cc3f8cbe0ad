"""The page of a review, for the browser of this machine alone.

Every request has to name this address as its host, has to come from this page, and has to have the token. A
page of somebody else, open in the same browser, therefore learns and changes nothing. Images have numbers, so
that no request names a file.
"""

from __future__ import annotations

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import resources
from typing import Any

import cv2
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linetune.core import untrusted
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.report.page import rendered
from linetune.report.words import Words
from linetune.review import photos
from linetune.review.session import Session

ADDRESS = "127.0.0.1"
COOKIE = "linetune-review"
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_WIDEST = 2400
"""Largest side of an image that the page shows, px."""
_LARGEST = 1 << 16
"""Most bytes of a request."""


class Guard:
    """Refuses requests that do not come from the page, and adds headers to all answers.

    Args:
        app: answers the other requests.
        host: the only host that a request may name: address and port.
        token: what a request has to have, in the address of the page or in a cookie.
        say: the language of refusals, which people see in the browser.
    """

    def __init__(self, app: ASGIApp, host: str, token: str, say: Words) -> None:
        self._app, self._host, self._token, self._say = app, host, token, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
            await send(message)

        app: ASGIApp = self._app
        if scope["type"] == "http" and (why := self._refusal(Request(scope))):
            app = PlainTextResponse(f"{why}\n", 403)
        await app(scope, receive, answer)

    def _refusal(self, request: Request) -> str | None:
        headers, say = request.headers, self._say
        if headers.getlist("host") != [self._host]:
            return say("refused: only http://{host} shows this page", host=self._host)
        if headers.get("origin", f"http://{self._host}") != f"http://{self._host}":
            return say("refused: the request comes from another page")
        given = request.cookies.get(self.cookie(self._host), "")
        if request.url.path == "/":
            given = request.query_params.get("token", given)
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            return say("refused: open the address that linetune review printed")
        return None

    @staticmethod
    def cookie(host: str) -> str:
        """Return the name of the cookie. Cookies of one address are shared by all its ports."""
        return f"{COOKIE}-{host.rpartition(':')[2]}"


def create_app(session: Session, title: str, say: Words, host: str, token: str) -> Starlette:
    """Return the application.

    Args:
        session: the review.
        title: of the page.
        say: the language of the page.
        host: address and port.
        token: see :class:`Guard`.
    """
    script = resources.files("linetune.report").joinpath("templates", "review.js").read_text("utf-8")

    def page(request: Request) -> Response:
        html = rendered("review.html", say, title=title)
        response = HTMLResponse(html, headers={"Cache-Control": "no-store"})
        response.set_cookie(Guard.cookie(host), token, httponly=True, samesite="strict")
        return response

    def crop(request: Request) -> Response:
        return _png(session.crop(request.path_params["index"], "turned" in request.query_params))

    def photo(request: Request) -> Response:
        box = session.item_at(request.path_params["index"]).box
        if box is None:
            raise IndexError
        return _jpeg(photos.around(box))

    def item(request: Request) -> Response:
        turned = {"1": True, "0": False}.get(request.query_params.get("turned", ""))
        return JSONResponse(session.item(request.path_params["index"], turned))

    async def decide(request: Request) -> Response:
        wanted = await _json(request)
        index, text, turned = wanted.get("index"), wanted.get("text", 0), wanted.get("turned", False)
        if type(index) is not int or type(turned) is not bool or not isinstance(text, (str, type(None))):
            raise LinetuneError("not a decision")
        return JSONResponse(await run_in_threadpool(session.decide, index, text, turned))

    async def undo(request: Request) -> Response:
        await _json(request)
        return JSONResponse(await run_in_threadpool(session.undo))

    routes = [
        Route("/", page),
        Route("/review.js", lambda request: Response(script, media_type="text/javascript")),
        Route("/favicon.ico", lambda request: Response(status_code=204)),
        Route("/start", lambda request: JSONResponse(session.start())),
        Route("/item/{index:int}", item),
        Route("/image/{index:int}", crop),
        Route("/photo/{index:int}", photo),
        Route("/decide", decide, methods=["POST"]),
        Route("/undo", undo, methods=["POST"]),
    ]
    handlers = {LinetuneError: partial(_failed, say), IndexError: partial(_missing, say)}
    guard = Middleware(Guard, host=host, token=token, say=say)
    return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)


async def _json(request: Request) -> dict[str, Any]:
    """Return the object of a request.

    Raises:
        LinetuneError: the request has no JSON object, or is too large.
    """
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > _LARGEST:
            raise LinetuneError("the request is too large")
    if request.headers.get("content-type") != "application/json":
        raise LinetuneError("the request is not JSON")
    content = untrusted.parse_json(data, "the request")
    if not isinstance(content, dict):
        raise LinetuneError("the request is not a JSON object")
    return content


def _failed(say: Words, request: Request, error: LinetuneError) -> Response:
    return JSONResponse({"error": say("This was not done: {error}", error=error)}, 400)


def _missing(say: Words, request: Request, error: IndexError) -> Response:
    return JSONResponse({"error": say("There is no such crop.")}, 404)


def _png(crop: Crop) -> Response:
    return _encoded(crop, ".png", "image/png")


def _jpeg(crop: Crop) -> Response:
    return _encoded(crop, ".jpg", "image/jpeg")


def _encoded(crop: Crop, suffix: str, media_type: str) -> Response:
    longest = max(crop.shape[:2])
    if longest > _WIDEST:
        scale = _WIDEST / longest
        crop = np.asarray(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(suffix, crop)
    return Response(data.tobytes(), media_type=media_type, headers={"Cache-Control": "no-store"})


def listen(port: int) -> socket.socket:
    """Open a port of this machine.

    Args:
        port: 0 means any free one.

    Raises:
        LinetuneError: the port is in use, or is not allowed.
    """
    opened = socket.socket()
    try:
        if port:  # a port that has just been closed is free again
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((ADDRESS, port))
    except OSError as error:
        opened.close()
        what = f"cannot be opened ({error.strerror})"
        raise LinetuneError(what, f"port {port}", "choose another with --port, or leave it out") from None
    return opened


def serve(
    session: Session, title: str, say: Words, opened: socket.socket, ready: Callable[[str], None]
) -> None:
    """Show the page until the program is interrupted.

    Args:
        session: the review.
        title: of the page.
        say: the language of the page.
        opened: see :func:`listen`.
        ready: called with the address of the page, which has the token.
    """
    host, token = f"{ADDRESS}:{opened.getsockname()[1]}", secrets.token_urlsafe(24)
    app = create_app(session, title, say, host, token)
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    opened.listen()  # from here on, the browser waits for the page
    ready(f"http://{host}/?token={token}")
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[opened])


def open_browser(address: str) -> None:
    """Open a page in the browser, if there is one with windows."""
    with suppress(webbrowser.Error):
        browser = webbrowser.get()
        # A browser of the terminal would take the terminal.
        if type(browser) is not webbrowser.GenericBrowser:
            threading.Thread(target=browser.open, args=[address], daemon=True).start()
