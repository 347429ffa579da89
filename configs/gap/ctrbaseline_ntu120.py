# NTU RGB+D 120, X-Sub, joint stream, with the baseline of CTR-GCN.
_base_ = ["ctrgcn_ntu120.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="CTRBaseline",
        graph_cfg=dict(layout="nturgb+d", mode="spatial"),
    )
)
