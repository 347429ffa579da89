"""The command line tools: options and what they do to a config."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from gap_mmaction import compat
from gap_mmaction.engine import launch
from gap_mmaction.models.recognizers import drop_text_branch
from gap_mmaction.skeletons import get_skeleton
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
    options = ["--cfg-options", "work_dir=a", "model.text_branch=None"]
    options += ["optim_wrapper.optimizer.lr=0.5", "new.list=[1,a]"]
    cfg = _train(config, *options)
    assert cfg.work_dir == "a" and cfg.model.text_branch is None
    assert cfg.optim_wrapper.optimizer == {"type": "SGD", "lr": 0.5}
    assert cfg.new.list == [1, "a"]
    assert _train(config, "--work-dir", "b", *options).work_dir == "b"
    # That of the launcher stays.
    monkeypatch.setenv("LOCAL_RANK", "3")
    _train(config, "--launcher", "pytorch", "--local-rank", "1")
    assert os.environ["LOCAL_RANK"] == "3"


@pytest.mark.parametrize("gloo", [True, False])
def test_process_group(
    gloo: bool, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def init(launcher: str) -> bool:
        asked.append(launcher)
        return gloo

    monkeypatch.setattr(compat, "init_cpu_process_group", init)
    cfg = _train(config, "--launcher", "pytorch")
    cfg.find_unused_parameters = True
    with launch.process_group(cfg):
        assert asked == ["pytorch"]
        assert ("model_wrapper_cfg" in cfg) == gloo
        if gloo:
            assert cfg.model_wrapper_cfg.device_ids is None
            assert cfg.model_wrapper_cfg.find_unused_parameters


def test_errors_of_ones_own_code_keep_their_traceback(config: str) -> None:
    cfg = _train(config)
    with pytest.raises(ValueError, match="mine"), launch.process_group(cfg):
        raise ValueError("mine")
    message = r"error: .*'ntu' is unknown"
    with pytest.raises(SystemExit, match=message), launch.process_group(cfg):
        get_skeleton("ntu")


def test_randomness(config: str) -> None:
    assert _train(config).randomness == {"seed": None}
    options = ("--cfg-options", "randomness.seed=1")
    assert _train(config, *options).randomness == {"seed": 1}
    cfg = _train(config, *options, "--seed", "2", "--diff-rank-seed")
    assert cfg.randomness == {"seed": 2, "diff_rank_seed": True}
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
    cfg = _train(config, *options, "--deterministic")
    assert cfg.randomness == {"seed": 1, "deterministic": True}
    assert "CUBLAS_WORKSPACE_CONFIG" in os.environ


def test_validation_resumption_and_scaling(config: str, tmp_path: Path) -> None:
    cfg = _train(config)
    assert cfg.val_cfg is not None and "resume" not in cfg
    assert cfg.auto_scale_lr.enable is False
    cfg = _train(config, "--no-validate", "--auto-scale-lr")
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None
    assert cfg.auto_scale_lr.enable is True
    checkpoint = tmp_path / "epoch_1.pth"
    checkpoint.touch()
    for given, load_from in (
        ([], None),
        (["auto"], None),
        ([str(checkpoint)], str(checkpoint)),
    ):
        cfg = _train(config, "--resume", *given)
        assert cfg.resume is True and cfg.load_from == load_from


def test_amp(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "lacks_accelerator", lambda: False)
    wrapper = _train(config, "--amp").optim_wrapper
    assert wrapper.type == "AmpOptimWrapper" and wrapper.loss_scale == "dynamic"
    assert "type" not in _train(config).optim_wrapper


def test_options_of_testing(config: str, tmp_path: Path) -> None:
    checkpoint = tmp_path / "epoch_1.pth"
    cfg = _test(config, checkpoint)
    assert cfg.model.text_branch is None
    assert cfg.load_from == str(checkpoint) and cfg.resume is False
    assert not drop_text_branch(cfg)
    other = {"type": "RecognizerGCN", "text_branch": {"type": "Mine"}}
    cfg = Config({"model": other})
    assert not drop_text_branch(cfg)
    assert cfg.model.text_branch == {"type": "Mine"}
    url = "https://host/absent.pth"
    args = test_tool.parse_args([config, url])
    assert test_tool.merge_args(launch.load_config(args), args).load_from == url
    hook = _test(config, checkpoint, "--show-dir", "out").default_hooks
    assert hook.visualization == {
        **{"type": "VisualizationHook", "enable": True, "show": False},
        **{"out_dir": "out", "interval": 1, "wait_time": 2},
    }


@pytest.mark.parametrize("count", [1, 2])
def test_dump(count: int, config: str, tmp_path: Path) -> None:
    with open(config, "a") as file:
        file.write(f"if {count} > 1:\n    test_evaluator = [test_evaluator] * 2\n")
    cfg = _test(config, tmp_path / "epoch_1.pth", "--dump", "scores.pkl")
    kinds = [evaluator["type"] for evaluator in cfg.test_evaluator]
    assert kinds == ["AccMetric"] * count + ["DumpResults"]
    assert cfg.test_evaluator[-1].out_file_path == "scores.pkl"


AMP = "optim_wrapper.type=AmpOptimWrapper"


@pytest.mark.parametrize(
    ("tool", "options", "message"),
    [
        (train_tool, ["--amp"], "--amp: mixed precision needs an accelerator"),
        (train_tool, ["--cfg-options", AMP], "optim_wrapper.*needs an accelerator"),
        (
            train_tool,
            ["--amp", "--cfg-options", "optim_wrapper.type=ApexOptimWrapper"],
            r"my_config\.py.*'ApexOptimWrapper'",
        ),
        (train_tool, ["--resume", "no.pth"], r"--resume no\.pth: there is no such"),
        (
            train_tool,
            ["--auto-scale-lr", "--cfg-options", "auto_scale_lr=None"],
            r"my_config\.py.*base_batch_size",
        ),
        (train_tool, ["--cfg-options", "optim_warpper.a=3"], "no 'optim_warpper' .did"),
        (test_tool, ["no.pth"], r"checkpoint no\.pth is not there"),
        (
            test_tool,
            ["https://a", "--dump", "a.pkl", "--cfg-options", "test_evaluator=None"],
            "no test_evaluator",
        ),
        (
            test_tool,
            [
                *("https://a", "--show", "--cfg-options"),
                "default_hooks.visualization=None",
            ],
            "VisualizationHook",
        ),
    ],
)
def test_faults_are_told_in_a_line(
    tool: Any,
    options: list[str],
    message: str,
    config: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compat, "lacks_accelerator", lambda: True)
    with pytest.raises(SystemExit, match=f"^error: .*{message}"):
        tool.main([config, *options])


def test_files_that_are_not_there(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near = r"^error: config .*my_confg\.py is not there \(did .* 'my_config\.py"
    with pytest.raises(SystemExit, match=near):
        train_tool.main([config.replace("config.py", "confg.py")])
    with pytest.raises(SystemExit):
        test_tool.main([config, "a.pth", "--dump", "scores.txt"])
    assert "scores.txt: must end in .pkl" in capsys.readouterr().err
    # The data are read in the training itself.
    options = ["--work-dir", str(tmp_path), "--cfg-options", "model.text_branch=None"]
    options += ["train_dataloader.dataset.ann_file=gone.pkl"]
    synthetic = str(TOOLS.parent / "configs/gap/ctrgcn_synthetic.py")
    with pytest.raises(SystemExit, match=r"^error: .*'gone\.pkl' not found"):
        train_tool.main([synthetic, *options])


@pytest.fixture
def call(tmp_path: Path) -> Any:
    """Runs a script with stand-ins for torchrun and srun; returns their words."""
    for name in ("python", "srun"):
        stand_in = tmp_path / name
        stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "${0##*/}" "$@"\n')
        stand_in.chmod(0o755)

    def run(script: str, *arguments: str, **variables: str) -> list[str]:
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        known = ("PYTHON", "NNODES", "NODE_RANK", "MASTER_ADDR", "PORT", "GPUS")
        rest = {k: v for k, v in os.environ.items() if k not in known}
        result = subprocess.run(
            [str(TOOLS / script), *arguments],
            env={**rest, "PATH": path, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        return result.stdout.splitlines()

    return run


def test_dist_scripts(call: Any) -> None:
    words = call("dist_train.sh", "a config.py", "2", "--seed", "0", PORT="29511")
    assert words[:3] == ["python", "-m", "torch.distributed.run"]
    assert words[words.index("--nproc-per-node") + 1] == "2"
    assert words[words.index("--master-port") + 1] == "29511"
    end = [str(TOOLS / "train.py"), "a config.py", "--seed", "0"]
    assert words[-6:] == [*end, "--launcher", "pytorch"]

    words = call("dist_test.sh", "c.py", "c.pth", "4", NNODES="2", NODE_RANK="1")
    assert words[words.index("--nnodes") + 1] == "2"
    assert words[words.index("--node-rank") + 1] == "1"
    assert words[words.index("--nproc-per-node") + 1] == "4"
    end = [str(TOOLS / "test.py"), "c.py", "c.pth"]
    assert words[-5:] == [*end, "--launcher", "pytorch"]


def test_slurm_scripts(call: Any) -> None:
    words = call("slurm_train.sh", "part", "job", "c.py", "--amp", GPUS="4")
    assert words[0] == "srun"
    assert {"--partition=part", "--job-name=job", "--gres=gpu:4"} <= set(words)
    assert {"--ntasks=4", "--ntasks-per-node=4"} <= set(words)
    assert words[-4:] == ["c.py", "--amp", "--launcher", "slurm"]

    variables = {"GRES": "", "SRUN_ARGS": "--quiet --exclusive"}
    words = call("slurm_test.sh", "part", "job", "c.py", "c.pth", **variables)
    assert not [word for word in words if word.startswith("--gres")]
    assert {"--ntasks=8", "--quiet", "--exclusive"} <= set(words)
    assert words[-5] == str(TOOLS / "test.py")


@pytest.mark.parametrize(
    "script", ["dist_train.sh", "dist_test.sh", "slurm_train.sh", "slurm_test.sh"]
)
def test_usage_of_scripts(script: str) -> None:
    result = subprocess.run(
        [str(TOOLS / script)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.startswith("usage: ")


def test_console_that_cannot_show_a_name() -> None:
    code = "import gap_mmaction; print('\\u52a8 done')"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        check=False,
    )
    assert done.stdout == b"\\u52a8 done\n", done.stderr
