"""Damage: to bytes, and to what a file holds."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

OPERATIONS = ("flip", "set", "delete", "insert", "repeat", "truncate", "swap", "splice")
LARGEST = 2**20

# What parsers stumble over: ends of ranges, lengths, opcodes, names, signs.
TOKENS = [
    *(b"\x00", b"\xff", b"\x80", b"\xff\xff\xff\xff", b"\xff" * 8, b"\x00" * 8),
    *(b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"),
    *(b"nan", b"inf", b"-1", b"1e999", b"9" * 30, b"9" * 5000, b"0x1", b"1_0", b"-0"),
    *(b"\n", b"\r", b"\t", b" ", b"\x0b", b"\x1c", b'"', b"'", b"[", b"]", b"{", b"}"),
    *(b"&a", b"*a", b"<<: *a", b"!!python/object/apply:os.system", b"? ", b"---\n"),
    *(b"[" * 50_000, b"(" * 2000, b"]" * 50, b"- " * 500, b"{a: " * 300),
    *(b"cos\nsystem\n", b"cbuiltins\neval\n", b"\x8c\x02os\x8c\x06system\x93"),
    *(b"N", b"I1\n", b"(", b"t", b"R", b"b", b"0", b"1", b"2", b"l", b"d", b"u", b"."),
    *(b"\x85", b"\x86", b"\x87", b"\x94", b"\x95", b"\x96", b"h\x00", b"q\x00", b"Q"),
    *(b"r\xff\xff\xff\x0f", b"p99999999\n", b"j\xff\xff\xff\x0f", b"L1L\n", b"V\\\n"),
    *(b"\x8b\xff\xff\xff\x7f", b"B\xff\xff\xff\x7f", b"X\xff\xff\xff\x7f"),
    *(b"\xed\xa0\x80", b"\xc3\x28", "\u00b2".encode(), "\u2028".encode()),
]


def mutate(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Changes the bytes of a valid file; those of another one are for splicing."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        operation, place = rng.choice(OPERATIONS), rng.randrange(2**20)
        amount = rng.randrange(2 ** rng.randrange(1, 20))
        inserted = rng.choice(TOKENS) if rng.random() < 0.7 else rng.randbytes(4)
        start = place % (len(changed) + 1)
        end = start + amount % (len(changed) - start + 1)
        if operation == "flip" and start < len(changed):
            changed[start] ^= 1 << amount % 8
        elif operation == "set":
            changed[start : start + len(inserted)] = inserted
        elif operation == "delete":
            del changed[start:end]
        elif operation == "insert":
            changed[start:start] = inserted
        elif operation == "repeat":
            changed[start:start] = changed[start:end] * (1 + amount % 3)
        elif operation == "truncate":
            del changed[start:]
        elif operation == "swap":
            changed[start:end] = changed[start:end][::-1]
        elif operation == "splice":
            changed[start:] = other[amount % (len(other) + 1) :]
    return bytes(changed[:LARGEST])


def _nested(levels: int, times: int = 1) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = (value,) * times
    return value


# Values of every kind, which hardly ever are what belongs there.
WRONG_VALUES: list[Any] = [
    *(None, True, 0, -1, 1, 2**70, 10**5000, 0.5, float("nan"), float("inf"), 1e-320),
    *(1e30, "x", "", "1", "a\x00b", "\ud800", "y" * 100_000, b"\0", [], {}, (), ["a"]),
    *([[1], [1, 2]], {1, 2}, [1, "a", None, 2.5], {1: 2, None: 3, "a": 4}, 1j, int),
    *(_nested(90), _nested(3000), _nested(12, 2), np.float64("nan"), np.int64(-5)),
    *("../../../etc/passwd", "!!python/name:os.system", np.zeros(3), np.array(1)),
    *(np.zeros((2, 3), "f4"), np.ones(0), np.ones(2, bool), np.array(["a"])),
    *(np.ones(2, "f2"), np.ones((1, 4, 20, 3), "f4"), np.ones((1, 4, 20, 3), "i4")),
    *(np.ones((1, 0, 20, 3)), np.full((1, 4, 20, 3), np.nan), np.zeros(2, "M8[s]")),
    *(np.ones((1, 4, 20, 2), "f4"), np.ones((1, 4, 20, 3), ">f8")),
    *(np.array([{}, None], dtype=object), np.zeros(2, [("a", "f4")])),
]


def put(content: Any, value: Any, rng: random.Random) -> Any:
    """Returns a copy with another value somewhere, at times without what was there."""
    keys: Sequence[Any] = ()
    if isinstance(content, (dict, list)) and rng.random() > 0.1:
        keys = list(content) if isinstance(content, dict) else range(len(content))
    if not keys:
        return value
    changed, key = copy.copy(content), rng.choice(keys)
    if rng.random() < 0.05:
        del changed[key]
    else:
        changed[key] = put(content[key], value, rng)
    return changed


def to_json(content: Any) -> bytes:
    """Writes JSON, which YAML is as well; what JSON does not know as its text."""
    try:
        return json.dumps(content, default=str, skipkeys=True).encode()
    except (RecursionError, ValueError):
        return b"[" * 50_000
