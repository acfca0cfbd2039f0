"""What people have said about our messages: recipients in, whether they may be written to out; and how it is written down.

Four places are read, in bulk: Lifecycle Consent (by address and by Contact, so that an opt-out follows a person to a new
address), Frappe's Email Unsubscribe, the Email Groups whose opt-outs a topic honours, and what proves prior consent. What was
said last holds. Written to is Lifecycle Consent alone, and never changed.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import frappe
from frappe.utils import get_system_timezone, now_datetime
from pypika.terms import ValueWrapper

from marketing_automation.engine import links, long_lists, once, secrets, windows
from marketing_automation.engine.channel import channel_for, is_served
from marketing_automation.engine.model import Reason, Recipient
from marketing_automation.engine.names import same

DOCTYPE, TOPIC, TOPIC_GROUP = "Lifecycle Consent", "Lifecycle Topic", "Lifecycle Topic Group"
UNSUBSCRIBE, MEMBER = "Email Unsubscribe", "Email Group Member"
CAMPAIGN = "Lifecycle Campaign"

# Lifecycle Consent.kind
ASKED, GIVEN, WITHDRAWN, PAUSED, LESS_OFTEN = "Asked", "Given", "Withdrawn", "Paused", "Less often"
# Lifecycle Consent.source, by what a caller says.
SOURCES = {
	"one-click": "One click",
	"page": "Preference page",
	"mail": "Mail",
	"complaint": "Complaint",
	"double opt-in": "Double opt-in",
	"hand": "By hand",
}
# Whoever says no by these wants no more of what they hold in their hands: of its topic, and of that campaign, whatever topic it is
# moved to later.
OF_ONE_MAIL = (SOURCES["one-click"], SOURCES["mail"], SOURCES["complaint"])
SERVICE = "Service"
PAUSE_DAYS = 30
# What "less often" means where nothing else is said.
LESS = (1, 30)


class Said(NamedTuple):
	"""One thing that somebody has said, or that is known of them, wherever it is written.

	at: in the site's time zone. about a topic (`topic`), about the mails of a campaign (`campaign`), about all mail of the
	site (`everything`), or, with none of these, about all marketing.
	"""

	kind: str
	at: datetime
	doctype: str
	name: str
	topic: str | None = None
	campaign: str | None = None
	everything: bool = False
	until: datetime | None = None
	messages: int = 0
	days: int = 0

	@property
	def evidence(self) -> tuple[str, str]:
		return self.doctype, self.name


class Refusal(NamedTuple):
	"""Why somebody is not written to now. until: when they may be again; None for never, as far as they have said."""

	reason: str
	evidence: tuple[str, str]
	until: datetime | None = None


class Topic(NamedTuple):
	"""A topic. groups: {Email Group: whether its members have agreed}."""

	name: str
	description: str | None
	is_default: bool
	is_service: bool
	disabled: bool
	consent_field: str | None
	consent_text: str | None
	groups: dict[str, bool]


# -- what holds ----------------------------------------------------------------------------------------------------


def refusal(said: Iterable[Said], topic: str | None, campaign: dict, now: datetime) -> Refusal | None:
	"""Return why somebody who has said this gets nothing of a campaign, or None. Pure.

	topic: the campaign's (`topic_of`). campaign: its `name`, `purpose` and `originals`. "All marketing" is not about campaigns
	of purpose Service; what was said of their topic is. Who has left a campaign has left its copies. Of what was said at the same
	moment the no holds; the hour that comes twice when the clocks go back is one moment, for what is written down does not tell
	the first from the second.
	"""
	said = list(said)
	for one in said:
		if one.everything:
			return Refusal(Reason.UNSUBSCRIBED, one.evidence)
	names = (campaign.get("name"), *campaign.get("originals", ()))
	is_service = campaign.get("purpose") == SERVICE
	about = [
		one
		for one in said
		if (
			any(same(one.campaign, name) for name in names)
			if one.campaign
			else _is_about(one, topic, is_service)
		)
	]
	choices = [one for one in about if one.kind in (GIVEN, WITHDRAWN)]
	last = _last_choice(choices)
	if last and last.kind == WITHDRAWN:
		return Refusal(Reason.UNSUBSCRIBED, last.evidence)
	pause = _last(about, PAUSED)
	if pause and pause.until and pause.until > now:
		return Refusal(Reason.PAUSED, pause.evidence, pause.until)
	return None


def _last_choice(choices: list[Said]) -> Said | None:
	"""Return the last yes or no; of those of one moment a no."""
	if len(choices) < 2:
		return choices[0] if choices else None
	zone = get_system_timezone()
	return max(
		choices,
		key=lambda one: (windows.start_of_twice(one.at, zone), one.kind == WITHDRAWN, one.at, one.name),
	)


def _is_about(one: Said, topic: str | None, is_service: bool) -> bool:
	return same(one.topic, topic) if one.topic else not is_service


def _last(said: Iterable[Said], kind: str) -> Said | None:
	return max((one for one in said if one.kind == kind), key=lambda one: (one.at, one.name), default=None)


def paused_until(said: Iterable[Said], now: datetime) -> datetime | None:
	"""Return until when somebody wants no marketing, or None where that is over. Pure."""
	last = _last((one for one in said if not one.topic), PAUSED)
	return last.until if last and last.until and last.until > now else None


def wish(said: Iterable[Said]) -> tuple[int, int] | None:
	"""Return how many messages in how many days somebody wants at most, or None where they have not said so. Pure."""
	last = _last(said, LESS_OFTEN)
	return (last.messages, last.days) if last and last.messages > 0 and last.days > 0 else None


def default_topic(topics: dict[str, Topic]) -> str | None:
	"""Return the topic of campaigns that have none of their own."""
	return next((name for name, topic in topics.items() if topic.is_default), None)


def topic_of(campaign: dict, topics: dict[str, Topic]) -> str | None:
	"""Return the topic that a campaign belongs to."""
	return campaign.get("topic") or default_topic(topics)


# -- what is known -------------------------------------------------------------------------------------------------


def topics() -> dict[str, Topic]:
	"""Return all topics by name, those that are disabled as well. 1 query."""
	topic, group = frappe.qb.DocType(TOPIC), frappe.qb.DocType(TOPIC_GROUP)
	query = (
		frappe.qb.from_(topic)
		.left_join(group)
		.on((group.parent == topic.name) & (group.parenttype == TOPIC))
		.select(
			*(topic[field] for field in ("name", "description", "is_default", "is_service", "disabled")),
			*(topic[field] for field in ("consent_field", "consent_text")),
			*(group[field] for field in ("email_group", "members_agreed")),
		)
		.orderby(topic.is_service, topic.creation, topic.name, group.idx)
	)
	found: dict[str, Topic] = {}
	for row in query.run(as_dict=True):
		if row.name not in found:
			found[row.name] = Topic(
				row.name,
				row.description,
				bool(row.is_default),
				bool(row.is_service),
				bool(row.disabled),
				row.consent_field,
				row.consent_text,
				{},
			)
		if row.email_group:
			found[row.name].groups[row.email_group] = bool(row.members_agreed)
	return found


class Known:
	"""What people have said, read for all of them at once. At most 3 queries: of Lifecycle Consent, of
	the other places, and of the topics.

	Without anybody to ask about: only the topics. to_us: only what they have said to us, 1 query, and no topics.
	agreed: {address: {Email Group: its member}} of those who are in a group of a topic and have not left it.
	"""

	def __init__(self, recipients: Iterable[Recipient], to_us: bool = False):
		recipients = list(recipients)
		self.topics = {} if to_us else topics()
		self.agreed: dict[str, dict[str, str]] = defaultdict(dict)
		self._addresses = {address for one in recipients if (address := normal(one.address))}
		self._contacts = {one.contact for one in recipients if one.contact}
		self._of_address, self._of_contact = defaultdict(list), defaultdict(list)
		self._read_consents()
		if self._addresses and not to_us:
			self._read_other_places()

	def covers(self, recipients: Iterable[Recipient]) -> bool:
		"""Say whether all that these recipients have said has been read. No query."""
		return all(
			(not one.contact or one.contact in self._contacts)
			and (not one.address or normal(one.address) in self._addresses)
			for one in recipients
		)

	def of(self, recipient: Recipient) -> list[Said]:
		"""Return what a recipient has said, by their address and as the Contact that they are."""
		by_address = self._of_address.get(normal(recipient.address), [])
		by_contact = self._of_contact.get(recipient.contact, []) if recipient.contact else []
		return list(
			{(*one.evidence, one.topic, one.campaign): one for one in (*by_address, *by_contact)}.values()
		)

	def refusal(self, recipient: Recipient, campaign: dict, now: datetime | None = None) -> Refusal | None:
		"""Return why a recipient gets nothing of a campaign, or None. No query."""
		said = self.of(recipient)
		topic = topic_of(campaign, self.topics)
		return refusal(said, topic, campaign, now or now_datetime()) if said else None

	def has_left_all(self, recipient: Recipient) -> bool:
		"""Say whether a recipient wants no marketing at all, or no mail at all. No query."""
		said = self.of(recipient)
		no = refusal(said, None, {}, now_datetime())
		since = next((one.at for one in said if no and one.evidence == no.evidence), None)
		came_back = any(one.kind == GIVEN and one.topic and since and one.at > since for one in said)
		return bool(no) and not no.until and not came_back

	def _read_consents(self) -> None:
		by_key = {key_of(address): address for address in self._addresses}
		table = frappe.qb.DocType(DOCTYPE)
		fields = (
			"name",
			"kind",
			"topic",
			"occurred_at",
			"paused_until",
			"messages",
			"days",
			"campaign",
			"source",
		)
		query = frappe.qb.from_(table).select(
			*[table[field] for field in fields], table.address_key, table.contact
		)
		# Each by its own index, which "or" would not be sure to use.
		queries, given = [], {}
		if by_key:
			queries.append(query.where(long_lists.among(table.address_key, "keys")))
			given["keys"] = by_key
		if self._contacts:
			queries.append(query.where(long_lists.among(table.contact, "contacts")))
			given["contacts"] = self._contacts
		if not queries:
			return
		found = long_lists.run(
			queries[0] if len(queries) == 1 else queries[0] * queries[1], as_dict=True, sparse=True, **given
		)
		rows = {row.name: row for row in found}
		for row in rows.values():
			said = Said(
				row.kind,
				row.occurred_at,
				DOCTYPE,
				row.name,
				topic=row.topic or None,
				until=row.paused_until,
				messages=row.messages or 0,
				days=row.days or 0,
			)
			words = [said]
			if row.kind == WITHDRAWN and row.campaign and row.source in OF_ONE_MAIL:
				words.append(said._replace(topic=None, campaign=row.campaign))
			if address := by_key.get(row.address_key):
				self._of_address[address] += words
			if row.contact:
				self._of_contact[row.contact] += words

	def _read_other_places(self) -> None:
		"""Read Email Unsubscribe, and the members of the topics' Email Groups. 1 query."""
		by_group = defaultdict(list)
		for topic in self.topics.values():
			for group in topic.groups:
				by_group[group].append(topic.name)
		table, member = frappe.qb.DocType(UNSUBSCRIBE), frappe.qb.DocType(MEMBER)
		query = (
			frappe.qb.from_(table)
			.select(ValueWrapper(UNSUBSCRIBE), table.name, table.email, table.creation)
			.select(table.reference_name, table.global_unsubscribe)
			.where(long_lists.among(table.email, "emails"))
			.where((table.global_unsubscribe == 1) | (table.reference_doctype == CAMPAIGN))
		)
		given = {"emails": self._addresses}
		if by_group:
			query = query * (
				frappe.qb.from_(member)
				.select(ValueWrapper(MEMBER), member.name, member.email, member.modified)
				.select(member.email_group, member.unsubscribed)
				.where(long_lists.among(member.email, "emails"))
				.where(long_lists.among(member.email_group, "groups"))
			)
			given["groups"] = by_group
		for place, name, email, at, about, is_out in long_lists.run(query, **given):
			address, name = normal(email), str(name)
			if place == UNSUBSCRIBE:
				said = Said(
					WITHDRAWN,
					at,
					UNSUBSCRIBE,
					name,
					campaign=None if is_out else about,
					everything=bool(is_out),
				)
				self._of_address[address].append(said)
			elif is_out:
				self._of_address[address] += [
					Said(WITHDRAWN, at, MEMBER, name, topic=topic) for topic in by_group[about]
				]
			else:
				self.agreed[address][about] = name


def known_of(recipients: Iterable[Recipient], to_us: bool = False) -> Known:
	"""Return what these recipients have said, as `Known`; within a question of the gate it is read once for all checks."""
	recipients, kept = list(recipients), once.memory()
	known = kept.get(DOCTYPE)
	if known is None or not known.covers(recipients):
		known = Known(recipients, to_us)
		if not to_us:
			kept[DOCTYPE] = known
	return known


def key_of(address: str) -> str:
	"""Return what stands for an address (`normal`) where that was erased: 32 hex digits, nothing to anybody else."""
	return hmac.new(secrets.key(), b"consent" + address.encode(), hashlib.sha256).hexdigest()[:32]


def normal(address: str | None) -> str | None:
	"""Return an address as consents are kept and looked up by it."""
	return (address or "").strip().lower() or None


# -- what others ask -----------------------------------------------------------------------------------------------


def opted_in(recipients: list[Recipient], topics: list[str | None]) -> dict[int, tuple[str, str]]:
	"""Return {index: (DocType, name) of the proof} of the recipients who have agreed to the topic at the same index.

	topics: a topic's name each; None stands for the default topic. The proof is the first that there is of: the consent that
	they gave to that topic and have not withdrawn (Lifecycle Consent; who comes back to all of it lifts a no, and agrees to nothing
	that they had not agreed to), a tick or a date in the topic's field of their Contact (Contact),
	their place in an Email Group whose members have agreed (Email Group Member). Only reads; the queries of `known_of`, and 1 for
	each field of Contact that topics name.
	"""
	known = known_of(recipients)
	default = default_topic(known.topics)
	asked = [
		(index, one, topic or default)
		for index, (one, topic) in enumerate(zip(recipients, topics, strict=True))
	]
	proofs = _proofs_of_contacts(asked, known.topics)
	groups = _proofs_of_groups(asked, known)
	found = {}
	now = now_datetime()
	for index, recipient, topic in asked:
		said = known.of(recipient)
		no = refusal(said, topic, {"name": None}, now)
		if no and not no.until:
			continue
		given = _last((one for one in said if one.topic and same(one.topic, topic)), GIVEN)
		proof = given.evidence if given else proofs.get(index) or groups.get(index)
		if proof:
			found[index] = proof
	return found


def _proofs_of_contacts(asked: list[tuple], known: dict[str, Topic]) -> dict[int, tuple[str, str]]:
	"""Return {index: proof} of those whose Contact says that they agree. 1 query for each field that topics name."""
	by_field = defaultdict(list)
	meta = frappe.get_meta("Contact")
	for index, recipient, topic in asked:
		field = known[topic].consent_field if topic in known else None
		if field and recipient.contact and meta.has_field(field):
			by_field[field].append((index, recipient.contact))
	found = {}
	for field, entries in by_field.items():
		table = frappe.qb.DocType("Contact")
		query = (
			frappe.qb.from_(table)
			.select(table.name, table[field])
			.where(long_lists.among(table.name, "contacts"))
		)
		values = dict(long_lists.run(query, contacts={contact for _index, contact in entries}))
		found |= {index: ("Contact", contact) for index, contact in entries if values.get(contact)}
	return found


def _proofs_of_groups(asked: list[tuple], known: Known) -> dict[int, tuple[str, str]]:
	"""Return {index: proof} of those who are in a group whose members have agreed. No query."""
	found = {}
	for index, recipient, topic in asked:
		groups = known.topics[topic].groups if topic in known.topics else {}
		own = known.agreed.get(normal(recipient.address), {})
		names = [own[group] for group, agreed in groups.items() if agreed and group in own]
		if names:
			found[index] = (MEMBER, names[0])
	return found


def less_often(recipients: Iterable[Recipient]) -> dict[str, tuple[int, int]]:
	"""Return {address in lower case, or name of a Contact: (messages, days)} of those who want fewer messages.

	Whoever has asked for it is found under their address and under their Contact, as far as they have them. For the frequency cap:
	so many marketing messages in so many days at most, over all campaigns. Only reads; at most 1 query, none where a check has asked what they have said.
	"""
	recipients = list(recipients)
	known, found = known_of(recipients, to_us=True), {}
	for recipient in recipients:
		if wanted := wish(known.of(recipient)):
			for name in filter(None, (normal(recipient.address), recipient.contact)):
				found[name] = wanted
	return found


# -- whom a link is about, and what they say -----------------------------------------------------------------------


class Person(NamedTuple):
	"""Whom a link of ours is about. topic: what they leave by one click; consent: the question that the link answers."""

	address: str | None
	contact: str | None = None
	customer: str | None = None
	language: str | None = None
	company: str | None = None
	campaign: str | None = None
	topic: str | None = None
	message: str | None = None
	consent: str | None = None

	@property
	def recipient(self) -> Recipient:
		return Recipient(self.customer, None, self.address, self.language, contact=self.contact)


def person_of(token: str | None) -> Person | None:
	"""Return whom a token is about; None for one that is not ours, or whose message nobody remembers. At most 10 queries."""
	about = links.read(token)
	if not about:
		return None
	if about.kind == links.MESSAGE:
		return _of_message(*about.names)
	if about.kind == links.CONSENT:
		return _of_consent(*about.names)
	campaign, address = about.names
	return _person(normal(address), campaign=campaign)


def _of_message(name: str) -> Person | None:
	row = frappe.db.get_value(
		"Lifecycle Execution Log",
		name,
		["recipient", "customer", "campaign", "company", "channel", "creation"],
		as_dict=True,
	)
	if not row or not row.recipient:
		return None
	contact = _contact_of_message(row)
	return _person(row.recipient, row.customer, row.campaign, row.company, contact, message=name)


def _contact_of_message(row: dict) -> str | None:
	"""Return the Contact whom a message went to, as far as the records of today tell. At most 4 queries.

	The ledger keeps the address. Where several Contacts of the customer have it, it is the one by whom the customer is
	reached; where none has it any more, that one as well, for it has another address by now: but not one that was made since,
	who is somebody else.
	"""
	names = _contacts_of(row.recipient, row.customer)
	if len(names) == 1 or not row.customer:
		return names[0] if len(names) == 1 else None
	reached = channel_for(row.channel).addresses({row.customer}) if is_served(row.channel) else {}
	found = reached.get(row.customer)
	contact = found.contact if found else None
	if not contact or names:
		return contact if contact in names else None
	made = frappe.db.get_value("Contact", contact, "creation")
	return contact if made and made <= row.creation else None


def _of_consent(name: str) -> Person | None:
	row = frappe.db.get_value(DOCTYPE, name, ["address", "contact", "topic", "campaign"], as_dict=True)
	if not row or not row.address:
		return None
	found = _person(row.address, campaign=row.campaign, contact=row.contact)
	return found._replace(topic=row.topic or found.topic, consent=name)


def _person(
	address: str,
	customer: str | None = None,
	campaign: str | None = None,
	company: str | None = None,
	contact: str | None = None,
	message: str | None = None,
) -> Person:
	if not contact and not message:
		names = _contacts_of(address, customer)
		contact = names[0] if len(names) == 1 else None
	customer = customer or (contact and _customer_of(contact))
	language = customer and frappe.db.get_value("Customer", customer, "language")
	of_campaign = campaign and frappe.db.get_value(CAMPAIGN, campaign, ["topic", "company"], as_dict=True)
	return Person(
		address,
		contact,
		customer,
		language or None,
		company or (of_campaign.company if of_campaign else None),
		campaign if of_campaign else None,
		(of_campaign.topic if of_campaign else None) or default_topic(topics()),
		message,
	)


def _customer_of(contact: str) -> str | None:
	"""Return the customer of a Contact; None if there is not just one. 1 query."""
	names = frappe.get_all(
		"Dynamic Link",
		filters={"parenttype": "Contact", "parent": contact, "link_doctype": "Customer"},
		pluck="link_name",
		order_by="idx asc",
	)
	return names[0] if len(names) == 1 else None


def _contacts_of(address: str, customer: str | None) -> list[str]:
	"""Return the Contacts that have an address: of a customer, if they are given. At most 2 queries."""
	names = {
		row.parent
		for row in frappe.get_all(
			"Contact Email",
			filters={"email_id": address, "parenttype": "Contact"},
			fields=["parent"],
			order_by="parent asc",
		)
	}
	if customer and names:
		names = set(
			frappe.get_all(
				"Dynamic Link",
				filters={
					**{"parenttype": "Contact", "parent": ["in", list(names)]},
					**{"link_doctype": "Customer", "link_name": customer},
				},
				pluck="parent",
				order_by="parent asc",
			)
		)
	return sorted(names)


def record(
	kind: str,
	person: Person,
	topic: str | None,
	source: str,
	text: str,
	until: datetime | None = None,
	messages: int = 0,
	days: int = 0,
) -> str:
	"""Write down what somebody has said; return the name of the Lifecycle Consent. The caller commits.

	topic: None for all marketing. source: a key of SOURCES. text: the words that they saw when they said it.
	"""
	doc = frappe.get_doc(
		{
			"doctype": DOCTYPE,
			"kind": kind,
			"topic": topic,
			"occurred_at": now_datetime(),
			"paused_until": until,
			"messages": messages,
			"days": days,
			"address": person.address,
			"address_key": key_of(normal(person.address)) if person.address else None,
			"contact": person.contact,
			"source": SOURCES[source],
			"text": text[:1000],
			"campaign": person.campaign,
			"message": person.message,
			"asked_by": person.consent,
		}
	)
	doc.flags.said = True
	# What it points at may be gone since.
	doc.insert(ignore_permissions=True, ignore_links=True)
	if kind == WITHDRAWN or (kind == PAUSED and until and until > now_datetime()):
		take_back_soon(person)
	elif kind != ASKED:
		ask_again_soon(person)
	return doc.name


def forget(address: str) -> int:
	"""Erase an address, and the words that may hold it, from what was said; return from how many rows. 2 queries.

	The key that stands for it stays, so that an opt-out goes on. The caller commits.
	"""
	names = frappe.get_all(
		DOCTYPE,
		filters={"address_key": key_of(normal(address) or ""), "address": ["is", "set"]},
		pluck="name",
		order_by="name asc",
	)
	if names:
		frappe.db.set_value(
			DOCTYPE, {"name": ["in", names]}, {"address": None, "text": None}, update_modified=False
		)
	return len(names)


def take_back_soon(person: Person) -> None:
	"""Have a job take back what is queued for somebody (engine/leaving.py), when what they said is committed."""
	frappe.enqueue(
		"marketing_automation.engine.leaving.take_back",
		queue="short",
		enqueue_after_commit=True,
		address=person.address,
		contact=person.contact,
	)


def ask_again_soon(person: Person) -> None:
	"""Have a job let go what waits by what somebody had said (engine/waiting.py), when what they say now is committed."""
	frappe.enqueue(
		"marketing_automation.engine.waiting.end_for",
		queue="short",
		enqueue_after_commit=True,
		customer=person.customer,
		address=person.address,
		contact=person.contact,
	)


def withdraw(person: Person, topic: str | None, source: str, text: str) -> bool:
	"""Write down that somebody wants no more under a topic (None: no marketing at all), unless that holds already.

	Return whether it was written. A topic that is not of service is also left by leaving all marketing. The caller commits.
	"""
	known = Known([person.recipient])
	said = known.of(person.recipient)
	if _has_withdrawn(said, topic, known.topics):
		return False
	record(WITHDRAWN, person, topic, source, text)
	return True


def _has_withdrawn(said: list[Said], topic: str | None, known: dict[str, Topic]) -> bool:
	"""Say whether somebody has left a topic, or all marketing, by what we have written down and not by other means."""
	is_service = topic in known and known[topic].is_service
	own = [
		one
		for one in said
		if one.doctype == DOCTYPE
		and not one.campaign
		and one.kind in (GIVEN, WITHDRAWN)
		and (_is_about(one, topic, is_service) if topic else True)
	]
	if topic:
		last = _last_choice(own)
		return bool(last) and last.kind == WITHDRAWN
	# Whoever came back to one topic since has not left all.
	last = _last_choice(own)
	return bool(last) and last.kind == WITHDRAWN and not last.topic


def withdraw_by_token(token: str | None, source: str = "mail", text: str = "") -> bool:
	"""Unsubscribe whoever a link of ours is about from the topic of its mail; return whether the token was good.

	For an unsubscribe that came by mail (`links.token_of_subject` finds the token in its subject) or by one click. Repeats do no harm.
	The caller commits; what is queued for them is then taken back. At most 20 queries.
	"""
	person = person_of(token)
	if not person:
		return False
	withdraw(person, person.topic, source, text)
	return True
