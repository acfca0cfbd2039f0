"""Days that somebody asks for: a text in, a date out."""

from datetime import date

import frappe
from frappe import _
from frappe.utils import getdate


def asked(text: str | date | None) -> date:
	"""Return the date that was asked for, today without one; throws for what is no date."""
	day = getdate(text)
	if day is None:
		# Frappe takes the first day that there is for no day.
		frappe.throw(
			_("{0} is no date to look at. Choose another one.").format(frappe.utils.escape_html(str(text))),
			title=_("No Such Date"),
		)
	return day
