"""Tensors in a pickle are read, nothing in it is run."""

from __future__ import annotations

import io
import os
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from gap_mmaction.utils.restricted_pickle import load_restricted, loads_annotations
from gap_mmaction.utils.tensor_unpickler import TensorUnpickler


def loads(data: bytes) -> Any:
    return load_restricted(io.BytesIO(data), "some file", TensorUnpickler)


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.args


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "dtype",
    [
        *(torch.float32, torch.float64, torch.float16, torch.int64, torch.int32),
        *(torch.int16, torch.int8, torch.uint8, torch.bool),
    ],
)
def test_tensors_of_every_plain_dtype(dtype: torch.dtype, protocol: int) -> None:
    tensor = torch.arange(24).reshape(4, 6).to(dtype)
    views = (tensor, tensor[2], tensor[:, 1::2], tensor.T, tensor[:0], tensor[1, 1])
    for value in views:
        (read,) = loads(pickle.dumps([value], protocol=protocol))
        assert type(read) is np.ndarray
        assert read.dtype == value.numpy().dtype
        np.testing.assert_array_equal(read, value.numpy())
        assert read.flags.writeable or not read.size


def test_bfloat16_becomes_float32() -> None:
    tensor = torch.randn(5).bfloat16()
    read = loads(pickle.dumps(tensor))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, tensor.float().numpy())


def test_annotations_still_have_no_tensors() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"_rebuild_tensor_v2.*annot"):
        loads_annotations(pickle.dumps(torch.zeros(2)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Call(os.system, "touch /nonexistent/x"), "system"),
        (Call(torch.load, "x"), "torch.*load"),
        (torch.nn.Parameter(torch.zeros(2)), "_rebuild_parameter"),
        (torch.zeros(2).to_sparse(), "_rebuild_sparse_tensor"),
        (torch.zeros(2, dtype=torch.complex64), "ComplexFloatStorage"),
    ],
)
def test_other_names_are_refused(value: Any, message: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match=message) as caught:
        loads(pickle.dumps([value]))
    assert "some file" in str(caught.value)
    assert "tools/test.py" in str(caught.value)


def test_a_call_within_the_bytes_of_a_storage_is_refused() -> None:
    # Where torch's own loader would unpickle once more, without limits.
    payload = pickle.dumps(Call(os.system, "touch /nonexistent/x"))
    value = Call(torch.storage._load_from_bytes, payload)
    with pytest.raises(pickle.UnpicklingError, match="system"):
        loads(pickle.dumps(value))


def rebuild(offset: Any, size: Any, stride: Any) -> Any:
    storage = torch.zeros(4).storage()
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (1, (4,), (1,)),
        (0, (2, 2), (4, 1)),
        (0, (10**9,), (0,)),
        (-1, (1,), (1,)),
        (0, (-1,), (1,)),
        (0, (2,), (-1,)),
        (0, (2.0,), (1,)),
        (0, (2, 2), (2,)),
    ],
)
def test_a_shape_beyond_the_numbers_is_refused(
    offset: Any, size: Any, stride: Any
) -> None:
    with pytest.raises(pickle.UnpicklingError, match="a tensor of"):
        loads(pickle.dumps(rebuild(offset, size, stride), protocol=2))


def test_truncated() -> None:
    data = pickle.dumps([torch.arange(6.0)], protocol=2)
    for end in range(0, len(data) - 1, 11):
        with pytest.raises(pickle.UnpicklingError):
            loads(data[:end])


def test_a_storage_cannot_be_changed() -> None:
    # (1000, 0) numbers take no memory, and 1000 rows would be read from there.
    class Changed:
        def __reduce__(self) -> Any:
            storage = torch.zeros(4).untyped_storage()
            data = torch.storage.TypedStorage(
                wrap_storage=storage, dtype=torch.float32, _internal=True
            ).__reduce__()
            return (*data, (None, {"values": np.zeros((1000, 0))}))

    with pytest.raises(pickle.UnpicklingError, match="a change of a tensor's numbers"):
        loads(pickle.dumps(Changed()))


def test_an_index_beyond_a_storages_head_takes_no_memory() -> None:
    head = b"\x80\x02Nr\xff\xff\xff\x0f."
    with pytest.raises(pickle.UnpicklingError, match="the number 268435455"):
        loads(pickle.dumps(Call(torch.storage._load_from_bytes, head)))
