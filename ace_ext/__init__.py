"""Automatic color equalization (ACE) by a C kernel."""
