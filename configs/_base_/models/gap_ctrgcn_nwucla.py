# For one person's 20 joints.
_base_ = "./gap_ctrgcn.py"

model = dict(
    data_preprocessor=dict(layout="nw-ucla"),
    backbone=dict(graph_cfg=dict(layout="nw-ucla"), num_person=1),
    cls_head=dict(num_classes=10, init_cfg=dict(std=0.447)),
    text_branch=dict(prompts=dict(descriptions="data/descriptions/nwucla.yaml")),
)
