"""The errors that a user of this package can meet; each names what came, what was expected, what to do."""


class RetinaGanError(Exception):
    """Base of all errors that this package raises on purpose."""


class OptionError(RetinaGanError, ValueError):
    """An option or argument that the user gave is wrong, or does not go with another."""


class ImageError(RetinaGanError, ValueError):
    """An image file or a frame cannot be used: unreadable, too large, wrong dtype or shape."""


class NoRetinaError(ImageError):
    """The image was read, but shows no retina's disc."""


class ModelError(RetinaGanError, ValueError):
    """A model file or its spec is missing, ill-formed, or does not match its hash."""


class EngineError(RetinaGanError, RuntimeError):
    """An engine or device asked for is not there, failed, or was closed before the call."""


class StreamError(RetinaGanError, RuntimeError):
    """A camera stream has ended, belongs to another process, or was asked for with a wrong option."""
