# NTU RGB+D 120, X-Sub, joint stream, with mmaction2's AAGCN.
_base_ = ["ctrgcn_ntu120.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="AAGCN",
        graph_cfg=dict(layout="nturgb+d", mode="spatial"),
    )
)
