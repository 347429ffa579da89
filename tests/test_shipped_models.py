"""The models that ship: found by name, and as good as their cards say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gap_mmaction.apis import ActionTimeline, SkeletonInferencer
from gap_mmaction.evaluation.segmentation import segmental_f1
from gap_mmaction.utils import files
from gap_mmaction.utils.restricted_pickle import load_annotations
from gap_mmaction.utils.shipped_models import find_shipped_model
from tests.apis.small_model import make_run, make_sequences
from tests.config_files import ROOT, WEIGHTS, accuracy_of_card
from tools import infer, retrieve, visualize
from tools.analysis.timeline import make_recording
from tools.data import prepare
from tools.publish_model import main as publish

SEQUENCES = make_sequences(3)
MOST_BYTES = 4 << 20
RAW = {"nwucla": "data/nw-ucla/all_sqe.zip"}
LEAST_F1 = {"nwucla": 45.0, "utd_mhad": 80.0}  # of timelines, docs/results/timeline.md


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SkeletonInferencer:
    """Ship a small model ``mine`` from an installed wheel; give it as it was."""
    package = tmp_path / "site" / "gap_mmaction"
    monkeypatch.setattr(files, "_PACKAGE", package)
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path)
    (package / ".mim/configs").mkdir(parents=True)
    run.config.dump(package / ".mim/configs/mine.py")
    out = package / ".mim/data/weights/mine.safetensors"
    command = ["epoch_1.pth", str(out), "--half", "--no-hash"]
    assert publish([*command, "--config", "configs/mine.py"]) == 0
    assert ", float16, float32," in out.with_suffix(".md").read_text()
    return run.inferencer()


def test_scores_by_name_are_those_of_the_checkpoint(
    shipped: SkeletonInferencer,
) -> None:
    inferencer = SkeletonInferencer("mine")
    for one, other in zip(inferencer(SEQUENCES), shipped(SEQUENCES)):
        np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-3)
    kinds = {tensor.dtype for tensor in inferencer._model.state_dict().values()}
    assert kinds == {torch.float32, torch.int64}
    # A folder of one's own hides none, but what it has by that name.
    Path("data/weights").mkdir(parents=True)
    Path("data/weights/other.safetensors").touch()
    assert find_shipped_model("mine")[1].parts[0] != "data"
    with pytest.raises(ValueError, match=r"broken"):
        find_shipped_model("other")
    with pytest.raises(
        ValueError, match=r"'mime' ships.*'mine'.*there are mine, other"
    ):
        SkeletonInferencer("mime")


@pytest.mark.usefixtures("shipped")
def test_tools_take_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("one.npy", SEQUENCES[0])
    tools: list[tuple[Any, list[str]]] = [
        (infer, ["one.npy", "--out", "one.json"]),
        (visualize, ["one.npy", "--no-parts", "--out", "one.png"]),
        # Its text branch is not in the file.
        (retrieve, ["--class", "0", "--ann-file", "one.npy"]),
    ]
    for tool, options in tools:
        assert tool.main([*options, "--model", "mine"]) == (tool is retrieve)
        for more, message in (
            (["--model", "absent"], "no model 'absent' ships; there are mine"),
            (["--model", "mine", "--config", "a.py"], "takes the place of"),
        ):
            assert tool.main([*options, *more]) == 1
            assert message in capsys.readouterr().err
    assert infer.main(["one.npy", "--config", "a.py", "--out", "one.csv"]) == 1
    assert "give --config and --checkpoint, or --model" in capsys.readouterr().err
    found = json.loads(Path("one.json").read_text())
    assert found["checkpoint"].endswith(".mim/data/weights/mine.safetensors")
    assert found["config"].endswith(".mim/configs/mine.py")


def test_what_float16_cannot_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = {"a.weight": torch.full((1, 1), 1e5)}
    torch.save({"state_dict": large}, tmp_path / "a.pth")
    assert publish([str(tmp_path / "a.pth"), str(tmp_path / "b.pth"), "--half"]) == 1
    assert "a.weight has numbers that float16 cannot hold" in capsys.readouterr().err


@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_file_that_ships(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    leaf = Path(SkeletonInferencer(path.stem).config.filename)
    assert leaf.resolve().parent == ROOT / "configs" / "gap"


@pytest.mark.real_data
@pytest.mark.parametrize("path", WEIGHTS, ids=lambda path: path.stem)
def test_accuracy_is_that_of_the_card(path: Path, shared: Path, tmp_path: Path) -> None:
    inferencer = SkeletonInferencer(path.stem)
    dataset = inferencer.config.test_dataloader.dataset
    name, out = Path(dataset.ann_file).stem, tmp_path / "clips.pkl"
    source = shared / RAW.get(name, f"data/{name}/raw.tar.xz")
    assert prepare.main([name, str(source), str(out)]) == 0
    clips = {a["frame_dir"]: a for a in load_annotations(out)["annotations"]}
    labels = {key: clip["label"] for key, clip in clips.items()}
    results = inferencer(out, split=dataset.split)
    right = [result.label == labels[result.name] for result in results]
    # Half the precision may turn over a clip.
    tolerance = 100 / len(right) + 0.05
    assert 100 * np.mean(right) == pytest.approx(accuracy_of_card(path), abs=tolerance)

    timeline = ActionTimeline(inferencer, stride=0.125, switch_cost=0.5)
    rng, pairs = np.random.default_rng(0), []
    for _ in range(3):
        chosen = [clips[results[k].name] for k in rng.integers(len(results), size=12)]
        recording = make_recording(
            [(c["keypoint"][0], c["label"]) for c in chosen], rng
        )
        found = [(s.start, s.end, s.label) for s in timeline.run(recording.joints)]
        pairs.append((found, recording.spans))
    assert segmental_f1(pairs, 0.25) > LEAST_F1[path.stem]
