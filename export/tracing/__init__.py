"""From modules in PyTorch to graphs in ONNX: tried on samples, traced, and found equal."""
