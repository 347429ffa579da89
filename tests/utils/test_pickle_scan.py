"""Pickles are gone through to their ends, broken ones are not."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from gap_mmaction.utils.pickle_scan import scan_pickle

CONTENT: dict[str, Any] = {
    "text": ["a", "\u00fc" * 300],
    "bytes": [b"", b"x" * 300, bytearray(b"y")],
    "numbers": [1, -1, 2**40, 2**3000, 0.5, True, None],
    "array": np.arange(100_000.0),
    "many": [[number] for number in range(300)],
    "sets": [{1, 2}, frozenset((3,)), (), (1,), (1, 2, 3, 4)],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_end_is_found(protocol: int) -> None:
    data = pickle.dumps(CONTENT, protocol)
    assert scan_pickle(data) == len(data)
    assert scan_pickle(b"abc" + data + b"def", 3) == len(data) + 3
    for end in range(0, len(data) - 1, 997):
        with pytest.raises(pickle.UnpicklingError, match="ends in the middle"):
            scan_pickle(data[:end])


def test_no_opcode_ends_the_scan() -> None:
    assert scan_pickle(b"N\xff") == 1
