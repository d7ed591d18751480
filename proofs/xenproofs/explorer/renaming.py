"""Renamings: exchanges of interchangeable frames, and of domains with their vCPUs and CPUs."""

from dataclasses import dataclass, field

from xenmodel.abi import pte

Names = dict[int, int]


@dataclass(frozen=True, slots=True)
class Renaming:
    """What is called differently; whatever is not named keeps its name."""

    frames: Names = field(default_factory=Names)
    domains: Names = field(default_factory=Names)
    cpus: Names = field(default_factory=Names)

    def frame(self, f: int) -> int:
        """Return a frame's new name."""
        return self.frames.get(f, f)

    def domain(self, d: int) -> int:
        """Return a domain's new name."""
        return self.domains.get(d, d)

    def cpu(self, c: int) -> int:
        """Return a CPU's new name."""
        return self.cpus.get(c, c)

    def word(self, word: int) -> int:
        """Return an entry, its frame renamed."""
        f = pte.target(word)
        return word if f not in self.frames else word & ~pte.entry(f, 0) | pte.entry(self.frames[f], 0)


NOTHING = Renaming()
