"""Read annotation pickles without running anything that is in them.

A pickle is a program: ``pickle.load`` imports and calls whatever the file names.
Skeleton annotations (the PYSKL / mmaction2 format) are plain containers, numbers,
strings and numpy arrays, so a handful of constructors is all that such a file may ask
for. Each of them is replaced here by a stand-in that checks its arguments; any other
name is refused.
"""

from __future__ import annotations

import io
import mmap
import pickle
import re
from os import PathLike, fspath
from typing import Any, BinaryIO, Callable

import numpy as np

from .brief import brief
from .pickle_scan import scan_pickle

_ALLOWED_DTYPE = re.compile(r"[<>=|]?([?]|b1|[iu][1248]|f[248]|[US][1-9]\d{0,5})")
_NEW_ARRAY_ARGS = 3
_LATIN1 = ("latin1", "latin-1")
_KEYS = (str, bytes, int, float, np.generic)
_DEEPEST = 100


class AllowedName:
    """What a name in a file resolves to: it can be called, and nothing else.

    The opcode BUILD sets attributes of whatever stands before it, functions and
    classes included, and would leave them changed for all files that come after.

    Args:
        function: What is called.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        """Refuse the opcode BUILD."""
        raise pickle.UnpicklingError("a change of what a name stands for")


class _DtypeStandIn:
    """Takes the place of ``numpy.dtype`` while a file is being read."""

    __slots__ = ("dtype",)

    def __init__(self, spec: str, align: bool = False, copy: bool = False) -> None:
        if not isinstance(spec, str) or not _ALLOWED_DTYPE.fullmatch(spec):
            raise pickle.UnpicklingError(
                f"an array of dtype {str(spec)[:40]!r}; only bool, integer, float and "
                "string arrays are read"
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


class _ArrayStandIn:
    """Takes the place of an array until the whole file has been read.

    It is no array itself: numpy would let the state of one be set while another one
    shares its memory.
    """

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Make the array of ``(version, shape, dtype, fortran order, bytes)``."""
        _, shape, dtype, is_fortran, data = state
        array = _make_array(data, dtype, shape, "F" if is_fortran else "C")
        # As numpy does here, but not in _frombuffer.
        self.array = array.astype(array.dtype.newbyteorder("="), copy=False)


def _make_array(data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    kind = _real_dtype(dtype)
    if not isinstance(data, (bytes, bytearray)):
        raise pickle.UnpicklingError("an array of something else than bytes")
    # reshape would take a length of -1.
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise pickle.UnpicklingError("an array of a negative or odd shape")
    flat = np.frombuffer(data, kind) if data else np.empty(0, kind)
    # A copy, because an array over immutable bytes could not be written to.
    return flat.copy().reshape(shape, order="F" if order == "F" else "C")


def _real_dtype(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _DtypeStandIn):
        raise pickle.UnpicklingError("an array without a dtype")
    return dtype.dtype


def _refuse_call(*args: Any) -> Any:
    raise pickle.UnpicklingError("a direct call of numpy.ndarray")


# A word to be passed on, not a call.
_NDARRAY = AllowedName(_refuse_call)


def _reconstruct(*args: Any) -> _ArrayStandIn:
    """Stand in for ``numpy.core.multiarray._reconstruct``."""
    if len(args) != _NEW_ARRAY_ARGS or args[0] is not _NDARRAY:
        raise pickle.UnpicklingError("an array subclass, which is not read")
    return _ArrayStandIn()


def _scalar(dtype: Any, data: bytes) -> Any:
    """Stand in for ``numpy.core.multiarray.scalar``."""
    return _make_array(data, dtype, (1,), "C")[0]


def _frombuffer(
    data: Any, dtype: Any, shape: tuple[int, ...], order: str, axes: Any = None
) -> Any:
    """Stand in for ``numpy.core.numeric._frombuffer`` (pickle protocol 5).

    Newer releases of numpy give it the axes of an array that was transposed.
    """
    array = _make_array(data, dtype, shape, order)
    return array if axes is None else array.transpose(axes)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for ``_codecs.encode``, the way protocol 2 spells bytes."""
    if encoding not in _LATIN1 or not isinstance(text, str):
        raise pickle.UnpicklingError(
            f"the codec {str(encoding)[:40]!r}, which is not used"
        )
    return text.encode("latin1")


def _make_bytes() -> bytes:
    """Stand in for ``bytes``, which a number would give that many zeros."""
    return b""


def _make_bytearray(data: bytes | str = b"", encoding: str = "latin1") -> bytearray:
    """Stand in for ``bytearray``, as ``_make_bytes``."""
    if isinstance(data, str):
        data = _encode(data, encoding)
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("bytes made of something else")
    return bytearray(data)


def _maker(kind: type) -> Callable[..., Any]:
    """Stand in for a container: it is made of another one."""

    def make(*args: Any) -> Any:
        if not all(isinstance(arg, (list, tuple, dict)) for arg in args):
            raise pickle.UnpicklingError(f"a {kind.__name__} of no container")
        return kind(*args)

    return make


def _allowed_globals() -> dict[tuple[str, str], AllowedName]:
    table: dict[tuple[str, str], AllowedName] = {
        ("_codecs", "encode"): AllowedName(_encode),
        ("numpy", "dtype"): AllowedName(_DtypeStandIn),
        ("numpy", "ndarray"): _NDARRAY,
    }
    for core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
        table[(f"{core}.multiarray", "_reconstruct")] = AllowedName(_reconstruct)
        table[(f"{core}.multiarray", "scalar")] = AllowedName(_scalar)
        table[(f"{core}.numeric", "_frombuffer")] = AllowedName(_frombuffer)
    for builtins in ("builtins", "__builtin__"):  # Python 3 and Python 2
        for kind in (set, frozenset, list, tuple, dict):
            table[(builtins, kind.__name__)] = AllowedName(_maker(kind))
        table[(builtins, "bytes")] = AllowedName(_make_bytes)
        table[(builtins, "bytearray")] = AllowedName(_make_bytearray)
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
                f"the name {brief(f'{module}.{name}')}, which {self.kind} do not need "
                "and which could run code"
            ) from None


class _Finisher:
    """Turns stand-ins into what they stand for, in place where possible.

    What has been turned is kept by its id, together with the object, so that no other
    one gets that id. A tuple that holds another one twice, and so on fifty times, is
    gone through once and not 2**50 times.
    """

    def __init__(self) -> None:
        # The object, what it became, and how deep it is nested.
        self._seen: dict[int, tuple[Any, Any, int]] = {}

    def finish(self, value: Any) -> Any:
        """Turn a value with all that is in it."""
        return self._finish(value)[0]

    def _finish(self, value: Any) -> tuple[Any, int]:
        if isinstance(value, _ArrayStandIn):
            if value.array is None:
                raise pickle.UnpicklingError("an array without numbers")
            return value.array, 0
        if isinstance(value, _DtypeStandIn):
            return value.dtype, 0
        if isinstance(value, AllowedName):
            raise pickle.UnpicklingError("a name that is not called")
        if not isinstance(value, (dict, list, tuple, set, frozenset)):
            return value, 0
        if id(value) in self._seen:
            return self._seen[id(value)][1:]
        # For a list that holds itself.
        self._seen[id(value)] = (value, value, 0)
        result, depth = self._finish_container(value)
        if depth > _DEEPEST:
            raise pickle.UnpicklingError(f"containers nested deeper than {_DEEPEST}")
        self._seen[id(value)] = (value, result, depth)
        return result, depth

    def _finish_container(self, value: Any) -> tuple[Any, int]:
        if isinstance(value, (dict, set, frozenset)) and not all(
            key is None or isinstance(key, _KEYS) for key in value
        ):
            raise pickle.UnpicklingError("a key that is neither text nor number")
        if isinstance(value, (set, frozenset)):
            return value, 1
        keys = list(value) if isinstance(value, dict) else range(len(value))
        depth = 0
        changed: dict[Any, Any] = {}
        for key in keys:
            item, below = self._finish(value[key])
            depth = max(depth, below)
            if item is not value[key]:
                changed[key] = item
        if not changed:
            return value, depth + 1
        if isinstance(value, tuple):
            items = (changed.get(key, item) for key, item in enumerate(value))
            return tuple(items), depth + 1
        for key, item in changed.items():
            value[key] = item
        return value, depth + 1


def _scan(stream: BinaryIO) -> None:
    """Look at the opcodes of the pickle that a stream stands before."""
    if isinstance(stream, io.BytesIO):
        scan_pickle(stream.getvalue(), stream.tell())
        return
    try:
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:  # of an empty file
        raise pickle.UnpicklingError("it is empty") from None
    with content:
        scan_pickle(content, stream.tell())


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
        _scan(stream)
        return _Finisher().finish(unpickler(stream).load())
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            f"{name}: refused or unreadable: {error}. {unpickler.remedy}."
        ) from error
    except (
        ArithmeticError,
        AttributeError,
        BufferError,
        EOFError,
        ImportError,
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
