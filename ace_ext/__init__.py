"""Automatic color equalization (ACE) with a C kernel."""

from retinagan.ace_ext._ace import Workspace
from retinagan.ace_ext.equalization import ace, ace_exact

__all__ = ["Workspace", "ace", "ace_exact"]
