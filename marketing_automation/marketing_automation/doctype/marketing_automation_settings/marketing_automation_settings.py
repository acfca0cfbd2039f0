import re

import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import cint, cstr, now_datetime

from marketing_automation.channels.email import bounces, mailbox
from marketing_automation.channels.email.address import is_address
from marketing_automation.engine import holds, links, waiting
from marketing_automation.engine.model import Reason
from marketing_automation.engine.windows import minutes

# What the engine itself keeps here. It writes them one by one, and no form or request changes them.
KEPT = (
	*("overdue_told_at", "cleared_until", "sent_lately", "bound_to"),
	*("mailbox_read_at", "mailbox_error", "mailbox_state", "warmup_counted"),
)
LIMITS = {
	"catch_up_nights": (0, 365),
	"chunk_size": (1, 5000),
	"resume_after_minutes": (5, 1440),
	"max_attempts": (1, 20),
	"retry_after_minutes": (1, 1440),
	"pause_share": (1, 100),
	"pause_count": (1, 1_000_000),
	"mails_per_minute": (0, 100_000),
	"attachments_mb": (1, 50),
	"soft_bounces": (1, 20),
	"soft_bounce_days": (1, 365),
	"keep_addresses_days": (1, 3650),
	"cap_messages": (0, 1000),
	"cap_days": (1, 365),
	"held_days": (1, 365),
	"warmup_first": (1, 1_000_000),
	"warmup_growth": (0, 1000),
	"warmup_most": (1, 10_000_000),
}
# These are newer than some sites, whose settings do not have them yet.
NEWER = (
	*("cap_messages", "cap_days", "held_days", "when_held", "attachments_mb"),
	*("soft_bounces", "soft_bounce_days", "keep_addresses_days"),
	*("mailbox_port", "mailbox_security", "mailbox_folder"),
	*("warmup_first", "warmup_growth", "warmup_most"),
)
# Who has declared that the addresses were got lawfully, and when: written when the box is ticked, by nobody else.
DECLARED = ("addresses_lawful_since", "addresses_lawful_by")

# {reason: the fields that what waits for it waits by}.
WAITED_BY = {
	Reason.ON_HOLD: ("holds", "do_not_disturb", "held_days", "when_held"),
	Reason.FREQUENCY_CAP: ("cap_messages", "cap_days"),
	Reason.WARM_UP: (
		*("warmup_domain", "warmup_start", "warmup_first"),
		*("warmup_growth", "warmup_most"),
	),
}

DNS_NAME = re.compile(
	r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*"
)


class MarketingAutomationSettings(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		from marketing_automation.marketing_automation.doctype.lifecycle_do_not_disturb.lifecycle_do_not_disturb import (
			LifecycleDoNotDisturb,
		)
		from marketing_automation.marketing_automation.doctype.lifecycle_hold.lifecycle_hold import (
			LifecycleHold,
		)

		addresses_lawful: DF.Check
		addresses_lawful_by: DF.Data | None
		addresses_lawful_since: DF.Datetime | None
		attachments_mb: DF.Int
		basis_needed: DF.Check
		bound_to: DF.Data | None
		cap_days: DF.Int
		cap_messages: DF.Int
		catch_up_nights: DF.Int
		chunk_size: DF.Int
		cleared_until: DF.Date | None
		dkim_selectors: DF.Data | None
		do_not_disturb: DF.Table[LifecycleDoNotDisturb]
		held_days: DF.Int
		holds: DF.Table[LifecycleHold]
		keep_addresses_days: DF.Int
		mailbox_account: DF.Link | None
		mailbox_enabled: DF.Check
		mailbox_error: DF.SmallText | None
		mailbox_folder: DF.Data | None
		mailbox_password: DF.Password | None
		mailbox_port: DF.Int
		mailbox_read_at: DF.Datetime | None
		mailbox_security: DF.Literal["TLS", "STARTTLS", "None"]
		mailbox_server: DF.Data | None
		mailbox_state: DF.SmallText | None
		mailbox_user: DF.Data | None
		mails_per_minute: DF.Int
		max_attempts: DF.Int
		overdue_told_at: DF.Datetime | None
		pause_count: DF.Int
		pause_share: DF.Int
		private_webhooks: DF.Check
		public_address: DF.Data | None
		resume_after_minutes: DF.Int
		retry_after_minutes: DF.Int
		send_from: DF.Time | None
		send_on: DF.Literal["Working days", "Every day"]
		send_until: DF.Time | None
		sent_lately: DF.SmallText | None
		soft_bounce_days: DF.Int
		soft_bounces: DF.Int
		stop_frappes_mailings: DF.Check
		unsubscribe_address: DF.Data | None
		warmup_counted: DF.SmallText | None
		warmup_domain: DF.Data | None
		warmup_first: DF.Int
		warmup_growth: DF.Int
		warmup_most: DF.Int
		warmup_start: DF.Date | None
		when_held: DF.Literal["Skip", "Send"]
	# end: auto-generated types

	def onload(self):
		"""Show what is newer than the settings of this site, as it works."""
		self.fill_in_newer()

	def validate(self):
		self.fill_in_newer()
		holds.validate(self.holds)
		kept = frappe.db.get_singles_dict(self.doctype)
		for field in KEPT:
			self.set(field, kept.get(field) or None)
		if bool(cint(self.private_webhooks)) != bool(cint(kept.get("private_webhooks"))) and (
			"System Manager" not in frappe.get_roles()
		):
			frappe.throw(
				_("Only a System Manager can let webhooks go to this server's own network, or stop it."),
				frappe.PermissionError,
				title=_("Not Yours To Choose"),
			)
		for field, (lowest, highest) in LIMITS.items():
			if not lowest <= cint(self.get(field)) <= highest:
				frappe.throw(
					_("{0} must be between {1} and {2}.").format(
						frappe.bold(_(self.meta.get_label(field))), lowest, highest
					),
					title=_("Value Out Of Range"),
				)
		self.validate_addresses()
		self.validate_domain()
		self.validate_window()
		self.note_declaration(kept)
		self.validate_mailbox()

	def validate_domain(self):
		"""Refuse what the DNS cannot have. A domain is kept as it is compared."""
		self.warmup_domain = (self.warmup_domain or "").strip().lower().rpartition("@")[2] or None
		for field, names in (
			("dkim_selectors", (self.dkim_selectors or "").replace(",", " ").split()),
			("warmup_domain", [self.warmup_domain] if self.warmup_domain else []),
		):
			for name in names:
				if not DNS_NAME.fullmatch(name):
					frappe.throw(
						_("{0}: {1} is no name that the DNS can have.").format(
							frappe.bold(_(self.meta.get_label(field))), frappe.utils.escape_html(name)
						),
						title=_("No Name of the DNS"),
					)

	def validate_addresses(self):
		"""Refuse addresses that no link can begin with, and that no mail arrives at."""
		self.public_address = (self.public_address or "").strip().rstrip("/") or None
		if self.public_address and links.normal(self.public_address) != self.public_address:
			frappe.throw(
				_(
					"{0} is no address of a site. Write it as a browser shows it, such as https://shop.example."
				).format(frappe.bold(frappe.utils.escape_html(self.public_address))),
				title=_("Not an Address"),
			)
		self.unsubscribe_address = (self.unsubscribe_address or "").strip() or None
		if self.unsubscribe_address and not is_address(self.unsubscribe_address):
			frappe.throw(
				_("{0} is not one e-mail address.").format(
					frappe.bold(frappe.utils.escape_html(self.unsubscribe_address))
				),
				title=_("Not an Address"),
			)

	def fill_in_newer(self):
		"""Give what has no value yet its default."""
		for field in NEWER:
			if self.get(field) is None:
				self.set(field, self.meta.get_field(field).default)

	def validate_window(self):
		for field in ("send_from", "send_until", "send_on"):
			self.set(field, self.get(field) or self.meta.get_field(field).default)
		if minutes(self.send_from) == minutes(self.send_until):
			frappe.throw(
				_(
					"{0} and {1} have to be two different times. A campaign that is to send at any hour says so itself."
				).format(
					frappe.bold(_(self.meta.get_label("send_from"))),
					frappe.bold(_(self.meta.get_label("send_until"))),
				),
				title=_("No Hours"),
			)

	def note_declaration(self, kept: dict):
		"""Write down who has declared that the addresses were got lawfully, and when."""
		was, now = cint(kept.get("addresses_lawful")), cint(self.addresses_lawful)
		for field in DECLARED:
			self.set(field, kept.get(field) if was and now else None)
		if now and not self.addresses_lawful_since:
			self.addresses_lawful_since, self.addresses_lawful_by = now_datetime(), frappe.session.user

	def validate_mailbox(self):
		"""Refuse a mailbox that cannot be read, for something is missing."""
		if not cint(self.mailbox_enabled):
			return
		self.mailbox_folder = (self.mailbox_folder or "").strip() or "INBOX"
		if self.mailbox_account:
			try:
				bounces.of_account(self.mailbox_account, ask=False)
			except mailbox.Unreadable as error:
				frappe.throw(frappe.utils.escape_html(str(error)), title=_("Mailbox Incomplete"))
			return
		missing = [
			field
			for field in ("mailbox_server", "mailbox_user", "mailbox_password")
			if not (self.get(field) or "").strip()
		]
		if missing:
			frappe.throw(
				_("To read a mailbox, fill in {0}.").format(
					", ".join(frappe.bold(_(self.meta.get_label(field))) for field in missing)
				),
				title=_("Mailbox Incomplete"),
			)
		if not 1 <= cint(self.mailbox_port) <= 65535:
			frappe.throw(
				_("The port of the mailbox is a number between 1 and 65535."), title=_("Value Out Of Range")
			)

	def on_update(self):
		"""Have what waits by settings that are others now asked about again, and not when its time comes."""
		before = self.get_doc_before_save()
		changed = [
			reason
			for reason, fields in WAITED_BY.items()
			if before and any(_said(before, field) != _said(self, field) for field in fields)
		]
		if changed:
			waiting.end_soon(changed)

	def on_trash(self):
		frappe.throw(
			_("The settings hold what keeps messages from going out twice. They cannot be deleted."),
			frappe.PermissionError,
			title=_("Cannot Delete"),
		)


def _said(doc, field: str):
	"""Return what a field says, however the form has written it."""
	value = doc.get(field)
	if isinstance(value, list):
		return [
			[cstr(row.get(name)) for name in ("hold", "days", "party_type", "party", "until")]
			for row in value
		]
	return cstr(value or "")
