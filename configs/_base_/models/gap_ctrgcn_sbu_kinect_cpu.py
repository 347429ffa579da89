_base_ = "./gap_ctrgcn_nwucla_cpu.py"

model = dict(
    data_preprocessor=dict(layout="openni-15"),
    backbone=dict(graph_cfg=dict(layout="openni-15"), num_person=2),
    cls_head=dict(num_classes=8, init_cfg=dict(std=0.5)),
    text_branch=dict(
        prompts=dict(descriptions="data/descriptions/sbu_kinect.yaml"),
        features="data/text_features/sbu_kinect_minilm.safetensors",
    ),
)
