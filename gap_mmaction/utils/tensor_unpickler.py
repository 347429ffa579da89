"""Read pickles with torch tensors without running anything that is in them.

``torch`` pickles a tensor as a call of ``_rebuild_tensor_v2`` on a storage, and the
storage as bytes in the format of ``torch.save`` before the zip files. Both are parsed
here with checks, into numpy arrays; the storage alone takes a fifth of the time of
``torch.load``, of which a dump of NTU RGB+D 120 needs 150,000.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np

from .pickle_scan import scan_pickle
from .restricted_pickle import AllowedName, RestrictedUnpickler

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_BFLOAT16 = "bfloat16"
_STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
_LENGTH_BYTES = 8
_NUM_PARTS = 5
_MOST_AXES = 32


class _Storage:
    """The numbers of a tensor, flat."""

    __slots__ = ("values",)

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __setstate__(self, state: Any) -> None:
        """Refuse the opcode BUILD, which could put other numbers here."""
        raise pickle.UnpicklingError("a change of a tensor's numbers")


class _StorageUnpickler(pickle.Unpickler):
    """Reads the pickles that make up the head of a storage's bytes."""

    def find_class(self, module: str, name: str) -> str:
        """Give the dtype that a storage's name stands for; a word, not a call."""
        if module != "torch" or name not in _STORAGES:
            raise pickle.UnpicklingError(f"a tensor of kind '{module}.{name}'")
        return _STORAGES[name]

    def persistent_load(self, identifier: Any) -> Any:
        """Give ``(word, dtype, key, device, length, view)`` as it is."""
        return identifier


def _load_part(stream: io.BytesIO, data: bytes) -> Any:
    scan_pickle(data, stream.tell())
    return _StorageUnpickler(stream).load()


def _load_storage(data: bytes) -> _Storage:
    """Stand in for ``torch.storage._load_from_bytes``."""
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("a tensor of something else than bytes")
    stream = io.BytesIO(data)
    magic, protocol, system, head, keys = (
        _load_part(stream, data) for _ in range(_NUM_PARTS)
    )
    if (magic, protocol) != (_MAGIC, _PROTOCOL):
        raise pickle.UnpicklingError("a tensor in a format that is not known")
    _, dtype, key, _, length, view = head
    if view is not None or keys != [key] or dtype not in _STORAGES.values():
        raise pickle.UnpicklingError("a tensor in a format that is not known")
    order = "<" if system["little_endian"] else ">"
    written = np.frombuffer(stream.read(_LENGTH_BYTES), order + "i8", 1)[0]
    if written != length or length < 0:
        raise pickle.UnpicklingError("a tensor whose length does not fit its numbers")
    if not length:
        return _Storage(np.empty(0, "f4" if dtype == _BFLOAT16 else dtype))
    if dtype == _BFLOAT16:
        # numpy has no bfloat16: it is the upper half of a float32.
        halves = np.frombuffer(stream.read(), order + "u2", length)
        return _Storage((halves.astype(np.uint32) << 16).view(np.float32))
    values = np.frombuffer(stream.read(), np.dtype(dtype).newbyteorder(order), length)
    return _Storage(values.astype(np.dtype(dtype), copy=False))


def _rebuild_tensor(
    storage: Any,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool = False,
    hooks: Any = None,
    metadata: Any = None,
) -> np.ndarray:
    """Stand in for ``torch._utils._rebuild_tensor_v2``."""
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    numbers = (offset, *size, *stride)
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise pickle.UnpicklingError("a tensor of a negative or odd shape")
    if len(size) > _MOST_AXES:
        raise pickle.UnpicklingError("a tensor of too many axes")
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    available = len(storage.values)
    if len(size) != len(stride) or count > available or (count and last >= available):
        raise pickle.UnpicklingError("a tensor of a shape that its numbers do not fill")
    if not count:
        return np.empty(size, storage.values.dtype)
    width = storage.values.itemsize
    # A copy, because a row of a batch would keep the whole batch in memory.
    return np.lib.stride_tricks.as_strided(
        storage.values[offset:], size, [step * width for step in stride]
    ).copy()


def _make_ordered() -> OrderedDict[Any, Any]:
    """Stand in for ``OrderedDict``, which torch has as a tensor's empty hooks."""
    return OrderedDict()


class TensorUnpickler(RestrictedUnpickler):
    """Reads dense torch tensors too, as numpy arrays."""

    allowed = {  # noqa: RUF012 (as in the base class)
        **RestrictedUnpickler.allowed,
        ("collections", "OrderedDict"): AllowedName(_make_ordered),
        ("torch._utils", "_rebuild_tensor_v2"): AllowedName(_rebuild_tensor),
        ("torch.storage", "_load_from_bytes"): AllowedName(_load_storage),
    }
    kind = "results"
    remedy = (
        "Results are what `tools/test.py CONFIG CHECKPOINT --dump FILE.pkl` writes: a "
        "list of dicts with tensors, arrays, numbers and strings; test again if the "
        "run was cut short"
    )
