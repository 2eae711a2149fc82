"""How large a face must be, as a person writes it."""

from __future__ import annotations

import pytest

from edge.errors import UsageError
from edge.gate.face_size import face_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("20", (20, 0)), ("8", (8, 0)), (" 33.5 ", (33.5, 0)), ("8%", (20, 0.08)), ("90%", (20, 0.9))],
)
def test_a_face_size_is_pixels_or_a_share(text, size):
    assert face_size(text) == pytest.approx(size)


@pytest.mark.parametrize("text", ["", "7", "2001", "nan", "0.5%", "95%", "8%%", "8% of it", "big"])
def test_a_face_size_that_is_neither_is_refused_with_what_to_give(text):
    with pytest.raises(UsageError, match=r"^--min-face is .*allowed: 8 to 2000 pixels"):
        face_size(text, "--min-face")
