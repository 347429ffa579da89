_base_ = "./gap_ctrgcn_mmaction2.py"

model = dict(
    cls_head=dict(num_classes=60),
    text_branch=dict(prompts=dict(descriptions="data/descriptions/ntu60.yaml")),
)
