"""What a piece of HTML shows, for the tests of what models and histories show in notebooks."""

from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """The cells of the tables of a page, its other words, and its tags; each is closed again."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.words = ""
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "tr" in self._open:
            self.rows[-1][-1] += data
        else:
            self.words += data + "\n"
