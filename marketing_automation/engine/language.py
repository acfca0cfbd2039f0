"""The language in which the engine writes to people. A job has no user whose language it could take, so Frappe begins
each in English."""

import contextlib
import functools
from collections.abc import Callable, Iterator

import frappe


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
		with in_language(frappe.db.get_system_setting("language") or "en"):
			return job(*args, **kwargs)

	return wrapper
