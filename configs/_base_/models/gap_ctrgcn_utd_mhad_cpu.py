_base_ = "./gap_ctrgcn_nwucla_cpu.py"

model = dict(
    cls_head=dict(num_classes=27, init_cfg=dict(std=0.272)),
    text_branch=dict(
        prompts=dict(descriptions="data/descriptions/utd_mhad.yaml"),
        features="data/text_features/utd_mhad_minilm.safetensors",
    ),
)
