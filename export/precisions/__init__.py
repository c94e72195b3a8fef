"""An artefact for each precision, a draft until it is proven. How a graph is written is not decided here."""
