"""Send Webhook: a message as JSON in a POST to an address of the marketer's choice, signed by Standard Webhooks.

The receiver knows a message by `webhook-id`, which is the same for every attempt at it, and takes it once; so what was
interrupted, or had no answer, is sent again. Addresses in the site's own network are refused unless an administrator
allows them; redirects are not followed.
"""

import base64
import binascii
import json
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import frappe
import standardwebhooks
from frappe import _
from frappe.utils.password import get_decrypted_password

from marketing_automation.channels import http
from marketing_automation.channels.outbox import Outbox, Result
from marketing_automation.engine.channel import Message, Rendered

PREFIX = "whsec_"
# Of the key, in bytes: what Standard Webhooks asks for.
SHORTEST_KEY, LONGEST_KEY = 24, 64
EVENT = "lifecycle.message"
# Who may have customers' names sent to another system.
ROLES = ("System Manager", "Marketing Manager")
TEMPORARY = (408, 425, 429)


@dataclass(frozen=True)
class Endpoint:
	"""Where an action's messages go, the key that they are signed with, and whether that may be in the site's own network."""

	url: str
	key: bytes
	private: bool


class Webhook(Outbox):
	"""Messages as JSON to a URL."""

	SAFE_TO_REPEAT = True

	def validate(self, action: Any, campaign: Any) -> None:
		"""Refuse a URL that could not be called, and who may not choose one. Makes a secret where there is none."""
		before = action.get_doc_before_save()
		changed = not before or any(
			before.get(field) != action.get(field) for field in ("action_type", "webhook_url")
		)
		if changed and not set(ROLES) & set(frappe.get_roles()):
			frappe.throw(
				_("Only a Marketing Manager can choose where webhooks go: they take customers' names along."),
				frappe.PermissionError,
				title=_("Not Yours To Choose"),
			)
		if not action.webhook_url:
			frappe.throw(
				_("Enter the URL that this action sends to."), frappe.MandatoryError, title=_("URL Missing")
			)
		action.webhook_url = action.webhook_url.strip()
		if problem := http.problem(action.webhook_url, http.private_allowed()):
			frappe.throw(frappe.utils.escape_html(problem), title=_("URL Cannot Be Used"))
		if not action.webhook_secret:
			action.webhook_secret = new_secret()
			frappe.msgprint(
				_("Give this secret to the receiver, which checks the signature with it: {0}").format(
					f"<code>{action.webhook_secret}</code>"
				),
				title=_("Secret Made"),
			)
		elif not action.is_dummy_password(action.webhook_secret) and not key_of(action.webhook_secret):
			frappe.throw(
				_(
					"The secret is none of Standard Webhooks: {0}, and then 24 to 64 bytes as base64. Leave it empty, and one is made."
				).format(f"<code>{PREFIX}</code>"),
				title=_("Secret Cannot Be Used"),
			)

	def problems(self, actions: list[dict]) -> list[tuple[str, str]]:
		"""Say of each URL that could not be called any more. 2 queries; its addresses are not looked up."""
		stored = dict(
			frappe.get_all(
				"Lifecycle Action",
				filters={"name": ["in", [action.name for action in actions]]},
				fields=["name", "webhook_url"],
				as_list=True,
				order_by="name asc",
			)
		)
		found, private = {}, http.private_allowed()
		for action in actions:
			if problem := http.problem(stored.get(action.name) or "", private, resolve=False):
				found[action.campaign, problem] = True
		return list(found)

	def compose(self, prepared: None, message: Message) -> dict:
		"""Return the row of the outbox."""
		return self.entry(
			message, json.dumps(payload(message), ensure_ascii=False, default=str, separators=(",", ":"))
		)

	def render(self, prepared: None, message: Message) -> tuple[Rendered, str]:
		"""Return the JSON, to be looked at."""
		text = json.dumps(payload(message), ensure_ascii=False, default=str, indent=2)
		return (
			Rendered(message.action.action_name, f"<pre>{frappe.utils.escape_html(text)}</pre>"),
			frappe.local.lang,
		)

	def endpoint(self, action: str) -> Endpoint | None:
		"""3 queries."""
		url = frappe.db.get_value("Lifecycle Action", action, "webhook_url")
		secret = get_decrypted_password("Lifecycle Action", action, "webhook_secret", raise_exception=False)
		key = key_of(secret)
		return Endpoint(url, key, http.private_allowed()) if url and key else None

	def transmit(self, endpoint: Endpoint, row: dict) -> Result:
		"""POST one message; see `outcome_of` for what its answer means."""
		body, now = row.payload.encode(), int(time.time())
		headers = {
			"content-type": "application/json",
			"user-agent": "marketing_automation",
			"webhook-id": row.message_key,
			"webhook-timestamp": str(now),
			"webhook-signature": signature(endpoint.key, row.message_key, now, body),
		}
		try:
			answer = http.post(endpoint.url, body, headers, endpoint.private)
		except http.Refused as e:
			return Result(str(e))
		except http.NoAnswer as e:
			return Result(
				_("The receiver has not answered: {0}. It is tried again.").format(e),
				temporary=True,
				answered=False,
			)
		return outcome_of(answer)


def outcome_of(answer: "http.Answer") -> Result:
	"""Return what an answer means: 2xx has taken it; 5xx, 429 and the like may later; anything else never will."""
	said = {"code": answer.status, "response": answer.text}
	if 200 <= answer.status < 300:
		return Result(**said)
	text = _("The receiver answered {0} {1}").format(answer.status, answer.text[:200]).strip()
	if answer.status in TEMPORARY or answer.status >= 500:
		return Result(text, temporary=True, retry_after=answer.retry_after, **said)
	if 300 <= answer.status < 400:
		text = _("The receiver answered {0} and wants to be called elsewhere. Enter that URL.").format(
			answer.status
		)
	return Result(text, **said)


def payload(message: Message) -> dict:
	"""Return what is sent of a message."""
	return {
		"type": EVENT,
		"timestamp": datetime.now(timezone.utc).isoformat(timespec="seconds"),
		"data": {
			"key": message.key,
			"campaign": message.campaign.name,
			"action": message.action.action_name,
			"company": message.company,
			"day": message.today.isoformat(),
			"customer": {
				"name": message.recipient.customer,
				"customer_name": message.recipient.customer_name,
				"language": message.recipient.language,
			},
			"items": [{key: plain(value) for key, value in item.items()} for item in message.items],
		},
	}


def plain(value: Any) -> Any:
	"""Return a value as JSON has it: a date as 2027-02-28."""
	return value.isoformat() if hasattr(value, "isoformat") else value


def new_secret() -> str:
	"""Return a secret for signing, as Standard Webhooks writes it."""
	return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str | None) -> bytes | None:
	"""Return the key that a secret stands for, or None if it is none.

	>>> key_of("whsec_" + "QUJD" * 8) == b"ABC" * 8
	True
	>>> key_of("open sesame") is None
	True
	"""
	try:
		key = base64.b64decode((secret or "").strip().removeprefix(PREFIX), validate=True)
	except (binascii.Error, ValueError):
		return None
	return key if SHORTEST_KEY <= len(key) <= LONGEST_KEY else None


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
	"""Return the header webhook-signature: what the scheme's library makes of id, timestamp (seconds since 1970) and body."""
	# In UTC: the library takes the hour that it is given for one of UTC, whatever its time zone.
	moment = datetime.fromtimestamp(timestamp, timezone.utc)
	return standardwebhooks.Webhook(key).sign(message_id, moment, body.decode())


CHANNEL = Webhook()
