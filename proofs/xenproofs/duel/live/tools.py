"""What a duel needs on this machine: QEMU, the real Xen, its symbols, the test kernels.

`make -C tests/duel setup` makes a folder with the last three. Where anything is absent, a duel is skipped
with the reason: never passed.
"""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

EMULATOR: Final = "qemu-system-x86_64"
KEEPER: Final = "setpriv"
"""Ends QEMU together with this process, however that ends."""
VARIABLE: Final = "XENCHECK_DUEL"
"""Names the folder, where it is not tests/duel/build of the checkout."""
CHECKOUT: Final = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, slots=True)
class Tools:
    """The files of a duel."""

    emulator: str
    keeper: str
    xen: Path
    symbols: Path
    kernel: Path

    def symbol(self, name: str) -> int:
        """Return the address of a symbol of Xen."""
        for line in self.symbols.read_text("ascii").splitlines():
            address, _, found = line.split(maxsplit=2)
            if found == name:
                return int(address, 16)
        raise ValueError(f"{self.symbols.name} has no symbol {name}")


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there can be no duel here."""

    reason: str


def default_folder() -> Path:
    """Return the folder that is used when none is named."""
    return Path(os.environ.get(VARIABLE) or CHECKOUT / "tests" / "duel" / "build")


def find_tools(folder: Path | None = None, *, guest: bool = False) -> Tools | Missing:
    """Return the tools, or what is missing."""
    if platform.system() != "Linux":
        return Missing(f"a duel needs Linux, this is {platform.system()}")
    programs = {name: shutil.which(name) for name in (EMULATOR, KEEPER)}
    emulator, keeper = programs[EMULATOR], programs[KEEPER]
    if emulator is None:
        return Missing(f"{EMULATOR} is not installed (Debian: qemu-system-x86)")
    if keeper is None:
        return Missing(f"{KEEPER} is not installed (Debian: util-linux)")
    place = folder or default_folder()
    kernel = "guest.elf" if guest else "dom0.elf"
    for name in ("xen", "xen.map", kernel):
        if not (place / name).is_file():
            return Missing(f"{name} is not set up: make -C tests/duel setup (see docs/duel.md)")
    return Tools(emulator, keeper, place / "xen", place / "xen.map", place / kernel)
