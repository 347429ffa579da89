# MMAction2's CTR-GCN, its bones and its initialization of the classifier. `CTRGCN` of
# MMAction2's own project takes the same settings.
_base_ = "./gap_ctrgcn.py"

model = dict(
    data_preprocessor=dict(bone_form="difference"),
    backbone=dict(
        _delete_=True,
        type="CTRGCN",
        graph_cfg=dict(layout="nturgb+d", mode="spatial"),
    ),
    cls_head=dict(_delete_=True, type="GCNHead", num_classes=120, in_channels=256),
)
