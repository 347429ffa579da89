"""Models for others: published files, ONNX and TorchScript, converted weights."""
