"""The site's list of pages and the pages agree: `zensical build --strict` checks links, but not this."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from tests.house import tree

PAGE: Final = re.compile(r'= "([^"]+\.md)"')


def disagreements(listed: set[str], present: set[str]) -> list[str]:
    """Complain about pages that are listed and absent, or present and not listed."""
    return [f"listed, but absent: {page}" for page in sorted(listed - present)] + [
        f"present, but not listed: {page}" for page in sorted(present - listed)
    ]


def test_the_pages_and_the_sites_list_agree() -> None:
    text = (tree.ROOT / "zensical.toml").read_text("utf-8")
    tomllib.loads(text)
    present = {path.relative_to(tree.ROOT / "docs").as_posix() for path in (tree.ROOT / "docs").rglob("*.md")}
    assert not disagreements(set(PAGE.findall(text)), present)


def test_each_disagreement_is_flagged() -> None:
    assert disagreements({"a.md", "b.md"}, {"b.md", "c.md"}) == [
        "listed, but absent: a.md",
        "present, but not listed: c.md",
    ]


def test_every_package_has_its_reference_page() -> None:
    for package in tree.PACKAGES.values():
        assert f"::: {package}\n" in (tree.ROOT / "docs/reference" / f"{package}.md").read_text("utf-8")
