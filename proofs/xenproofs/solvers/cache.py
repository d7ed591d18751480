"""Verdicts that were reached before, outside the tree: by formula, axioms, solver and options.

One file for each step, in the user's cache folder (XDG_CACHE_HOME). Only `unsat` is kept: it is the only
answer that ends a question.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from xenproofs.solvers.verdict import Answer, Verdict


def folder() -> Path:
    """Return the folder of the cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "xencheck" / "proofs"


def key(question: str, identity: str) -> str:
    """Return the name of a question put to a solver."""
    return hashlib.sha256(f"{identity}\n{question}".encode()).hexdigest()[:40]


def _strings(loaded: object) -> set[str]:
    """Return the strings of a list; of anything else, none."""
    if not isinstance(loaded, list):
        return set()
    items: list[object] = loaded  # pyright: ignore[reportUnknownVariableType]
    return {item for item in items if isinstance(item, str)}


class Cache:
    """The known answers of one step; `save` writes what was asked in this run, and forgets the rest."""

    def __init__(self, name: str, *, enabled: bool = True) -> None:
        self.path = folder() / f"{name}.json"
        self.enabled = enabled
        self.hits = 0
        self._known = self._load()
        self._used: set[str] = set()

    def _load(self) -> set[str]:
        if not self.enabled or not self.path.exists():
            return set()
        try:
            loaded: object = json.loads(self.path.read_text("utf-8"))
        except ValueError:
            return set()
        return _strings(loaded)

    def find(self, name: str) -> Answer | None:
        """Return the known answer to a question."""
        if name not in self._known:
            return None
        self._used.add(name)
        self.hits += 1
        return Answer(Verdict.UNSAT, 0.0, "known")

    def add(self, name: str, answer: Answer) -> None:
        """Remember an answer that ends a question."""
        if answer.verdict is Verdict.UNSAT:
            self._used.add(name)

    def save(self, *, keep: bool) -> None:
        """Write what is known; `keep` what was not asked this time too."""
        if not self.enabled:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        known = self._used | self._known if keep else self._used
        fresh = self.path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(sorted(known)), "utf-8")
        fresh.replace(self.path)
