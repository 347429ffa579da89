_base_ = "./ctrgcn_nwucla_cpu.py"

model = dict(data_preprocessor=dict(stream="bone"))
