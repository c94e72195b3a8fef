"""DICOM objects become photographs, and what they know of the eye. Nothing here reads who the patient is."""
