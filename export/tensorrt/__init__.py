"""TensorRT engines, built on the device itself: neither torch nor onnx is imported here."""
