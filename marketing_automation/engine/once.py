"""What one question asks the database for is read once, whichever checks of the gate need it.

A question lasts for one page of the plan, or for one batch of delivery. Nothing is remembered beyond it.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import frappe

T = TypeVar("T")
_MEMORY = "lifecycle_looked_up"


@contextmanager
def looked_up_once() -> Iterator[None]:
	"""Within it, what `memory` keeps is read once, whoever asks how often. One within another is the same question."""
	if getattr(frappe.local, _MEMORY, None) is not None:
		yield
		return
	setattr(frappe.local, _MEMORY, {})
	try:
		yield
	finally:
		setattr(frappe.local, _MEMORY, None)


def memory() -> dict:
	"""Return what this question has read so far; outside of one an empty dict, which nobody keeps."""
	kept = getattr(frappe.local, _MEMORY, None)
	return {} if kept is None else kept


def remembered(key: Hashable, read: Callable[[], T]) -> T:
	"""Return what `read` returns; within a question it is called once for each key."""
	kept = memory()
	if key not in kept:
		kept[key] = read()
	return kept[key]
