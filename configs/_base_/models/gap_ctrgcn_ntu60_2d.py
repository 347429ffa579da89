_base_ = "./gap_ctrgcn_ntu60.py"

model = dict(
    data_preprocessor=dict(layout="coco"), backbone=dict(graph_cfg=dict(layout="coco"))
)
