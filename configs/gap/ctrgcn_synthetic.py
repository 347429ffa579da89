# The embedded default: a small CTR-GCN on the embedded set, with text features that
# ship with the project. `make demo` runs it with and without the text branch.
_base_ = [
    "../_base_/models/gap_ctrgcn.py",
    "../_base_/datasets/gap_synthetic.py",
    "../_base_/schedules/gap_sgd_cosine_40e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(
        base_channels=16,
        num_stages=6,
        inflate_stages=[3, 5],
        down_stages=[3, 5],
        num_person=1,
    ),
    cls_head=dict(num_classes=10, in_channels=64),
    text_branch=dict(
        prompts=dict(descriptions="data/descriptions/synthetic.yaml"),
        features="data/text_features/synthetic_minilm.safetensors",
    ),
)

# 20 epochs instead of 40.
train_cfg = dict(max_epochs=20)
param_scheduler = [
    dict(
        type="CosineAnnealingLR",
        by_epoch=True,
        begin=0,
        end=20,
        eta_min=1e-4,
        convert_to_iter_based=True,
    )
]
