_base_ = "./gap_ctrgcn_nwucla_cpu.py"

model = dict(
    cls_head=dict(num_classes=20, init_cfg=dict(std=0.316)),
    text_branch=dict(
        prompts=dict(descriptions="data/descriptions/msr_action3d.yaml"),
        features="data/text_features/msr_action3d_minilm.safetensors",
    ),
)
