"""`retina-node`: images in and results out over the DICOM network. No map is computed here."""
