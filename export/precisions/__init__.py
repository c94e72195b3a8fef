"""One artefact a precision, made as a draft and given out when it is proven."""
