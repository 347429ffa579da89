"""Few clips of each class: what is run, how long, and the lines of runs.csv."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import pytest

from gap_mmaction.evaluation.finished_runs import read_runs
from gap_mmaction.experiments import (
    RunConfigs,
    SplitSizes,
    Variant,
    ablation_table,
    board_table,
    low_shot_table,
)
from gap_mmaction.experiments.run_spec import RunSpec
from tests.experiments.conftest import project
from tests.experiments.fake_project import FakeProject
from tests.experiments.test_tables import CONFIGS, run_configs
from tools.reproduce import main

__all__ = ["project"]

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
    assert len(set(map(str, low.runs(range(5))))) == len(low.runs(range(5)))
    # Without the data all that is asked for.
    assert len(low_shot_table(["utd_mhad-cpu"], shots, ARMS, {}).rows) == 3

    board = board_table(["utd_mhad-cpu", "sbu_kinect-cpu"]).runs([0])
    assert len(board) == 4 * 2 * (1 + 5)
    assert len(set(board) & set(low.runs([0]))) == 2 * (1 + 5)
    model = run_configs().base("nwucla-cpu", "joint")["model"]
    backbones = ablation_table("1d", "nwucla-cpu", model).runs([0])
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


def test_equal_steps_and_seeds(tmp_path: Path) -> None:
    write_split(tmp_path / "data.pkl")

    def configs(steps: int | None) -> RunConfigs:
        return RunConfigs(
            *(CONFIGS, SplitSizes(), tmp_path / "data.pkl"), steps=steps, epochs=None
        )

    spec = RunSpec("nwucla-cpu", "joint", Variant("ctrgcn", encoder="random"), 3)
    for steps, wanted in ((None, 40 * 25), (375, 375)):
        for shots in (None, 5, 30):
            few = RunSpec(*(spec.benchmark, spec.stream, spec.variant, 3), shots=shots)
            config = configs(steps).make(few)
            assert config.iterations is not None
            assert abs(config.iterations - wanted) <= wanted / 100
            data = config.resolved["train_dataloader"]["dataset"]
            third = 2 if steps is None else 3
            assert data["times"] == {None: 1, 5: 16, 30: third}[shots]
            assert data["dataset"].get("samples_per_class") == shots
            assert data["dataset"].get("subset_seed") == (None if shots is None else 3)
            test = config.resolved["test_dataloader"]["dataset"]
            assert "samples_per_class" not in test
    assert config.resolved["param_scheduler"][1]["end"] == config.iterations
    encoder = config.resolved["model"]["text_branch"]["encoder"]
    assert (encoder["type"], encoder["seed"]) == ("RandomTextEncoder", 3)
    shuffled = RunSpec("nwucla-cpu", "joint", Variant("ctrgcn", shuffled=True), 4)
    branch = configs(None).make(shuffled).resolved["model"]["text_branch"]
    assert branch["prompts"]["shuffle_classes"] == 4
    assert len({str(spec), str(few), str(shuffled)}) == 3


def test_folds_and_parts(tmp_path: Path) -> None:
    write_split(tmp_path / "data.pkl", classes=8)
    configs = RunConfigs(
        *(CONFIGS, SplitSizes(), tmp_path / "data.pkl"), parts=("fit", "dev")
    )
    spec = RunSpec("sbu_kinect-cpu", "joint", Variant("ctrgcn"), 0, fold=2, shots=5)
    resolved = configs.make(spec).resolved
    assert resolved["train_dataloader"]["dataset"]["dataset"]["split"] == "fold2_fit"
    for loader in ("val_dataloader", "test_dataloader"):
        assert resolved[loader]["dataset"]["split"] == "fold2_dev"


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
    assert main(project.argv(*options, *width, table="board"), project.root) == 0
    assert out.read_text("utf-8").startswith(text)
    added = read_runs(out)[12:]
    assert len(added) == 3 * 2 * 2 and {run.table for run in added} == {"board"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "1a", "--runs-csv", "r.csv"], "for --table low-shot and board"),
        (["--table", "low-shot", "--shots", "0"], "invalid clips value: '0'"),
        (["--table", "board", "--epochs", "1", "--steps", "1"], "give one"),
        (["--table", "board"], "name the benchmarks"),
    ],
)
def test_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err
