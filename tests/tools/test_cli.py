"""The command line tools: options, what they do to a config, and what they tell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config

from gap_mmaction import compat
from gap_mmaction.engine import launch
from gap_mmaction.engine.launch import named_settings
from gap_mmaction.skeletons import get_skeleton
from tests.config_files import LEAVES, load
from tools import test as test_tool
from tools import train as train_tool

TOOLS = Path(__file__).parents[2] / "tools"
CONFIG = """
model = dict(type='RecognizerGAP', backbone=dict(type='CTRGCN'),
             text_branch=dict(type='TextBranch', prompt_bank=dict(type='PromptBank')))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
val_cfg = val_dataloader = val_evaluator = dict(type='Something')
test_evaluator = dict(type='AccMetric')
default_hooks = dict(visualization=dict(type='VisualizationHook'))
auto_scale_lr = dict(enable=False, base_batch_size=200)
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A config file; the tools' changes of the environment end with the test."""
    for name in ("LOCAL_RANK", "CUBLAS_WORKSPACE_CONFIG"):
        # Set first, so that monkeypatch knows what to restore.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    file = tmp_path / "my_config.py"
    file.write_text(CONFIG)
    return str(file)


def _train(config: str, *options: str) -> Config:
    args = train_tool.parse_args([config, *options])
    return train_tool.merge_args(launch.load_config(args), args)


def _test(config: str, checkpoint: Path, *options: str) -> Config:
    checkpoint.touch()
    args = test_tool.parse_args([config, str(checkpoint), *options])
    return test_tool.merge_args(launch.load_config(args), args)


def test_common_options(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = _train(config)
    assert cfg.launcher == "none"
    assert cfg.work_dir == os.path.join("work_dirs", "my_config")
    assert os.environ["LOCAL_RANK"] == "0"
    options = ["--cfg-options", "work_dir=a", "optim_wrapper.optimizer.lr=0.5"]
    cfg = _train(config, *options)
    assert cfg.work_dir == "a"
    assert cfg.optim_wrapper.optimizer == {"type": "SGD", "lr": 0.5}
    assert _train(config, "--work-dir", "b", *options).work_dir == "b"
    # That of the launcher stays.
    monkeypatch.setenv("LOCAL_RANK", "3")
    _train(config, "--launcher", "pytorch", "--local-rank", "1")
    assert os.environ["LOCAL_RANK"] == "3"


def test_errors_of_ones_own_code_keep_their_traceback(config: str) -> None:
    cfg = _train(config)
    with pytest.raises(ValueError, match="mine"), launch.process_group(cfg):
        raise ValueError("mine")
    with pytest.raises(SystemExit, match="'ntu' is"), launch.process_group(cfg):
        get_skeleton("ntu")


def test_randomness(config: str) -> None:
    assert _train(config).randomness == {"seed": None}
    options = ("--cfg-options", "randomness.seed=1")
    assert _train(config, *options).randomness == {"seed": 1}
    assert _train(config, *options, "--seed", "0").randomness == {"seed": 0}
    cfg = _train(config, *options, "--seed", "2", "--diff-rank-seed")
    assert cfg.randomness == {"seed": 2, "diff_rank_seed": True}
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    cfg = _train(config, *options, "--deterministic")
    assert cfg.randomness == {"seed": 1, "deterministic": True}
    assert "CUBLAS_WORKSPACE_CONFIG" in os.environ


def test_validation_resumption_and_scaling(config: str, tmp_path: Path) -> None:
    assert "resume" not in _train(config)
    cfg = _train(config, "--no-validate", "--auto-scale-lr")
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None
    assert cfg.auto_scale_lr.enable is True
    checkpoint = tmp_path / "epoch_1.pth"
    checkpoint.touch()
    for given in ("auto", str(checkpoint)):
        start = "load_from=weights.pth"
        cfg = _train(config, "--resume", given, "--cfg-options", start)
        assert cfg.resume == ("auto" if given == "auto" else True)
        assert cfg.load_from == ("weights.pth" if given == "auto" else given)
    for file, kind, kept in (
        (str(LEAVES[0]), "SkeletonRunner", "weights.pth"),
        (config, "Runner", None),
    ):
        options = ["--cfg-options", start, f"runner_type={kind}"]
        options.append("optim_wrapper.type=OptimWrapper")
        assert _train(file, "--resume", *options).load_from == kept
    assert load(LEAVES[0]).runner_type == "SkeletonRunner"


def test_options_of_testing(config: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "epoch_1.pth"
    cfg = _test(config, checkpoint)
    assert cfg.model.text_branch is None
    assert cfg.load_from == str(checkpoint) and cfg.resume is False
    hook = _test(config, checkpoint, "--show-dir", "out").default_hooks.visualization
    assert hook.enable and not hook.show and hook.out_dir == "out"
    cfg = _test(config, checkpoint, "--dump", "scores.pkl")
    dump = {"type": "DumpResults", "out_file_path": "scores.pkl"}
    assert cfg.test_evaluator == [{"type": "AccMetric"}, dump]


APEX = ["--cfg-options", "optim_wrapper.type=ApexOptimWrapper"]
NONE = ["--cfg-options", "auto_scale_lr=None", "test_evaluator=None"]
NONE.append("default_hooks.visualization=None")


@pytest.mark.parametrize(
    ("tool", "options", "message"),
    [
        (train_tool, ["--amp"], "--amp: mixed precision needs an accelerator"),
        (train_tool, ["--amp", *APEX], r"my_config\.py.*'ApexOptimWrapper'"),
        (train_tool, ["--resume", "no.pth"], r"--resume no\.pth: there is no such"),
        (train_tool, ["--auto-scale-lr", *NONE], r"my_config\.py.*base_batch_size"),
        (test_tool, ["no.pth"], r"checkpoint no\.pth is not there"),
        (test_tool, ["https://a", "--dump", "a.pkl", *NONE], "no test_evaluator"),
        (test_tool, ["https://a", "--dump", "/dev/null/a.pkl"], "a.pkl: .*File exists"),
        (test_tool, ["https://a", "--show", *NONE], "VisualizationHook"),
    ],
)
def test_faults_are_told_in_a_line(
    tool: Any, options: list[str], message: str, config: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(compat, "lacks_accelerator", lambda: True)
    with pytest.raises(SystemExit, match=f"^error: .*{message}"):
        tool.main([config, *options])


def test_files_that_are_not_there(config: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: config .*did .* 'my_config\.py'"):
        train_tool.main([config.replace("config.py", "confg.py")])
    # The data are read in the training itself.
    options = ["--work-dir", str(tmp_path), "--cfg-options", "model.text_branch=None"]
    options += ["train_dataloader.dataset.ann_file=gone.pkl"]
    synthetic = str(TOOLS.parent / "configs/gap/ctrgcn_synthetic.py")
    with pytest.raises(SystemExit, match=r"^error: .*'gone\.pkl' not found"):
        train_tool.main([synthetic, *options])


TORCH = "torch.distributed.run --nnodes 2 --nproc-per-node 2 --master-port 29511"
SRUN = "srun --partition=part --job-name=job --gres=gpu:4 --ntasks=4"


@pytest.mark.parametrize(
    ("command", "has", "end"),
    [
        ("PORT=29511 NNODES=2 dist_train.sh a 2 -x", TORCH, "train.py a -x {} pytorch"),
        ("NODE_RANK=1 dist_test.sh c d 4", "python --node-rank 1 --nproc-per-node 4",
         "test.py c d {} pytorch"),
        ("GPUS=4 slurm_train.sh part job c --amp", SRUN, "train.py c --amp {} slurm"),
        ("GRES= SRUN_ARGS=--quiet slurm_test.sh a b c d", "srun --ntasks=8 --quiet",
         "test.py c d {} slurm"),
    ],
)  # fmt: skip
def test_scripts(command: str, has: str, end: str, tmp_path: Path) -> None:
    # Stand-ins that print their words.
    for name in ("python", "srun"):
        stand_in = tmp_path / name
        stand_in.write_text('#!/bin/sh\necho "${0##*/}" "$@"\n')
        stand_in.chmod(0o755)
    known = ("PYTHON", "NNODES", "NODE_RANK", "MASTER_ADDR", "PORT", "GPUS")
    env = {key: value for key, value in os.environ.items() if key not in known}
    env["PATH"] = f"{tmp_path}{os.pathsep}{TOOLS}{os.pathsep}{env['PATH']}"
    words = subprocess.check_output(["env", *command.split()], env=env, text=True)
    assert set(has.split()) <= set(words.split())
    assert words.endswith(f"{TOOLS}/{end.format('--launcher')}\n")
    assert ("--gres" in words) == ("--gres" in has)


def test_patches_come_first() -> None:
    for file in TOOLS.rglob("*.py"):
        text = file.read_text()
        models = re.search(r"^(?:from|import) mmaction\.models", text, re.M)
        ours = re.search(r"^(?:from|import) gap_mmaction", text, re.M)
        assert models is None or (ours is not None and ours.start() < models.start())


LEAF = next(path for path in LEAVES if path.stem == "ctrgcn_nwucla_cpu")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("model.text_branch.prompts.descriptons", r" \(did.*'descriptions'"),
        ("model.txt_branch", r" \(did.*'text_branch'"),
        ("train_dataloader.dataset.ann_file", "; RepeatDataset takes"),
    ],
)
def test_of_classes(key: str, message: str) -> None:
    config = load(LEAF)
    config.merge_from_dict({key: 1})
    message = rf"{key}: unknown setting{message}"
    with pytest.raises(TypeError, match=message), named_settings(config):
        if key.startswith("model"):
            MODELS.build(config.model)
        DATASETS.build(config.train_dataloader.dataset)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        (
            {"a": [{"b": 1}, {"c": {"b": 2}}], "d": {"type": "X", "b": 3}},
            "Unknown.__init__() got an unexpected keyword argument 'b'",
            r"^a\.0\.b or a\.1\.c\.b: unknown setting; Unknown does not take it",
        ),
        ({"a": 1}, "X.__init__() got an unexpected keyword argument 'b'", r"^X\.__in"),
        ({"a": 1}, "another", "^another"),
    ],
)
def test_places(config: dict, error: str, message: str) -> None:
    with pytest.raises(TypeError, match=message), named_settings(Config(config)):
        raise TypeError(error)
