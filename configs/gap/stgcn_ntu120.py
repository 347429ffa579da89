# NTU RGB+D 120, X-Sub, joint stream, with mmaction2's ST-GCN.
_base_ = ["ctrgcn_ntu120.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="STGCN",
        graph_cfg=dict(layout="nturgb+d", mode="stgcn_spatial"),
    )
)
