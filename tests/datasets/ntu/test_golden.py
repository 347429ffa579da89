"""The chain against what the public scripts made of the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets.ntu import (
    SampleName,
    convert_skeleton,
    make_splits,
    parse_skeleton,
)
from gap_mmaction.datasets.ntu.annotations import (
    finish_annotation,
    lacks_second_actor,
)
from gap_mmaction.datasets.ntu.sample import select_actors


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "golden" / "ntu_raw"


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    with np.load(folder / "expected.npz") as file:
        return dict(file)


def flatten(keypoint: np.ndarray) -> np.ndarray:
    """Back to the reference's columns, padded to two persons."""
    flat = keypoint.transpose(1, 0, 2, 3).reshape(keypoint.shape[1], -1)
    return np.pad(flat, ((0, 0), (0, 150 - flat.shape[1])))


def test_samples(folder: Path, expected: dict[str, Any]) -> None:
    for i, name in enumerate(expected["names"]):
        data = (folder / f"{name}.skeleton").read_bytes()
        sequence = parse_skeleton(data, name)
        assert sequence.num_frames == expected["raw_num_frames"][i]
        assert len(sequence.bodies) == expected["num_body_ids"][i]
        parts = SampleName.parse(name)
        for key in ("label", "performer", "camera", "setup", "replication"):
            assert getattr(parts, key) == expected[key][i]

        actors, _ = select_actors(sequence, "reference")
        assert actors.joints.shape[1] == 75 * expected["num_bodies"][i]
        denoised = expected[f"denoised/{name}"]
        padding = 150 - actors.joints.shape[1]
        np.testing.assert_array_equal(
            np.pad(actors.joints, ((0, 0), (0, padding))), denoised
        )

        annotation = convert_skeleton(data, str(name)).annotation
        assert annotation is not None
        assert annotation["frame_dir"] == name
        assert annotation["label"] == expected["label"][i]
        assert annotation["total_frames"] == expected["frames"][i]
        keypoint = annotation["keypoint"]
        assert keypoint.dtype == np.float32
        assert keypoint.shape == (
            expected["num_bodies"][i],
            expected["frames"][i],
            25,
            3,
        )
        translated = expected[f"translated/{name}"]
        np.testing.assert_array_equal(flatten(keypoint), translated)


def test_padding_of_ntu120(folder: Path, expected: dict[str, Any]) -> None:
    found = 0
    for key, translated in expected.items():
        if not key.startswith("translated120/"):
            continue
        name = key.split("/")[1]
        data = (folder / f"{name}.skeleton").read_bytes()
        annotation = convert_skeleton(data, name).annotation
        assert annotation is not None
        for protocol, persons in (("reference", 2), ("clean", 1)):
            assert lacks_second_actor(annotation, "ntu120")
            assert not lacks_second_actor(annotation, "ntu60")
            single = finish_annotation(annotation, "ntu60", protocol)
            assert len(single["keypoint"]) == 1
            finished = {**finish_annotation(annotation, "ntu120", protocol)}
            keypoint = finished.pop("keypoint")
            assert finished == {
                key: annotation[key] for key in ("frame_dir", "label", "total_frames")
            }
            assert len(keypoint) == persons
            if protocol == "reference":
                np.testing.assert_array_equal(flatten(keypoint), translated)
        found += 1
    assert found == 2


def test_order(expected: dict[str, Any]) -> None:
    names = expected["names"].tolist()
    for dataset, protocols in (("60", ("xsub", "xview")), ("120", ("xsub", "xset"))):
        splits = make_splits(names, f"ntu{dataset}")
        assert len(splits) == 4
        for protocol in protocols:
            for subset, key in (("train", "train"), ("val", "test")):
                rows = expected[f"order_{key}/{protocol}{dataset}"]
                assert splits[f"{protocol}_{subset}"] == [names[i] for i in rows]
