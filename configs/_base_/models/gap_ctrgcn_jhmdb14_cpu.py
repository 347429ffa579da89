_base_ = "./gap_ctrgcn_nwucla_cpu.py"

model = dict(
    data_preprocessor=dict(layout="jhmdb-15"),
    backbone=dict(graph_cfg=dict(layout="jhmdb-15")),
    cls_head=dict(num_classes=14, init_cfg=dict(std=0.378)),
    text_branch=dict(
        prompts=dict(descriptions="data/descriptions/jhmdb14.yaml"),
        features="data/text_features/jhmdb14_minilm.safetensors",
    ),
)
