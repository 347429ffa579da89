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


class TestCommon:
    """Options of both tools."""

    def test_defaults(self, config: str) -> None:
        cfg = _train(config)
        assert cfg.launcher == "none"
        assert cfg.work_dir == os.path.join("work_dirs", "my_config")
        assert os.environ["LOCAL_RANK"] == "0"

    def test_work_dir_priority(self, config: str) -> None:
        assert _train(config, "--cfg-options", "work_dir=a").work_dir == "a"
        options = ("--work-dir", "b", "--cfg-options", "work_dir=a")
        assert _train(config, *options).work_dir == "b"

    def test_cfg_options(self, config: str) -> None:
        cfg = _train(
            config,
            "--cfg-options",
            "model.text_branch=None",
            "optim_wrapper.optimizer.lr=0.5",
            "new.list=[1,a]",
        )
        assert cfg.model.text_branch is None
        assert cfg.optim_wrapper.optimizer == {"type": "SGD", "lr": 0.5}
        assert cfg.new.list == [1, "a"]

    def test_no_such_config(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"absent\.py"):
            _train(str(tmp_path / "absent.py"))

    def test_local_rank_of_the_launcher_stays(
        self, config: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOCAL_RANK", "3")
        _train(config, "--launcher", "pytorch", "--local-rank", "1")
        assert os.environ["LOCAL_RANK"] == "3"

    @pytest.mark.parametrize("gloo", [True, False])
    def test_process_group(
        self, gloo: bool, config: str, monkeypatch: pytest.MonkeyPatch
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


class TestTrain:
    """Options of training."""

    def test_randomness(self, config: str) -> None:
        assert _train(config).randomness == {"seed": None}
        options = ("--cfg-options", "randomness.seed=1")
        assert _train(config, *options).randomness == {"seed": 1}
        cfg = _train(config, *options, "--seed", "2", "--diff-rank-seed")
        assert cfg.randomness == {"seed": 2, "diff_rank_seed": True}
        assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
        cfg = _train(config, *options, "--deterministic")
        assert cfg.randomness == {"seed": 1, "deterministic": True}
        assert "CUBLAS_WORKSPACE_CONFIG" in os.environ

    def test_no_validate(self, config: str) -> None:
        assert _train(config).val_cfg is not None
        cfg = _train(config, "--no-validate")
        assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None

    def test_resume(self, config: str, tmp_path: Path) -> None:
        assert "resume" not in _train(config)
        for options in (["--resume"], ["--resume", "auto"]):
            cfg = _train(config, *options)
            assert cfg.resume is True
            assert cfg.load_from is None
        checkpoint = tmp_path / "epoch_1.pth"
        with pytest.raises(FileNotFoundError, match=r"epoch_1\.pth: there is no"):
            _train(config, "--resume", str(checkpoint))
        checkpoint.touch()
        cfg = _train(config, "--resume", str(checkpoint))
        assert cfg.resume is True
        assert cfg.load_from == str(checkpoint)

    def test_auto_scale_lr(self, config: str) -> None:
        assert _train(config).auto_scale_lr.enable is False
        assert _train(config, "--auto-scale-lr").auto_scale_lr.enable is True
        with pytest.raises(KeyError, match=r"my_config\.py.*base_batch_size"):
            _train(config, "--auto-scale-lr", "--cfg-options", "auto_scale_lr=None")

    def test_amp(self, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compat, "lacks_accelerator", lambda: False)
        wrapper = _train(config, "--amp").optim_wrapper
        assert wrapper.type == "AmpOptimWrapper"
        assert wrapper.loss_scale == "dynamic"
        assert "type" not in _train(config).optim_wrapper
        with pytest.raises(ValueError, match=r"my_config\.py.*'ApexOptimWrapper'"):
            _train(
                config, "--amp", "--cfg-options", "optim_wrapper.type=ApexOptimWrapper"
            )

    @pytest.mark.parametrize(
        ("options", "source"),
        [
            (["--amp"], "--amp"),
            (["--cfg-options", "optim_wrapper.type=AmpOptimWrapper"], "optim_wrapper"),
        ],
    )
    def test_amp_without_accelerator(
        self,
        options: list[str],
        source: str,
        config: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(compat, "lacks_accelerator", lambda: True)
        with pytest.raises(ValueError, match=f"{source}.*needs an accelerator"):
            _train(config, *options)


class TestTest:
    """Options of testing."""

    @pytest.fixture
    def checkpoint(self, tmp_path: Path) -> Path:
        return tmp_path / "epoch_1.pth"

    def test_drops_the_text_branch(self, config: str, checkpoint: Path) -> None:
        cfg = _test(config, checkpoint)
        assert cfg.model.text_branch is None
        assert cfg.load_from == str(checkpoint)
        assert cfg.resume is False
        assert not drop_text_branch(cfg)

    def test_text_branch_of_another_model_stays(self) -> None:
        cfg = Config(
            {"model": {"type": "RecognizerGCN", "text_branch": {"type": "Mine"}}}
        )
        assert not drop_text_branch(cfg)
        assert cfg.model.text_branch == {"type": "Mine"}

    def test_no_such_checkpoint(self, config: str) -> None:
        args = test_tool.parse_args([config, "absent.pth"])
        with pytest.raises(FileNotFoundError, match=r"absent\.pth"):
            test_tool.merge_args(launch.load_config(args), args)
        args = test_tool.parse_args([config, "https://host/absent.pth"])
        cfg = test_tool.merge_args(launch.load_config(args), args)
        assert cfg.load_from == "https://host/absent.pth"

    @pytest.mark.parametrize("count", [1, 2])
    def test_dump(self, count: int, config: str, checkpoint: Path) -> None:
        with open(config, "a") as file:
            file.write(f"if {count} > 1:\n    test_evaluator = [test_evaluator] * 2\n")
        cfg = _test(config, checkpoint, "--dump", "scores.pkl")
        kinds = [evaluator["type"] for evaluator in cfg.test_evaluator]
        assert kinds == ["AccMetric"] * count + ["DumpResults"]
        assert cfg.test_evaluator[-1].out_file_path == "scores.pkl"

    def test_dump_bad_input(
        self, config: str, checkpoint: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            _test(config, checkpoint, "--dump", "scores.txt")
        assert "scores.txt: must end in .pkl" in capsys.readouterr().err
        options = ("--dump", "a.pkl", "--cfg-options", "test_evaluator=None")
        with pytest.raises(ValueError, match="no test_evaluator"):
            _test(config, checkpoint, *options)

    def test_show(self, config: str, checkpoint: Path) -> None:
        hook = _test(config, checkpoint, "--show-dir", "out").default_hooks
        assert hook.visualization == {
            "type": "VisualizationHook",
            "enable": True,
            "show": False,
            "out_dir": "out",
            "interval": 1,
            "wait_time": 2,
        }
        options = ("--show", "--cfg-options", "default_hooks.visualization=None")
        with pytest.raises(ValueError, match="VisualizationHook"):
            _test(config, checkpoint, *options)


class TestShellScripts:
    """dist_*.sh and slurm_*.sh, with stand-ins for torchrun and srun."""

    @pytest.fixture
    def call(self, tmp_path: Path) -> Any:
        """Runs a script; returns the words of the command it ends in."""
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

    def test_dist_train(self, call: Any) -> None:
        words = call("dist_train.sh", "a config.py", "2", "--seed", "0", PORT="29511")
        assert words[:3] == ["python", "-m", "torch.distributed.run"]
        assert words[words.index("--nproc-per-node") + 1] == "2"
        assert words[words.index("--master-port") + 1] == "29511"
        start = words.index(str(TOOLS / "train.py"))
        assert words[start + 1 :] == [
            *("a config.py", "--seed", "0", "--launcher", "pytorch")
        ]

    def test_dist_test(self, call: Any) -> None:
        words = call("dist_test.sh", "c.py", "c.pth", "4", NNODES="2", NODE_RANK="1")
        assert words[words.index("--nnodes") + 1] == "2"
        assert words[words.index("--node-rank") + 1] == "1"
        assert words[words.index("--nproc-per-node") + 1] == "4"
        start = words.index(str(TOOLS / "test.py"))
        assert words[start + 1 :] == ["c.py", "c.pth", "--launcher", "pytorch"]

    def test_slurm(self, call: Any) -> None:
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
    def test_usage(self, script: str) -> None:
        result = subprocess.run(
            [str(TOOLS / script)], capture_output=True, text=True, check=False
        )
        assert result.returncode == 2
        assert result.stderr.startswith("usage: ")


@pytest.mark.parametrize("script", ["train.py", "test.py"])
def test_help(script: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", str(TOOLS / script), "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(TOOLS.parent)},
    )
    assert result.returncode == 0, result.stderr
    assert "--cfg-options" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            [],
            r"error: config .*my_confg\.py is not there \(did .* 'my_config\.py",
        ),
        (["--amp"], "error: --amp: mixed precision needs an accelerator"),
        (["--resume", "no.pth"], r"error: --resume no\.pth: there is no such"),
        (["--cfg-options", "optim_warpper.a=3"], r"error: .*no 'optim_warpper' \(did"),
    ],
)
def test_faults_of_the_command_line_are_told_in_a_line(
    config: str, options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compat, "lacks_accelerator", lambda: True)
    file = config if options else config.replace("config.py", "confg.py")
    with pytest.raises(SystemExit, match=message):
        train_tool.main([file, *options])


def test_checkpoint_that_is_not_there(config: str) -> None:
    with pytest.raises(SystemExit, match=r"error: checkpoint no\.pth is not there"):
        test_tool.main([config, "no.pth"])


def test_console_that_cannot_show_a_name() -> None:
    code = "import gap_mmaction; print('\\u52a8 done')"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        check=False,
    )
    assert done.stdout == b"\\u52a8 done\n", done.stderr
