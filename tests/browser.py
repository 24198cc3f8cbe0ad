"""A real browser for the tests of pages: Chromium, where it is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@dataclass
class Watched:
    """A page of the browser, with what went wrong on it and what it asked for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def note(self, entry: ConsoleMessage) -> None:
        """Keep what the console reports as an error."""
        if entry.type == "error":
            self.errors.append(entry.text)


@contextmanager
def started() -> Iterator[Browser]:
    """Start Chromium, or skip the test where it is not installed. Starting takes longer than most pages."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def empty_page(browser: Browser, **settings: Any) -> Iterator[Watched]:
    """Open an empty page, which shares nothing with other pages.

    Args:
        browser: a started Chromium.
        settings: such as ``java_script_enabled=False`` or ``color_scheme="dark"``.
    """
    context = browser.new_context(**settings)
    try:
        watched = Watched(context.new_page())
        watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
        watched.page.on("console", watched.note)
        watched.page.on("request", lambda request: watched.requests.append(request.url))
        yield watched
    finally:
        context.close()
