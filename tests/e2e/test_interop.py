# SPDX-License-Identifier: MIT
"""The page that scripts/interop writes: the parts that a run replaces."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "interop"))

from table import Page, parse  # noqa: E402
from trials import Result  # noqa: E402


def run(*versions: str) -> list[Result]:
    """Of a system with these: "Dino 1"."""
    found = []
    for client, version in (name.split() for name in versions):
        found += [Result(client, version, False, form, form == "si", "x") for form in ("raw", "si")]
        found.append(Result(client, version, True, "si", False, "y"))
    return found


def page_of(*runs: list[Result]) -> Page:
    page = Page()
    for results in runs:
        page.replace(results)
    return parse(page.text())


def rows(page: Page) -> set[str]:
    assert parse(page.text()).text() == page.text()
    return {f"{result.client} {result.version}" for result in page.results}


def test_the_page_is_what_was_written() -> None:
    text = (ROOT / "docs" / "interop.md").read_text()
    assert parse(text).text() == text


def test_another_system_is_kept() -> None:
    page = page_of(run("Dino 1", "Gajim 1"), run("Dino 2", "Gajim 2"))
    assert rows(page) == {"Dino 1", "Gajim 1", "Dino 2", "Gajim 2"}
    assert len(page.systems) == 2
    assert len(page.results) == 3 * 4


def test_the_same_system_is_replaced() -> None:
    """A system is recognised by the clients that were not upgraded."""
    page = page_of(run("Dino 1", "Gajim 1", "gloox 1"), run("Dino 2", "Gajim 2", "gloox 2"))
    page.replace(run("Dino 1", "Gajim 1.1", "gloox 1"))
    assert rows(page) == {"Dino 1", "Gajim 1.1", "gloox 1", "Dino 2", "Gajim 2", "gloox 2"}
    assert len(page.systems) == 2
    assert len(page.results) == 3 * 6


def test_a_version_of_both_systems() -> None:
    page = page_of(run("Dino 1", "Gajim 1", "gloox 3"), run("Dino 2", "Gajim 2", "gloox 3"))
    assert len(page.results) == 3 * 5
    page.replace(run("Dino 2", "Gajim 2", "gloox 4"))
    assert rows(page) == {"Dino 1", "Gajim 1", "gloox 3", "Dino 2", "Gajim 2", "gloox 4"}
    assert len(page.systems) == 2


def test_what_no_system_has_is_no_version() -> None:
    """Two systems without Gajim stay two systems."""
    page = page_of(run("Dino 1", "Gajim -"), run("Dino 2", "Gajim -"))
    assert len(page.systems) == 2


def test_order() -> None:
    """Clients in the order of the list, versions by number, formats in the order of the trials."""
    page = page_of(run("gloox 1.0.9"), run("Dino 5", "gloox 1.0.10"))
    lines = [line.split(" | ")[:3] for line in page.text().splitlines() if "| x |" in line]
    found = [(name[2:], version, form) for name, version, form in lines]
    assert found == [
        ("Dino", "5", "raw"),
        ("Dino", "5", "**si**"),
        ("gloox", "1.0.9", "raw"),
        ("gloox", "1.0.9", "**si**"),
        ("gloox", "1.0.10", "raw"),
        ("gloox", "1.0.10", "**si**"),
    ]
