import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import cint

# What the engine itself keeps here. It writes them one by one, and no form or request changes them.
KEPT = (
	*("overdue_told_at", "cleared_until", "sent_lately", "bound_to"),
	*("mailbox_read_at", "mailbox_error", "mailbox_state"),
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
	"soft_bounces": (1, 20),
	"soft_bounce_days": (1, 365),
	"keep_addresses_days": (1, 3650),
}


class MarketingAutomationSettings(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		bound_to: DF.Data | None
		catch_up_nights: DF.Int
		chunk_size: DF.Int
		cleared_until: DF.Date | None
		keep_addresses_days: DF.Int
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
		resume_after_minutes: DF.Int
		retry_after_minutes: DF.Int
		sent_lately: DF.SmallText | None
		soft_bounce_days: DF.Int
		soft_bounces: DF.Int
		stop_frappes_mailings: DF.Check
	# end: auto-generated types

	def validate(self):
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
			if not lowest <= (self.get(field) or 0) <= highest:
				frappe.throw(
					_("{0} must be between {1} and {2}.").format(
						frappe.bold(_(self.meta.get_label(field))), lowest, highest
					),
					title=_("Value Out Of Range"),
				)

		self._validate_mailbox()

	def _validate_mailbox(self):
		if not cint(self.mailbox_enabled):
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
		self.mailbox_folder = (self.mailbox_folder or "").strip() or "INBOX"

	def on_trash(self):
		frappe.throw(
			_("The settings hold what keeps messages from going out twice. They cannot be deleted."),
			frappe.PermissionError,
			title=_("Cannot Delete"),
		)
