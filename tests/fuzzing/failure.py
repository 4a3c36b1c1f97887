"""What a program shows to be wrong."""


class Failure(Exception):  # noqa: N818
    """The package broke a promise; an error would be one of the judge."""


def require(condition: object, what: str) -> None:
    """Failure unless the condition holds."""
    if not condition:
        raise Failure(what)
