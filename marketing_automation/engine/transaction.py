"""One unit of work, committed; taken again when the database chose it as the victim of a deadlock."""

import random
import time
from collections.abc import Callable, Iterator

import frappe
from frappe.utils import add_to_date, now_datetime
from rq.timeouts import BaseTimeoutException

ATTEMPTS = 5
# So many rows that fail by themselves, and it is not the rows that are broken.
MOST_BROKEN = 10


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


def apart(work: Callable, rows: list[dict], *args) -> Iterator:
	"""Yield the results of `committed(work, rows, *args)`: one for all rows, or where they fail, one for each that does not.

	So one broken row stops nothing of its page. It stays as it is and is logged, once a day. Raises when MOST_BROKEN
	are: then it is something else.
	"""
	try:
		yield committed(work, rows, *args)
		return
	except BaseTimeoutException:
		raise
	except Exception:
		frappe.clear_messages()
	broken = 0
	for row in rows:
		try:
			result = committed(work, [row], *args)
		except BaseTimeoutException:
			raise
		except Exception:
			broken += 1
			if broken == MOST_BROKEN:
				raise
			log_once(f"Row {row.name} of the message log could not be worked on")
		else:
			yield result


def log_once(title: str, trace: str | None = None) -> None:
	"""Write the error that is being handled, or this trace, to the Error Log, unless it has been written in the last day. Commits."""
	title = f"Marketing Automation: {title}"[:140]
	a_day_ago = add_to_date(now_datetime(), days=-1)
	if not frappe.db.exists("Error Log", {"method": title, "creation": [">", a_day_ago]}):
		frappe.log_error(title, trace)
		frappe.db.commit()
