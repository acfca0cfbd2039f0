from dataclasses import replace

import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import getdate, now_datetime

from marketing_automation import template_rights
from marketing_automation.channels.email import channel as email
from marketing_automation.designs import store
from marketing_automation.desk import campaigns
from marketing_automation.engine import faults, goals, ledger, overlap, rules, withdrawal
from marketing_automation.engine.channel import channel_for
from marketing_automation.engine.source import of_writers
from marketing_automation.engine.windows import minutes
from marketing_automation.lifecycle import (
	SERVICE,
	may_make_service,
	read_numbers,
	refuse_deletion_if_used,
	refuse_merge,
	set_active_since,
)
from marketing_automation.naming import free_name

MARKETING = "Marketing"
AS_IN_SETTINGS, OWN_HOURS = "As in the settings", "Own hours"
GOAL_FIELDS = ("goal", "goal_item", "goal_item_group", "renewal_window", "renews_in_group")


class LifecycleCampaign(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		active_since: DF.Datetime | None
		campaign_name: DF.Data
		combine_messages: DF.Check
		company: DF.Link | None
		description: DF.SmallText | None
		duplicate_policy: DF.Literal["Once per date", "Once per customer"]
		duplicated_from: DF.Link | None
		end_date: DF.Date | None
		goal: DF.Literal[None]
		goal_item: DF.Link | None
		goal_item_group: DF.Link | None
		heeds_holds: DF.Check
		holiday_list: DF.Link | None
		is_active: DF.Check
		item_group: DF.Link | None
		pause_reason: DF.SmallText | None
		paused_at: DF.Datetime | None
		priority: DF.Literal["High", "Normal", "Low"]
		purpose: DF.Literal["Marketing", "Service"]
		renewal_window: DF.Int
		renews_in_group: DF.Check
		send_from: DF.Time | None
		send_on: DF.Literal["Working days", "Every day"]
		send_until: DF.Time | None
		send_window: DF.Literal["As in the settings", "Own hours", "Any time"]
		sender: DF.Data | None
		start_date: DF.Date | None
		topic: DF.Link | None
		when_capped: DF.Literal["Wait", "Skip"]
	# end: auto-generated types

	def __init__(self, *args, **kwargs):
		super().__init__(*args, **kwargs)
		# Empty stands for all companies, and for hours that are not given. Frappe would fill in the company of the user or of
		# the site, and the time of day.
		self.dont_update_if_missing = ["company", "send_from", "send_until"]

	def onload(self):
		"""Tell the form the campaign's state, which nobody stores."""
		self.set_onload("state", campaigns.state_of_document(self))

	def validate(self):
		read_numbers(self, "is_active")
		self.validate_company()
		self.validate_reach()
		self.validate_dates()
		email.validate_sender(self.sender)
		self.validate_policy()
		self.validate_goal()
		self.validate_topic()
		self.validate_purpose()
		self.validate_window()
		if self.is_active and (
			self.is_new()
			or self.has_value_changed("is_active")
			or (self.combine_messages and self.has_value_changed("combine_messages"))
		):
			self.validate_readiness()
		set_active_since(self, "is_active")
		self.set_paused_at()
		# The engine writes it when it pauses the campaign, and nobody else.
		before = self.get_doc_before_save()
		self.pause_reason = before.pause_reason if before and not self.is_active else None

	def set_paused_at(self):
		"""Keep `paused_at`: since when a campaign that was active is not any more. One that never was has none."""
		before = self.get_doc_before_save()
		if self.is_active:
			self.paused_at = None
		elif before and before.is_active:
			self.paused_at = now_datetime()
		else:
			self.paused_at = before.paused_at if before else None

	def validate_company(self):
		"""Refuse to write to the customers of companies that the user may not see."""
		allowed = of_writers([self.name]).allowed.get("company")
		if allowed and not self.company and not self.flags.ignore_permissions:
			frappe.throw(
				_(
					"Choose a company. Without one the campaign is for all of them, and you may see only {0}."
				).format(frappe.bold(frappe.utils.escape_html(", ".join(sorted(allowed))))),
				frappe.PermissionError,
				title=_("Company Missing"),
			)

	def validate_reach(self):
		"""Refuse to write to customers, or about items, that the user may not see."""
		if self.is_active and not self.flags.ignore_permissions and not of_writers([self.name]).reaches_all:
			frappe.throw(
				_(
					"An active campaign writes to all customers, and you may see only some of them. Ask somebody who sees all to activate it."
				),
				frappe.PermissionError,
				title=_("Not All Customers"),
			)

	def validate_dates(self):
		if self.start_date and self.end_date and getdate(self.end_date) < getdate(self.start_date):
			frappe.throw(
				_("The campaign ends before it starts. Choose an End Date on or after {0}.").format(
					frappe.format(self.start_date, {"fieldtype": "Date"})
				),
				title=_("End Before Start"),
			)

	def validate_policy(self):
		changed = not self.is_new() and self.has_value_changed("duplicate_policy")
		if changed and ledger.refers_to("campaign", self.name):
			frappe.throw(
				_(
					"The Duplicate Policy cannot change any more: messages of this campaign were already judged by it. Duplicate the campaign and change the copy."
				),
				title=_("Policy In Use"),
			)

	def validate_goal(self):
		"""Refuse a goal that cannot work, or that no trigger can reach."""
		# None says that nobody has been asked (patches/goal_of_renewals.py), and this is an answer.
		self.goal = self.goal or ""
		read_numbers(self, "renewal_window", "renews_in_group")
		# What is broken can be paused.
		if not any(self.has_value_changed(field) for field in GOAL_FIELDS):
			return
		goals.validate(self)
		if self.goal and not self.is_new():
			loaded = rules.load([self.name], active_only=False)
			goals.refuse_misfit(self, {rule.source for rule in loaded})

	def validate_topic(self):
		"""Give a new campaign its topic, and refuse one that nobody can choose any more. At most 1 query."""
		if self.is_new() and not self.topic:
			self.topic = frappe.db.get_value("Lifecycle Topic", {"is_default": 1})
		if (
			self.topic
			and self.has_value_changed("topic")
			and frappe.db.get_value("Lifecycle Topic", self.topic, "disabled")
		):
			frappe.throw(
				_("The topic {0} is disabled. Choose another one, or enable it.").format(
					frappe.bold(frappe.utils.escape_html(self.topic))
				),
				title=_("Topic Disabled"),
			)

	def validate_purpose(self):
		"""Let only a Marketing Manager say that a campaign offers nothing: it needs no consent then."""
		self.purpose = self.purpose or MARKETING
		if self.purpose == SERVICE and self.has_value_changed("purpose") and not may_make_service(self):
			frappe.throw(
				_(
					"Only a Marketing Manager can make a campaign Service. Its messages go to customers who have agreed to nothing, so they may offer nothing."
				),
				frappe.PermissionError,
				title=_("Not Yours To Choose"),
			)

	def validate_window(self):
		"""Refuse hours of its own that are none, and forget those that count for nothing."""
		self.send_window = self.send_window or AS_IN_SETTINGS
		if self.send_window != OWN_HOURS:
			# Frappe fills the time of day into those of a new document.
			self.send_from = self.send_until = None
			return
		first, until = minutes(self.send_from), minutes(self.send_until)
		if first is None or until is None or first == until:
			frappe.throw(
				_("Give the hours in which messages leave: {0} and {1}, two different times.").format(
					frappe.bold(_(self.meta.get_label("send_from"))),
					frappe.bold(_(self.meta.get_label("send_until"))),
				),
				title=_("No Hours"),
			)

	def validate_readiness(self):
		"""Refuse to activate what would send nothing, or could not send."""
		loaded = [] if self.is_new() else rules.load([self.name], active_only=False)
		enabled = [rule for rule in loaded if rule.trigger.enabled]
		if not enabled:
			frappe.throw(
				_("The campaign has no enabled trigger. Add one, or enable one, and then activate it."),
				title=_("Nothing To Send"),
			)
		goals.refuse_misfit(self, {rule.source for rule in enabled})
		for rule in enabled:
			actions = [action for action in rule.actions if action.enabled]
			if not actions:
				frappe.throw(
					_("The trigger {0} has no enabled action. Add one, or disable the trigger.").format(
						frappe.bold(frappe.utils.escape_html(rule.trigger.trigger_name))
					),
					title=_("Nothing To Send"),
				)
			faults.refuse(replace(rule, actions=tuple(actions)), _("Trigger Broken"))
			for action_type in {action.action_type for action in actions}:
				channel_for(action_type).check(self)
			# What they need can have changed since they were saved.
			for action in actions:
				channel_for(action.action_type).validate(
					frappe.get_doc("Lifecycle Action", action.name), self
				)

	def duplicate(self, campaign_name: str) -> "LifecycleCampaign":
		"""Insert a copy with its triggers, actions and Email Templates, inactive, and return it.

		Who has unsubscribed from this campaign, or will by a mail of it, gets nothing from the copy either
		(engine/rules.py). What is broken is left out, and the user is told so.
		"""
		broken = faults.Faults()
		loaded = faults.sound(rules.load([self.name], active_only=False), broken)
		sound = {
			name for rule in loaded for name in (rule.trigger.name, *[action.name for action in rule.actions])
		}
		copy = frappe.copy_doc(self, ignore_no_copy=False)
		copy.campaign_name = campaign_name
		copy.duplicated_from = self.name
		if not may_make_service(copy):
			copy.purpose = MARKETING
		copy.insert()
		templates = {}
		for trigger in _documents("Lifecycle Trigger", {"campaign": self.name}):
			if trigger.name not in sound:
				continue
			new = frappe.copy_doc(trigger, ignore_no_copy=False)
			new.campaign = copy.name
			new.insert()
			for action in _documents("Lifecycle Action", {"trigger": trigger.name}):
				if action.name not in sound:
					continue
				of_new = frappe.copy_doc(action, ignore_no_copy=False)
				of_new.trigger = new.name
				# What a copy has of it is stars.
				of_new.webhook_secret = action.get_password("webhook_secret", raise_exception=False)
				for row in (of_new, *of_new.translations):
					if row.email_template and row.email_template not in templates:
						templates[row.email_template] = self._copied_template(row.email_template, copy.name)
					row.email_template = templates.get(row.email_template)
				of_new.insert()
				store.copy_designs(templates, self.name, copy.name, of_new)
		for text in broken.texts():
			text = _("Left out of the copy: {0}").format(text)
			frappe.msgprint(frappe.utils.escape_html(text), indicator="orange")
		return copy

	def _copied_template(self, name: str, campaign: str) -> str:
		"""Insert a copy of an Email Template for a copy of this campaign; return its name."""
		copy = frappe.copy_doc(frappe.get_doc("Email Template", name))
		ending = f": {name.removeprefix(f'{self.name}: ')[-80:]}"
		copy.insert(set_name=free_name("Email Template", campaign, ending))
		template_rights.register(copy.name, template_rights.COPY)
		return copy.name

	def on_update(self):
		before = self.get_doc_before_save()
		if before and before.is_active and not self.is_active:
			withdrawal.enqueue()
		elif before and self.is_active and not before.is_active and not self.flags.overlaps_said:
			self.warn_of_overlaps()

	def warn_of_overlaps(self):
		"""Say which other campaigns its customers hear from in these days. Nothing is held back by that."""
		for text in overlap.texts(overlap.of_campaign(self.name)):
			frappe.msgprint(frappe.utils.escape_html(text), alert=True, indicator="orange")

	def before_rename(self, old: str, new: str, merge: bool = False):
		self.validate_rename(old, merge)

	def after_rename(self, old: str, new: str, merge: bool = False):
		"""Ask once more: a request can leave out what comes before (see `lifecycle.refuse_rename`)."""
		self.validate_rename(new, merge)

	def validate_rename(self, name: str, merge: bool):
		"""Refuse what would go on under another campaign, or leave links behind. name: what the ledger calls it."""
		refuse_merge(self, merge)
		if ledger.refers_to("campaign", name):
			frappe.throw(
				_(
					"{0} cannot be renamed any more: the links to unsubscribe in the mails that it has sent carry its name."
				).format(frappe.bold(frappe.utils.escape_html(name))),
				title=_("Cannot Rename"),
			)

	def on_trash(self):
		refuse_deletion_if_used(self, "campaign", _("Active", context="Lifecycle"))
		self.hand_on_unsubscribes()
		# Its copies are copies of what it was a copy of.
		frappe.db.set_value(
			self.doctype, {"duplicated_from": self.name}, "duplicated_from", self.duplicated_from
		)
		for trigger in frappe.get_all(
			"Lifecycle Trigger", filters={"campaign": self.name}, pluck="name", order_by="name asc"
		):
			frappe.delete_doc("Lifecycle Trigger", trigger)

	def hand_on_unsubscribes(self):
		"""Write down for each copy who has left this campaign: Frappe forgets that with the campaign. 3 queries, and 1."""
		copies = frappe.get_all(
			self.doctype, filters={"duplicated_from": self.name}, pluck="name", order_by="name asc"
		)
		if not copies:
			return
		left = frappe.get_all(
			"Email Unsubscribe",
			filters={"reference_doctype": self.doctype, "reference_name": ["in", [self.name, *copies]]},
			fields=["email", "reference_name"],
			order_by="creation asc, name asc",
		)
		known = {(row.email, row.reference_name) for row in left}
		new = dict.fromkeys(
			(row.email, copy)
			for row in left
			if row.reference_name == self.name
			for copy in copies
			if (row.email, copy) not in known
		)
		now, user = now_datetime(), frappe.session.user
		fields = ["name", "owner", "modified_by", "creation", "modified", "email", "reference_doctype"]
		rows = [
			(frappe.generate_hash(length=10), user, user, now, now, email, self.doctype, copy)
			for email, copy in new
		]
		if rows:
			frappe.db.bulk_insert("Email Unsubscribe", [*fields, "reference_name"], rows)


def _documents(doctype: str, filters: dict) -> list[Document]:
	return [
		frappe.get_doc(doctype, name)
		for name in frappe.get_all(doctype, filters=filters, pluck="name", order_by="creation asc, name asc")
	]
