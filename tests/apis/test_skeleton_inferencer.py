"""From sequences to classes, as a test run would have them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from safetensors.torch import save_file

from gap_mmaction.apis import PartSimilarity, SkeletonInferencer
from gap_mmaction.models import TextBranch
from gap_mmaction.models.data_preprocessors import (
    skeleton_data_preprocessor as first_batch,
)
from gap_mmaction.utils.checkpoint_fit import CheckpointError
from tests.apis.small_model import (
    CLASSES,
    make_config,
    make_model,
    make_sequences,
)

SEQUENCES = make_sequences(4)


class Trained(NamedTuple):
    """A model, and what an inferencer needs to know of it."""

    config: Config
    checkpoint: Path
    model: Any

    def inferencer(self, **options: Any) -> SkeletonInferencer:
        return SkeletonInferencer(self.config, self.checkpoint, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    init_default_scope("mmaction")
    folder = tmp_path_factory.mktemp("trained")
    config = make_config(folder)
    checkpoint = folder / "epoch_1.pth"
    return Trained(config, checkpoint, make_model(config, checkpoint))


@pytest.fixture(scope="module")
def inferencer(trained: Trained) -> SkeletonInferencer:
    init_default_scope("mmaction")
    return trained.inferencer(top_k=3)


def with_clips(config: Config) -> Config:
    """Three clips of eight frames instead of one."""
    config = copy.deepcopy(config)
    pipeline = config.test_dataloader.dataset.pipeline
    pipeline[2:3] = [
        {
            **{"type": "FastUniformSampleFrames", "clip_len": 8},
            **{"num_clips": 3, "test_mode": True},
        },
        {"type": "PoseDecode"},
    ]
    return config


@pytest.mark.parametrize("clips", [1, 3])
def test_scores_are_those_of_a_test_run(
    trained: Trained, clips: int, tmp_path: Path
) -> None:
    config = trained.config if clips == 1 else with_clips(trained.config)
    annotations = [
        {
            "frame_dir": f"a{i}",
            "label": i,
            "total_frames": keypoint.shape[1],
            # As NTU RGB+D is stored: what a transform makes of it depends on it.
            "keypoint": keypoint.astype(np.float16),
        }
        for i, keypoint in enumerate(SEQUENCES)
    ]
    names = [annotation["frame_dir"] for annotation in annotations]
    path = tmp_path / "mine.pkl"
    content = {"split": {"xview_val": names}, "annotations": annotations}
    path.write_bytes(pickle.dumps(content))

    settings = copy.deepcopy(config.test_dataloader.dataset)
    settings.ann_file = str(path)
    dataset = DATASETS.build(settings)
    batch = pseudo_collate([dataset[i] for i in range(len(dataset))])
    assert batch["inputs"][0].shape[0] == clips
    with torch.no_grad():
        outputs = trained.model.test_step(batch)
    expected = torch.stack([output.pred_score for output in outputs])

    inferencer = SkeletonInferencer(config, trained.checkpoint, batch_size=3)
    for source in (str(path), path, content, annotations):
        results = inferencer(source)
        assert [result.name for result in results] == names
        scores = np.stack([result.scores for result in results])
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    (result,) = inferencer(annotations[1])
    np.testing.assert_allclose(result.scores, expected[1], rtol=0, atol=1e-6)
    # They are no constant, which would be the same in any order.
    assert scores.std(axis=0).max() > 1e-3
    # The annotations are left as they were.
    np.testing.assert_array_equal(
        annotations[1]["keypoint"][0, 0], SEQUENCES[1][0, 0].astype(np.float16)
    )


def test_arrays(inferencer: SkeletonInferencer) -> None:
    results = inferencer(SEQUENCES)
    assert [result.name for result in results] == [f"input {i}" for i in range(4)]
    for form in (
        [sequence[0] for sequence in SEQUENCES],
        [torch.from_numpy(sequence) for sequence in SEQUENCES],
        [{"keypoint": sequence} for sequence in SEQUENCES],
    ):
        for one, other in zip(inferencer(form), results):
            np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-6)
    (single,) = inferencer(SEQUENCES[2])
    np.testing.assert_allclose(single.scores, results[2].scores, rtol=0, atol=1e-6)
    assert inferencer([]) == []


def test_result(inferencer: SkeletonInferencer) -> None:
    (result,) = inferencer(SEQUENCES[0])
    order = np.argsort(-result.scores)
    assert result.scores.shape == (CLASSES,)
    assert result.scores.sum() == pytest.approx(1)
    assert result.top_labels == tuple(order[:3])
    assert result.label == result.top_labels[0]
    assert result.score == result.top_scores[0] == result.scores.max()
    assert inferencer.labels[0] == "pick up with one hand"
    assert result.top_names == tuple(inferencer.labels[i] for i in order[:3])
    assert result.label_name == result.top_names[0]
    assert result.parts == () and result.part_similarity is None
    content = result.to_dict()
    assert content["top"][1]["label_name"] == result.top_names[1]
    assert "part_similarity" not in content


def test_names_of_the_classes(trained: Trained) -> None:
    names = [f"class {i}" for i in range(CLASSES)]
    (result,) = trained.inferencer(labels=names)(SEQUENCES[0])
    assert result.label_name == f"class {result.label}"
    with pytest.raises(ValueError, match="9 names of classes, but the model has 10"):
        trained.inferencer(labels=names[:9])
    config = copy.deepcopy(trained.config)
    config.model.text_branch = None
    plain = SkeletonInferencer(config, trained.checkpoint)
    assert plain.labels == tuple(map(str, range(CLASSES)))
    np.testing.assert_array_equal(plain(SEQUENCES[0])[0].scores, result.scores)
    # The config is left as it is.
    assert trained.config.model.text_branch is not None


class TestPartSimilarity:
    """On request."""

    @pytest.mark.parametrize("clips", [1, 3])
    def test_cosines(self, trained: Trained, clips: int) -> None:
        config = trained.config if clips == 1 else with_clips(trained.config)
        inferencer = SkeletonInferencer(config, trained.checkpoint)
        plain = inferencer(SEQUENCES[:2])
        results = inferencer(SEQUENCES[:2], part_similarity=True)
        similarity = PartSimilarity(trained.model)
        for result, other, sequence in zip(results, plain, SEQUENCES):
            np.testing.assert_allclose(result.scores, other.scores, rtol=0, atol=1e-6)
            assert result.parts == ("global", "head", "hand", "hip", "foot")
            inputs = inferencer.prepare({"keypoint": sequence})["inputs"]
            data = {"inputs": [inputs], "data_samples": [None]}
            parts = similarity.skeleton_features(data)
            cosines = similarity.compare(parts, similarity.class_features())[0]
            assert cosines.shape == (5, CLASSES)
            assert result.part_similarity is not None
            np.testing.assert_allclose(result.part_similarity, cosines, atol=1e-5)
        content = results[0].to_dict()["part_similarity"]
        assert list(content) == list(results[0].parts)
        assert len(content["head"]) == CLASSES
        # What was asked for once is not given unasked.
        assert inferencer(SEQUENCES[0])[0].part_similarity is None

    def test_no_text_branch_without_the_request(
        self, trained: Trained, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class BuiltError(Exception):
            pass

        def build(*args: Any, **kwargs: Any) -> None:
            raise BuiltError

        monkeypatch.setattr(TextBranch, "__init__", build)
        inferencer = trained.inferencer()
        inferencer(SEQUENCES[0])
        with pytest.raises(BuiltError):
            inferencer(SEQUENCES[0], part_similarity=True)

    def test_config_or_checkpoint_without_or_with_another(
        self, trained: Trained, tmp_path: Path
    ) -> None:
        state = torch.load(trained.checkpoint, weights_only=True)["state_dict"]
        kept = {k: v for k, v in state.items() if not k.startswith("text_branch.")}
        published = tmp_path / "published.pth"
        torch.save({"state_dict": kept}, published)
        inferencer = SkeletonInferencer(trained.config, published)
        assert len(inferencer(SEQUENCES)) == 4
        message = r"published\.pth: the checkpoint has no text branch"
        with pytest.raises(ValueError, match=message):
            inferencer(SEQUENCES, part_similarity=True)
        config = copy.deepcopy(trained.config)
        config.model.text_branch.prompts.preset = "label"
        inferencer = SkeletonInferencer(config, trained.checkpoint)
        with pytest.raises(CheckpointError, match=r"epoch_1\.pth: .*another one"):
            inferencer.load_text_branch()
        config.model.text_branch = None
        with pytest.raises(ValueError, match="the config has no text branch"):
            SkeletonInferencer(config, trained.checkpoint).load_text_branch()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.ones((8, 25, 3)), ["[8, 25, 3]", "[T, 20, 3]", "'nw-ucla'", "20 joints"]),
        (np.ones((8, 20, 2)), ["[8, 20, 2]", "x y z"]),
        (np.ones((20, 3)), ["[20, 3]", "[M, T, 20, 3]"]),
        (np.ones((0, 20, 3)), ["no frames"]),
        (np.ones((0, 8, 20, 3)), ["no person"]),
        ({"keypoint": None}, ["has no 'keypoint'"]),
        ({"keypoint": np.ones((1, 8, 25, 3))}, ["25 joints", "'nw-ucla'"]),
        ({"keypoint": np.zeros((1, 8, 20, 3))}, ["nobody is there"]),
        ({"keypoint": np.full((1, 8, 20, 3), "x")}, ["type <U1"]),
        ({"keypoint": np.ones((1, 8, 20, 3)), "total_frames": 7}, ["total_frames=7"]),
        (np.full((8, 20, 3), np.inf), ["person 0, frame 0, joint 0"]),
    ],
)
def test_what_does_not_fit_is_named(
    inferencer: SkeletonInferencer, source: Any, words: list[str]
) -> None:
    with pytest.raises(ValueError) as error:
        inferencer([SEQUENCES[0], source])
    for word in ("input 1", *words):
        assert word in str(error.value)


def test_failing_pipeline_and_weights(trained: Trained, tmp_path: Path) -> None:
    config = copy.deepcopy(trained.config)
    config.test_dataloader.dataset.pipeline[0] = {"type": "JointToBone"}
    inferencer = SkeletonInferencer(config, trained.checkpoint)
    with pytest.raises(ValueError, match=r"mine: .*pipeline fails.*IndexError"):
        inferencer({"frame_dir": "mine", "keypoint": SEQUENCES[0]})
    content = torch.load(trained.checkpoint, weights_only=True)
    content["state_dict"]["cls_head.fc.bias"][0] = torch.nan
    broken = tmp_path / "broken.pth"
    torch.save(content, broken)
    with pytest.raises(ValueError, match=r"not finite.*broken\.pth"):
        SkeletonInferencer(trained.config, broken)(SEQUENCES[0])


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"top_k": 0}, {"ntu_protocol": "raw"}, {"device": "gpu"}],
)
def test_bad_options(trained: Trained, options: dict[str, Any]) -> None:
    ((key, value),) = options.items()
    with pytest.raises(ValueError, match=f"{key}={value!r}"):
        trained.inferencer(**options)


class TestCheckpoints:
    """What is loaded."""

    def test_safetensors_and_prefixes(self, trained: Trained, tmp_path: Path) -> None:
        state = torch.load(trained.checkpoint, weights_only=True)["state_dict"]
        tensors = {
            k: v.clone() for k, v in state.items() if isinstance(v, torch.Tensor)
        }
        save_file(tensors, tmp_path / "model.safetensors")
        torch.save({f"module.{k}": v for k, v in tensors.items()}, tmp_path / "ddp.pth")
        (expected,) = trained.inferencer()(SEQUENCES[0])
        for name in ("model.safetensors", "ddp.pth"):
            inferencer = SkeletonInferencer(trained.config, tmp_path / name)
            (result,) = inferencer(SEQUENCES[0])
            np.testing.assert_array_equal(result.scores, expected.scores)

    def test_scale_of_the_training_data(
        self, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[str] = []
        monkeypatch.setattr(
            first_batch, "print_log", lambda text, *_: told.append(text)
        )
        content = torch.load(trained.checkpoint, weights_only=True)
        for scale, warnings in ((0.5, 0), (500.0, 1)):
            torch.save({**content, "meta": {"input_scale": scale}}, tmp_path / "a.pth")
            SkeletonInferencer(trained.config, tmp_path / "a.pth")(SEQUENCES)
            assert len(told) == warnings
        assert "was trained with 500: another unit" in told[0]

    def test_of_another_model(self, trained: Trained, tmp_path: Path) -> None:
        config = copy.deepcopy(trained.config)
        config.model.backbone.base_channels = 16
        config.model.cls_head.in_channels = 16
        with pytest.raises(CheckpointError, match=r"epoch_1\.pth: .*does not fit"):
            SkeletonInferencer(config, trained.checkpoint)
        state = torch.load(trained.checkpoint, weights_only=True)["state_dict"]
        kept = {k: v for k, v in state.items() if not k.startswith("cls_head.")}
        torch.save({"state_dict": kept}, tmp_path / "half.pth")
        with pytest.raises(CheckpointError, match=r"half\.pth: .*has no cls_head"):
            SkeletonInferencer(trained.config, tmp_path / "half.pth")

    def test_broken(self, trained: Trained, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"absent\.pth is not there"):
            SkeletonInferencer(trained.config, tmp_path / "absent.pth")
        whole = trained.checkpoint.read_bytes()
        for name, content in (
            *(("text.pth", b"no checkpoint"), ("cut.pth", whole[: len(whole) // 2])),
            *(("text.safetensors", b"no checkpoint"), ("empty.pth", b"")),
        ):
            path = tmp_path / name
            path.write_bytes(content)
            broken = f"{path}:? (refused|no checkpoint|is no readable)"
            with pytest.raises(ValueError, match=broken):
                SkeletonInferencer(trained.config, path)
