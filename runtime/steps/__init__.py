"""The steps of one image from pixels to map, as functions on arrays. No engine or file is opened here."""
