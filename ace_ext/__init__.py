"""Automatic color equalization (ACE) by a C kernel."""

from retinagan.ace_ext.equalization import ace, ace_exact

__all__ = ["ace", "ace_exact"]
