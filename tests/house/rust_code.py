"""Rust code as words, and the paths in it."""

import re
from collections.abc import Iterator

# In this order: a comment may hold quotes, and 'a' is a character but 'a a lifetime.
_IGNORED = re.compile(
    r"""//[^\n]*
      | \b[bc]?r(?P<hashes>\#*)".*?"(?P=hashes)
      | "(?:\\.|[^"\\])*"
      | '(?:\\(?:u\{[^}]*\}|x..|.)|[^\\'])'
    """,
    re.VERBOSE | re.DOTALL,
)
_TOKEN = re.compile(r"\n|[A-Za-z_]\w*|::|\S")

Token = tuple[str, int]
# The names between the "::" of a path, or the path of a module from the crate's root.
Path = tuple[str, ...]


def tokens(source: str) -> list[Token]:
    """Words and signs of Rust code with their line numbers, without comments and literals."""
    found: list[Token] = []
    position, line = 0, 1
    while position < len(source):
        skipped = _block_comment(source, position) or _IGNORED.match(source, position)
        end = skipped if isinstance(skipped, int) else skipped.end() if skipped else None
        if end is None:
            match = _TOKEN.match(source, position)
            end = match.end() if match else position + 1
            if match and match[0] != "\n":
                found.append((match[0], line))
        line += source.count("\n", position, end)
        position = end
    return found


def _block_comment(source: str, start: int) -> int | None:
    """End of the block comment at `start`, which may hold others; None if there is none."""
    if not source.startswith("/*", start):
        return None
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(source, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(source)


def _tails(code: list[Token], start: int, prefix: Path) -> Iterator[Path]:
    """Paths that continue `prefix` at the token `start`, groups in braces spread out."""
    words = [word for word, _ in code[start : start + 2]]
    if not words or words[0] != "::":
        yield prefix
    elif words[1:] == ["{"]:
        depth, element = 1, start + 2
        for i in range(start + 2, len(code)):
            word = code[i][0]
            if depth == 1 and word in (",", "}") and i > element:
                yield from _tails(code, element + 1, (*prefix, code[element][0]))
            if depth == 1 and word == ",":
                element = i + 1
            depth += {"{": 1, "}": -1}.get(word, 0)
            if depth == 0:
                return
    else:
        yield from _tails(code, start + 2, (*prefix, *words[1:]))


def scopes(code: list[Token], module: Path) -> Iterator[tuple[Path, bool]]:
    """For each token the module that it stands in, and whether directly so: in no block but those
    of the modules that the file opens itself."""
    braces: list[Path] = []
    for i, (word, _) in enumerate(code):
        if word == "}" and braces:
            braces.pop()
        here = (*module, *(name for opened in braces for name in opened))
        yield here, all(braces)
        if word == "{":
            is_module = i > 1 and code[i - 2][0] == "mod"
            braces.append((code[i - 1][0],) if is_module else ())


def absolute(path: Path, here: Path) -> Path:
    """A path that begins with "self" or "super" in the module `here` as one that begins with
    "crate"; any other as it is."""
    climbs = next((n for n, name in enumerate(path) if name not in ("self", "super")), len(path))
    up = path[:climbs].count("super")
    return ("crate", *here[: len(here) - up], *path[climbs:]) if climbs else path


def paths(code: list[Token], module: Path) -> Iterator[tuple[Path, Path, int]]:
    """Every path of `code`, with the module that it stands in and its line; those of this crate
    begin with "crate" or with a name that the module knows.

    `module` is the file's own path in the crate.
    """
    for i, ((word, line), (here, _)) in enumerate(zip(code, scopes(code, module), strict=True)):
        before = code[i - 1][0] if i else ""
        if before != "::" and (word[0].isalpha() or word[0] == "_"):
            for tail in _tails(code, i + 1, (word,)):
                yield here, absolute(tail, here), line
