"""Results as DICOM objects that belong to the image they were made from. No map is computed here."""
