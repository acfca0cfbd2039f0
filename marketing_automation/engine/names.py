"""Names as the database compares them.

To MariaDB ANA-1, ana-1, ána-1 and "Ana-1 " are one name, and each row gives it back as it stands there. To Python they
are four. What compares names from two tables does it here.
"""

import re
import string
import unicodedata
from functools import lru_cache
from typing import TypeVar

Value = TypeVar("Value")
# What looks like nothing at the ends of a text that was pasted.
BLANKS = string.whitespace + "\xa0\xad\u200b\u200c\u200d\u200e\u200f\u202a\u202c\u2060\u3000\ufeff"
# Of other scripts the database tells letters with a mark from those without: й is not и.
ACCENTS = re.compile("([A-Za-zΑ-Ωα-ω])[\u0300-\u036f]+")


@lru_cache(maxsize=50_000)
def folded(name: str) -> str:
	"""Return what is the same for names that are one name to the database."""
	if not name.isascii():
		name = unicodedata.normalize("NFC", ACCENTS.sub(r"\1", unicodedata.normalize("NFKD", name)))
	return name.casefold().rstrip(" ")


def same(one: str | None, other: str | None) -> bool:
	"""Say whether two names are one name to the database. No name is the same as an empty one."""
	return one == other or folded(one or "") == folded(other or "")


class ByName(dict[str, Value]):
	"""A dict by name that is filled once and then finds a name however it is written.

	As it is written first; else, if to the database exactly one of the names is the same, that one.
	"""

	_written: dict[str, str | None] | None = None

	def written(self, name: str | None) -> str | None:
		"""Return a name as it is written here; None when it is not here."""
		if name in self:
			return name
		if not name:
			return None
		if self._written is None:
			self._written = {}
			for own in self:
				key = folded(own)
				self._written[key] = None if key in self._written else own
		return self._written.get(folded(name))

	def get(self, name: str | None, default: Value | None = None) -> Value | None:
		"""Return the value of a name, or `default`."""
		own = self.written(name)
		return default if own is None else self[own]
