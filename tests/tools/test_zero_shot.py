"""tools/zero_shot.py, its trainings played, and one of them real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import save_checkpoint

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.experiments.launcher import Launcher, RunFailedError
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.cached_encoder import CachedTextEncoder
from gap_mmaction.models.text.prompt_bank import class_features
from gap_mmaction.utils.config_parts import annotated_data
from tests.config_files import ROOT
from tests.experiments.fake_project import write_annotations
from tools.zero_shot import main

CONFIG = ROOT / "configs" / "gap" / "ctrgcn_nwucla_cpu.py"
OTHER = str(CONFIG).replace("nwucla", "utkinect")
ANOTHER = str(CONFIG).replace("nwucla", "sbu_kinect")
Printed = pytest.CaptureFixture[str]
SMALL = [
    *("model.backbone.base_channels=8", "model.backbone.num_stages=2"),
    *("model.cls_head.in_channels=8", "train_dataloader.batch_size=14"),
]


class Project:
    def __init__(self, folder: Path) -> None:
        self.work_dir = folder / "work"
        self.ann_file = folder / "nwucla.pkl"
        self.trained: list[str] = []
        self.failing = "nothing"
        write_annotations(self.ann_file, performers=2, frames=8)

    def run(self, *arguments: str, options: tuple[str, ...] = ()) -> int:
        argv = [str(CONFIG), "--ann-file", str(self.ann_file), "--folds", "2"]
        argv += ["--work-dir", str(self.work_dir), *arguments]
        return main([*argv, "--cfg-options", *SMALL, *options])

    def read(self) -> dict[str, Any]:
        return dict(json.loads((self.work_dir / "zero_shot.json").read_text()))

    def train(self, log: Path, tool: str, config: Path, *rest: Any) -> None:
        name = str(config.parent.relative_to(self.work_dir))
        assert (tool, rest[3]) == ("train", "0")
        self.trained.append(name)
        if self.failing in name:
            raise RunFailedError(f"not finite (log: {log})")
        cfg = Config.fromfile(config)
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        model.init_weights()
        path = rest[1] / f"epoch_{cfg.train_cfg.max_epochs}.pth"
        path.parent.mkdir(exist_ok=True)
        save_checkpoint({"state_dict": model.state_dict(), "meta": {}}, str(path))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project(tmp_path)
    monkeypatch.setattr(Launcher, "call", lambda self, *rest: made.train(*rest))
    return made


def texts_of(name: str) -> tuple[tuple[str, ...], torch.Tensor]:
    """Returns the classes of a data set, and the features of their texts."""
    bank = PromptBank(f"data/descriptions/{name}.yaml")
    encoder = CachedTextEncoder(f"data/text_features/{name}_minilm.safetensors")
    return bank.labels, class_features(bank, encoder.encode(bank.texts)).transpose(0, 1)


def test_two_splits(project: Project, capsys: Printed) -> None:
    arguments = ["--splits", "2", "--num-unseen", "3", "--epochs", "2"]
    assert project.run(*arguments) == 0
    assert len(set(project.trained)) == len(project.trained) == 2
    markdown = (project.work_dir / "zero_shot.md").read_text()
    assert markdown in capsys.readouterr().out
    for item in project.read()["splits"]:
        assert " ".join(item["slots"]) == "global head hand hip foot all"
        found = item["slots"]["all"]
        assert (found["clips_unseen"], found["clips_seen"]) == (6, 14)
        assert f"{item['title']} | 6 | {found['unseen']:.1f} | 33.3 |" in markdown

    # Nothing is trained twice; other weights are another evaluation.
    assert project.run(*arguments, "--no-train", "--weights", *"10000") == 0
    assert len(project.trained) == 2
    for item in project.read()["splits"]:
        assert item["slots"]["all"] == item["slots"]["global"]


def test_what_a_run_leaves(project: Project) -> None:
    assert project.run("--unseen", "2", "5", "7", "--epochs", "4") == 0
    folder = project.work_dir / "runs" / "unseen-2-5-7" / "seed0"
    record = json.loads((folder / "run.json").read_text())
    # The training knows of seven classes, and its schedule is a tenth of 40 epochs.
    model = record["config"]["model"]
    assert model["cls_head"]["num_classes"] == 7
    for loader, split in (("train", "train"), ("val", "held_out")):
        dataset = annotated_data(record["config"], f"{loader}_dataloader").settings
        assert (dataset["num_classes"], dataset["split"]) == (7, split)
        assert dataset["ann_file"].startswith(str(project.work_dir / "data"))
    # One step of 14 clips an epoch.
    assert record["config"]["param_scheduler"][-1]["end"] == record["iterations"] == 4
    bank = PromptBank(model["text_branch"]["prompts"]["descriptions"])
    assert len(bank.labels) == 7
    classes, texts = texts_of("nwucla")
    for name, clips in (("held_out", 14), ("test", 20)):
        found = ClipFeatures.load(folder / f"{name}.safetensors")
        assert found.classes == classes
        torch.testing.assert_close(found.class_features, texts)
        assert len(found.names) == clips
        # Labels are those of all classes, also where training had others.
        assert found.labels.tolist() == [int(name[1:3]) - 1 for name in found.names]
    assert set(found.labels) == set(range(10))


def test_across_data_sets(project: Project, tmp_path: Path) -> None:
    """UTKinect has four of the ten classes by the same label, and one by another."""
    write_annotations(tmp_path / "other.pkl", performers=2, frames=8)
    (tmp_path / "other.py").write_text(
        f"_base_ = {OTHER!r}\n"
        "test_dataloader = dict(dataset=dict(split='xview_val', "
        f"ann_file={str(tmp_path / 'other.pkl')!r}))\n"
    )
    arguments = ["--across", str(tmp_path / "other.py"), "--epochs", "2"]
    assert project.run(*arguments, "--same", "walk around=walk") == 0
    lacking = ["pick up", "push", "pull", "wave hands", "clap hands"]
    (item,) = project.read()["splits"]
    assert item["unseen_names"] == lacking
    found = item["slots"]["all"]
    assert (found["clips_unseen"], found["clips_seen"]) == (10, 10)
    # Its texts are those of its own file of features.
    run = project.work_dir / "runs" / "unseen-none" / "seed0"
    clips = ClipFeatures.load(run / "test_other.safetensors")
    torch.testing.assert_close(clips.class_features, texts_of("utkinect")[1])
    # Fewer classes that are the same need no other training.
    assert project.run(*arguments) == 0
    assert project.read()["splits"][0]["slots"]["all"]["clips_unseen"] == 12
    assert project.trained == ["runs/unseen-none/seed0"]


def test_failures_do_not_stop_the_others(project: Project, capsys: Printed) -> None:
    project.failing = "unseen-0-1"
    arguments = ["--unseen", "0", "1", "--unseen", "2", "3"]
    assert project.run(*arguments) == 1
    assert [item["unseen"] for item in project.read()["splits"]] == [[2, 3]]
    assert "failed: runs/unseen-0-1/seed0: not finite" in capsys.readouterr().out
    project.failing = "nothing"
    assert project.run(*arguments, "--epochs", "2") == 1
    assert "max_epochs is 40 there, 2 is asked for" in capsys.readouterr().err
    assert project.run(*arguments) == 0
    assert [item["unseen"] for item in project.read()["splits"]] == [[0, 1], [2, 3]]
    assert len(project.trained) == 3


def test_settings_that_do_not_fit(project: Project, capsys: Printed) -> None:
    for arguments, options, message in (
        (("--unseen", "2", "10"), (), "must be different ones of 0 to 9"),
        ((), ("model.text_branch=None",), "text_branch.prompts.descriptions is"),
        ((), ("model.cls_head.num_classes=9",), "sets model.cls_head.num_classes"),
        (("--ann-file", "absent.pkl"), (), "absent.pkl"),
        (("--weights", "1", "0"), (), "2 weights for 5 slots"),
        (("--across", str(CONFIG)), (), "at least two classes must be lacking"),
        (("--across", OTHER, "--same", "run=walk"), (), "--same run=walk: must"),
        (("--across", ANOTHER), (), "its joints are those of openni-15"),
    ):
        assert project.run(*arguments, options=options) == 1
        assert message in capsys.readouterr().err
        assert not (project.work_dir / "zero_shot.json").exists()


@pytest.mark.slow
def test_real_training(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert project.run("--unseen", "2", "5", "7", "--epochs", "1") == 0
    assert (project.work_dir / "zero_shot.json").is_file()
