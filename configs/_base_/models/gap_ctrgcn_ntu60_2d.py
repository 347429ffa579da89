_base_ = "./gap_ctrgcn_ntu60_mmaction2.py"

model = dict(
    data_preprocessor=dict(layout="coco"), backbone=dict(graph_cfg=dict(layout="coco"))
)
