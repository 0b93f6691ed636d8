"""Windows of the browser, and what it complained about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, FrameLocator, Page, expect

from sandbox.browser import PATIENCE

expect.set_options(timeout=PATIENCE)

Open = Callable[..., FrameLocator]


@dataclass
class Window:
    """A window of the browser, and what went wrong in it: console errors, and requests to other hosts."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def watch(self, host: str) -> None:
        """Note errors from now on, but that an answer to a request is one, and requests to any other host."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._request(request.url, host))

    def _console(self, message: object) -> None:
        text, kind = str(getattr(message, "text", "")), getattr(message, "type", "")
        if kind == "error" and "the server responded with a status of" not in text:
            self.complaints.append(text)

    def _request(self, url: str, host: str) -> None:
        if urlsplit(url).netloc != host and urlsplit(url).scheme != "data":
            self.complaints.append(f"asked {url}")


def open_window(context: BrowserContext, url: str) -> Window:
    """Open a window that talks with the host of ``url`` only."""
    context.set_default_timeout(PATIENCE)
    window = Window(context.new_page())
    window.watch(urlsplit(url).netloc)
    return window


# A group has no text before its first frame, as the browser then decides whether it is on the screen.
DRAWN = """async (body) => {
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  return body.innerText;
}"""


def text(frame: FrameLocator) -> str:
    """The text of the page once it has read what it needs."""
    expect(frame.locator("#status")).not_to_have_text("Reading what this monitor found …")
    return str(frame.locator("body").evaluate(DRAWN))
