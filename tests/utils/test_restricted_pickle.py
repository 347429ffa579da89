"""Annotations are read, anything else in a pickle is refused."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.utils.restricted_pickle import load_annotations, loads_annotations

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.args


def same(left: Any, right: Any) -> bool:
    """Compare values, types and dtypes."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(
            same(left[key], right[key]) for key in left
        )
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return bool(left == right)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", ">f4", "i1", "i4", "i8", "u1", "?", "U5", "S3"]
)
def test_arrays_of_every_plain_dtype(dtype: str, protocol: int) -> None:
    array = np.arange(24).reshape(1, 4, 2, 3).astype(dtype)
    for value in (
        array,
        np.asfortranarray(array),
        array[..., :1],
        array[:0],
        array.swapaxes(1, 2),
    ):
        data = pickle.dumps(value, protocol=protocol)
        read = loads_annotations(data)
        assert type(read) is np.ndarray
        # numpy gives some arrays of foreign byte order in the native one.
        assert same(read, pickle.loads(data))
        np.testing.assert_array_equal(read, value)
        assert read.flags.writeable


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_containers_and_scalars(protocol: int, tmp_path: Path) -> None:
    shared_list = [np.zeros(2, np.float32)]
    content = {
        "split": {"a": ["x", "ü"], "b": []},
        "annotations": [
            {
                "frame_dir": "x",
                "label": np.int64(3),
                "total_frames": 4,
                "keypoint": np.ones((1, 4, 2, 3), np.float16),
                "img_shape": (1080, 1920),
                "ok": True,
                "raw": b"\x00\xff",
                "ratio": np.float32(0.5),
                "name": np.str_("y"),
                "none": None,
                "set": {1, 2},
            }
        ],
        "twice": [shared_list, shared_list],
    }
    path = tmp_path / "content.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    read = load_annotations(path)
    assert same(read, content)
    assert read["twice"][0] is read["twice"][1]
    pickle.loads(pickle.dumps(read))  # no stand-in is left in it


def test_names_of_the_other_numpy_generation() -> None:
    data = pickle.dumps([np.arange(3), np.float64(1)], protocol=2)
    old, new = b"numpy.core.", b"numpy._core."
    assert old in data or new in data
    for source, target in ((old, new), (new, old)):
        read = loads_annotations(data.replace(source, target))
        assert same(read, [np.arange(3), np.float64(1)])


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Call(os.system, "touch /nonexistent/x"), "system"),
        (Call(eval, "1"), "eval"),
        (Call(getattr, "", "join"), "getattr"),
        (collections.OrderedDict(a=1), "OrderedDict"),
        (Path("x"), "pathlib"),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_other_names_are_refused(
    value: Any, name: str, protocol: int, tmp_path: Path
) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps([value], protocol=protocol))
    with pytest.raises(pickle.UnpicklingError, match=name) as caught:
        load_annotations(path)
    assert str(path) in str(caught.value)
    assert "tools/data" in str(caught.value)


def test_a_name_without_end_makes_no_message_without_end() -> None:
    data = b"c" + b"os." + b"x" * 10**6 + b"\nsystem\n."
    with pytest.raises(pickle.UnpicklingError, match=r"os\.x.*system") as caught:
        loads_annotations(data)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (np.array([object, 1], dtype=object), "dtype 'O8'"),
        (np.zeros(2, dtype=[("a", "f4")]), "dtype 'V4'"),
        (np.zeros(2, dtype="M8[s]"), "dtype 'M8'"),
        (np.ma.zeros(2), "_mareconstruct|MaskedArray"),
        (Call(np.ndarray, (2,)), "numpy.ndarray"),
    ],
)
def test_other_arrays_are_refused(value: Any, what: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match=what):
        loads_annotations(pickle.dumps(value))


def test_array_with_a_shape_that_its_bytes_do_not_fill() -> None:
    data = pickle.dumps(np.arange(3, dtype=np.int8), protocol=2)
    assert data.count(b"K\x03") >= 1
    with pytest.raises(pickle.UnpicklingError, match="annotation bytes"):
        loads_annotations(data.replace(b"K\x03\x85", b"K\x7f\x85"), "annotation bytes")


@pytest.mark.parametrize("data", [b"", b"{}", b"PK\x03\x04", b"\x80\x04\x95"])
def test_not_a_pickle(data: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="some file"):
        loads_annotations(data, "some file")


def test_truncated() -> None:
    data = pickle.dumps({"keypoint": np.zeros((1, 4, 2, 3))})
    for end in range(0, len(data) - 1, 7):
        with pytest.raises(pickle.UnpicklingError):
            loads_annotations(data[:end])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pkl.*ann_file"):
        load_annotations(tmp_path / "none.pkl")


def test_an_index_beyond_the_file_takes_no_memory() -> None:
    # The unpickler would make room for 2**28 objects.
    data = b"\x80\x02Nr\xff\xff\xff\x0f."
    with pytest.raises(pickle.UnpicklingError, match=r"the number 268435455"):
        loads_annotations(data)
    with pytest.raises(pickle.UnpicklingError, match=r"the number 999999999"):
        loads_annotations(b"Np999999999\n.")
    assert loads_annotations(b"\x80\x02]r\x01\x00\x00\x00h\x01a.")


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_number_of_bytes_is_refused(kind: type) -> None:
    with pytest.raises(pickle.UnpicklingError):
        loads_annotations(pickle.dumps(Call(kind, 10**12)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_bytearrays(protocol: int) -> None:
    for value in (bytearray(b"ab"), bytearray()):
        assert same(loads_annotations(pickle.dumps(value, protocol)), value)
    # As Python 2 and early 3 wrote them.
    assert loads_annotations(pickle.dumps(Call(bytearray, "a\xff", "latin-1"))) == (
        bytearray(b"a\xff")
    )


@pytest.mark.parametrize("name", ["_codecs\nencode", "numpy\nndarray", "numpy\ndtype"])
def test_what_names_stand_for_cannot_be_changed(name: str) -> None:
    state = pickle.dumps((None, {"__defaults__": (1,)}), protocol=2)[2:-1]
    data = b"\x80\x02c" + name.encode() + b"\n" + state + b"b."
    with pytest.raises(pickle.UnpicklingError, match="a change of what a name"):
        loads_annotations(data)
    with pytest.raises(pickle.UnpicklingError, match="a name that is not called"):
        loads_annotations(b"\x80\x02c" + name.encode() + b"\n.")


def test_tuples_of_the_same_tuples_are_gone_through_once() -> None:
    value: Any = (np.zeros(1),)
    for _ in range(80):
        value = (value, value)
    read = loads_annotations(pickle.dumps(value))
    for _ in range(80):
        assert read[0] is read[1]
        read = read[0]
    assert same(read, (np.zeros(1),))


def test_an_array_has_one_owner_of_its_memory() -> None:
    # numpy would free what a row of it still looks at.
    rows = Call(list, np.zeros((2, 3)))
    with pytest.raises(pickle.UnpicklingError, match="a list of no container"):
        loads_annotations(pickle.dumps(rows))


@pytest.mark.parametrize("shape", [(-1,), (-3, -1), (3, 1.0), (2**62, 4)])
def test_array_of_an_odd_shape(shape: Any) -> None:
    array = np.arange(3, dtype=np.int8)
    reduced: Any = array.__reduce__()
    function, args, state = reduced[:3]

    class Odd:
        def __reduce__(self) -> Any:
            return function, args, (state[0], shape, *state[2:])

    with pytest.raises(pickle.UnpicklingError):
        loads_annotations(pickle.dumps(Odd()))


def test_deep_nesting_is_refused() -> None:
    value: Any = []
    chain = [value]
    for _ in range(200):
        value = [value]
        chain.append(value)
    # In the second, each is met by itself before it is met in the next one.
    for content in (value, chain):
        with pytest.raises(pickle.UnpicklingError, match="nested deeper than 100"):
            loads_annotations(pickle.dumps(content))
    loop: list[Any] = []
    loop.append(loop)
    read = loads_annotations(pickle.dumps(loop))
    assert read[0] is read


@pytest.mark.parametrize("value", [{(1, 2): 3}, {frozenset((1,))}, {("a",)}])
def test_keys_are_texts_and_numbers(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError, match="a key that is neither"):
        loads_annotations(pickle.dumps(value))
