"""Anything that was read, as plain data again: numbers, texts, lists and objects, as it stood in its file."""

import msgspec

from xenproofs.judge.trace.words import Json, Wire, as_json


def as_data(value: Wire) -> Json:
    """Return what a struct was decoded from; fields that have their default may be left out."""
    return as_json(msgspec.to_builtins(value))
