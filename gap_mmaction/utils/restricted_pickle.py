"""Read annotation pickles without running anything that is in them.

A pickle is a program: ``pickle.load`` imports and calls whatever the file names.
Skeleton annotations (the PYSKL / mmaction2 format) are plain containers, numbers,
strings and numpy arrays, so a handful of constructors is all that such a file may ask
for. Each of them is replaced here by a stand-in that checks its arguments; any other
name is refused.
"""

from __future__ import annotations

import io
import pickle
import re
from os import PathLike, fspath
from typing import Any, BinaryIO, Callable

import numpy as np

_ALLOWED_DTYPE = re.compile(r"[<>=|]?([?]|b1|[iu][1248]|f[248]|[US]\d+)")
_NEW_ARRAY_ARGS = 3


class _DtypeStandIn:
    """Takes the place of ``numpy.dtype`` while a file is being read."""

    def __init__(self, spec: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(spec, str) or not _ALLOWED_DTYPE.fullmatch(spec):
            raise pickle.UnpicklingError(
                f"an array of dtype {spec!r}; only bool, integer, float and string "
                "arrays are read"
            )
        self.dtype = np.dtype(spec)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order; the rest of the state is that of a plain dtype."""
        byte_order = state[1]
        if byte_order not in ("<", ">", "=", "|") or any(
            item is not None for item in state[2:5]
        ):
            raise pickle.UnpicklingError("a structured dtype, which is not read")
        self.dtype = self.dtype.newbyteorder(byte_order)


class _ArrayStandIn(np.ndarray):
    """An array whose state is checked before numpy sees it."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Fill the array from ``(version, shape, dtype, fortran order, bytes)``."""
        version, shape, dtype, is_fortran, data = state
        super().__setstate__((version, shape, _real_dtype(dtype), is_fortran, data))


class _NdarrayName:
    """What ``numpy.ndarray`` resolves to: a word to be passed on, not a call."""

    def __new__(cls, *args: Any) -> _NdarrayName:
        raise pickle.UnpicklingError("a direct call of numpy.ndarray")


def _real_dtype(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _DtypeStandIn):
        raise pickle.UnpicklingError("an array without a dtype")
    return dtype.dtype


def _reconstruct(*args: Any) -> _ArrayStandIn:
    """Stand in for ``numpy.core.multiarray._reconstruct``."""
    if len(args) != _NEW_ARRAY_ARGS or args[0] is not _NdarrayName:
        raise pickle.UnpicklingError("an array subclass, which is not read")
    return _ArrayStandIn((0,), dtype=np.int8)


def _scalar(dtype: Any, data: bytes) -> Any:
    """Stand in for ``numpy.core.multiarray.scalar``."""
    return np.frombuffer(data, dtype=_real_dtype(dtype), count=1)[0]


def _frombuffer(data: Any, dtype: Any, shape: tuple[int, ...], order: str) -> Any:
    """Stand in for ``numpy.core.numeric._frombuffer`` (pickle protocol 5)."""
    flat = np.frombuffer(data, dtype=_real_dtype(dtype))
    # A copy, because an array over immutable bytes could not be written to.
    return flat.copy().reshape(shape, order="F" if order == "F" else "C")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for ``_codecs.encode``, the way protocol 2 spells bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"the codec {encoding!r}, which is not used")
    return text.encode("latin1")


def _allowed_globals() -> dict[tuple[str, str], Callable[..., Any]]:
    table: dict[tuple[str, str], Callable[..., Any]] = {
        ("_codecs", "encode"): _encode,
        ("numpy", "dtype"): _DtypeStandIn,
        ("numpy", "ndarray"): _NdarrayName,
    }
    for core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
        table[(f"{core}.multiarray", "_reconstruct")] = _reconstruct
        table[(f"{core}.multiarray", "scalar")] = _scalar
        table[(f"{core}.numeric", "_frombuffer")] = _frombuffer
    for builtins in ("builtins", "__builtin__"):  # Python 3 and Python 2
        for kind in (set, frozenset, list, tuple, dict, bytes, bytearray):
            table[(builtins, kind.__name__)] = kind
    return table


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that builds containers, numbers, strings and numpy arrays only.

    Attributes:
        allowed: What the names in a file may be, and the stand-in of each.
        kind: What such files are called in messages.
        remedy: A sentence for messages, how to come by a file that is read.
    """

    allowed = _allowed_globals()
    kind = "annotations"
    remedy = (
        "Annotations hold dicts, lists, strings, numbers and plain numpy arrays; "
        "make the file anew from its source data with tools/data/, or, if you wrote "
        "it yourself, convert other objects (tensors, data frames, paths) to numpy "
        "arrays and strings before saving"
    )

    def find_class(self, module: str, name: str) -> Any:
        """Resolve a name of the file.

        Raises:
            pickle.UnpicklingError: If it is not among the few that are needed.
        """
        try:
            return self.allowed[(module, name)]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the name '{module}.{name}', which {self.kind} do not need and which "
                "could run code"
            ) from None


def _plain(value: Any, seen: dict[int, Any]) -> Any:
    """Turn stand-ins into what they stand for, in place where possible."""
    if isinstance(value, _ArrayStandIn):
        return value.view(np.ndarray)
    if isinstance(value, _DtypeStandIn):
        return value.dtype
    if isinstance(value, (dict, list)):
        if id(value) not in seen:
            seen[id(value)] = value
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in list(items):
                value[key] = _plain(item, seen)
        return value
    if isinstance(value, tuple):
        return tuple(_plain(item, seen) for item in value)
    return value


def load_restricted(
    stream: BinaryIO,
    name: str,
    unpickler: type[RestrictedUnpickler] = RestrictedUnpickler,
) -> Any:
    """Read a pickle with an unpickler that refuses most names.

    Args:
        stream: The file, open for reading bytes.
        name: What error messages call it.
        unpickler: Which names are let through.

    Returns:
        The object in the file, arrays as plain ``numpy.ndarray``.

    Raises:
        pickle.UnpicklingError: If the file asks for anything else, or is broken.
    """
    try:
        return _plain(unpickler(stream).load(), {})
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            f"{name}: refused or unreadable: {error}. {unpickler.remedy}."
        ) from error
    except (
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        # What pickle raises for a truncated file or for one of another kind.
        raise pickle.UnpicklingError(
            f"{name}: not a pickle, or a truncated one ({type(error).__name__}: "
            f"{error}). {unpickler.remedy}."
        ) from error


def load_annotations(path: str | PathLike[str]) -> Any:
    """Read an annotation file.

    Args:
        path: A pickle of containers, numbers, strings and numpy arrays, written under
            numpy 1 or 2 and any pickle protocol.

    Returns:
        The object in the file, arrays as plain ``numpy.ndarray``.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If the file asks for anything else, or is broken; the
            message names the file and what it asked for.
    """
    try:
        with open(path, "rb") as stream:
            return load_restricted(stream, fspath(path))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"annotation file '{fspath(path)}' not found: give its path as 'ann_file', "
            "or make it with the script for the data set in tools/data/"
        ) from None


def loads_annotations(data: bytes, name: str = "<bytes>") -> Any:
    """Read annotations from bytes; see :func:`load_annotations`.

    Args:
        data: The bytes of a pickle.
        name: What error messages call it.

    Returns:
        The object in the bytes.

    Raises:
        pickle.UnpicklingError: As :func:`load_annotations`.
    """
    return load_restricted(io.BytesIO(data), name)
