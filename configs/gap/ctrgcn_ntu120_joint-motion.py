_base_ = "./ctrgcn_ntu120.py"

model = dict(data_preprocessor=dict(stream="joint-motion"))
