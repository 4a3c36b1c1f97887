"""Pieces of HTML for notebooks. All text in them is escaped, and none needs a script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

BLANK = "\N{NO-BREAK SPACE}"


class Markup(str):
    """HTML already, which is not escaped again."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """A text's HTML; blanks at its begin stay."""
    if isinstance(value, Markup):
        return value
    from html import escape  # which a program without a notebook never needs

    shown = str(value)
    after = shown.lstrip(" ")
    return Markup(BLANK * (len(shown) - len(after)) + escape(after))


def element(tag: str, *within: object, style: str = "") -> Markup:
    """An element that holds these texts and elements."""
    styled = f' style="{style}"' if style else ""
    return Markup(f"<{tag}{styled}>{''.join(map(escaped, within))}</{tag}>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], numbers: set[int]) -> Markup:
    """A table whose columns `numbers` are set to the right, all others to the left."""
    sides = ["right" if column in numbers else "left" for column in range(len(head))]

    def row(tag: str, cells: Sequence[object]) -> Markup:
        return element(
            "tr",
            *(
                element(tag, cell, style=f"text-align: {side}")
                for cell, side in zip(cells, sides, strict=True)
            ),
        )

    return element(
        "table",
        element("thead", row("th", head)),
        element("tbody", *(row("td", cells) for cells in rows)),
    )
