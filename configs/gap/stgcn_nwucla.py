# NW-UCLA, joint stream, with mmaction2's ST-GCN.
_base_ = ["ctrgcn_nwucla.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="STGCN",
        graph_cfg=dict(layout="nw-ucla", mode="stgcn_spatial"),
        num_person=1,
    )
)
