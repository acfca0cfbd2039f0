import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine import profiles
from marketing_automation.engine.schedule import MOST_DAYS
from marketing_automation.engine.windows import minutes
from marketing_automation.lifecycle import read_numbers, refuse_merge, refuse_rename

MOST_PER_WEEK = 1000


class LifecycleCountryProfile(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		any_per_day: DF.Check
		any_per_week: DF.Check
		country: DF.Link
		existing_customer: DF.Literal["As shipped", "No", "Same item group", "Any sale"]
		foot: DF.SmallText | None
		foot_rule: DF.Literal["As shipped", "Own text"]
		hours: DF.Literal["As shipped", "Own hours", "Any hour"]
		national_holidays: DF.Literal["As shipped", "Closed", "Open"]
		per_day: DF.Int
		per_week: DF.Int
		postal_address: DF.Literal["As shipped", "Asked for", "Not asked for"]
		sale_days: DF.Int
		saturday_from: DF.Time | None
		saturday_until: DF.Time | None
		source_of_changes: DF.SmallText | None
		subject: DF.Data | None
		subject_rule: DF.Literal["As shipped", "Own text"]
		sunday_from: DF.Time | None
		sunday_until: DF.Time | None
		weekdays_from: DF.Time | None
		weekdays_until: DF.Time | None
	# end: auto-generated types

	def __init__(self, *args, **kwargs):
		super().__init__(*args, **kwargs)
		# Empty stands for closed. Frappe would fill in the time of day.
		self.dont_update_if_missing = [f"{day}_{end}" for day in profiles.DAYS for end in ("from", "until")]

	def validate(self):
		read_numbers(self, "sale_days", "per_day", "per_week", "any_per_day", "any_per_week")
		self.validate_numbers()
		self.validate_hours()
		for field in ("per_day", "per_week"):
			if self.get(f"any_{field}"):
				self.set(field, 0)
		# One line, as a subject is.
		self.subject = " ".join((self.subject or "").split())

	def validate_numbers(self):
		for field, highest in (
			("sale_days", MOST_DAYS),
			("per_day", MOST_PER_WEEK),
			("per_week", MOST_PER_WEEK),
		):
			if not 0 <= self.get(field) <= highest:
				frappe.throw(
					_("{0} must be between {1} and {2}.").format(
						frappe.bold(_(self.meta.get_label(field))), 0, highest
					),
					title=_("Value Out Of Range"),
				)

	def validate_hours(self):
		"""Refuse hours that are no hours. Where a day has none, nothing is sent on it."""
		for day in profiles.DAYS:
			first, until = self.get(f"{day}_from"), self.get(f"{day}_until")
			# Frappe fills the time of day into both of a new document.
			if self.hours != profiles.OWN_HOURS or (self.is_new() and minutes(first) == minutes(until)):
				self.set(f"{day}_from", None)
				self.set(f"{day}_until", None)
		if self.hours != profiles.OWN_HOURS:
			return
		opened = 0
		for day in profiles.DAYS:
			first, until = (minutes(self.get(f"{day}_{end}")) for end in ("from", "until"))
			if (first is None) != (until is None) or (first is not None and first >= until):
				frappe.throw(
					_(
						"{0} and {1} go together, the first before the second. Leave both empty where nothing may be sent."
					).format(
						frappe.bold(_(self.meta.get_label(f"{day}_from"))),
						frappe.bold(_(self.meta.get_label(f"{day}_until"))),
					),
					title=_("No Hours"),
				)
			opened += first is not None
		if not opened:
			frappe.throw(
				_("With these hours nothing could ever be sent. Give at least one day its hours."),
				title=_("Never Open"),
			)

	def before_rename(self, old: str, new: str, merge: bool = False):
		refuse_merge(self, merge)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)
