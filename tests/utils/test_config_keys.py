from __future__ import annotations

from typing import Any

import pytest

from gap_mmaction.utils.config_keys import check_keys, did_you_mean


class _Part:
    def __init__(self, width: int, depth: int = 2) -> None:
        pass


class _Open:
    def __init__(self, **kwargs: Any) -> None:
        pass


def test_good() -> None:
    check_keys(_Part, dict(type="Part", width=1), "model.part")
    check_keys(_Open, dict(anything=1), "model.part")


def test_unknown() -> None:
    with pytest.raises(TypeError) as error:
        check_keys(_Part, dict(width=1, dept=3), "model.part")
    message = "model.part: unknown key 'dept' (did you mean 'depth'?)"
    assert message in str(error.value)
    assert "['width', 'depth']" in str(error.value)


def test_missing() -> None:
    with pytest.raises(TypeError, match=r"model\.part: _Part needs \['width'\]"):
        check_keys(_Part, dict(depth=3), "model.part")


def test_nothing_is_near() -> None:
    assert did_you_mean("xyz", ["width"]) == ""
