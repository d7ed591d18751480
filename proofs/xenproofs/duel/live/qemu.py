"""One machine: a QEMU process with its memory and its console.

Memory and console are anonymous files that QEMU opens through its inherited descriptors: nothing is left in
the file system, however a run ends.
"""

import os
import re
import subprocess
import time
from typing import Final

from xenproofs.duel.live.memory import Memory
from xenproofs.duel.live.tools import Tools

MIB: Final = 1 << 20
VCPUS: Final = 4
XEN_OPTIONS: Final = (
    "console=com1",
    "com1=115200",
    "dom0=pv",
    f"dom0_max_vcpus={VCPUS}",
    "bootscrub=0",
    "ucode=no",
    "cpuidle=0",
    "edd=off",
    "watchdog=0",
)
ENDINGS: Final = ("Panic on CPU", "Hardware Dom0 crashed", "duel: stop")
"""What the console says when it is over but QEMU still runs."""
TAIL: Final = 1200
PATIENCE: Final = 5.0
"""Seconds given to QEMU to end."""


class Died(Exception):  # noqa: N818 - an event of the machine's life, not an error of this program
    """The machine came to an end, or does not answer; the text is the end of its console."""


class Qemu:
    """A machine that boots Xen with the test kernel as its Domain0.

    Args:
        tools: what to run.
        memory_mib: memory of the machine; `dom0_mib` of it are Domain0's.
    """

    def __init__(self, tools: Tools, memory_mib: int, dom0_mib: int) -> None:
        self.memory: Final = Memory(memory_mib * MIB)
        self._console: Final = os.memfd_create("xencheck-duel-console")
        options = " ".join((*XEN_OPTIONS, f"dom0_mem={dom0_mib}M"))
        ram = (
            f"memory-backend-file,id=ram,size={memory_mib}M,share=on,mem-path=/proc/self/fd/{self.memory.fd}"
        )
        self._process: Final = subprocess.Popen(  # noqa: S603 - programs found by name, arguments of our own
            [
                *(tools.keeper, "--pdeathsig", "KILL", tools.emulator),
                *("-machine", "pc,memory-backend=ram", "-accel", "tcg", "-smp", "1"),
                *("-object", ram, "-m", str(memory_mib)),
                *("-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none"),
                *("-serial", f"file:/proc/self/fd/{self._console}"),
                *("-kernel", str(tools.xen), "-append", options, "-initrd", str(tools.kernel)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process to handle
            pass_fds=(self.memory.fd, self._console),
        )
        self._closed = False

    def console(self) -> str:
        """Return all that was printed so far."""
        size = os.fstat(self._console).st_size
        return os.pread(self._console, size, 0).decode("utf-8", "replace")

    def log(self) -> str:
        """Return the end of the console."""
        return self.console()[-TAIL:].strip()

    def ended(self) -> bool:
        """Return whether QEMU has ended."""
        return self._process.poll() is not None

    def stopped(self) -> bool:
        """Return whether QEMU has ended, or Xen has said that it is over."""
        return self.ended() or any(text in self.console() for text in ENDINGS)

    def wait_for_line(self, start: str, deadline: float) -> str:
        """Return the word that follows `start` in the first whole line that has it.

        Raises:
            Died: it did not come.
        """
        pattern = re.compile(re.escape(start) + r"(\S+)[^\n]*\n")
        while True:
            found = pattern.search(self.console())
            if found is not None:
                return found[1]
            if self.stopped() or time.monotonic() > deadline:
                raise Died(self.log() or "nothing on the console")
            time.sleep(0.01)

    def close(self) -> None:
        """End the machine and give its memory back."""
        if self._closed:
            return
        self._closed = True
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.memory.close()
        os.close(self._console)


def emulator_version(tools: Tools) -> str:
    """Return QEMU's version."""
    command = [tools.emulator, "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - found by name
    found = re.search(r"version (\S+)", said.stdout)
    return found[1] if found else "unknown"
