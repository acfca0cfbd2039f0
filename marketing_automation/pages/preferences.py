"""The page on which customers say what they want of us: a request with a link of ours in, the page out. For everybody.

GET and HEAD change nothing: whatever follows links may follow this one. A POST says something: one click of a mailbox's own button
(RFC 8058), or a form of the page. It needs no cookie and no login. What the token does not name is not looked up, and a
token that is not ours gets the same page whoever may exist.
"""

import functools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import frappe
from frappe import _
from frappe.utils import add_days, cint, format_date, format_datetime, now_datetime
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.wrappers import Response

from marketing_automation import compat
from marketing_automation.engine import brand, consent, ledger, links, profiles, settings
from marketing_automation.engine.consent import Known, Person
from marketing_automation.engine.language import in_language, of_the_site, written
from marketing_automation.engine.model import Basis, Recipient
from marketing_automation.engine.transaction import committed

ONE_CLICK_FIELD, ONE_CLICK = "List-Unsubscribe", "One-Click"
# So many tokens that are not ours may one address of the internet try in so many seconds.
MOST_INVALID, SECONDS = 60, 3600
SHOWN = 20
# What "less often" can mean: messages, days. None: as often as there is something.
WISHES = {"week": (1, 7), "month": (1, 30), "quarter": (1, 90)}
HEADERS = {
	"Cache-Control": "no-store, private",
	"Content-Security-Policy": (
		"default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: data:; form-action 'self'; "
		"frame-ancestors 'none'; base-uri 'none'"
	),
	"Content-Type": "text/html; charset=utf-8",
	"Referrer-Policy": "no-referrer",
	"X-Content-Type-Options": "nosniff",
	"X-Robots-Tag": "noindex, nofollow",
}
# Read from the right.
RTL = ("ar", "fa", "he", "ur", "ps")


class PreferencePage:
	"""A renderer of Frappe's website (hook `page_renderer`)."""

	def __init__(self, path: str, http_status_code: int | None = None):
		self.path = (path or "").strip("/ ")

	def can_render(self) -> bool:
		return self.path == links.PAGE

	def render(self) -> Response:
		"""Return the answer to the request. Changes nothing but for a POST with a token of ours."""
		return respond(frappe.request)


def respond(request) -> Response:
	"""Answer a request for the page: 200, 404 for a token that is not ours, 429 where too many of these have come."""
	token = request.args.get("t") or ""
	person = consent.person_of(token)
	if not person:
		too_many = _count_invalid()
		page = _page("unknown.html", brand=brand.brand_of(None), language=_language(None, request))
		return Response(page, status=429 if too_many else 404, headers=HEADERS)
	with in_language(_language(person.language, request)):
		said = committed(_say, person, request.form) if request.method == "POST" else None
		context = _context(person, token, said)
		return Response(_page("preferences.html", **context), headers=HEADERS)


def _count_invalid() -> bool:
	"""Count a token that is not ours; return whether too many of them have come from there."""
	name = f"lifecycle_invalid_links:{compat.request_ip()}"
	cache = frappe.cache()
	count = (cache.get_value(name, expires=True) or 0) + 1
	# Each of them begins the time anew: who tries goes on waiting.
	cache.set_value(name, min(count, MOST_INVALID + 1), expires_in_sec=SECONDS)
	return count > MOST_INVALID


def _language(code: str | None, request) -> str:
	"""Return the language of the page: the customer's where we have words in it, else the browser's, else the site's."""
	have = written()
	for one in (code, *request.accept_languages.values(), of_the_site()):
		for known in (one, (one or "").replace("_", "-").partition("-")[0]):
			if known in have:
				return known
	return "en"


# -- what is said --------------------------------------------------------------------------------------------------


def _say(person: Person, form) -> str | None:
	"""Write down what a form says; return in words what holds now, or None where it says nothing. The caller commits."""
	if form.get(ONE_CLICK_FIELD) == ONE_CLICK:
		consent.withdraw(person, person.topic, "one-click", f"{ONE_CLICK_FIELD}: {ONE_CLICK}")
		return _("You get no more of these messages.")
	action = ACTIONS.get(form.get("do") or "")
	return action(person, form) if action else None


def _choose(person: Person, form) -> str:
	"""The topics that are ticked are wanted, the others of the form are not. What holds already is not written once more.

	A topic that was made after the page was opened was not on it: nobody has said anything of that one. One that nobody has
	agreed to stands unticked where the law asks for that: left so it is no "no", unless the mail that led here is one of these.
	"""
	wanted = set(form.getlist("topic"))
	# A page of before it named them showed all that there were.
	shown = set(form.getlist("shown"))
	recipient, now = person.recipient, now_datetime()
	known = Known([recipient])
	topics = [topic for topic in _shown(known) if not shown or topic.name in shown]
	on = _on(known, person, topics, now)
	for topic in topics:
		is_on = topic.name in on
		stays_out = _is_out(known, recipient, topic, now) or topic.name != person.topic
		if topic.name in wanted and not is_on:
			consent.record(consent.GIVEN, person, topic.name, "page", _text_of(topic))
		elif topic.name not in wanted and (is_on or not stays_out):
			consent.record(consent.WITHDRAWN, person, topic.name, "page", _text_of(topic))
	return _("Saved.")


def _leave_all(person: Person, _form) -> str:
	consent.withdraw(person, None, "page", _("No marketing at all"))
	return _("You get no more marketing from us.")


def _come_back(person: Person, _form) -> str:
	recipient = person.recipient
	known, now = Known([recipient]), now_datetime()
	if any(_is_out(known, recipient, topic, now) for topic in _shown(known)) or known.has_left_all(recipient):
		consent.record(consent.GIVEN, person, None, "page", _("Come back"))
		for topic in _shown(known):
			if topic.is_service and _is_out(known, recipient, topic, now):
				consent.record(consent.GIVEN, person, topic.name, "page", _text_of(topic))
	if consent.paused_until(known.of(recipient), now):
		consent.record(consent.PAUSED, person, None, "page", _("Come back"), until=now)
	return _("Welcome back.")


def _pause(person: Person, _form) -> str:
	now = now_datetime()
	until = consent.paused_until(Known([person.recipient]).of(person.recipient), now)
	# Pressed twice it is one pause.
	if not until or until < now + timedelta(days=consent.PAUSE_DAYS - 1):
		text = _("Pause for {0} days").format(consent.PAUSE_DAYS)
		until = add_days(now, consent.PAUSE_DAYS)
		consent.record(consent.PAUSED, person, None, "page", text, until=until)
	return _("You get no marketing from us until {0}.").format(format_date(until))


def _end_pause(person: Person, _form) -> str:
	now = now_datetime()
	if consent.paused_until(Known([person.recipient]).of(person.recipient), now):
		consent.record(consent.PAUSED, person, None, "page", _("End the pause"), until=now)
	return _("The pause is over.")


def _less_often(person: Person, form) -> str | None:
	chosen = form.get("often") or ""
	if chosen not in ("", *WISHES):
		return None
	now_wanted = consent.wish(Known([person.recipient]).of(person.recipient))
	wanted = WISHES.get(chosen)
	if wanted != now_wanted:
		messages, days = wanted or (0, 0)
		text = _label_of_wish(chosen)
		consent.record(consent.LESS_OFTEN, person, None, "page", text, messages=messages, days=days)
	return _("Saved.")


def _confirm(person: Person, _form) -> str | None:
	"""The answer to a question of ours is yes (double opt-in)."""
	if not person.consent:
		return None
	known, recipient = Known([person.recipient]), person.recipient
	topic = known.topics.get(person.topic)
	last = [
		one
		for one in known.of(recipient)
		if one.topic == person.topic and one.kind in (consent.GIVEN, consent.WITHDRAWN)
	]
	is_given = last and max(last, key=lambda one: one.at).kind == consent.GIVEN
	# A yes of before they left all marketing holds no more.
	if topic and (not is_given or _is_out(known, recipient, topic, now_datetime())):
		text = topic.consent_text or _text_of(topic)
		consent.record(consent.GIVEN, person, topic.name, "double opt-in", text)
	return _("Thank you. You get these messages from now on.")


ACTIONS: dict[str, Callable] = {
	"choose": _choose,
	"all": _leave_all,
	"back": _come_back,
	"pause": _pause,
	"resume": _end_pause,
	"often": _less_often,
	"confirm": _confirm,
}


def _text_of(topic: consent.Topic) -> str:
	return ": ".join(_(text) for text in (topic.name, topic.description) if text)


def _label_of_wish(key: str) -> str:
	return {
		"": _("As often as there is something"),
		"week": _("At most one a week"),
		"month": _("At most one a month"),
		"quarter": _("At most one in three months"),
	}[key]


# -- what is shown -------------------------------------------------------------------------------------------------


def _shown(known: Known) -> list[consent.Topic]:
	"""Return the topics that one can choose."""
	return [topic for topic in known.topics.values() if not topic.disabled]


def _is_out(known: Known, recipient: Recipient, topic: consent.Topic, now) -> bool:
	"""Say whether somebody gets nothing under a topic, a pause aside. No query."""
	campaign = {"topic": topic.name, "purpose": consent.SERVICE if topic.is_service else None}
	no = known.refusal(recipient, campaign, now)
	return bool(no) and not no.until


def _on(known: Known, person: Person, topics: list[consent.Topic], now) -> set[str]:
	"""Return the names of those topics that stand ticked: what somebody gets, a pause aside.

	Where no sale stands for consent, what is marketing is only what they have agreed to. Queries: 1 of the settings, those of
	`profiles.profiles`, and those of `consent.opted_in` where the law asks for consent.
	"""
	recipient = person.recipient
	on = [topic for topic in topics if not _is_out(known, recipient, topic, now)]
	stored = settings.values("addresses_lawful", "basis_needed")
	if not cint(stored["basis_needed"]):
		return {topic.name for topic in on}
	(profile,) = profiles.profiles([(person.customer, person.company)])
	if cint(stored["addresses_lawful"]) and profile.existing_customer != profiles.NO_SALE:
		return {topic.name for topic in on}
	agreed = consent.opted_in([recipient] * len(on), [topic.name for topic in on])
	return {topic.name for index, topic in enumerate(on) if topic.is_service or index in agreed}


def _context(person: Person, token: str, said: str | None) -> dict:
	"""Return what the page's template shows. A fixed number of queries."""
	recipient, now = person.recipient, now_datetime()
	known = Known([recipient])
	history = known.of(recipient)
	shown = _shown(known)
	on = _on(known, person, shown, now)
	topics = [
		{
			"name": topic.name,
			"label": _(topic.name),
			"description": _(topic.description) if topic.description else None,
			"is_on": topic.name in on,
			"is_this": topic.name == person.topic,
			"is_service": topic.is_service,
		}
		for topic in shown
	]
	question = known.topics.get(person.topic) if person.consent else None
	wanted = consent.wish(history)
	wish = next((key for key, value in WISHES.items() if value == wanted), "")
	until = consent.paused_until(history, now)
	return {
		"brand": brand.brand_of(person.company),
		"language": frappe.local.lang,
		"token": token,
		"said": said,
		"address": _masked(person.address),
		"topics": topics,
		"question": question
		and {"label": _(question.name), "text": question.consent_text or _(question.description or "")},
		"is_agreed": bool(question)
		and any(one.kind == consent.GIVEN and one.topic == question.name for one in history)
		and not _is_out(known, recipient, question, now),
		"wishes": [(key, _label_of_wish(key), key == wish) for key in ("", *WISHES)],
		"paused_until": until and format_date(until),
		"pause_days": consent.PAUSE_DAYS,
		"has_left_all": known.has_left_all(recipient),
		# What only the shop can lift.
		"is_blocked": any(one.everything for one in history) or _is_barred(person.contact),
		"rights": _rights(person),
		"history": _in_words(person, history),
		# Whoever is logged in here, such as the shop's own people, has to say that it is they.
		"csrf_token": compat.csrf_token(),
	}


def _is_barred(contact: str | None) -> bool:
	"""Say whether the shop has written down that a Contact wants no mail. 1 query."""
	return bool(contact and frappe.db.get_value("Contact", contact, "unsubscribed"))


def _rights(person: Person) -> list[str]:
	"""Return in words what we have sent to somebody and by what right. 1 query, along the index on customers."""
	if not person.customer:
		return []
	rows = frappe.get_all(
		ledger.DOCTYPE,
		filters={"customer": person.customer, "recipient": person.address, "status": "Completed"},
		fields=["basis", "executed_at", "due_on"],
		order_by="name asc",
	)
	counted = {}
	for row in rows:
		count, first, _last = counted.get(row.basis or "", (0, None, None))
		on = row.executed_at or row.due_on
		counted[row.basis or ""] = (count + 1, first or on, on)
	because = {
		Basis.EXISTING_CUSTOMER: _("because you have bought from us"),
		Basis.OPT_IN: _("because you agreed to it"),
		Basis.SERVICE: _("because it is about something that you have"),
	}
	texts = []
	for basis, (count, first, last) in counted.items():
		first, last = format_date(first), format_date(last)
		if count == 1:
			text = _("1 message on {0}").format(first)
		elif first == last:
			text = _("{0} messages on {1}").format(count, first)
		else:
			text = _("{0} messages from {1} to {2}").format(count, first, last)
		texts.append(f"{text}, {because[basis]}" if basis in because else text)
	return texts


def _in_words(person: Person, history: list[consent.Said]) -> list[str]:
	"""Return what somebody has said, the latest first. No query."""
	words = {
		consent.ASKED: _("We asked you"),
		consent.GIVEN: _("You said yes"),
		consent.WITHDRAWN: _("You said no"),
		consent.PAUSED: _("You asked for a pause"),
		consent.LESS_OFTEN: _("You asked for fewer messages"),
	}
	latest = sorted(history, key=lambda one: (one.at, one.name), reverse=True)[:SHOWN]
	return [
		f"{format_datetime(one.at)} · {words[one.kind]} · {_(one.topic) if one.topic else _('All marketing')}"
		for one in latest
		if not one.campaign and not one.everything
	]


def _masked(address: str | None) -> str:
	"""Return an address so that its owner knows it: links are forwarded with their mails.

	>>> _masked("ana.perez@customers.example")
	'a…z@customers.example'
	"""
	name, at, domain = (address or "").rpartition("@")
	return f"{name[:1]}…{name[-1:] if len(name) > 2 else ''}{at}{domain}"


@functools.cache
def _templates() -> Environment:
	"""Return where our pages' templates are: everything in them is escaped, and nothing of Frappe's is at hand."""
	return Environment(
		loader=FileSystemLoader(Path(__file__).parent),
		autoescape=True,
		undefined=StrictUndefined,
		trim_blocks=True,
		lstrip_blocks=True,
	)


def _page(name: str, **context) -> str:
	language = context["language"]
	with in_language(language):
		return (
			_templates()
			.get_template(name)
			.render(**context, _=_, direction="rtl" if language.partition("-")[0] in RTL else "ltr")
		)
