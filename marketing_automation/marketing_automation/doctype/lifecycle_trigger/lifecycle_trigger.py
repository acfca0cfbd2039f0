import re
from itertools import chain, count

import frappe
from frappe import _
from frappe.model.document import Document

from marketing_automation.engine import faults, retention
from marketing_automation.engine.language import in_language, written
from marketing_automation.engine.schedule import BEFORE, SIGN
from marketing_automation.engine.source import source_for
from marketing_automation.lifecycle import (
	only_switched_off,
	read_numbers,
	refuse_change_of_service,
	refuse_deletion_if_used,
	refuse_merge,
	refuse_rename,
	set_active_since,
)

# A trigger that waits for other dates is a new one: what it would have sent in the past is not made up for.
DEFINITION = (
	*("source", "reference_doctype", "trigger_type", "days_offset"),
	*("date_field", "yearly", "customer_field"),
)
WORKS_BY = (*DEFINITION, "item_group", "filters")


class LifecycleTrigger(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		active_since: DF.Datetime | None
		campaign: DF.Link
		customer_field: DF.Autocomplete | None
		date_field: DF.Autocomplete
		days_offset: DF.Int
		enabled: DF.Check
		filters: DF.Code | None
		item_group: DF.Link | None
		reference_doctype: DF.Link | None
		source: DF.Autocomplete
		trigger_name: DF.Data | None
		trigger_type: DF.Literal["Before", "On", "After"]
		yearly: DF.Check
	# end: auto-generated types

	def validate(self):
		read_numbers(self, "enabled", "days_offset")
		before = self.get_doc_before_save() or self
		refuse_change_of_service(self, WORKS_BY, self.campaign, before.campaign)
		if not only_switched_off(self, WORKS_BY):
			faults.refuse_days(self.days_offset)
			source_for(self).validate(self)
			self.validate_what_is_read()
		self.set_trigger_name()
		self.validate_action()
		self.validate_memory()
		# What is mended has not become another trigger: it makes up for the nights that it was left out of.
		set_active_since(self, "enabled", () if self.was_broken() else DEFINITION)

	def was_broken(self) -> bool:
		"""Say whether it could not work as it was before."""
		before = self.get_doc_before_save()
		return bool(before) and faults.is_broken(before)

	def set_trigger_name(self):
		"""Give a trigger that nobody has named a name that says when it is, which changes when that does."""
		self.trigger_name = (self.trigger_name or "").strip()
		before = self.get_doc_before_save()
		# One that was numbered among others of its kind is of our making, too.
		made = before and re.sub(r" \(\d+\)$", "", before.trigger_name or "") in _made_names(before)
		if not self.trigger_name or (
			made
			and self.trigger_name == before.trigger_name
			and any(self.has_value_changed(field) for field in ("trigger_type", "days_offset"))
		):
			self.trigger_name = self.unused_name(_made_names(self)[0])

	def unused_name(self, name: str) -> str:
		"""Return the name, with a number if another trigger of the campaign has it. 1 query."""
		others = {"campaign": self.campaign, "name": ["!=", self.name or ""]}
		taken = set(
			frappe.get_all("Lifecycle Trigger", filters=others, pluck="trigger_name", order_by="name asc")
		)
		numbered = (f"{name} ({number})" for number in count(2))
		return next(free for free in chain([name], numbered) if free not in taken)

	def validate_action(self):
		"""In an active campaign a trigger is not switched on before it has an action."""
		if not (self.enabled and frappe.db.get_value("Lifecycle Campaign", self.campaign, "is_active")):
			return
		if self.is_new():
			self.enabled = 0
			frappe.msgprint(
				_(
					"The campaign is active, so the trigger was saved disabled. Add its action, then enable it."
				),
				alert=True,
			)
		elif self.has_value_changed("enabled") and not frappe.db.exists(
			"Lifecycle Action", {"trigger": self.name, "enabled": 1}
		):
			frappe.throw(
				_("The trigger has no enabled action. Add one, then enable the trigger."),
				title=_("Nothing To Send"),
			)

	def validate_memory(self):
		"""An existing trigger cannot be turned to dates so old that the ledger has forgotten who got a message."""
		if (
			not self.is_new()
			and any(self.has_value_changed(field) for field in DEFINITION)
			and retention.is_forgotten(self)
		):
			frappe.throw(
				_(
					"The message log no longer knows what was sent about dates of {0} days ago. Add a new trigger instead of changing this one."
				).format(self.days_offset),
				title=_("Too Long Ago"),
			)

	def validate_what_is_read(self):
		"""Refuse a date field or a filter on fields that the user may not read: the preview would give their values away."""
		if self.flags.ignore_permissions:
			return
		source, before = source_for(self), self.get_doc_before_save() or frappe._dict()
		is_same = all(self.get(field) == before.get(field) for field in ("source", "reference_doctype"))
		known = source.parse_filters(before) if is_same else []
		asked = {row[1] for row in source.parse_filters(self) if row not in known}
		asked |= {
			self.get(field)
			for field in ("date_field", "customer_field")
			if self.get(field) and not (is_same and self.get(field) == before.get(field))
		}
		if closed := sorted(source.unreadable(asked, self)):
			frappe.throw(
				_(
					"You may not read the field {0} of {1}, so neither may a trigger of yours. Ask somebody who may, or leave it out."
				).format(
					frappe.bold(frappe.utils.escape_html(", ".join(closed))),
					frappe.utils.escape_html(_(source.reference_doctype(self) or "")),
				),
				frappe.PermissionError,
				title=_("Field Not Permitted"),
			)

	def before_rename(self, old: str, new: str, merge: bool = False):
		refuse_merge(self, merge)

	def after_rename(self, old: str, new: str, merge: bool = False):
		refuse_rename(self)

	def on_trash(self):
		refuse_deletion_if_used(self, "trigger", _("Enabled"))
		for action in frappe.get_all(
			"Lifecycle Action", filters={"trigger": self.name}, pluck="name", order_by="name asc"
		):
			frappe.delete_doc("Lifecycle Action", action)


def _made_names(trigger) -> list[str]:
	"""Return how a trigger is named by itself: in the language of its user, as its action and templates are, and in all
	others that it may have been named in."""
	names = []
	for language in dict.fromkeys((frappe.local.lang or "en", *written())):
		with in_language(language):
			names.append(_made_name(trigger.trigger_type, trigger.days_offset))
	return names


def _made_name(trigger_type: str, days: int) -> str:
	if trigger_type not in SIGN:
		# Another app's.
		return _(trigger_type)
	if not days:
		return _("On the day")
	if trigger_type == BEFORE:
		return _("1 day before") if days == 1 else _("{0} days before").format(days)
	return _("1 day after") if days == 1 else _("{0} days after").format(days)
