"""Terms of use: what the weights of a model may be used for, by the data that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping

KNOWN = (
    "CC0",
    "CC BY 4.0",
    "CC BY-SA 4.0",
    "CC BY-NC 4.0",
    "CC BY-NC-SA 4.0",
    "research and education only",
)
"""Terms whose order is known, the widest first."""


def narrowest(terms: Mapping[str, str]) -> str:
    """Return the terms that a model is bound by.

    Parameters
    ----------
    terms : mapping of str to str
        Terms of each dataset, by its name; an empty text where they are not known.

    Returns
    -------
    str
        The narrowest of `KNOWN` among them, and every other text beside it, as nobody can say which is
        narrower. A dataset without terms is named. Empty if no dataset has any.
    """
    if not any(terms.values()):
        return ""
    ranks = [KNOWN.index(text) for text in terms.values() if text in KNOWN]
    found = [KNOWN[max(ranks)]] if ranks else []
    found += dict.fromkeys(text for text in terms.values() if text and text not in KNOWN)
    found += [f"unknown terms of {name}" for name, text in terms.items() if not text]
    return "; ".join(found)
