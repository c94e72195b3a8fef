"""Frames of a camera in a line of threads with bounded queues. No file is read or written here."""
