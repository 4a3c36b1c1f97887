"""What a program shows to be wrong."""


class Failure(Exception):  # noqa: N818: it is no error of the judge
    """The package broke a promise."""


def require(condition: object, what: str) -> None:
    """Failure unless the condition holds."""
    if not condition:
        raise Failure(what)
