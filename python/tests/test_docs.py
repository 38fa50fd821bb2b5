"""The documentation of the package shows programs as they are in `python/examples`, and its links lead somewhere."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import names
import pytest
import websockets
from programs import EXAMPLES

ROOT = EXAMPLES.parent.parent
PAGES = sorted((ROOT / "docs" / "python").glob("*.md"))
SHOWN = {"python", "html", "js", "ini", "nginx", "text"}
"""Languages of blocks that are files of the examples, or parts of them."""


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Language, text, and the line before each block."""
    found = re.findall(r"([^\n]*)\n+```(\w+)\n(.*?)\n```", page.read_text("utf-8"), re.DOTALL)
    return [(language, text, before) for before, language, text in found]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_programs_are_shown_as_they_are(page: Path) -> None:
    for language, text, before in blocks(page):
        assert language in SHOWN | {"console"}, language
        if language not in SHOWN:
            continue
        link = re.search(r"\]\(\.\./\.\./python/examples/([^)]+)\)", before)
        if link is not None:
            assert text == (EXAMPLES / link[1]).read_text("utf-8").strip(), f"{page.name} shows {link[1]} otherwise"
        else:
            programs = (file.read_text("utf-8") for file in EXAMPLES.rglob("*.py"))
            assert any(text in textwrap.dedent(program) for program in programs), f"no example has: {text}"


def test_every_example_is_shown_or_named() -> None:
    told = "".join(page.read_text("utf-8") for page in PAGES)
    files = [file.relative_to(EXAMPLES) for file in EXAMPLES.rglob("*.*") if file.is_file()]
    sources = [file for file in files if not any(part.startswith((".", "__pycache__")) for part in file.parts)]
    assert [file for file in sources if f"python/examples/{file}" not in told] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs" / "README.md", ROOT / "README.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "code", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}"


def test_the_index_has_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES if f"(python/{page.name})" not in index] == []


def test_the_readmes_example_is_that_of_the_quickstart() -> None:
    (example,) = [text for language, text, _ in blocks(ROOT / "README.md") if language == "python"]
    assert example == (EXAMPLES / "quickstart" / "echo.py").read_text("utf-8").strip()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the newest websockets is for Python 3.11 and newer")
def test_every_public_name_of_websockets_is_listed() -> None:
    page = ROOT / "docs" / "python" / "names.md"
    assert f"websockets {websockets.__version__}," in page.read_text("utf-8")
    assert page.read_text("utf-8") == names.page(), "write it anew: python python/tests/names.py > docs/python/names.md"
