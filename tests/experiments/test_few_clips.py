"""Few clips of each class: what is run, how long, and the lines of runs.csv."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import pytest

from gap_mmaction.evaluation.finished_runs import read_runs
from gap_mmaction.experiments.few_clips import board_table, low_shot_table
from gap_mmaction.experiments.paper_tables import ablation_table
from gap_mmaction.experiments.table_configs import TableConfigs
from gap_mmaction.experiments.tables import RunSpec
from gap_mmaction.experiments.variants import Variant
from tests.experiments.fake_project import FakeProject
from tests.experiments.test_tables import CONFIGS, model_of
from tools.reproduce import main

ARMS = ("plain", "random", "gap")


def test_runs_of_the_tables() -> None:
    sizes = {
        "utd_mhad-cpu": [Counter({"0": 15, "1": 16})],
        "sbu_kinect-cpu": [Counter({"0": 30, "1": 12}), Counter({"0": 18, "1": 31})],
    }
    shots = [5, 20, None]
    low = low_shot_table(list(sizes), shots, ARMS, sizes)
    # UTD-MHAD has 5 and all, SBU 5, 20 and all on five folds.
    assert len(low.runs([0])) == 3 * (2 + 3 * 5)
    assert [row.words[1] for row in low.rows] == ["5", "all", "5", "20", "all"]
    notes = " ".join(low.notes)
    assert "UTD-MHAD: no class has more than 16 clips." in notes
    assert "1 of 2 classes have fewer than 20 clips" in notes
    names = {spec.name for spec in low.runs(range(5))}
    assert len(names) == len(low.runs(range(5)))
    # Without the data all that is asked for.
    assert len(low_shot_table(["utd_mhad-cpu"], shots, ARMS, {}).rows) == 3

    board = board_table(["utd_mhad-cpu", "sbu_kinect-cpu"]).runs([0])
    assert len(board) == 4 * 2 * (1 + 5)
    assert len(set(board) & set(low.runs([0]))) == 2 * (1 + 5)
    backbones = ablation_table("1d", "nwucla-cpu", model_of("nwucla-cpu")).runs([0])
    assert set(board_table(["nwucla-cpu"]).runs([0])) == set(backbones)


def write_split(path: Path, classes: int = 10, size: int = 80) -> None:
    items = [
        {"frame_dir": f"c{label}_{i}", "label": label}
        for label in range(classes)
        for i in range(size)
    ]
    names = [item["frame_dir"] for item in items]
    split = {"xview_train": names, "fold2_fit": names, "fold2_dev": names}
    path.write_bytes(pickle.dumps({"split": split, "annotations": items}))


@pytest.mark.parametrize(("steps", "wanted"), [(None, 40 * 25), (375, 375)])
def test_equal_steps_and_seeds(tmp_path: Path, steps: int | None, wanted: int) -> None:
    write_split(tmp_path / "data.pkl")
    configs = TableConfigs(CONFIGS, tmp_path / "data.pkl", steps=steps)
    variant = Variant("ctrgcn", encoder="random")
    for shots, times in {None: 1, 5: 16, 30: 2 if steps is None else 3}.items():
        few = RunSpec("nwucla-cpu", "joint", variant, 3, shots=shots)
        config = configs.make(few)
        assert config.iterations is not None
        assert abs(config.iterations - wanted) <= wanted / 100
        data = config.settings.train_dataloader.dataset
        assert data.times == times
        assert data.dataset.get("samples_per_class") == shots
        assert data.dataset.get("subset_seed") == (None if shots is None else 3)
        assert "samples_per_class" not in config.settings.test_dataloader.dataset
    assert config.settings.param_scheduler[1].end == config.iterations
    encoder = config.settings.model.text_branch.encoder
    assert (encoder.type, encoder.seed) == ("RandomTextEncoder", 3)
    shuffled = RunSpec("nwucla-cpu", "joint", Variant("ctrgcn", shuffled=True), 4)
    branch = configs.make(shuffled).settings.model.text_branch
    assert branch.prompts.shuffle_classes == 4
    assert few.name.endswith("ctrgcn_synonym+parts4_random/30-clips_seed3")
    assert shuffled.name.endswith("ctrgcn_synonym+parts4_shuffled/seed4")


def test_folds_and_parts(tmp_path: Path) -> None:
    write_split(tmp_path / "data.pkl", classes=8)
    configs = TableConfigs(CONFIGS, tmp_path / "data.pkl", parts=("fit", "dev"))
    spec = RunSpec("sbu_kinect-cpu", "joint", Variant("ctrgcn"), 0, fold=2, shots=5)
    settings = configs.make(spec).settings
    assert settings.train_dataloader.dataset.dataset.split == "fold2_fit"
    for loader in ("val_dataloader", "test_dataloader"):
        assert settings[loader].dataset.split == "fold2_dev"


def test_lines_of_runs(
    project: FakeProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "runs.csv"
    options = ("--seeds", "2", "--steps", "100", "--runs-csv", str(out))
    width = ("--cfg-options", "model.backbone.base_channels=8")
    argv = project.argv(*options, "--shots", "5", "20", *width, table="low-shot")
    assert main(argv, project.root) == 0
    printed = capsys.readouterr().out
    # The largest class has 20.
    assert "12 of 12 runs have ended" in printed
    assert "| NW-UCLA | all | 55.0 ± 7.1 | 55.0 ± 7.1 | 55.0 ± 7.1 |" in printed
    runs = read_runs(out)
    assert len(runs) == 12
    first = runs[0]
    names = (first.set, first.table, first.backbone, first.arm, first.shots)
    assert names == ("nwucla", "low-shot", "ctrgcn@8", "plain", "5")
    assert (first.seed, first.fold, first.epochs, first.top1) == (0, "xview", 1, 50.0)

    # On another machine what has a line is done; another table adds its own.
    before, text = len(project.lines()), out.read_text("utf-8")
    project.work_dir = tmp_path / "other"
    argv = project.argv(*options, "--shots", "5", "all", *width, table="low-shot")
    assert main([*argv, "--dry-run"], project.root) == 0
    assert "12 runs, 0 of them to train" in capsys.readouterr().out
    assert main(argv, project.root) == 0
    assert "| NW-UCLA | 5 | 55.0 ± 7.1 | 55.0 ± 7.1 |" in capsys.readouterr().out
    assert len(project.journal.read_text().splitlines()) == before
    board = project.argv(*options, *width, "--seeds", "1", table="board")
    assert main(board, project.root) == 0
    assert out.read_text("utf-8").startswith(text)
    added = read_runs(out)[12:]
    assert len(added) == 3 * 2 and {run.table for run in added} == {"board"}
