"""What a refusal looks like, and that it survives the way between processes."""

from __future__ import annotations

import pickle

import pytest

from xenspec.errors import BadInput


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (BadInput("is odd", file="a.gz", line=3, field="args.va"), "a.gz:3: args.va: is odd"),
        (BadInput("is odd", file="a.gz", line=3), "a.gz:3: is odd"),
        (BadInput("is odd", file="a.gz", field="x"), "a.gz: x: is odd"),
        (BadInput("is odd", field="x"), "x: is odd"),
        (BadInput("is odd"), "is odd"),
    ],
)
def test_a_refusal_names_what_is_known_of_its_place(error: BadInput, text: str) -> None:
    assert str(error) == text


def test_a_refusal_keeps_its_place_between_processes() -> None:
    error = BadInput("is odd", file="a.gz", line=3, field="x")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes
