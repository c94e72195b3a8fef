"""The errors that users of this package can meet.

Each message names what was given, what was expected, and what to do next.
"""


class RetinaGanError(Exception):
    """Base class of all errors that this package raises on purpose."""


class OptionError(RetinaGanError, ValueError):
    """An option or argument is invalid, or cannot be combined with another."""


class ImageError(RetinaGanError, ValueError):
    """An image file or frame cannot be used: unreadable, too large, or of a wrong dtype or shape."""


class NoRetinaError(ImageError):
    """The image can be read, but shows no retina."""


class ModelError(RetinaGanError, ValueError):
    """A model file or its spec is missing or malformed, or the file does not match its hash."""


class EngineError(RetinaGanError, RuntimeError):
    """The requested engine or device is not available, failed, or was closed before the call."""


class StreamError(RetinaGanError, RuntimeError):
    """A camera stream has ended, belongs to another process, or was opened with an invalid option."""
