"""From a checkpoint to an ONNX graph in each precision. No engine is built or timed here."""
