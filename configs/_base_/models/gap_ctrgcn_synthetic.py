# Small, and with text features that ship with the project.
_base_ = "./gap_ctrgcn_mmaction2.py"

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
