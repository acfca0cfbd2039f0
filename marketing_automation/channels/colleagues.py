"""Create ToDo and Notify User: messages to colleagues, about a customer. Texts are Email Templates, like those of mails.

They are done by the transaction that closes their ledger rows: nothing leaves the site. The customer reads nothing of it,
so neither address nor consent is asked for. What they refer to is our message, never the Customer: Frappe would write
into its `_assign`.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import frappe
from frappe import _
from frappe.utils import cint, now_datetime

from marketing_automation.channels.texts import of_action
from marketing_automation.engine import ledger, long_lists
from marketing_automation.engine.channel import Channel, Message, Rendered, Unsendable
from marketing_automation.engine.customers import state_of
from marketing_automation.engine.model import COMPLETED, Reason, Recipient
from marketing_automation.engine.names import ByName

ACCOUNT_MANAGER = "Account Manager"


@dataclass
class Prepared:
	"""What a batch shares: its texts, and {user: language} of the users that the actions name and that can log in."""

	texts: of_action.Texts
	users: dict[str, str | None]


class Colleague(Channel):
	"""A message to the customer's account manager, or to a user of the marketer's choice."""

	REACHES_CUSTOMER = False

	def addresses(self, customers: set[str]) -> ByName[Recipient]:
		"""Return each customer that exists, with their account manager as the address and that user's language. 1 query."""
		if not customers:
			return ByName()
		customer, user = frappe.qb.DocType("Customer"), frappe.qb.DocType("User")
		query = (
			frappe.qb.from_(customer)
			.left_join(user)
			.on((user.name == customer.account_manager) & (user.enabled == 1))
			.select(
				customer.name,
				customer.customer_name,
				user.name,
				user.language,
				customer.disabled,
				customer.is_frozen,
			)
			.where(long_lists.among(customer.name, "customers"))
		)
		return ByName(
			(name, Recipient(name, customer_name, manager, language, state_of(disabled, frozen)))
			for name, customer_name, manager, language, disabled, frozen in long_lists.run(
				query, customers=customers
			)
		)

	def refusal(self, action: dict, recipient: Recipient) -> str | None:
		"""Nobody is to hear of it: the customer has no account manager who can log in, and the action names no user."""
		return None if action["user"] or recipient.address else Reason.NO_ACCOUNT_MANAGER

	def validate(self, action: Any, campaign: Any) -> None:
		"""Throw where nobody is named, and what is wrong with the texts."""
		if action.assign_to != ACCOUNT_MANAGER and not action.user:
			frappe.throw(
				_("Choose the user that this is for, or choose {0}.").format(frappe.bold(_(ACCOUNT_MANAGER))),
				frappe.MandatoryError,
				title=_("User Missing"),
			)
		if action.user and action.user not in _enabled({action.user}):
			frappe.throw(
				_("The user {0} cannot log in. Choose another one.").format(
					frappe.bold(frappe.utils.escape_html(action.user))
				),
				title=_("User Disabled"),
			)
		of_action.validate(action, campaign)

	def problems(self, actions: list[dict]) -> list[tuple[str, str]]:
		"""See `of_action.problems`. 1 query."""
		return of_action.problems(actions)

	def prepare(self, actions: list[dict]) -> Prepared:
		"""2 queries."""
		return Prepared(of_action.load(actions), _enabled({action.user for action in actions if action.user}))

	def compose(self, prepared: Prepared, message: Message) -> dict:
		"""Return {"user", "subject", "body", "message"}. Raises Unsendable."""
		user, language = self._reader(prepared, message)
		rendered, _language = _read_by(prepared, message, language)
		return {"user": user, "subject": rendered.subject, "body": rendered.body, "message": message}

	def render(self, prepared: Prepared, message: Message) -> tuple[Rendered, str]:
		"""Return it in the language of whoever gets it."""
		try:
			_user, language = self._reader(prepared, message)
		except Unsendable:
			language = message.recipient.language
		return _read_by(prepared, message, language)

	def _reader(self, prepared: Prepared, message: Message) -> tuple[str, str | None]:
		"""Return the user who gets a message, and the language of that user. Raises Unsendable."""
		action, recipient = message.action, message.recipient
		if action.assign_to == ACCOUNT_MANAGER and recipient.address:
			return recipient.address, recipient.language
		if action.user in prepared.users:
			return action.user, prepared.users[action.user]
		if action.user:
			text = _("The user {0} cannot log in. Choose another one in the action.").format(action.user)
		else:
			text = _("The customer has no account manager who can log in.")
		raise Unsendable(Reason.NO_ACCOUNT_MANAGER, text)

	def hand_over(self, composed: list[dict]) -> list[dict]:
		"""Insert the documents: with what users and other apps have bound to them, so each has its queries."""
		done = []
		for one in composed:
			doc = frappe.get_doc(self.document(one))
			doc.insert(ignore_permissions=True)
			done.append(
				{
					# In some versions it is a number.
					"handle": str(doc.name),
					"recipient": one["user"],
					"status": COMPLETED,
					"error": None,
					"executed_at": now_datetime(),
				}
			)
		return done

	def document(self, one: dict) -> dict:
		"""Return the fields of the document that a composed message is."""
		raise NotImplementedError

	def recall(self, rows: list[dict]) -> dict[str, dict]:
		"""What was handed over is done: it stays so. 1 query."""
		found = frappe.get_all(
			self.HANDLE_DOCTYPE,
			filters={"name": ["in", [row.handle for row in rows]]},
			pluck="name",
			order_by="name asc",
		)
		there, now = {str(name) for name in found}, now_datetime()
		return {row.name: {"status": COMPLETED, "executed_at": now} for row in rows if row.handle in there}


class ToDos(Colleague):
	"""Create ToDo: something to do about a customer, by a day."""

	HANDLE_DOCTYPE = "ToDo"

	def document(self, one: dict) -> dict:
		message = one["message"]
		return {
			"doctype": "ToDo",
			"allocated_to": one["user"],
			"date": message.today + timedelta(days=cint(message.action.due_in_days)),
			"description": f"<p><b>{frappe.utils.escape_html(one['subject'])}</b></p>{one['body']}",
			"reference_type": ledger.DOCTYPE,
			"reference_name": message.rows[0],
		}


class Notifications(Colleague):
	"""Notify User: a line under the bell."""

	HANDLE_DOCTYPE = "Notification Log"

	def document(self, one: dict) -> dict:
		return {
			"doctype": "Notification Log",
			"type": "Alert",
			"for_user": one["user"],
			"from_user": frappe.session.user,
			"subject": frappe.utils.escape_html(one["subject"]),
			"email_content": one["body"],
			"document_type": ledger.DOCTYPE,
			"document_name": one["message"].rows[0],
		}


def _read_by(prepared: Prepared, message: Message, language: str | None) -> tuple[Rendered, str]:
	"""Return a message as a colleague of this language reads it, and the language that it is in. Raises Unsendable."""
	recipient = replace(message.recipient, language=language)
	return of_action.render(prepared.texts, replace(message, recipient=recipient))


def _enabled(users: set[str]) -> dict[str, str | None]:
	"""Return {user: language} of those who can log in. 1 query."""
	if not users:
		return {}
	return dict(
		frappe.get_all(
			"User",
			filters={"name": ["in", list(users)], "enabled": 1},
			fields=["name", "language"],
			as_list=True,
			order_by="name asc",
		)
	)


TODOS = ToDos()
NOTIFICATIONS = Notifications()
