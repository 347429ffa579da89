# NW-UCLA, joint stream, with the baseline of CTR-GCN.
_base_ = ["ctrgcn_nwucla.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="CTRBaseline",
        graph_cfg=dict(layout="nw-ucla", mode="spatial"),
        num_person=1,
    )
)
