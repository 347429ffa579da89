"""Plain values and tensors are read, anything else in a pickle is refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.checkpoint_reader import read_checkpoint, weights_of
from gap_mmaction.utils.restricted_pickle import (
    load_annotations,
    loads_annotations,
    write_annotations,
)
from gap_mmaction.utils.safetensors_checkpoint import dump_safetensors

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Call:
    def __init__(self, function: Any, *args: Any, state: Any = None) -> None:
        self.reduced = function, args, state

    def __reduce__(self) -> Any:
        return self.reduced


def same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return same([*left.items()], [*right.items()])
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return bool(left == right)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "i8", "u1", "?", "U5", "S3"])
def test_arrays_of_every_plain_dtype(dtype: str, protocol: int) -> None:
    array = np.arange(24).reshape(1, 4, 2, 3).astype(dtype)
    views = (array[..., :1], array[:0], array.swapaxes(1, 2))
    for value in (array, np.asfortranarray(array), *views):
        data = pickle.dumps(value, protocol=protocol)
        read = loads_annotations(data)
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
                **{"frame_dir": "x", "label": np.int64(3), "total_frames": 4},
                **{"img_shape": (1080, 1920), "ok": True, "raw": b"\x00\xff"},
                **{"ratio": np.float32(0.5), "name": np.str_("y"), "none": None},
                **{"set": {1, 2}, "bytes": [bytearray(b"ab"), bytearray(), b""]},
            }
        ],
        "twice": [shared_list, shared_list],
    }
    path = tmp_path / "new" / "content.pkl"
    write_annotations(content, path)
    assert same(load_annotations(path), content)
    read = loads_annotations(pickle.dumps(content, protocol=protocol))
    assert same(read, content)
    assert read["twice"][0] is read["twice"][1]
    # As Python 2 and early 3 wrote them.
    old = pickle.dumps(Call(bytearray, "a\xff", "latin-1"))
    assert loads_annotations(old) == bytearray(b"a\xff")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ["float", "half", "long", "bool"])
def test_tensors_become_arrays(name: str, protocol: int) -> None:
    tensor = torch.arange(24).reshape(4, 6).to(getattr(torch, name))
    views = (tensor, tensor[2], tensor[:, 1::2], tensor.T, tensor[:0], tensor[1, 1])
    for value in views:
        (read,) = loads_annotations(pickle.dumps([value], protocol=protocol))
        assert same(read, value.numpy())
        assert read.flags.writeable
    half = torch.randn(5).bfloat16()
    assert same(loads_annotations(pickle.dumps(half)), half.float().numpy())


def test_names_of_the_other_numpy_generation() -> None:
    content, names = [np.arange(3), np.float64(1)], [b"numpy.core.", b"numpy._core."]
    data = pickle.dumps(content, protocol=2)
    for source, target in (names, names[::-1]):
        assert same(loads_annotations(data.replace(source, target)), content)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("value", "name"),
    [
        *((Call(os.system, "x"), "system"), (Call(getattr, "", "join"), "getattr")),
        *((Call(torch.load, "x"), "torch.*load"), (Path("x"), "pathlib")),
        (torch.nn.Parameter(torch.zeros(2)), "_rebuild_parameter"),
    ],
)
def test_other_names_are_refused(
    value: Any, name: str, protocol: int, tmp_path: Path
) -> None:
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps([value], protocol=protocol))
    with pytest.raises(pickle.UnpicklingError, match=name) as caught:
        load_annotations(path)
    assert str(path) in str(caught.value)


def named(name: str, state: Any = None) -> bytes:
    """Pickles what a name stands for, with a state for the opcode BUILD."""
    end = b"" if state is None else pickle.dumps(state, protocol=2)[2:-1] + b"b"
    return b"\x80\x02c" + name.encode() + b"\n" + end + b"."


def odd(shape: Any) -> Call:
    reduced: Any = np.arange(3, dtype=np.int8).__reduce__()
    function, args, (version, _, *state) = reduced
    return Call(function, *args, state=(version, shape, *state))


def tensor(*arguments: Any) -> Call:
    storage = torch.zeros(4).untyped_storage()
    typed = torch.storage.TypedStorage(
        wrap_storage=storage, dtype=torch.float32, _internal=True
    )
    return Call(torch._utils._rebuild_tensor_v2, typed, *arguments)


_LOAD = torch.storage._load_from_bytes


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (np.array([object, 1], dtype=object), "dtype 'O8'"),
        (np.zeros(2, dtype=[("a", "f4")]), "dtype 'V4'"),
        (np.zeros(2, dtype="M8[s]"), "dtype 'M8'"),
        (np.ma.zeros(2), "_mareconstruct|MaskedArray"),
        (Call(np.ndarray, (2,)), "not callable"),
        (Call(bytes, 10**12), "not a pickle"),
        (Call(bytearray, 10**12), "codec|bytearray"),
        # numpy would free what a row of it still looks at.
        (Call(list, np.zeros((2, 3))), "a list of no container"),
        *((odd(shape), "shape|Memory") for shape in ((-1,), (3, 1.0), (2**62, 4))),
        (odd((-3, -1)), "shape"),
        (np.dtype("f4"), "no plain value"),
        # What names stand for can be neither kept nor changed.
        (named("_codecs\nencode"), "no plain value"),
        (named("_codecs\nencode", (None, {"__defaults__": (1,)})), "the state of"),
        (named("numpy\nndarray", (None, {"a": 1})), "the state of"),
        # Where torch's own loader would unpickle once more, without limits.
        (Call(_LOAD, pickle.dumps(Call(os.system, "x"))), "a tensor"),
        (torch.zeros(2).to_sparse(), "_rebuild_sparse_tensor"),
        (torch.zeros(2, dtype=torch.complex64), "ComplexFloatStorage"),
        *((tensor(i, (2,), (1,)), "a tensor of") for i in (-1, 3)),
        *((tensor(0, (n,), (0,)), "a tensor of") for n in (10**9, 2.0)),
        *((tensor(0, (2, 2), step), "a tensor of") for step in ((4, 1), (-1, 1), (2,))),
        (b"c" + b"os." + b"x" * 10**6 + b"\nsystem\n.", r"os\.x.*system"),
        (b"", "not a pickle"),
        (b"PK\x03\x04", "not a pickle"),
        *((value, "a key that is neither") for value in ({(1, 2): 3}, {("a",)})),
        (b"\x80\x04\x8f(\x8f(\x91\x90.", "a key that is neither"),
        (b"\x80\x02(" + b"(t" + b"K\x01d.", "a key that is neither"),
        (b"\x80\x02})" + b"\x85" * 500_000 + b"K\x01s.", "a key that is neither"),
        # An object of a class, and something outside of the file.
        (b"\x80\x02cos\nsystem\n)\x81.", "system"),
        (b"P1\n.", "not a pickle"),
    ],
)
def test_refused(content: Any, what: str) -> None:
    data = content if isinstance(content, bytes) else pickle.dumps(content, 2)
    with pytest.raises(pickle.UnpicklingError, match=what) as caught:
        loads_annotations(data, "some file")
    assert str(caught.value).startswith("some file: ")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("opcode", [b"\x8e", b"\x96", b"\x8d", b"\x95"])
def test_a_length_beyond_the_file_takes_no_memory(opcode: bytes) -> None:
    for length in (2**37, 2**62):
        with pytest.raises(pickle.UnpicklingError):
            loads_annotations(b"\x80\x05" + opcode + length.to_bytes(8, "little"))
    # For this index, the unpickler in C would make room for 2**28 objects.
    assert loads_annotations(b"\x80\x02Nr\xff\xff\xff\x0f.") is None


def test_nesting() -> None:
    bomb: Any = ()
    for _ in range(80):
        bomb = (bomb, bomb)
    loads_annotations(pickle.dumps(bomb))  # gone through once
    value: Any = []
    chain = [value]
    for _ in range(200):
        value = [value]
        chain.append(value)
    loop: list[Any] = []
    loop.append(loop)
    for content in (value, chain, loop):
        with pytest.raises(pickle.UnpicklingError, match="nested deeper than 100"):
            loads_annotations(pickle.dumps(content))


def test_brief() -> None:
    bomb: list[Any] = []
    for _ in range(200):
        bomb = [bomb, bomb]
    for value in (10**5000, bomb, "x" * 10**6, np.zeros((9, 9)), [1] * 999):
        text = brief(value)
        assert text and len(text) < 200 and "\n" not in text
    for plain in (3, -0.5, "walk", [1, 2], None, {"a": (1,)}):
        assert brief(plain) == repr(plain)


STATE = {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.tensor(3)}


def test_weights() -> None:
    parallel = {f"module.module.{key}": value for key, value in STATE.items()}
    assert set(weights_of(parallel, "a.pth")) == set(STATE)
    none: list[Any] = [{}, {"state_dict": {}}, {"state_dict": [1]}, {"model": STATE}]
    for content in none:
        with pytest.raises(ValueError, match=r"a\.pth: .*(no weights|'model'.*tensor)"):
            weights_of(content, "a.pth")


def test_safetensors(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    # Two names for one tensor, which safetensors alone refuses.
    shared = {**STATE, "c": STATE["a"]}
    file.write_bytes(dump_safetensors(shared, {"epoch": np.int64(2), "x": (1, "y")}))
    checkpoint = read_checkpoint(file)
    assert checkpoint["meta"] == {"epoch": 2, "x": [1, "y"]}
    state = weights_of(checkpoint, file)
    assert all(torch.equal(state[key], value) for key, value in shared.items())
    with pytest.raises(TypeError, match=r"write a \.pth file"):
        dump_safetensors(STATE, {"x": torch.ones(1)})


def test_damaged(tmp_path: Path) -> None:
    file = tmp_path / "epoch_1.pth"
    hub = {"log": HistoryBuffer([1.0], [1]), "runtime": np.float64(2)}
    torch.save({"state_dict": STATE, "message_hub": hub}, file)
    state = weights_of(read_checkpoint(file), file)
    assert all(torch.equal(state[key], value) for key, value in STATE.items())
    whole = file.read_bytes()
    for size in range(0, len(whole) - 1, len(whole) // 25):
        file.write_bytes(whole[:size])
        with pytest.raises((ValueError, pickle.UnpicklingError), match="epoch_1"):
            read_checkpoint(file)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_checkpoint(tmp_path / "absent.pth")
