"""The tree is true on every machine: it names no folder of one and no registry's host."""

from __future__ import annotations

import pytest

from tests.house import rules, tree


def test_no_file_names_a_particular_machine() -> None:
    files = tree.text_files()
    faults = [
        f"{tree.name_of(path)}: {fault}"
        for path in files
        for fault in rules.machine_names(path.read_text("utf-8"))
    ]
    assert len(files) > 10, "found almost no files to look at"
    assert not faults, "\n".join(faults)


# In pieces, for the rule that is tested here looks at this file too.
@pytest.mark.parametrize(
    "sample",
    [
        "see /" + "tmp" + "/x/y.py",
        'open("' + "/root" + '/.config")',
        "file://" + "/work" + "/main",
        "/home" + "/me/src",
        "index-url = https://" + "pypi" + ".org/simple",
        "registry" + ".npmjs.org",
    ],
)
def test_each_kind_of_machine_name_is_flagged(sample: str) -> None:
    assert len(rules.machine_names(sample)) == 1


def test_paths_inside_the_tree_pass() -> None:
    assert not rules.machine_names(
        "../shared/x docs/work/y tmp_path / 'x' https://example.org/home/page spec/tmp/"
    )
