"""Drives the built site in a headless browser, as `make docs-test` does.

    python tests/docs_site/browse.py site --screenshots build/screenshots

Every page must load whole, from this server alone and without an error in the console; nothing may be wider than the
window of a desk or of a phone, and at a desk no line of code wider than its block; every block of code has a button
that copies it; search finds every public name; figures lie on a light plate in the dark.
"""

import argparse
import functools
import importlib
import shutil
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_SHOWN = ["", "tutorial/", "how-to/own-images/", "reference/", "reference/ThresholdCalibrator/", "reference/plots/"]

# What sticks out of the window, and not out of a box that scrolls.
_TOO_WIDE = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll(".md-container *")]
        .filter(element => element.getBoundingClientRect().right > width + 1)
        .map(element => element.outerHTML.slice(0, 90)).slice(0, 3).concat("document");
}"""
_DARK_IMAGES = """() => [...document.querySelectorAll(".md-content img")]
    .filter(image => getComputedStyle(image).backgroundColor !== "rgb(255, 255, 255)").map(image => image.src)"""
_CUT_CODE = """() => [...document.querySelectorAll(".md-content pre > code")]
    .filter(code => code.scrollWidth > code.clientWidth + 1).map(code => code.textContent.trim().slice(0, 60))"""
_BLOCKS = "() => document.querySelectorAll('.md-content pre > code').length"
_BUTTONS = "() => document.querySelectorAll('.md-content .highlight .md-code__button[data-md-type=copy]').length"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--screenshots", type=Path, help="folder for pictures of a few pages")
    arguments = parser.parse_args(argv)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("The site is tested in Chromium, which is not installed: apt-get install chromium")
    sync_api = importlib.import_module("playwright.sync_api")  # not at the top: doctests import this file

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(arguments.site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        context = browser.new_context(viewport=DESK, permissions=["clipboard-read", "clipboard-write"])
        context.set_default_timeout(20_000)
        problems = _visit_all(context, address, arguments.site)
        problems += _search(context, address, arguments.site)
        if arguments.screenshots:
            _photograph(browser, address, arguments.site, arguments.screenshots)
        browser.close()
    server.shutdown()
    print("\n".join(problems) or "Every page is whole.")
    sys.exit(1 if problems else 0)


def _visit_all(context: Any, address: str, site: Path) -> list[str]:
    problems: list[str] = []
    page, at = context.new_page(), ""
    page.on("console", lambda message: message.type == "error" and problems.append(f"{at}: console: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"{at}: {error}"))
    page.on("requestfailed", lambda request: problems.append(f"{at}: failed: {request.url} {request.failure}"))
    page.on("response", lambda answer: answer.status >= 400 and problems.append(f"{at}: {answer.status} {answer.url}"))
    page.on("request", lambda request: _is_elsewhere(request.url, address) and problems.append(f"{at}: {request.url}"))
    visited = sorted(path.relative_to(site).as_posix().removesuffix("index.html") for path in site.rglob("index.html"))
    for at in visited:
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(DESK)
        page.goto(address + at, wait_until="load")
        blocks = page.evaluate(_BLOCKS)
        if blocks:
            page.wait_for_function(f"({_BUTTONS})() >= {blocks}")
            problems += _copy(page, at)
        problems += [f"{at}: wider than a desk's window: {part}" for part in page.evaluate(_TOO_WIDE)]
        problems += [f"{at}: a line of code is cut: {code!r}" for code in page.evaluate(_CUT_CODE)]
        page.set_viewport_size(PHONE)
        problems += [f"{at}: wider than a phone: {part}" for part in page.evaluate(_TOO_WIDE)]
        page.emulate_media(color_scheme="dark")
        page.wait_for_selector("body[data-md-color-scheme=slate]")
        problems += [f"{at}: no light plate under {source}" for source in page.evaluate(_DARK_IMAGES)]
    print(f"{len(visited)} pages visited")
    page.close()
    return problems


def _copy(page: Any, at: str) -> list[str]:
    """Clicks the first button and compares; the prompts and the results of an example stay behind."""
    button = page.locator(".md-content .highlight .md-code__button[data-md-type=copy]").first
    code = page.locator(".md-content .highlight pre > code").first
    expected = code.evaluate(
        "code => { const copy = code.cloneNode(true);"
        "copy.querySelectorAll('.gp, .go').forEach(part => part.remove()); return copy.textContent; }"
    )
    page.evaluate("() => navigator.clipboard.writeText('')")
    button.click(force=True)
    page.wait_for_function("async () => (await navigator.clipboard.readText()) !== ''")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    # Blank lines may be fewer in what was copied.
    if [line for line in copied.splitlines() if line.strip()] != [s for s in expected.splitlines() if s.strip()]:
        return [f"{at}: copied {copied[:80]!r}, expected {expected[:80]!r}"]
    return []


def _search(context: Any, address: str, site: Path) -> list[str]:
    """Types every public name into the field and looks for its page among the results."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "hooks"))
    public_names = importlib.import_module("public_names").read_public_names(Path(__file__).parents[2])
    wanted = [(public.name, public.page) for public in public_names]
    wanted += [(member.name, public.page) for public in public_names for member in public.members]
    page = context.new_page()
    page.goto(address)
    field = page.locator(".md-search__input")
    field.click()
    problems = []
    for name, uri in wanted:
        field.fill(name)
        field.press("End")  # the site listens to keys
        found = page.locator(f'.md-search-result__link[href*="{uri.removesuffix(".md")}/"]')
        try:
            found.first.wait_for(state="attached", timeout=3_000)
        except Exception:  # the time is over
            problems.append(f"search for {name} does not find {uri}")
    print(f"{len(wanted)} names searched")
    page.close()
    return problems


def _photograph(browser: Any, address: str, site: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        for window, size in (("desk", DESK), ("phone", PHONE)):
            page = browser.new_page(viewport=size, color_scheme=scheme)
            for at in _SHOWN:
                if (site / at / "index.html").is_file():
                    page.goto(address + at)
                    name = at.strip("/").replace("/", "-") or "home"
                    page.screenshot(path=folder / f"{name}-{window}-{scheme}.png", full_page=True)
            page.close()


def _is_elsewhere(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:"))


if __name__ == "__main__":
    main()
