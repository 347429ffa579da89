"""Patches for faults of the upstream packages, and the private names of theirs we use.

``gap_mmaction/__init__.py`` calls :func:`apply` before it imports anything
else, so that ``import mmaction.models`` works from then on. Every patch looks
for its fault first and leaves a healthy installation alone; `tests/test_compat*.py`
has one test per patch that fails once the patch is no longer needed, and one per
private name that fails once it is gone or takes other arguments.

The measured working set is mmaction2 1.2.0, mmengine 0.10.7, mmcv-lite 2.1.0,
torch 2.15.0, transformers 5.23.0 and numpy 2.4.6.

Order of imports: name ``gap_mmaction`` before ``mmaction.models`` in
``custom_imports``, or alone. MMEngine imports in the given order, and no patch helps
an import before it. Where ``mmaction.models`` was tried first and failed, importing
``gap_mmaction`` afterwards repairs what that has left behind.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import io
import os
import pickle
import subprocess
import sys
import warnings
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, NoReturn

MMCV_RANGE = ("2.0.0", "2.2.0")
"""Versions of mmcv that mmaction2 1.2 accepts: from the first, below the second."""

PythonUnpickler: Any = pickle._Unpickler  # type: ignore[attr-defined]
"""Python's unpickler in Python, whose opcodes can be replaced one by one."""

PRIVATE_NAMES = {
    "pickle._Unpickler": "(file, *, fix_imports=True, encoding='ASCII', "
    "errors='strict', buffers=None)",
    "mmengine.hooks.CheckpointHook._save_checkpoint_with_step": "(self, runner, step, "
    "meta)",
    "mmengine.hooks.CheckpointHook._save_best_checkpoint": "(self, runner, metrics) -> "
    "None",
    "mmengine.config.DictAction._parse_iterable": "(val: str) -> Union["
    "list, tuple, Any]",
    "open_clip.model._build_text_tower": "(embed_dim: int, text_cfg: open_clip.model."
    "CLIPTextCfg, quick_gelu: bool = False, cast_dtype: Optional[torch.dtype] = None)",
    "torch.ops.aten.native_batch_norm_backward.default": "(Tensor grad_out, Tensor "
    "input, Tensor? weight, Tensor? running_mean, Tensor? running_var, Tensor? "
    "save_mean, Tensor? save_invstd, bool train, float eps, bool[3] output_mask) -> "
    "(Tensor, Tensor, Tensor)",
    "torch.ops.aten.threshold_backward.grad_input": "(Tensor grad_output, Tensor self, "
    "Scalar threshold, *, Tensor(a!) grad_input) -> Tensor(a!)",
}
"""Functions of upstream that the package calls or overrides, with their arguments."""

PRIVATE_ATTRIBUTES = {
    "mmengine.runner.Runner": "_train_dataloader _train_loop _resume _load_from "
    "_has_loaded _randomness_cfg",
    "mmengine.optim.OptimWrapper": "_accumulative_counts",
    "torch.nn.Module": "_forward_hooks _forward_pre_hooks _backward_hooks "
    "_backward_pre_hooks",
}
"""Attributes that it reads or sets."""

_DRN = "mmaction.models.localizers.drn"
_MODELS = "mmaction.models"


def apply() -> tuple[str, ...]:
    """Applies every patch whose fault is present; a second call does nothing.

    Each is a function that returns whether it was needed. Those for distributed runs
    on a CPU need a configuration, so the tools call them:
    :func:`init_cpu_process_group` and :func:`cpu_model_wrapper_cfg`.

    Returns:
        Names of the patches that were needed, in the order in which they ran.

    Raises:
        ImportError: If mmcv is missing or of a version that mmaction2 refuses.
    """
    require_mmcv()
    # importlib_metadata first: all of mmaction.utils needs it.
    patches: tuple[Callable[[], bool], ...] = (
        alias_importlib_metadata,
        stub_missing_drn,
        disable_multimodal,
        repair_failed_import,
        allow_checkpoint_globals,
        check_downloaded_checkpoints,
        guard_checkpoint_loader,
        format_configs_once,
        decode_configs,
        # Last: it imports mmaction.models, which needs the others.
        extend_graph_layouts,
    )
    quiet_mmcv_lite()
    return tuple(patch.__name__ for patch in patches if patch())


def quiet_mmcv_lite() -> None:
    """Leaves out mmcv-lite's warning that it lacks an operator of full mmcv.

    It comes with every import of mmaction2's models, and nothing here needs it.
    """
    message = "Fail to import ``MultiScaleDeformableAttention``"
    warnings.filterwarnings("ignore", message=message, category=UserWarning)


def require_mmcv() -> None:
    """Checks that an mmcv is there that mmaction2 works with.

    Raises:
        ImportError: If it is not, naming mmcv-lite and the full mmcv.
    """
    low, high = MMCV_RANGE
    remedy = (
        f"Install either mmcv-lite, `pip install 'gap-mmaction[lite]'` "
        f"(mmcv-lite>={low},<{high}; it is all that skeleton models need), or the "
        f"full mmcv>={low},<{high} built for your torch and CUDA: "
        "https://mmcv.readthedocs.io/en/latest/get_started/installation.html. "
        "Both provide the module `mmcv`: install only one of them."
    )
    try:
        mmcv = importlib.import_module("mmcv")
    except ImportError as error:
        raise ImportError(
            f"gap_mmaction needs mmcv, which cannot be imported ({error}). {remedy}"
        ) from error
    # mmcv is there and needs mmengine itself, so this import cannot fail.
    from mmengine.utils import digit_version

    version = digit_version(mmcv.__version__)
    if not digit_version(low + "rc4") <= version < digit_version(high):
        raise ImportError(
            f"gap_mmaction found mmcv {mmcv.__version__}, which mmaction2 refuses. "
            f"{remedy}"
        )


def alias_importlib_metadata() -> bool:
    """Serves the standard library's module where importlib_metadata is missing.

    mmaction2 1.2.0 imports ``importlib_metadata`` in ``mmaction.utils.dependency``
    and does not declare it. Only names that ``importlib.metadata`` has as well
    are used there. Upstream: open-mmlab/mmaction2, undeclared dependency.
    """
    if _is_installed("importlib_metadata"):
        return False
    sys.modules["importlib_metadata"] = importlib.metadata
    return True


def stub_missing_drn() -> bool:
    """Stands in for the package ``localizers/drn`` that the wheel lacks.

    The wheel of mmaction2 1.2.0 was built without
    ``mmaction/models/localizers/drn``, so that ``import mmaction.models`` fails.
    Upstream: open-mmlab/mmaction2 issue 2714.

    The stand-in is not registered: a config that asks for DRN is told by the
    registry that there is none, and a user's own copy of DRN can register
    itself under that name.
    """
    if _DRN in sys.modules or f"{_DRN}.drn" in sys.modules:
        return False
    # find_spec of the dotted name would import the parents, which is what fails.
    root = importlib.util.find_spec("mmaction")
    if root is None or not root.submodule_search_locations:
        return False
    folders = [
        str(Path(location, "models", "localizers"))
        for location in root.submodule_search_locations
    ]
    if PathFinder.find_spec(_DRN, folders) is not None:
        return False

    package = ModuleType(_DRN, "Stand-in made by gap_mmaction.compat.")
    package.__path__ = []
    module = ModuleType(f"{_DRN}.drn", "Stand-in made by gap_mmaction.compat.")
    module.DRN = _MissingDRN  # type: ignore[attr-defined]
    package.drn = module  # type: ignore[attr-defined]
    sys.modules[_DRN] = package
    sys.modules[f"{_DRN}.drn"] = module
    return True


class _MissingDRN:
    """What ``mmaction.models.localizers.DRN`` is where the wheel lacks it."""

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImportError(
            "DRN is not part of the installed mmaction2: its wheel lacks "
            "mmaction/models/localizers/drn (open-mmlab/mmaction2 issue 2714). "
            "Install mmaction2 from its git repository to use DRN."
        )


def disable_multimodal() -> bool:
    """Tells mmaction2 to leave its multimodal package out.

    mmaction2 1.2.0 takes any transformers >= 4.28 for good and imports its
    package ``vindlu``, which needs names that transformers 5 has dropped
    (``apply_chunking_to_forward`` of ``transformers.modeling_utils``). With
    ``WITH_MULTIMODAL`` off, mmaction2 registers placeholders in its place, as
    it does without transformers. Upstream: open-mmlab/mmaction2, no release
    knows transformers 5.

    transformers itself is not imported here: its version is read from the
    package metadata, and metadata without an importable package counts as
    faulty too.
    """
    if _MODELS in sys.modules:
        return False
    version = _version("transformers")
    if version is None:
        return False
    major = version.split(".", maxsplit=1)[0]
    outgrown = not major.isdigit() or int(major) >= 5
    if not outgrown and _is_installed("transformers"):
        return False
    dependency: Any = importlib.import_module("mmaction.utils.dependency")
    if not dependency.WITH_MULTIMODAL:
        return False
    dependency.WITH_MULTIMODAL = False
    return True


def repair_failed_import() -> bool:
    """Completes an ``import mmaction.models`` that failed before the patches.

    Python drops the packages that failed (``mmaction.models``,
    ``mmaction.models.localizers``) from ``sys.modules`` and keeps the modules
    in them that had been loaded. Those are registered already and must not be
    executed again; but a package that is imported anew does not get them back
    as attributes, and classes of a half-loaded multimodal package stand in the
    way of mmaction2's placeholders.
    """
    prefix = f"{_MODELS}."
    leftovers = {
        name for name in sys.modules if name.startswith(prefix) and _DRN not in name
    }
    if _MODELS in sys.modules or not leftovers:
        return False

    multimodal = f"{prefix}multimodal"
    dependency = importlib.import_module("mmaction.utils.dependency")
    if not dependency.WITH_MULTIMODAL:
        for name in leftovers:
            if name.startswith(multimodal):
                del sys.modules[name]
        registered = importlib.import_module("mmaction.registry").MODELS.module_dict
        for name, module in list(registered.items()):
            if module.__module__.startswith(multimodal):
                del registered[name]

    importlib.import_module(_MODELS)
    for name, module in list(sys.modules.items()):
        parent, _, child = name.rpartition(".")
        if name.startswith(prefix) and not hasattr(sys.modules.get(parent), child):
            setattr(sys.modules[parent], child, module)
    return True


def allow_checkpoint_globals() -> bool:
    """Lets checkpoints of mmengine load with torch's ``weights_only`` on.

    mmengine 0.10.7 writes its message hub into every checkpoint and reads
    checkpoints by a plain ``torch.load``. Since torch 2.6 that refuses the
    ``HistoryBuffer`` and the numpy values in there. The patch names exactly those
    to torch's allow-list; the check stays on. Upstream: open-mmlab/mmengine
    issue 1655.

    Arrays are allowed under the module names of numpy 1 and of numpy 2, so that
    a checkpoint written with the one loads with the other. ``builtins.getattr``,
    by which pickle refers to the methods in a HistoryBuffer, is answered by a
    function that hands out nothing but these methods.
    """
    import numpy as np
    import torch
    from mmengine.logging import HistoryBuffer

    if HistoryBuffer in torch.serialization.get_safe_globals():
        return False
    # numpy 1 has no numpy._core and numpy 2 warns about numpy.core, so the two
    # functions are taken from what numpy itself pickles with.
    reconstruct: Any = np.empty(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    allowed: list[Any] = [
        HistoryBuffer,
        (_history_buffer_method, "builtins.getattr"),
        np.ndarray,
        np.dtype,
        # The classes of the dtypes: numbers, never object.
        *{type(np.dtype(code)) for code in "?bhilqBHILQefd"},
    ]
    for core in ("core", "_core"):
        allowed.append((reconstruct, f"numpy.{core}.multiarray._reconstruct"))
        allowed.append((scalar, f"numpy.{core}.multiarray.scalar"))
    torch.serialization.add_safe_globals(allowed)
    return True


def _history_buffer_method(owner: object, name: str) -> Callable[..., Any]:
    """Takes the place of ``getattr`` while a checkpoint is read.

    Raises:
        pickle.UnpicklingError: For all but the four statistics of HistoryBuffer.
    """
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ("min", "max", "current", "mean"):
        raise pickle.UnpicklingError(
            f"The checkpoint asks for the attribute {name!r} of {owner!r}. Only the "
            "statistics of mmengine's HistoryBuffer are allowed: this file was not "
            "written by mmengine alone and is not loaded."
        )
    method: Callable[..., Any] = getattr(HistoryBuffer, name)
    return method


def check_downloaded_checkpoints() -> bool:
    """Loads checkpoints from ``http(s)://`` with ``weights_only`` on as well.

    mmengine reads them by ``torch.hub.load_state_dict_from_url``, where the
    check is off by default, unlike in ``torch.load``. Upstream: belongs to
    open-mmlab/mmengine issue 1655.
    """
    checkpoint: Any = importlib.import_module("mmengine.runner.checkpoint")
    load_url = getattr(checkpoint, "load_url", None)
    if load_url is None or isinstance(load_url, functools.partial):
        return False
    checkpoint.load_url = functools.partial(load_url, weights_only=True)
    return True


def guard_checkpoint_loader() -> bool:
    """Names the file of a checkpoint that is refused, and lets nothing in it be run.

    All that reads checkpoints through mmengine comes by ``CheckpointLoader``. What
    torch says of a file that it refuses names no file and recommends to switch the
    check off. And a ``meta['config']``, which mmcv 1 has written, would be run as the
    code that a config is by ``Runner.resume``, to see how many GPUs it was meant for:
    it is left out. Upstream: open-mmlab/mmengine 0.10.7, no release knows of it.
    """
    checkpoint: Any = importlib.import_module("mmengine.runner.checkpoint")
    loader = checkpoint.CheckpointLoader
    load = loader.load_checkpoint
    if hasattr(load, "__wrapped__"):
        return False

    @functools.wraps(load)
    def load_checkpoint(
        filename: str, map_location: Any = None, logger: Any = "current"
    ) -> Any:
        guard: Any = importlib.import_module("gap_mmaction.utils.checkpoint_reader")
        with guard.named_errors(filename):
            return guard.check_content(load(filename, map_location, logger))

    loader.load_checkpoint = staticmethod(load_checkpoint)
    return True


def format_configs_once() -> bool:
    """Remembers how yapf has laid out the text of a config.

    ``Config.pretty_text`` has it laid out at every access: several times when a run
    starts, and for every checkpoint, at half a second and more for a config of usual
    size. Upstream: open-mmlab/mmengine 0.10.7, no release remembers it.
    """
    config: Any = importlib.import_module("mmengine.config.config")
    format_code = config.FormatCode
    if hasattr(format_code, "__wrapped__"):
        return False

    @functools.lru_cache(maxsize=8)
    def remembered(source: str, style: tuple[Any, ...], rest: tuple[Any, ...]) -> Any:
        return format_code(source, style_config=dict(style), **dict(rest))

    @functools.wraps(format_code)
    def format_once(source: str, style_config: dict[str, Any], **rest: Any) -> Any:
        return remembered(source, tuple(style_config.items()), tuple(rest.items()))

    config.FormatCode = format_once
    return True


def decode_configs() -> bool:
    """Reads configs with a byte order mark, and names those that are no UTF-8.

    Editors on Windows write both; Python reads a mark, mmengine's parser does not, and
    its error for other encodings names no file. Upstream: open-mmlab/mmengine 0.10.7.
    """
    config: Any = importlib.import_module("mmengine.config.config")
    if "open" in vars(config):
        return False

    def open_text(file: Any, mode: str = "r", **options: Any) -> Any:
        if mode != "r":
            return open(file, mode, **options)
        try:
            return io.StringIO(Path(file).read_text("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = 1 + error.object.count(b"\n", 0, error.start)
            raise ValueError(
                f"{file}, line {line}: this config is no UTF-8 text (byte "
                f"{error.object[error.start]:#x}); save it as UTF-8 in your editor, or "
                f"convert it, e.g. by iconv -f GBK -t UTF-8"
            ) from error

    config.open = open_text
    return True


def extend_graph_layouts() -> bool:
    """Lets mmaction2's ``Graph`` build the layouts of ``gap_mmaction.skeletons``.

    mmaction2's backbones (STGCN, AAGCN, ...) know the layouts ``openpose``,
    ``nturgb+d`` and ``coco`` by name, and dicts of joint numbers. Patched, they
    take whatever :func:`gap_mmaction.skeletons.get_skeleton` takes as well:
    ``nw-ucla``, and dicts that name their joints. What ``Graph`` takes by itself is
    passed on to it as it is. Upstream: open-mmlab/mmaction2 1.2.0, no release knows
    NW-UCLA.
    """
    graph: Any = importlib.import_module("mmaction.models.utils.graph").Graph
    try:
        graph(layout="nw-ucla")
    except (AssertionError, ValueError):  # the second with `python -O`
        build = graph.__init__
    else:
        return False

    @functools.wraps(build)
    def init(self: Any, layout: Any = "coco", *args: Any, **kwargs: Any) -> None:
        build(self, _graph_layout(layout), *args, **kwargs)
        self.layout = layout

    graph.__init__ = init
    return True


def _graph_layout(layout: Any) -> Any:
    """Returns a layout in the form in which mmaction2's ``Graph`` takes it."""
    if isinstance(layout, str) and layout in _GRAPH_LAYOUTS:
        return layout
    if isinstance(layout, dict) and _is_graph_dict(layout):
        return layout
    # Not at the top: gap_mmaction is only being imported when the patches run.
    skeletons: Any = importlib.import_module("gap_mmaction.skeletons")
    skeleton = skeletons.get_skeleton(layout)
    return {
        "num_node": skeleton.num_joints,
        "inward": list(skeleton.edges),
        "center": skeleton.centre,
    }


_GRAPH_LAYOUTS = ("openpose", "nturgb+d", "coco")
"""The layouts that mmaction2's ``Graph`` has itself."""


def _is_graph_dict(layout: dict[str, Any]) -> bool:
    """Whether mmaction2's ``Graph`` can read a dict: it takes numbers, no names."""
    if not {"num_node", "inward", "center"} <= set(layout):
        return False
    inward = layout["inward"]
    return (
        isinstance(layout["center"], int)
        and isinstance(inward, list)
        and all(
            isinstance(edge, (list, tuple)) and all(isinstance(j, int) for j in edge)
            for edge in inward
        )
    )


def lacks_accelerator() -> bool:
    """Whether mmengine finds no CUDA, NPU, MLU, MUSA or other device."""
    from mmengine.device import get_device

    return bool(get_device() == "cpu")


def init_cpu_process_group(launcher: str) -> bool:
    """Makes the gloo process group that mmengine's launcher cannot make.

    ``mmengine.dist.init_dist`` calls ``torch.cuda.set_device`` whatever the
    backend is. The Runner leaves a process group alone that exists already, so
    this has to be called before the Runner is made. Upstream: mmengine 0.10.7.

    Args:
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``, as for the Runner.

    Returns:
        Whether a group was made: not with ``none``, not where an accelerator is
        present and not where there is a group already.

    Raises:
        ValueError: If the launcher is unknown.
        KeyError: If the launcher's environment variables are missing.
    """
    if launcher not in ("none", *_RANK_VARIABLES):
        raise ValueError(
            f"launcher {launcher!r} is unknown, use one of "
            f"{['none', *_RANK_VARIABLES]}."
        )
    from torch import distributed

    if launcher == "none" or distributed.is_initialized() or not lacks_accelerator():
        return False
    for target, source in zip(_RANK_VARIABLES["pytorch"], _RANK_VARIABLES[launcher]):
        if source not in os.environ:
            raise KeyError(
                f"environment variable {source} is not set: --launcher {launcher} "
                "must be started by that launcher (for pytorch, torchrun or "
                "tools/dist_train.sh). Use --launcher none for one process."
            )
        os.environ[target] = os.environ[source]
    os.environ.setdefault("MASTER_PORT", "29500")
    if launcher == "slurm":
        os.environ.setdefault("MASTER_ADDR", _first_slurm_host())
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    distributed.init_process_group(backend="gloo")
    return True


_RANK_VARIABLES = {
    "pytorch": ("RANK", "LOCAL_RANK", "WORLD_SIZE"),
    "slurm": ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS"),
    "mpi": (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_SIZE",
    ),
}
"""Where each launcher puts global rank, local rank and number of processes."""


def cpu_model_wrapper_cfg(
    wrapper: dict[str, Any] | None = None, find_unused_parameters: bool = False
) -> dict[str, Any]:
    """Returns the ``model_wrapper_cfg`` for a distributed run on the CPU.

    mmengine's Runner passes ``device_ids`` to DistributedDataParallel, which
    refuses them for a model on the CPU. Upstream: mmengine 0.10.7.

    Args:
        wrapper: The config's own ``model_wrapper_cfg``, which is kept.
        find_unused_parameters: The config's setting of that name, which the
            Runner reads only where there is no ``model_wrapper_cfg``.

    Returns:
        A new dict, with ``device_ids`` None.
    """
    if wrapper is None:
        # The Runner's own defaults.
        wrapper = {
            "type": "MMDistributedDataParallel",
            "broadcast_buffers": False,
            "find_unused_parameters": find_unused_parameters,
        }
    return {**wrapper, "device_ids": None}


def open_clip_text_tower(embed_dims: int, text_config: Any, quick_gelu: bool) -> Any:
    """Builds the text tower of a CLIP model, a torch module, without its image tower.

    open_clip 2 and 3 build both towers or none in their public functions.

    Args:
        embed_dims: Width of the features.
        text_config: open_clip's ``CLIPTextCfg``.
        quick_gelu: Whether to take OpenAI's approximation of the GELU.
    """
    model: Any = importlib.import_module("open_clip.model")
    return model._build_text_tower(embed_dims, text_config, quick_gelu)


def _first_slurm_host() -> str:
    """Returns the first host of the job, which is where rank 0 runs."""
    command = ["scontrol", "show", "hostname", os.environ["SLURM_NODELIST"]]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return result.stdout.splitlines()[0]


def has_mmaction() -> bool:
    """Whether mmaction2 is installed; nothing is imported."""
    return _is_installed("mmaction")


def _is_installed(name: str) -> bool:
    """Whether a top-level module can be found; nothing is imported."""
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _version(distribution: str) -> str | None:
    """Returns a distribution's version, None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def aten_kernel(name: str) -> Any:
    """Returns a kernel of torch that has no public name."""
    return getattr(importlib.import_module("torch").ops.aten, name)


def foreach_kernel(name: str) -> Any:
    """Returns torch's operation on lists of tensors, which has no public name."""
    return getattr(importlib.import_module("torch"), f"_foreach_{name}")


def is_hooked(module: Any) -> bool:
    """Whether a torch module has hooks, which a way past it would leave out."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def set_openai_retry_delay(first: float, longest: float) -> None:
    """Sets how long clients of openai wait before they ask again, in this process.

    Its public options are how often, and what the server asks for in ``Retry-After``.

    Args:
        first: Seconds before the first time, doubled each time.
        longest: Seconds that no such wait exceeds.
    """
    client: Any = importlib.import_module("openai._base_client")
    client.INITIAL_RETRY_DELAY, client.MAX_RETRY_DELAY = first, longest
