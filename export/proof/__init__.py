"""Whether an artefact agrees with FP32: images, the proof pack, agreement and its bounds.

Nothing here writes a model.
"""
