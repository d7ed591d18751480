"""A limit on the processor time that something takes: a model that never ends is a finding, not a pause."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def limited(seconds: float) -> Generator[None]:
    """Raise TimeoutError inside the block after so many seconds of this process's own processor time.

    Other processes do not count, so a busy machine changes nothing. Outside the main thread there is no
    limit: only there can the time be watched.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"no end after {seconds:g} s of processor time")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
