# NW-UCLA, joint stream, the paper's recipe (section 4.2).
_base_ = [
    "../_base_/models/gap_ctrgcn.py",
    "../_base_/datasets/gap_nwucla.py",
    "../_base_/schedules/gap_sgd_110e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    data_preprocessor=dict(layout="nw-ucla"),
    backbone=dict(graph_cfg=dict(layout="nw-ucla"), num_person=1),
    cls_head=dict(num_classes=10),
    text_branch=dict(prompts=dict(descriptions="data/descriptions/nwucla.yaml")),
)

optim_wrapper = dict(optimizer=dict(lr=0.2, weight_decay=4e-4))
auto_scale_lr = dict(base_batch_size=64)
