"""What the decoder says, in our words: which field, and what is wrong with it."""

import re
from typing import Final

import msgspec

from xenproofs.judge.trace.words import Misfit

DECODE_ERRORS: Final = (Misfit, msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""All that decoding foreign bytes raises (ValueError: text that is not UTF-8, a number of absurd length)."""

PATH: Final = re.compile(r" - at `(?:key` in `)?\$?(?P<path>.*)`$")
FIELD: Final = re.compile(r"(?:missing required|contains unknown) field `(?P<name>[^`]*)`")


def misfit(error: Exception) -> Misfit:
    """Translate an error of the decoder."""
    if isinstance(error, Misfit):
        return error
    if isinstance(error, RecursionError):
        return Misfit(None, "nested too deeply")
    if isinstance(error, OverflowError):
        return Misfit(None, "a number is wider than 64 bits")
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return Misfit(None, text if isinstance(error, msgspec.MsgspecError) else f"not valid text: {text}")
    found = PATH.search(text)
    path = found["path"].lstrip(".") if found else ""
    message = text[: found.start()] if found else text
    named = FIELD.search(message)
    if named:
        path = f"{path}.{named['name']}" if path else named["name"]
    return Misfit(path or None, message.replace("`", ""))
