"""From sequences to classes, as a test run would have them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.apis import inference_skeleton, init_recognizer
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from gap_mmaction.apis import PartSimilarity, SkeletonInferencer
from gap_mmaction.apis.poses.poses import Poses
from gap_mmaction.models.data_preprocessors import (
    skeleton_data_preprocessor as first_batch,
)
from gap_mmaction.utils.checkpoint_fit import CheckpointError
from tests.apis.small_model import (
    CLASSES,
    SmallRun,
    make_config,
    make_run,
    make_sequences,
)
from tests.models.text_common import raises
from tests.visualization.clips import standing

SEQUENCES = make_sequences(4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    init_default_scope("mmaction")
    folder = tmp_path_factory.mktemp("trained")
    config = make_config(folder)
    # Three clips of eight frames instead of one.
    sampler = {"type": "FastUniformSampleFrames", "clip_len": 8, "num_clips": 3}
    pipeline = config.test_dataloader.dataset.pipeline
    pipeline[2:3] = [{**sampler, "test_mode": True}, {"type": "PoseDecode"}]
    return make_run(folder, config)


def test_scores_are_those_of_a_test_run(trained: SmallRun, tmp_path: Path) -> None:
    # float16, as NTU RGB+D is stored: what a transform makes of it depends on it.
    annotations = [
        dict(frame_dir=f"a{i}", label=i, total_frames=x.shape[1], keypoint=x)
        for i, x in enumerate(x.astype(np.float16) for x in SEQUENCES)
    ]
    names = [annotation["frame_dir"] for annotation in annotations]
    path = tmp_path / "mine.pkl"
    content = {"split": {"xview_val": names}, "annotations": annotations}
    path.write_bytes(pickle.dumps(content))

    settings = copy.deepcopy(trained.config.test_dataloader.dataset)
    settings.ann_file = str(path)
    dataset = DATASETS.build(settings)
    batch = pseudo_collate([dataset[i] for i in range(len(dataset))])
    assert batch["inputs"][0].shape[0] == 3
    with torch.no_grad():
        outputs = trained.model.test_step(batch)
    expected = torch.stack([output.pred_score for output in outputs])

    inferencer = trained.inferencer(batch_size=3)
    for source in (str(path), path, content, annotations):
        results = inferencer(source)
        assert [result.name for result in results] == names
        scores = np.stack([result.scores for result in results])
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    # They are no constant, which would be the same in any order.
    assert scores.std(axis=0).max() > 1e-3


def test_what_an_estimator_found(trained: SmallRun) -> None:
    """Neither a person of one frame nor a lost joint changes who acts and how."""
    joints = standing(frames=1)[0] + np.linspace(0, 1, 20)[:, None, None]
    inferencer = trained.inferencer()
    (expected,) = inferencer(joints)
    frames = [np.append(x, np.ones((20, 1)), axis=1)[None] for x in joints]
    frames[7][0, 4:8] = 0
    frames[0] = np.concatenate([frames[0] + [3, 0, 0, 0], frames[0]])
    annotation = Poses("nw-ucla", frames).annotation("me")
    (found,) = inferencer([annotation])
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-5)
    # It would.
    (raw,) = inferencer([{**annotation, "is_estimated": False}])
    assert np.abs(raw.scores - expected.scores).max() > 1e-3


def test_arrays(trained: SmallRun) -> None:
    inferencer = trained.inferencer()
    results = inferencer(SEQUENCES)
    assert [result.name for result in results] == [f"input {i}" for i in range(4)]
    one, two, three, _ = SEQUENCES
    forms = [one[0], torch.from_numpy(two), {"keypoint": three}]
    for result, other in zip(inferencer(forms), results):
        np.testing.assert_allclose(result.scores, other.scores, rtol=0, atol=1e-6)
    assert inferencer([]) == []
    for source, words in (
        (np.ones((8, 25, 3)), ["[8, 25, 3]", "[T, 20, 3]", "'nw-ucla'", "20 joints"]),
        (np.ones((0, 20, 3)), ["no frames"]),
        ({"keypoint": np.zeros((1, 8, 20, 3))}, ["no person"]),
        (np.full((8, 20, 3), np.inf), ["person 0, frame 0, joint 0"]),
    ):
        with raises(ValueError, "input 1", *words):
            inferencer([SEQUENCES[0], source])


def test_names_of_the_classes(trained: SmallRun) -> None:
    names = [f"class {i}" for i in range(CLASSES)]
    (result,) = trained.inferencer(labels=names, top_k=3)(SEQUENCES[0])
    order = np.argsort(-result.scores)[:3]
    assert result.top_names == tuple(f"class {i}" for i in order)
    with pytest.raises(ValueError, match="9 names of classes, but the model has 10"):
        trained.inferencer(labels=names[:9])
    config = copy.deepcopy(trained.config)
    config.model.text_branch = None
    plain = SkeletonInferencer(config, trained.checkpoint)
    assert plain.labels == tuple(map(str, range(CLASSES)))
    np.testing.assert_array_equal(plain(SEQUENCES[0])[0].scores, result.scores)


class TestPartSimilarity:
    def test_cosines(self, trained: SmallRun) -> None:
        inferencer = trained.inferencer()
        plain = inferencer(SEQUENCES[:2])
        results = inferencer(SEQUENCES[:2], part_similarity=True)
        similarity = PartSimilarity(trained.model)
        for result, other, sequence in zip(results, plain, SEQUENCES):
            np.testing.assert_allclose(result.scores, other.scores, rtol=0, atol=1e-6)
            inputs = inferencer.prepare({"keypoint": sequence})["inputs"]
            data = {"inputs": [inputs], "data_samples": [None]}
            parts = similarity.skeleton_features(data)
            cosines = similarity.compare(parts, similarity.class_features())[0]
            assert cosines.shape == (5, CLASSES)
            assert result.part_similarity is not None
            np.testing.assert_allclose(result.part_similarity, cosines, atol=1e-5)

    def test_config_or_checkpoint_without_or_with_another(
        self, trained: SmallRun, tmp_path: Path
    ) -> None:
        state = torch.load(trained.checkpoint, weights_only=True)["state_dict"]
        kept = {k: v for k, v in state.items() if not k.startswith("text_branch.")}
        published = tmp_path / "published.pth"
        torch.save({"state_dict": kept}, published)
        inferencer = SkeletonInferencer(trained.config, published)
        with pytest.raises(ValueError, match=r"published\.pth: .* no text branch"):
            inferencer(SEQUENCES, part_similarity=True)
        config = copy.deepcopy(trained.config)
        config.model.text_branch.prompts.preset = "label"
        inferencer = SkeletonInferencer(config, trained.checkpoint)
        with pytest.raises(CheckpointError, match=r"epoch_1\.pth: .*another one"):
            inferencer.load_text_branch()
        config.model.text_branch = None
        with pytest.raises(ValueError, match="the config has no text branch"):
            SkeletonInferencer(config, trained.checkpoint).load_text_branch()


def test_failing_pipeline(trained: SmallRun) -> None:
    config = copy.deepcopy(trained.config)
    config.test_dataloader.dataset.pipeline[0] = {"type": "JointToBone"}
    inferencer = SkeletonInferencer(config, trained.checkpoint)
    with pytest.raises(ValueError, match=r"mine: .*pipeline fails.*IndexError"):
        inferencer({"frame_dir": "mine", "keypoint": SEQUENCES[0]})


class TestCheckpoints:
    def test_scale_of_the_training_data(
        self, trained: SmallRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[str] = []
        monkeypatch.setattr(first_batch, "print_log", lambda t, *_: told.append(t))
        content = torch.load(trained.checkpoint, weights_only=True)
        for scale, warnings in ((0.5, 0), (500.0, 1)):
            torch.save({**content, "meta": {"input_scale": scale}}, tmp_path / "a.pth")
            SkeletonInferencer(trained.config, tmp_path / "a.pth")(SEQUENCES)
            assert len(told) == warnings

    def test_of_another_model(self, trained: SmallRun, tmp_path: Path) -> None:
        config = copy.deepcopy(trained.config)
        config.model.backbone.base_channels = 16
        config.model.cls_head.in_channels = 16
        with pytest.raises(CheckpointError, match=r"epoch_1\.pth: .*does not fit"):
            SkeletonInferencer(config, trained.checkpoint)
        state = torch.load(trained.checkpoint, weights_only=True)["state_dict"]
        kept = {k: v for k, v in state.items() if not k.startswith("cls_head.")}
        path = tmp_path / "half.pth"
        torch.save({"state_dict": kept}, path)
        with pytest.raises(CheckpointError, match=r"half\.pth: .*has no cls_head"):
            SkeletonInferencer(trained.config, path)


def test_inference_skeleton_of_mmaction2(tmp_path: Path) -> None:
    config = make_config(tmp_path, "ctrgcn_ntu60_2d")
    sampler = config.test_dataloader.dataset.pipeline[1]
    sampler.update(clip_len=8, num_clips=2)
    run = make_run(tmp_path, config)
    # Numbers that mmaction2's float16 has as well.
    rng = np.random.default_rng(0)
    poses = [
        {
            "keypoints": rng.integers(0, 256, (count, 17, 2)).astype(np.float32),
            "keypoint_scores": rng.integers(1, 9, (count, 17)).astype(np.float32) / 8,
        }
        for count in 4 * [1, 2, 1]
    ]

    _, config_file, _, checkpoint = run.options  # as most users have them
    model = init_recognizer(config_file, checkpoint, device="cpu")
    sample = inference_skeleton(model, poses, (256, 512))
    scores = sample.pred_score.numpy()

    inferencer = run.inferencer()
    (result,) = inferencer(poses, img_shape=(256, 512))
    np.testing.assert_allclose(result.scores, scores, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="input 0: the size of the picture"):
        inferencer(poses)
