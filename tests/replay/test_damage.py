"""A small campaign of damage, on the beginning of the boot; the whole one is tests/replay/campaign.py."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from tests.replay.boot import BOOT, lines
from tests.replay.campaign import SNAPSHOT, Campaign, mutants

if TYPE_CHECKING:
    from pathlib import Path

END = 1200


def test_damage_is_found_or_changes_nothing(tmp_path: Path) -> None:
    played = list(lines(END))
    texts = gzip.decompress(BOOT.read_bytes()).splitlines(keepends=True)[: len(played) + 1]
    chosen = list(mutants(texts, played, seed=1, counts=(6, 6, 8)))
    campaign = Campaign(texts, played, chosen, tmp_path, expected=None)
    campaign.run(cores=2)
    outcomes = {mutant.outcome.split(":")[0].split(" ")[0] for mutant in campaign.mutants}
    assert outcomes == {"refused", "found", "the"}


def test_no_mutant_was_missed_when_the_whole_campaign_was_run_last() -> None:
    last = SNAPSHOT.read_text(encoding="utf-8").splitlines()[-1]
    assert last.endswith(", 0 MISSED")
