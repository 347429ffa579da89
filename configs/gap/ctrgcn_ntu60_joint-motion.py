_base_ = "./ctrgcn_ntu60.py"

model = dict(data_preprocessor=dict(stream="joint-motion"))
