"""SafePoseDataset gives what PoseDataset gives, and names what is wrong."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmaction.registry import DATASETS

from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.skeletons.layouts import find_test_pipeline
from tests.config_files import ROOT, load

Annotations = dict[str, Any]
Build = Callable[..., SafePoseDataset]
PLACE = np.zeros((1, 8, 20, 3))
PLACE[0, 5, 7, 2] = 1


@pytest.fixture
def content() -> Annotations:
    """Six sequences of the nw-ucla layout, two splits."""
    rng = np.random.default_rng(0)
    annotations: list[Annotations] = []
    for i in range(6):
        item = {"frame_dir": f"s{i}", "label": i % 3, "total_frames": 4 + i}
        item["keypoint"] = rng.normal(size=(1, 4 + i, 20, 3)).astype(np.float32)
        annotations.append(item)
    split = {"train": ["s0", "s2", "s4", "s5"], "val": ["s3", "s1"]}
    return {"split": split, "annotations": annotations}


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def _build(content: Any, **kwargs: Any) -> SafePoseDataset:
        path = tmp_path / "annotations.pkl"
        path.write_bytes(pickle.dumps(content))
        options: Any = {"pipeline": [], "split": "train"}
        options |= {"layout": "nw-ucla", "num_classes": 3}
        return SafePoseDataset(str(path), **{**options, **kwargs})

    return _build


def test_same_samples_as_stock(build: Build, content: Annotations) -> None:
    path = Path(build(content).ann_file)
    for split in ("train", "val"):
        config = {"ann_file": path.name, "data_root": str(path.parent), "pipeline": []}
        ours = DATASETS.build({**config, "type": "SafePoseDataset", "split": split})
        stock = DATASETS.build({**config, "type": "PoseDataset", "split": split})
        assert len(ours) == len(stock)
        for mine, theirs in zip(ours, stock):
            assert mine.keys() == theirs.keys()
            np.testing.assert_array_equal(mine.pop("keypoint"), theirs.pop("keypoint"))
            assert mine == theirs
    assert len(build(content["annotations"], split=None)) == 6


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("label", None, "'label' is missing"),
        ("label", 3, r"label=3 is not in 0\.\.2"),
        ("label", "walk", "label='walk' is not an integer"),
        ("label", [[1], [1, 2]], "label="),
        pytest.param("label", 10**5000, "label=<int> is not", id="huge label"),
        ("keypoint", None, "'keypoint'.* its keys are .*'label'"),
        ("keypoint", [[1.0]], r"'keypoint' has shape \[1, 1\]"),
        ("keypoint", [[1.0], [1.0, 2.0]], "'keypoint' is ragged"),
        ("keypoint", np.full((1, 8, 20, 3), "x"), "type <U1"),
        ("keypoint", np.ones((1, 8, 20, 4)), "4 columns.*one more would be taken"),
        ("keypoint", np.zeros((1, 0, 20, 3)), "no frames"),
        ("keypoint", np.zeros((1, 8, 20, 3)), "no person"),
        ("keypoint", np.zeros((1, 8, 25, 3)), "25 joints.*'nw-ucla' has 20"),
        *(
            (
                "keypoint",
                np.where(PLACE, value, 1),
                f"{value}.*person 0, frame 5, joint 7, axis 2",
            )
            for value in (np.nan, -np.inf, 1e10)
        ),
        ("total_frames", 9, "total_frames=9.*8 frames"),
        ("total_frames", np.ones(3), "total_frames=array"),
        ("keypoint_score", np.ones((1, 8, 19)), r"expected \[1, 8, 20\]"),
        ("keypoint_score", np.full((1, 8, 20), np.nan), "'keypoint_score' is nan"),
    ],
)
def test_bad_annotation_is_named_on_loading(
    key: str, value: Any, found: str, build: Build, content: Annotations
) -> None:
    content["annotations"][4][key] = value
    with pytest.raises(ValueError, match=rf"annotations\.pkl(.|\n)*'s4'.*{found}"):
        build(content)
    build(content, split="val")  # the other split does not suffer


def test_content_and_settings_that_do_not_fit(
    build: Build, content: Annotations
) -> None:
    changes: list[tuple[dict[str, Any], str]] = [
        ({"annotations": 3}, "'annotations' is 3, not a list"),
        ({"annotations": [3]}, "annotation 0 has no key 'frame_dir'"),
        (
            {"annotations": [{"frame_dir": np.zeros(2)}]},
            "annotation 0 has.*'frame_dir'",
        ),
        ({"split": ["train"]}, r"'split' is \['train'\], not a dict"),
        ({"split": {"train": "s0"}}, "split 'train' is 's0', not a list"),
        ({"split": {"train": [["s0"]]}}, r"has \['s0'\] among its names"),
        ({"split": {"train": ["s77"]}}, "no sequence in split 'train'"),
    ]
    for change, found in changes:
        with pytest.raises(ValueError, match=rf"annotations\.pkl.*{found}"):
            build({**content, **change})
    for other in (3, {"a": 1}):
        with pytest.raises(ValueError, match=r"annotations\.pkl.* keys 'split' and"):
            build(other)
    for split in ("xsub_train", None):
        with pytest.raises(KeyError, match=rf"annotations.*{split}.*train, val"):
            build(content, split=split)
    for settings, found in (
        ({"samples_per_class": "5"}, "samples_per_class='5' is no integer of at"),
        ({"subset_seed": -1}, "subset_seed=-1 is no integer of at least 0"),
        ({"samples_per_class": 5, "multi_class": True}, "needs one label for each"),
    ):
        with pytest.raises(ValueError, match=found):
            build(content, **settings)
    content["annotations"][4]["keypoint_score"] = np.ones((1, 8, 20))
    with pytest.raises(ValueError, match=r"'s0', 's2', 's5': has no 'keypoint_score'"):
        build(content)


def test_all_that_is_wrong_at_once(build: Build, content: Annotations) -> None:
    items = content["annotations"]
    items += [{**items[0], "frame_dir": f"t{i}", "label": 7 + i} for i in range(9)]
    items[2]["keypoint"] = items[2]["keypoint"][:, :0]
    content["split"]["train"] += [f"t{i}" for i in range(9)]
    with pytest.raises(ValueError) as caught:
        build(content)
    told = str(caught.value).splitlines()
    assert "split 'train': 10 of 13 sequences cannot be used" in told[0]
    assert "'s2': a sequence with no frames" in told[1]
    assert "'t0', 't1', 't2', 't3', 't4' and 4 more: label=7 is not" in told[2]


def test_labels(build: Build, content: Annotations) -> None:
    steps = [{"type": "FormatGCNInput"}, {"type": "PackActionInputs"}]
    for label in (np.array(2), np.uint8(2)):
        for item in content["annotations"]:
            item |= {"label": label, "keypoint_score": None}
            item["keypoint"] = np.ones_like(item["keypoint"], dtype=int)
        dataset = build(content, pipeline=steps)
        assert dataset[0]["data_samples"].gt_label.tolist() == [2]
        assert dataset[0]["inputs"].is_floating_point()
    for item in content["annotations"]:
        item["label"] = [0, 2]
    assert build(content, multi_class=True)[0]["label"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", ["PreNormalize2D", "MaskedPreNormalize2D"])
def test_size_of_the_picture(kind: str, build: Build, content: Annotations) -> None:
    for item in content["annotations"]:
        item["keypoint"] = np.full_like(item["keypoint"][:, :, :17, :2], 320)
        item["img_shape"] = (480, 640, 3)
    del content["annotations"][2]["img_shape"]
    content["annotations"][5]["img_shape"] = (480,)
    plain, sized = [{"type": kind}], [{"type": kind, "img_shape": (480, 640)}]
    with pytest.raises(ValueError, match=r"'s2': the size of the picture .*img_shape="):
        build(content, layout="coco", pipeline=plain)
    with pytest.raises(ValueError, match=r"'s5': img_shape is \(480,\)"):
        build(content, layout="coco", pipeline=sized)
    content["annotations"][5]["img_shape"] = [480, 640]
    for sample in build(content, layout="coco", pipeline=sized):
        assert not sample["keypoint"][..., 0].any()


@pytest.mark.parametrize("config", ["ctrgcn_nwucla", "ctrgcn_ntu120_mmaction2"])
def test_persons_and_frames_are_those_with_joints(
    config: str, build: Build, content: Annotations
) -> None:
    test = load(ROOT / f"configs/gap/{config}.py").test_dataloader.dataset
    joints = get_skeleton(test.layout).num_joints
    whole = np.zeros((2, 200, joints, 3))
    whole[1, 100:150] = np.random.default_rng(0).normal(size=(50, joints, 3))
    content["annotations"][0] |= {"keypoint": whole, "total_frames": 200}
    content["annotations"][2] |= {"keypoint": whole[1:, 100:150], "total_frames": 50}
    content["split"]["train"] = ["s0", "s2"]
    path = build(content, layout=test.layout).ann_file
    dataset = DATASETS.build({**test, "ann_file": path, "split": "train"})
    np.testing.assert_array_equal(dataset[0]["inputs"], dataset[1]["inputs"])
    assert dataset[0]["inputs"].flatten(2).any(-1)[:, 0].all()


def test_a_bystander_changes_nothing(build: Build, content: Annotations) -> None:
    leaf = ROOT / "configs/gap/ctrgcn_nwucla_cpu.py"
    pipeline = find_test_pipeline(load(leaf))
    expected = [sample["inputs"] for sample in build(content, pipeline=pipeline)]
    for item in content["annotations"]:
        item["keypoint"] = np.concatenate([item["keypoint"], item["keypoint"] + 20])
    for sample, alone in zip(build(content, pipeline=pipeline), expected):
        np.testing.assert_array_equal(sample["inputs"], alone)


def test_transforms_know_the_layout(build: Build, content: Annotations) -> None:
    step = {"type": "CenterSkeleton", "joint": "spine"}
    keypoint = build(content, pipeline=[step])[0]["keypoint"]
    assert not keypoint[0, 0, 1].any()
    # Inference has it from the config.
    loader = {"dataset": {"pipeline": [step], "layout": "nw-ucla"}}
    found = find_test_pipeline({"test_dataloader": loader})
    assert found == [{**step, "layout": "nw-ucla"}]


def test_videos_and_single_files(
    tmp_path: Path, build: Build, content: Annotations
) -> None:
    content["annotations"][0]["keypoint"][:, :2] = 0
    for prefix, frames in ((None, 2), ({"video": "videos"}, 4)):  # of these all stay
        sample = build(content, data_prefix=prefix)[0]
        assert sample["keypoint"].shape[1] == sample["total_frames"] == frames
    for item in content["annotations"]:
        single = {"keypoint": item.pop("keypoint")}
        (tmp_path / f"{item['frame_dir']}.pkl").write_bytes(pickle.dumps(single))
    dataset = build(content, data_prefix={"skeleton": str(tmp_path)})
    assert dataset[0]["keypoint"].shape == (1, 2, 20, 3)
    for bad, found in (
        ({"keypoint": np.ones((1, 6, 5, 3))}, "'keypoint' has 5 joints"),
        ([], "holds a list where a dict"),
    ):
        (tmp_path / "s2.pkl").write_bytes(pickle.dumps(bad))
        with pytest.raises(ValueError, match=rf"s2\.pkl': {found}"):
            dataset[1]


def test_few_sequences_of_each_class(build: Build, content: Annotations) -> None:
    items = [
        {**content["annotations"][0], "frame_dir": f"a{label}_{i:02d}", "label": label}
        for label in range(3)
        for i in range(30)
    ]

    def names(size: int | None, chosen: list[Any] = items, seed: int = 0) -> list[str]:
        data = build(chosen, split=None, samples_per_class=size, subset_seed=seed)
        return [data.get_data_info(i)["frame_dir"] for i in range(len(data))]

    few, more = names(5), names(10)
    assert set(few) < set(more) < set(names(None))
    assert [name[1] for name in few] == [*"000001111122222"]
    # Each class has a draw of its own.
    assert len({tuple(n[3:] for n in few[5 * c : 5 * c + 5]) for c in range(3)}) == 3
    # The order of the file and other classes play no part: the draw is fixed for good.
    assert names(5, items[::-1]) == few != names(5, seed=1)
    assert (
        names(5, items[30:60]) == few[5:10] != [n.replace("0_", "1_") for n in few[:5]]
    )
    assert few[5:10] == [f"a1_{i:02d}" for i in (4, 11, 20, 22, 24)]


def test_warnings(
    build: Build, content: Annotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    log = "gap_mmaction.datasets.safe_pose_dataset.print_log"
    monkeypatch.setattr(log, lambda message, *_: told.append(message))
    content["annotations"][0]["label"] = 2  # 2: s0, s2, s5; 1: s4
    data = build(content, samples_per_class=2)
    assert [item["label"] for item in data] == [1, 2, 2]
    assert "samples_per_class=2 is more than" in told[0] and told[0].endswith("1 (1)")
    content["split"]["train"].append("s9")
    content["annotations"].append(content["annotations"][2])
    build(content)
    assert "1 sequences stand there twice, the first is 's2'" in told[1]
    assert "1 sequences are not there, the first is 's9'" in told[2]
