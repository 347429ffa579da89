"""Features of parts, texts and clips: with every kind of text side, files, ranking."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import save_checkpoint
from safetensors.torch import save

from gap_mmaction.apis import ClipFeatures, PartSimilarity, load_model, rank_clips
from gap_mmaction.apis.clip_features import read_labels
from gap_mmaction.apis.part_similarity import SlotText
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from tests.models.text_common import LABELS, model_config, write_descriptions

SLOTS = ("global", "head", "hand", "hip", "foot")
ENCODER = {"type": "EmbeddingTextEncoder"}
DIMS = 8


def encoder() -> Any:
    return build_frozen_encoder(ENCODER)


def make_config(folder: Path, kind: str) -> Config:
    """The text side is tuned, frozen, or a file of features."""
    file = write_descriptions(folder)
    branch: dict[str, Any] = {"prompts": {"descriptions": file}}
    if kind == "file":
        texts = PromptBank(file).texts
        path = str(folder / "features.safetensors")
        save_features(path, texts, encoder().encode(texts), "letters")
        branch["features"] = path
    else:
        branch["encoder"] = {**ENCODER, "frozen": kind == "frozen"}
    return Config({"model": model_config(text_branch=branch)})


def make_similarity(folder: Path, kind: str) -> PartSimilarity:
    config = make_config(folder, kind)
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(config.model))
    model.init_weights()
    if kind == "tuned":
        with torch.no_grad():  # as training would
            model.text_branch.encoder.table.weight.add_(1)
    path = str(folder / "epoch_1.pth")
    save_checkpoint({"state_dict": model.state_dict()}, path)
    return PartSimilarity(load_model(config, path, text_branch=True))


@pytest.mark.parametrize("kind", ["tuned", "frozen", "file"])
def test_features_of_classes(kind: str, tmp_path: Path) -> None:
    similarity = make_similarity(tmp_path, kind)
    assert similarity.parts == SLOTS
    assert similarity.labels == LABELS
    features = similarity.class_features()
    reference = encoder()
    if kind == "tuned":
        # Those of the checkpoint, not the pretrained ones.
        with torch.no_grad():
            reference.table.weight.add_(1)
    bank = similarity.branch.prompts
    for c in range(3):
        for k in range(5):
            ids = bank.table[k, c, : bank.counts[k, c]]
            texts = [bank.texts[i] for i in ids]
            unit = F.normalize(reference.encode(texts), dim=-1)
            expected = F.normalize(unit.mean(0), dim=-1)
            torch.testing.assert_close(features[c, k], expected)
    some = similarity.class_features([2, "sit down"])
    assert torch.equal(some, features[[2, 0]])
    for name in (3, "run"):
        with pytest.raises(ValueError, match=f"no class {name!r}"):
            similarity.class_features([name])
    with pytest.raises(ValueError, match=r"has the slots \['global'\]"):
        similarity.class_features(bank=PromptBank(str(bank.descriptions), "label"))


class TestTexts:
    def test_tuned(self, tmp_path: Path) -> None:
        similarity = make_similarity(tmp_path, "tuned")
        texts: list[SlotText] = ["raise the right hand", dict.fromkeys(SLOTS, "jump")]
        features = similarity.text_features(texts)
        tuned: Any = similarity.branch.encoder
        own = F.normalize(tuned.encode(["raise the right hand", "jump"]), dim=-1)
        for k in range(5):
            torch.testing.assert_close(features[:, k], own)
        with pytest.raises(ValueError, match="tuned its own text encoder"):
            PartSimilarity(similarity.model, encoder())
        with pytest.raises(ValueError, match=r"\['head'\]; give one text for each"):
            similarity.text_features([{"head": "nod"}])

    @pytest.mark.parametrize("kind", ["frozen", "file"])
    def test_frozen(self, kind: str, tmp_path: Path) -> None:
        similarity = make_similarity(tmp_path, kind)
        # The model's own texts need no encoder, any other does.
        known = similarity.branch.prompts.texts[4]
        assert similarity.text_features([known]).shape == (1, 5, DIMS)
        with pytest.raises(ValueError, match="'jump' is no text"):
            similarity.text_features(["jump"])
        wrong = encoder()
        with torch.no_grad():
            wrong.table.weight.neg_()
        with pytest.raises(ValueError, match="is not the one that the model"):
            PartSimilarity(similarity.model, wrong)
        similarity = PartSimilarity(similarity.model, encoder())
        features = similarity.text_features(["jump"])
        expected = F.normalize(encoder().encode(["jump"]), dim=-1)
        torch.testing.assert_close(features[:, 2], expected)


def test_features_of_skeletons(tmp_path: Path) -> None:
    similarity = make_similarity(tmp_path, "file")
    model = similarity.model
    model.train()
    inputs = [torch.randn(2, 1, 6, 20, 3) for _ in range(4)]
    data = {"inputs": inputs, "data_samples": [None] * 4}
    features = similarity.skeleton_features(data)
    assert not model.training
    assert features.shape == (4, 5, DIMS)
    with torch.no_grad():
        for sample, feature in zip(inputs, features):
            parts = F.normalize(similarity.branch.head(model.backbone(sample)), dim=-1)
            expected = F.normalize(parts.mean(0), dim=-1)
            torch.testing.assert_close(feature, expected)
    cosines = similarity.compare(features, similarity.class_features())
    text = similarity.class_features()[0, 2]
    expected = F.cosine_similarity(features[1, 2], text, dim=0)
    torch.testing.assert_close(cosines[1, 2, 0], expected)


def test_models_without_features_of_texts(tmp_path: Path) -> None:
    config = make_config(tmp_path, "frozen").model
    with pytest.raises(RuntimeError, match="call init_weights"):
        PartSimilarity(MODELS.build(config))
    config.text_branch = {"type": "PartClassifier"}
    with pytest.raises(ValueError, match="PartClassifier, which has no texts"):
        PartSimilarity(MODELS.build(config))


def make_clips(clips: int = 6) -> ClipFeatures:
    generator = torch.Generator().manual_seed(0)

    def draw(rows: int) -> torch.Tensor:
        return F.normalize(torch.randn((rows, 2, 4), generator=generator), dim=-1)

    return ClipFeatures(
        names=tuple(f"clip{i}" for i in range(clips)),
        labels=np.array([0, 1, 2, -1, 1, 0][:clips]),
        features=draw(clips),
        parts=("global", "hand"),
        classes=("sit", "stand", "thröw"),
        class_features=draw(3),
        source={"checkpoint": "abc"},
    )


class TestFile:
    def test_broken_files(self, tmp_path: Path) -> None:
        path = tmp_path / "clips.safetensors"
        with pytest.raises(FileNotFoundError, match="no file of clip features"):
            ClipFeatures.load(path)
        make_clips().save(path)
        whole = path.read_bytes()
        zeros = {"features": torch.zeros(1)}
        wrong = save(zeros, {"format": "gap-clip-features/1"})
        for content in (b"\0" * 100, whole[:-8], save(zeros), wrong):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=r"clips\.safetensors: no file of"):
                ClipFeatures.load(path)

    def test_what_does_not_fit(self) -> None:
        clips = make_clips()
        for change in ({"names": clips.names[1:]}, {"classes": ("sit",)}):
            with pytest.raises(ValueError, match="do not fit one another"):
                ClipFeatures(**{**vars(clips), **change})
        with pytest.raises(ValueError, match="but there are 3 classes"):
            ClipFeatures(**{**vars(clips), "labels": clips.labels + 1 + clips.labels})


class TestRanking:
    def test_parts(self) -> None:
        clips = make_clips()
        text = clips.class_features[1]
        found = rank_clips(clips, text, ["hand"], 2)
        order = np.argsort(-clips.cosines()[:, 1, 1])
        assert [match.name for match in found] == [f"clip{i}" for i in order[:2]]
        by_name = {match.name: match for match in rank_clips(clips, text)}
        assert by_name["clip2"].label_name == "thröw"
        assert by_name["clip3"].label is None and by_name["clip3"].label_name == ""
        assert rank_clips(clips, text, ["hand", "global"]) == rank_clips(clips, text)
        with pytest.raises(ValueError, match="no part 'foot'; the model has global"):
            rank_clips(clips, text, ["foot"])


def test_labels() -> None:
    items: list[dict[str, Any]] = [{"label": 1}, {}, {"label": np.int64(0)}]
    np.testing.assert_array_equal(read_labels(items, 2), [1, -1, 0])
    for label in (2, -1, "sit", 1.0):
        with pytest.raises(ValueError, match=r"f: a: label=.* is no class, 0 to 1"):
            read_labels([{"frame_dir": "a", "label": label}], 2, "f")
