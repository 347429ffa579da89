"""The tools from end to end, on a few sequences of the embedded set."""

from __future__ import annotations

import os
import re
from pathlib import Path

import mmaction
import pytest
from mmengine.config import Config

from tests.processes import ROOT, run, run_python
from tools import test as test_tool
from tools import train as train_tool

CONFIG = "configs/gap/ctrgcn_synthetic.py"
MMACTION_TOOLS = Path(mmaction.__file__).parent / ".mim" / "tools"


def accuracies(log: str) -> list[str]:
    return re.findall(r"acc/top1: ([\d.]+)", log)


class Project:
    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self.options = ["train_cfg.max_epochs=2", "default_hooks.logger.interval=1"]
        self.options += ["model.backbone.base_channels=16"]
        self.options += ["model.cls_head.in_channels=64"]
        for loader in ("train", "val", "test"):
            prefix = f"{loader}_dataloader"
            self.options += [f"{prefix}.dataset.ann_file={data}"]
            self.options += [f"{prefix}.batch_size=4"]

    def arguments(self, work_dir: str, *options: str) -> list[str]:
        settings = ("--cfg-options", *self.options, *options)
        return ["--work-dir", str(self.folder / work_dir), *settings]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, synthetic: Path) -> Project:
    return Project(tmp_path_factory.mktemp("tools"), synthetic)


@pytest.fixture(scope="module")
def trained(project: Project) -> str:
    train_tool.main([CONFIG, "--seed", "3", *project.arguments("gap")])
    (log,) = project.folder.glob("gap/*/*.log")
    return log.read_text()


def test_accuracy_is_that_of_training_without_text_libraries(
    project: Project, trained: str, tmp_path: Path
) -> None:
    # A module of that name that raises stands for one that is not installed.
    for module in ("transformers", "open_clip"):
        (tmp_path / f"{module}.py").write_text("raise ImportError('blocked')")
    checkpoint = project.folder / "gap" / "epoch_2.pth"
    log = run_python(
        *("tools/test.py", CONFIG, checkpoint, *project.arguments("test")),
        PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
    )
    assert accuracies(log)[-1] == accuracies(trained)[-1]
    # No log, but clips and results; the file has it all.
    (folder,) = re.findall(r"^log: (.*)$", log, re.M)
    (file,) = Path(folder).glob("*.log")
    assert "Epoch(test)" in file.read_text() and "Epoch(test)" not in log


def test_tools_of_mmaction2(project: Project, trained: str) -> None:
    checkpoint, own = project.folder / "gap" / "epoch_2.pth", "mmaction2"
    test, train = MMACTION_TOOLS / "test.py", MMACTION_TOOLS / "train.py"
    log = run_python(test, CONFIG, checkpoint, *project.arguments(own))
    assert accuracies(log)[-1] == accuracies(trained)[-1]
    short = project.arguments(own, "train_cfg.max_epochs=1")
    assert re.search(r" loss_con: \d", run_python(train, CONFIG, *short))
    assert (project.folder / own / "epoch_1.pth").exists()


@pytest.mark.slow
def test_two_processes_on_the_cpu(project: Project) -> None:
    checkpoint = project.folder / "two" / "epoch_2.pth"
    options = ("--seed", "3", *project.arguments("two"))
    log = run("bash", "tools/dist_train.sh", CONFIG, 2, *options, PORT="29611")
    command = ("bash", "tools/dist_test.sh", CONFIG, checkpoint, 2)
    tested = run(*command, *project.arguments("two"), PORT="29612")
    assert accuracies(tested)[-1] == accuracies(log)[-1]


@pytest.mark.usefixtures("trained")
def test_config_in_the_work_dir_is_that_of_training(
    project: Project, tmp_path: Path
) -> None:
    own = project.folder / "gap" / "ctrgcn_synthetic.py"
    before = own.read_bytes()
    first, second = tmp_path / "first.pkl", tmp_path / "second.pkl"

    def test(config: Path, epoch: int, out: Path) -> None:
        checkpoint = own.with_name(f"epoch_{epoch}.pth")
        test_tool.main([str(config), str(checkpoint), "--dump", str(out)])

    # In the same work dir, which is the default.
    test(own, 2, first)
    assert own.read_bytes() == before
    # A config with a file to dump into, as stock tools leave it.
    config, scores = Config.fromfile(own), first.read_bytes()
    assert config.model.text_branch.prompts.preset == "synonym+parts4"
    dump = {"type": "DumpResults", "out_file_path": str(first)}
    config.test_evaluator = [*config.test_evaluator, dump]
    config.dump(tmp_path / "dumped.py")
    test(tmp_path / "dumped.py", 1, second)
    assert first.read_bytes() == scores != second.read_bytes()
