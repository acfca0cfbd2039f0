"""One unit of work, committed; taken again when the database chose it as the victim of a deadlock."""

import random
import time
from collections.abc import Callable

import frappe

ATTEMPTS = 5


def committed(work: Callable, *args):
	"""Run `work(*args)`, commit and return its result.

	On a deadlock or a lock timeout everything is rolled back and `work` runs again, up to ATTEMPTS times, after a
	short random wait. Any other error is rolled back and raised.
	"""
	for attempt in range(1, ATTEMPTS + 1):
		try:
			result = work(*args)
			frappe.db.commit()
			return result
		except (frappe.QueryDeadlockError, frappe.QueryTimeoutError):
			frappe.db.rollback()
			if attempt == ATTEMPTS:
				raise
			time.sleep(random.uniform(0.05, 0.2) * attempt)
		except BaseException:
			frappe.db.rollback()
			raise
