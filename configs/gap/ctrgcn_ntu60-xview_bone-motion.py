_base_ = "./ctrgcn_ntu60-xview.py"

model = dict(data_preprocessor=dict(stream="bone-motion"))
