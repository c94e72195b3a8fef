"""Whether an artefact gives what FP32 gives: images, the proof pack, agreement and its bounds.

Nothing here writes a model.
"""
