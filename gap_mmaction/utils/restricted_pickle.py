"""Reads and writes annotation pickles; nothing that is in one is run.

A pickle is a program: ``pickle.load`` imports and calls whatever the file names. Here
a file may name the few constructors that plain containers, numbers, strings, numpy
arrays and torch tensors need, and each is a function below that checks its arguments.
It is Python's own unpickler written in Python: the one in C fills up to 64 GiB where
one bit of an index is wrong.
"""

from __future__ import annotations

import gc
import io
import math
import pickle
import re
import struct
from collections import OrderedDict
from os import PathLike, fspath
from pickle import UnpicklingError
from typing import Any, BinaryIO, Callable

import numpy as np

from gap_mmaction import compat

from .brief import brief
from .files import atomic_file

_PLAIN_DTYPE = re.compile(r"[<>=|]?([?]|b1|[iu][1248]|f[248]|[US][1-9]\d{0,5})")
_NDARRAY = "numpy.ndarray"  # not callable
_PLAIN = (str, bytes, bytearray, int, float, np.ndarray, np.generic, type(None))
_CONTAINERS = (dict, list, tuple, set, frozenset)
_DEEPEST = 100
# What pickle raises for a truncated file, or for one of another kind.
_BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError),
    *(LookupError, MemoryError, RecursionError, TypeError, ValueError, struct.error),
)
# The head of a storage's bytes, as torch has always written them; its numbers follow.
_STORAGE = re.compile(
    rb"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19\.\x80\x02M\xe9\x03\.\x80\x02\}q\x00\("
    rb".{1,100}little_endianq\x02\x88.{1,200}ctorch\n(\w{3,16})Storage\nq\x01"
    rb"X.\x00\x00\x00\d+q\x02X.\x00\x00\x00[\w:]+q\x03.{2,6}Ntq\x04Q\."
    rb"\x80\x02\]q\x00X.\x00\x00\x00\d+q\x01a\.",
    re.DOTALL,
)
_STORAGE_DTYPES = {
    **{b"Float": "<f4", b"Double": "<f8", b"Half": "<f2", b"BFloat16": "<u2"},
    **{b"Long": "<i8", b"Int": "<i4", b"Short": "<i2", b"Char": "i1", b"Byte": "u1"},
    b"Bool": "?",
}


def _dtype(spec: Any, *_: Any) -> np.dtype[Any]:
    if not isinstance(spec, str) or not _PLAIN_DTYPE.fullmatch(spec):
        raise UnpicklingError(
            f"an array of dtype {str(spec)[:40]!r}; only bool, integer, float and "
            "string arrays are read"
        )
    return np.dtype(spec, copy=True)  # type: ignore[call-overload, no-any-return]


def _reconstruct(kind: Any, *_: Any) -> np.ndarray:
    """Makes the array that the opcode BUILD fills."""
    if kind is not _NDARRAY:
        raise UnpicklingError("an array subclass, which is not read")
    return np.empty(0)


def _check_array(data: Any, dtype: Any, shape: Any) -> None:
    if not isinstance(dtype, np.dtype) or not isinstance(data, (bytes, bytearray)):
        raise UnpicklingError("an array of something else than numbers in bytes")
    # numpy would take a length of -1.
    for length in shape:
        if type(length) is not int or length < 0:
            raise UnpicklingError("an array of a negative or odd shape")


def _from_buffer(
    data: Any, dtype: Any, shape: Any, order: Any = "C", axes: Any = None
) -> np.ndarray:
    _check_array(data, dtype, shape)
    # An array over immutable bytes could not be written to.
    writable = bytearray(data) if isinstance(data, bytes) else data
    flat = np.frombuffer(writable, dtype) if data else np.empty(0, dtype)
    array = flat.reshape(shape, order="F" if order == "F" else "C")
    return array if axes is None else array.transpose(axes)


def _scalar(dtype: Any, data: Any) -> Any:
    return _from_buffer(data, dtype, (1,))[0]


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Makes bytes the way that pickles of protocol 2 spell them."""
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise UnpicklingError(f"the codec {str(encoding)[:40]!r}, which is not used")
    return text.encode("latin1")


def _bytearray(data: Any = b"", encoding: Any = "latin1") -> bytearray:
    return bytearray(data if type(data) is bytes else _encode(data, encoding))


def _maker(kind: type) -> Callable[..., Any]:
    def make(*args: Any) -> Any:
        if not all(isinstance(arg, _CONTAINERS) for arg in args):
            raise UnpicklingError(f"a {kind.__name__} of no container")
        if kind in (set, frozenset):
            _check_keys([item for arg in args for item in arg])
        return kind(*args)

    return make


def _check_keys(keys: list[Any]) -> None:
    """Refuses containers: the hash of a deep tuple takes for ever, or all the stack."""
    for key in keys:
        if not isinstance(key, _PLAIN):
            raise UnpicklingError("a key that is neither text nor number")


def _with_keys(opcode: bytes, keys: slice) -> dict[int, Callable[[Any], None]]:
    """Returns an opcode whose function checks the keys among its arguments first."""
    load = compat.PythonUnpickler.dispatch[opcode[0]]

    def checked(self: Any) -> None:
        _check_keys(self.stack[keys])
        load(self)

    return {opcode[0]: checked}


def _storage(data: Any) -> np.ndarray:
    """Reads a tensor's numbers, which torch would unpickle once more."""
    head = _STORAGE.match(data) if isinstance(data, bytes) else None
    kind = _STORAGE_DTYPES.get(head[1]) if head else None
    if head is None or kind is None:
        name = f" of a {head[1].decode()}Storage" if head else ""
        raise UnpicklingError(f"a tensor{name}, in a form that is not read")
    start = head.end() + 8
    length = int.from_bytes(data[head.end() : start], "little")
    if len(data) - start != length * np.dtype(kind).itemsize:
        raise UnpicklingError("a tensor whose length does not fit its numbers")
    numbers = np.frombuffer(data, kind, offset=start) if length else np.empty(0, kind)
    if head[1] == b"BFloat16":
        # numpy has no bfloat16: it is the upper half of a float32.
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
    """Makes an array of a tensor."""
    if type(storage) is not np.ndarray or storage.ndim != 1:
        raise UnpicklingError("a tensor without a storage")
    numbers = (offset, *size, *stride)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise UnpicklingError("a tensor of a negative or odd shape")
    count, room = math.prod(size), len(storage)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    fits = count <= room and (not count or last < room)
    if len(size) != len(stride) or not fits:
        raise UnpicklingError("a tensor of a shape that its numbers do not fill")
    if not count:
        return np.empty(size, storage.dtype)
    strides = [step * storage.itemsize for step in stride]
    # A copy, because a row of a batch would keep the whole batch in memory.
    view = np.lib.stride_tricks.as_strided(storage[offset:], size, strides)
    return view.copy()


def _allowed_names() -> dict[str, Any]:
    names: dict[str, Any] = {
        "_codecs.encode": _encode,
        "numpy.dtype": _dtype,
        "numpy.ndarray": _NDARRAY,
        # What torch has as a tensor's empty hooks.
        "collections.OrderedDict": lambda: OrderedDict(),
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch.storage._load_from_bytes": _storage,
    }
    for core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
        names[f"{core}.multiarray._reconstruct"] = _reconstruct
        names[f"{core}.multiarray.scalar"] = _scalar
        names[f"{core}.numeric._frombuffer"] = _from_buffer
    for builtins in ("builtins", "__builtin__"):  # Python 3 and Python 2
        for kind in (list, tuple, set, frozenset):
            names[f"{builtins}.{kind.__name__}"] = _maker(kind)
        # The real one would make as many zeros as a number says.
        names[f"{builtins}.bytes"] = lambda: b""
        names[f"{builtins}.bytearray"] = _bytearray
    return names


class RestrictedUnpickler(compat.PythonUnpickler):
    """Builds containers, numbers, strings and arrays only."""

    _names = _allowed_names()

    def find_class(self, module: str, name: str) -> Any:
        """Looks a name of the file up among the few that are needed."""
        full = f"{module}.{name}"
        if full not in self._names:
            raise UnpicklingError(
                f"the name {brief(full)}, which is not needed and could run code"
            )
        return self._names[full]

    def load(self) -> Any:
        """Runs the opcodes; frames, which cost a call for every read, are left out."""
        self.read, self.readline = self._file_read, self._file_readline
        self.stack: list[Any] = []
        self.metastack: list[Any] = []
        self.append = self.stack.append
        read, dispatch = self.read, self.dispatch
        while (code := read(1)) != pickle.STOP:
            dispatch[code[0]](self)
        return self.stack.pop()

    def load_build(self) -> None:
        """Sets the state of an array or a dtype, once it is checked."""
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is np.ndarray:
            _, shape, dtype, _, data = state
            _check_array(data, dtype, shape)
        elif isinstance(target, np.dtype):
            if state[1] not in ("<", ">", "=", "|") or any(state[2:5]):
                raise UnpicklingError("a structured dtype, which is not read")
            own: Any = target.__reduce__()[2]
            state = (own[0], state[1], *own[2:])
        else:
            raise UnpicklingError("the state of something else than an array")
        target.__setstate__(state)

    def load_long_binget(self) -> None:
        """Fetches what is noted; every other opcode of a large file is this one."""
        self.append(self.memo[int.from_bytes(self.read(4), "little")])

    def load_bytearray8(self) -> None:
        """Reads no more than is there; the base class makes room beforehand."""
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(length)))

    # Left out: what makes objects of classes, and what refers to outside of the file.
    dispatch = {  # noqa: RUF012 (as in the base class)
        **{
            code: function
            for code, function in compat.PythonUnpickler.dispatch.items()
            if code not in b"PQio\x81\x82\x83\x84\x92\x97\x98"
        },
        pickle.BUILD[0]: load_build,
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.LONG_BINGET[0]: load_long_binget,
        pickle.FRAME[0]: lambda self: self.read(8),
        **_with_keys(pickle.SETITEM, slice(-2, -1)),
        **_with_keys(pickle.SETITEMS, slice(0, None, 2)),
        **_with_keys(pickle.DICT, slice(0, None, 2)),
        **_with_keys(pickle.ADDITEMS, slice(None)),
        **_with_keys(pickle.FROZENSET, slice(None)),
    }


def _check_content(content: Any) -> None:
    """Refuses what is no plain value, and nesting that its readers could not follow."""
    level = [content]
    for _ in range(_DEEPEST):
        # By its id: what is in many places is looked at once.
        inner: dict[int, Any] = {}
        for value in level:
            if isinstance(value, _CONTAINERS):
                # The keys of a dict have been checked when they were set.
                items = value.values() if isinstance(value, dict) else value
                inner.update(zip(map(id, items), items))
            elif not isinstance(value, _PLAIN):
                raise UnpicklingError(f"a {type(value).__name__}, no plain value")
        level = list(inner.values())
        if not level:
            return
    raise UnpicklingError(f"containers nested deeper than {_DEEPEST}")


def load_restricted(stream: BinaryIO, name: str, remedy: str) -> Any:
    """Reads a pickle of plain values; arrays and tensors become ``numpy.ndarray``.

    Messages call it ``name``, and say what one can do, ``remedy``.

    Raises:
        pickle.UnpicklingError: If the file asks for anything else, or is broken.
    """
    # The collector would go through all that has been read again and again.
    is_on = gc.isenabled()
    gc.disable()
    try:
        content = RestrictedUnpickler(stream).load()
        _check_content(content)
    except UnpicklingError as error:
        raise UnpicklingError(
            f"{name}: refused or unreadable: {error}. {remedy}."
        ) from error
    except _BROKEN as error:
        raise UnpicklingError(
            f"{name}: not a pickle, or a truncated one ({type(error).__name__}: "
            f"{str(error)[:200]}). {remedy}."
        ) from error
    finally:
        if is_on:
            gc.enable()
    return content


_ANNOTATIONS = (
    "Annotations hold dicts, lists, strings, numbers and plain numpy arrays; make the "
    "file anew from its source data with tools/data/, or, if you wrote it yourself, "
    "convert other objects (data frames, paths) to arrays and strings before saving"
)


def load_annotations(path: str | PathLike[str]) -> Any:
    """Reads a pickle of containers, numbers, strings, arrays and tensors.

    Files written under numpy 1 or 2 and any pickle protocol are read.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If the file asks for anything else, or is broken.
    """
    try:
        with open(path, "rb") as stream:
            return load_restricted(stream, fspath(path), _ANNOTATIONS)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"annotation file '{fspath(path)}' not found: give its path as 'ann_file', "
            "or make it with the script for the data set in tools/data/"
        ) from None


def loads_annotations(data: bytes, name: str = "<bytes>") -> Any:
    """Reads annotations from bytes, which messages call ``name``."""
    return load_restricted(io.BytesIO(data), name, _ANNOTATIONS)


def write_annotations(content: Any, path: str | PathLike[str]) -> None:
    """Pickles to a file, whole or not at all; folders are made."""
    with atomic_file(path) as stream:
        pickle.dump(content, stream, protocol=5)
