# For MMAction2's own tools; those of this project import it in any case.
custom_imports = dict(imports=["gap_mmaction"], allow_failed_imports=False)

default_scope = "mmaction"

# For MMAction2's own tools as well: a killed run resumes without a trace.
runner_type = "SkeletonRunner"

default_hooks = dict(
    runtime_info=dict(type="RuntimeInfoHook"),
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=20, ignore_last=False),
    param_scheduler=dict(type="ParamSchedulerHook"),
    # Two: should the last one be damaged later, the run goes on from the other.
    checkpoint=dict(
        type="DurableCheckpointHook", interval=1, save_best="auto", max_keep_ckpts=2
    ),
    finite_loss=dict(type="FiniteLossHook"),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    sync_buffers=dict(type="SyncBuffersHook"),
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
    # On CUDA products in float32 take TensorFloat32; "highest" has all the bits.
    float32_matmul_precision="high",
)

log_processor = dict(type="LogProcessor", window_size=20, by_epoch=True)

vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="ActionVisualizer", vis_backends=vis_backends)

log_level = "INFO"
load_from = None
resume = False
