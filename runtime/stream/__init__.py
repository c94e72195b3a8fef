"""Camera frames in a pipeline of threads with bounded queues. No file is read or written here."""
