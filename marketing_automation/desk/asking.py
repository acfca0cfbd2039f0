"""Asking a contact whether they want to hear from us (double opt-in), and writing down what they have said elsewhere.

The mail holds a link of ours to the preference page, whose button says yes. A mail that is only opened says nothing.
"""

import frappe
from frappe import _
from frappe.utils import add_days, escape_html, now_datetime

from marketing_automation.engine import brand, consent, identity, links, suppression
from marketing_automation.engine.consent import Known, Person, Topic
from marketing_automation.engine.language import in_language, of_the_site, written

# Asked again earlier than after so many days, it would be a mail that nobody wanted.
ASK_AGAIN_AFTER = 30


def topics() -> list[dict]:
	"""Return the topics that somebody can agree to: [{"value", "label"}]. 2 queries."""
	return [
		{"value": one.name, "label": _(one.name)} for one in consent.topics().values() if not one.disabled
	]


def ask(contact, topic: str) -> str:
	"""Send a contact (document) the question whether they want a topic; return the address. A few queries.

	Throws where nobody can be asked, where they have unsubscribed, and where they were asked or have agreed already.
	"""
	if identity.is_copy():
		frappe.throw(identity.explanation(), title=_("Nothing Is Sent"))
	address = links.base_address()
	if not address:
		frappe.throw(
			_(
				"Nobody has said at which address customers reach this site, so the button in the mail would lead nowhere. Fill in the Public Address, or host_name in the site's configuration."
			),
			title=_("No Public Address"),
		)
	person, found, known = _person(contact), _topic(topic), None
	if not person.address:
		frappe.throw(
			_("{0} has no e-mail address.").format(frappe.bold(escape_html(contact.name))),
			title=_("No Address"),
		)
	if suppression.suppressed({person.address}, now_datetime()):
		frappe.throw(
			_("{0} is on the suppression list, so no mail goes there.").format(
				frappe.bold(escape_html(person.address))
			),
			title=_("Suppressed Address"),
		)
	known = Known([person.recipient])
	said = [one for one in known.of(person.recipient) if one.topic == found.name or not one.topic]
	no = consent.refusal(said, found.name, {}, now_datetime())
	if contact.unsubscribed or (no and not no.until):
		frappe.throw(
			_(
				"{0} has unsubscribed, so nobody asks them by mail. They can come back by the link in any mail that they have had."
			).format(frappe.bold(escape_html(contact.name))),
			title=_("Unsubscribed", context="Lifecycle"),
		)
	if any(one.kind == consent.GIVEN and one.topic == found.name for one in said):
		frappe.throw(_("They have agreed to this already."), title=_("Nothing to Ask"))
	since = add_days(now_datetime(), -ASK_AGAIN_AFTER)
	if any(one.kind == consent.ASKED and one.topic == found.name and one.at > since for one in said):
		frappe.throw(
			_("They were asked less than {0} days ago.").format(ASK_AGAIN_AFTER), title=_("Nothing to Ask")
		)
	with in_language(_language(contact)):
		name = consent.record(
			consent.ASKED, person, found.name, "double opt-in", found.consent_text or _(found.name)
		)
		_send(person.address, found, links.page(links.token(links.CONSENT, name), address))
	return person.address


def _send(address: str, topic: Topic, page: str) -> None:
	shop = brand.brand_of(None).title
	texts = (
		_("{0} would like to know whether you want to get these messages: {1}.").format(shop, _(topic.name)),
		topic.consent_text or _(topic.description or ""),
		_("If not, you need not do anything."),
	)
	body = "".join(f"<p>{escape_html(text)}</p>" for text in texts if text)
	button = f'<p><a class="btn btn-primary" href="{page}">{escape_html(_("Say yes"))}</a></p>'
	frappe.sendmail(
		recipients=[address],
		subject=_("Do you want to hear from {0}?").format(shop),
		message=body + button,
	)


def write_down(contact, topic: str | None, agrees: bool, text: str) -> None:
	"""Write down what a contact (document) has said on paper or by telephone; text: what, when and where. A few queries.

	topic: None for all marketing, which one can only leave like this: what somebody agrees to has a topic.
	"""
	if not (text or "").strip():
		frappe.throw(
			_("Write down what they said, when and where. Without that it proves nothing."),
			title=_("Words Missing"),
		)
	if agrees and not topic:
		frappe.throw(_("Choose what they have agreed to."), title=_("Topic Missing"))
	found = _topic(topic) if topic else None
	consent.record(
		consent.GIVEN if agrees else consent.WITHDRAWN,
		_person(contact),
		found and found.name,
		"hand",
		text.strip(),
	)


def _person(contact) -> Person:
	primary = sorted(contact.email_ids, key=lambda row: (not row.is_primary, row.idx))
	address = primary[0].email_id if primary else contact.email_id
	return Person(consent.normal(address), contact.name)


def _topic(name: str) -> Topic:
	found = consent.topics().get(name)
	if not found or found.disabled:
		frappe.throw(
			_("There is no topic {0}. Choose one of the list.").format(frappe.bold(escape_html(name))),
			title=_("No Such Topic"),
		)
	return found


def _language(contact) -> str:
	"""Return the language of the contact's customer where we have words in it, else the site's. At most 2 queries."""
	customers = [row.link_name for row in contact.links if row.link_doctype == "Customer"]
	language = customers and frappe.db.get_value("Customer", customers[0], "language")
	short = (language or "").partition("-")[0]
	return short if short in written() else of_the_site()
