"""The error that a user of the local images reads."""


class LocalImagesError(RuntimeError):
    """Why the images cannot be made, in one line."""
