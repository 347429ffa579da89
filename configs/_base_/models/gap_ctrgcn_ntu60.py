_base_ = "./gap_ctrgcn.py"

model = dict(
    cls_head=dict(num_classes=60, init_cfg=dict(std=0.183)),
    text_branch=dict(prompts=dict(descriptions="data/descriptions/ntu60.yaml")),
)
