"""The language in which the engine writes to people. A job has no user whose language it could take, so Frappe begins
each in English."""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import frappe
from frappe import _

# es, es-MX, zh-Hans-CN: what Frappe can take as part of a path and of a key in Redis.
CODE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")


def of_the_site() -> str:
	"""Return the code of the site's language (System Settings)."""
	return frappe.db.get_system_setting("language") or "en"


@functools.cache
def written() -> tuple[str, ...]:
	"""Return the codes of the languages that this app's texts are written in."""
	files = Path(frappe.get_app_path("marketing_automation", "translations")).glob("*.csv")
	return tuple(sorted({"en", *(file.stem for file in files)}))


def known(code: str | None) -> str | None:
	"""Return a language's code as the site has it in Language; None for no code. Throws for any other. 1 query.

	Frappe makes a path and a key in Redis of whatever it is told to translate to.
	"""
	if not code:
		return None
	found = isinstance(code, str) and CODE.fullmatch(code) and frappe.db.get_value("Language", code, "name")
	if not found:
		frappe.throw(
			_("There is no language {0}. Choose one of the list Language.").format(
				frappe.bold(frappe.utils.escape_html(str(code)[:140]))
			),
			title=_("Unknown Language"),
		)
	return found


@contextlib.contextmanager
def in_language(language: str) -> Iterator[None]:
	"""Translate to this language (a code) for as long as the block runs."""
	before = frappe.local.lang
	frappe.local.lang = language
	try:
		yield
	finally:
		frappe.local.lang = before


def in_the_sites_language(job: Callable) -> Callable:
	"""Have the entry point of a job write its reasons and errors in the language of the site (System Settings)."""

	@functools.wraps(job)
	def wrapper(*args, **kwargs):
		with in_language(of_the_site()):
			return job(*args, **kwargs)

	return wrapper
