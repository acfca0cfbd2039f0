"""What the HTML of a mail has in it: HTML in, its links and pictures out. Pure."""

from html.parser import HTMLParser
from typing import NamedTuple


class Picture(NamedTuple):
	"""alt: None where nobody has written it; an empty one says that the picture is decoration."""

	source: str
	alt: str | None


class Parts(HTMLParser):
	"""links: [address]; pictures: [Picture]; words: what is read."""

	def __init__(self, html: str):
		super().__init__(convert_charrefs=True)
		self.links: list[str] = []
		self.pictures: list[Picture] = []
		self.words: list[str] = []
		self._silent = 0
		self.feed(html)
		self.close()

	def handle_starttag(self, tag, attributes):
		values = dict(attributes)
		if tag == "a" and values.get("href"):
			self.links.append(values["href"].strip())
		elif tag == "img":
			self.pictures.append(Picture((values.get("src") or "").strip(), values.get("alt")))
		elif tag in ("style", "script", "title"):
			self._silent += 1

	def handle_endtag(self, tag):
		if tag in ("style", "script", "title"):
			self._silent = max(self._silent - 1, 0)

	def handle_data(self, data):
		if not self._silent:
			self.words.append(data)
