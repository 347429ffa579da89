# NW-UCLA, joint stream, with mmaction2's AAGCN.
_base_ = ["ctrgcn_nwucla.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="AAGCN",
        graph_cfg=dict(layout="nw-ucla", mode="spatial"),
        num_person=1,
    )
)
