"""What the editor of messages shows: a design as its customer would read it, what is worth mending, tests of it.

Looking writes nothing. The design is the one on the screen, which need not be stored.
"""

import json

import frappe
from frappe import _
from frappe.utils import validate_email_address

from marketing_automation.channels.email import channel as email
from marketing_automation.channels.email import own_frame, prints
from marketing_automation.channels.texts import designed, of_action, templates
from marketing_automation.designs import checks, gallery, store
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import design as designs
from marketing_automation.designs.block import all_blocks
from marketing_automation.desk import sample
from marketing_automation.engine.brand import Brand, brand_of
from marketing_automation.engine.language import in_language, of_the_site
from marketing_automation.engine.source import source_for
from marketing_automation.engine.visibility import Visibility

MOST_COLLEAGUES = 10
MOST_LANGUAGES = 10
# What a design is shown with where there is no customer yet.
DAYS = 7


def palette() -> list[dict]:
	"""Return the kinds of blocks, for the editor: their words and their fields."""
	return [
		{
			"type": key,
			"label": block.label,
			"icon": block.icon,
			"fixed": block.fixed,
			"offered": block.offered,
			"columns": block.most_columns,
			"fields": [field._asdict() for field in block.fields()],
		}
		for key, block in all_blocks().items()
	]


def variables(doc) -> list[dict]:
	"""Return what can be filled in: [{"name", "label", "kind", "example"}]. At most 5 queries."""
	words = store.words_of(doc)
	labels = {}
	action = doc.action or None
	trigger = frappe.db.get_value("Lifecycle Action", action, "trigger") if action else None
	if trigger:
		fields = frappe.get_doc("Lifecycle Trigger", trigger)
		labels = {one.name: one.label for one in source_for(fields).describe(fields)}
	context = templates.for_reader(templates.example_context(1, DAYS, words=words), frappe.local.lang or "en")
	common = {
		"customer_name": _("the customer's name"),
		"company": _("your company"),
		"days_left": _("the days until then"),
		"days_since": _("the days since then"),
		compiler.IN_WORDS: _("when, in words"),
	}
	kinds = {**compiler.kinds_of(words), compiler.IN_WORDS: "text"}
	found = [{"name": name, "label": label, "kind": kinds[name]} for name, label in common.items()]
	found += [
		{"name": name, "label": labels.get(name) or frappe.unscrub(name), "kind": kind}
		for name, kind, _example in words
		if name not in common
	]
	found.append({"name": "items_count", "label": _("how many items there are"), "kind": "number"})
	for one in found:
		if one["name"] == compiler.IN_WORDS:
			one["example"] = templates.days_in_words(DAYS, frappe.local.lang or "en")
		else:
			one["example"] = str(context.get(one["name"], 1))
	return found


def shown(doc, data: str, language: str, reference_name: str | None, visible: Visibility) -> dict:
	"""Return a design as it reads: {"subject", "html", "text", "problems", "customer", "reference_doctype",
	"reference_name", "missing": {language: keys}, "attached"}. html is None where it cannot be made; a problem says why.

	reference_name: what it is about; without it what its action's trigger meets next, or made-up values. At most 30 queries.
	"""
	design, words = store.read(data), store.words_of(doc)
	message = _message(doc, reference_name, language, visible)
	brand = _brand(doc, message)
	made, trouble = None, []
	try:
		made = compiler.compiled(design, language, words)
	except designs.DesignInvalid as e:
		trouble = [checks.Problem(checks.RED, str(e))]
	except compiler.MjmlMissing:
		store.refuse_missing()
	found = {"subject": None, "html": None, "text": None}
	if made:
		try:
			found = _read(made, language, brand, _values(message, words), words)
		except templates.TemplateInvalid as e:
			trouble = [checks.Problem(checks.RED, str(e))]
	trouble += checks.problems(design, language, words, brand, made)
	if made:
		# What stops it is said once, where it stands.
		is_stopped = any(problem.level == checks.RED for problem in trouble)
		trouble += [
			problem
			for problem in _tried(made, brand, words)
			if not (is_stopped and problem.level == checks.RED)
		]
	return {
		**found,
		"problems": [problem.as_dict() for problem in trouble],
		"missing": {code: designs.missing(design, code) for code in design.languages},
		"customer": message.recipient.customer_name if message else None,
		"reference_doctype": sample.reference_doctype_of(doc.action) if doc.action else None,
		"reference_name": message.key.removeprefix("sample-") if message else None,
		"attached": _attached(message, language),
	}


def of_gallery(name: str, company: str | None) -> dict:
	"""Return a design of the gallery as it would read, in the brand of a company, with made-up values: {"html", "language"}.

	It is in the user's language if the design is. At most 5 queries.
	"""
	offered = gallery.named(name)
	own, known = (frappe.local.lang or "en").split("-")[0], gallery.languages(offered)
	language = own if own in known else known[0]
	words = templates.words_of_trigger(frappe._dict(source=offered["source"]))
	try:
		made = compiler.compiled(store.read(offered["design"]), language, words)
	except compiler.MjmlMissing:
		store.refuse_missing()
	values = templates.example_context(1, DAYS, words=words)
	return {"html": _read(made, language, brand_of(company), values, words)["html"], "language": language}


def _attached(message, language: str) -> list[dict]:
	"""Return what the design's action attaches; see `sample.attachments`."""
	return sample.attachments(prints.wanted(message, language)) if message else []


def _message(doc, reference_name: str | None, language: str, visible: Visibility):
	"""Return what the design's action would tell a customer, or None where there is nobody yet."""
	if not doc.action or not frappe.db.exists("Lifecycle Action", doc.action):
		return None
	rule, action = sample.rule_of(doc.action)
	reference_name = reference_name or source_for(rule.trigger).example(rule, visible)
	if not reference_name:
		return None
	return sample.message_about(rule, action, reference_name, visible, language)


def _brand(doc, message) -> Brand:
	company = (message.company or message.campaign.get("company")) if message else None
	return brand_of(company or doc.company)


def _values(message, words: templates.Words) -> dict:
	if message:
		return of_action.values(message)
	return templates.example_context(1, DAYS, words=words)


def _read(made: compiler.Made, language: str, brand: Brand, values: dict, words: templates.Words) -> dict:
	"""Return subject, HTML and text of one mail. Raises TemplateInvalid."""
	html = designed.branded(made.html, brand)
	doc = frappe._dict(name=_("This Message"), subject=made.subject, use_html=1, response_html=html)
	kept = {"written_hash": designed.digest(doc.subject, html), "html": made.html, "text": made.text}
	template = templates.compile_template(doc, words, kept)
	with in_language(language):
		frame = own_frame.make(template.design, brand)
	subject, html, text = templates.fill(
		template, [template.subject, frame.html, frame.text], templates.for_reader(values, language)
	)
	return {"subject": templates.one_line(subject), "html": html, "text": own_frame.tidy(text)}


def _tried(made: compiler.Made, brand: Brand, words: templates.Words) -> list[checks.Problem]:
	"""Return what trying it on examples brings out: texts that are empty for some reader, braces left over."""
	doc = frappe._dict(
		name=_("This Message"),
		subject=made.subject,
		use_html=1,
		response_html=designed.branded(made.html, brand),
	)
	try:
		return [checks.Problem(checks.ORANGE, text) for text in templates.validate(doc, words=words)]
	except templates.TemplateInvalid as e:
		return [checks.Problem(checks.RED, str(e))]


# -- tests ----------------------------------------------------------------------------------------------------------


def send_tests(
	doc,
	data: str,
	languages: list[str],
	addresses: list[str],
	reference_name: str | None,
	visible: Visibility,
) -> list[str]:
	"""Have the design mailed to colleagues in each language, marked as a test; return their addresses. No ledger row."""
	found = colleagues(addresses)
	for language in languages[:MOST_LANGUAGES]:
		mail = shown(doc, data, language, reference_name, visible)
		# Whoever asks sees what is wrong with a print; the job has it made again.
		sample.files_of(mail["attached"])
		if not mail["html"]:
			frappe.throw(
				_("The message in {0} cannot be made yet. Mend what is marked first.").format(language),
				title=_("Cannot Be Sent"),
			)
	frappe.enqueue(
		mail_tests,
		queue="short",
		now=frappe.flags.in_test,
		**{
			"name": doc.name,
			"data": data,
			"languages": languages[:MOST_LANGUAGES],
			"addresses": found,
			"reference_name": reference_name,
			"asked_in": frappe.local.lang,
		},
	)
	return found


def colleagues(addresses: list[str]) -> list[str]:
	"""Return the addresses, each once; throws for one that is no user's of this site, or for too many. 1 query."""
	wanted = list(dict.fromkeys(address.strip().lower() for address in addresses if address.strip()))
	if not wanted or len(wanted) > MOST_COLLEAGUES:
		frappe.throw(
			_("Choose between 1 and {0} colleagues.").format(MOST_COLLEAGUES), title=_("Nobody to Send to")
		)
	known = {
		(email or "").lower()
		for email in frappe.get_all(
			"User",
			filters={"email": ["in", wanted], "enabled": 1, "user_type": "System User"},
			pluck="email",
			order_by="name asc",
		)
	}
	strangers = [address for address in wanted if address not in known or not validate_email_address(address)]
	if strangers:
		frappe.throw(
			_("Tests go to colleagues only. These are no users of this site: {0}.").format(
				frappe.utils.escape_html(", ".join(strangers))
			),
			title=_("Not a Colleague"),
		)
	return wanted


def mail_tests(
	name: str,
	data: str,
	languages: list[str],
	addresses: list[str],
	reference_name: str | None,
	asked_in: str,
) -> None:
	"""Mail the tests, now. The entry point of the job. asked_in: the language of the user."""
	doc, visible = frappe.get_doc(store.DOCTYPE, name), Visibility()
	sender = None
	if doc.action:
		campaign = frappe.db.get_value("Lifecycle Action", doc.action, "campaign")
		sender = frappe.db.get_value("Lifecycle Campaign", campaign, "sender") or None
	for language in languages:
		mail = shown(doc, data, language, reference_name, visible)
		with in_language(asked_in):
			subject = _("[Test] {0}").format(mail["subject"])
		files = sample.files_of(mail["attached"])
		for address in addresses:
			email.send_as_it_is(sender, subject, mail["html"], mail["text"], address, files)


# -- live messages ---------------------------------------------------------------------------------------------------


def live(doc) -> list[str]:
	"""Return the active campaigns that send what a design writes, or will once it is put to use. 1 query."""
	names = [row.email_template for row in doc.templates]
	if not names and not doc.action:
		return []
	action = frappe.qb.DocType("Lifecycle Action")
	translation = frappe.qb.DocType("Lifecycle Action Translation")
	campaign = frappe.qb.DocType("Lifecycle Campaign")
	sends = action.name == (doc.action or "")
	if names:
		sends = sends | action.email_template.isin(names) | translation.email_template.isin(names)
	rows = (
		frappe.qb.from_(action)
		.inner_join(campaign)
		.on(campaign.name == action.campaign)
		.left_join(translation)
		.on(translation.parent == action.name)
		.select(campaign.name)
		.distinct()
		.where((campaign.is_active == 1) & (action.enabled == 1))
		.where(sends)
		.orderby(campaign.name)
	).run()
	return [name for (name,) in rows]


def changes(doc) -> list[str]:
	"""Say what is different in a design from what customers get. 1 query, and 4 where it is for an action."""
	before = frappe.db.get_value(
		store.VERSION, {"message_design": doc.name, "version": doc.version}, "design"
	)
	lines = store.changes(store.read(before), store.parsed(doc)) if before else []
	return lines + _replaced(doc)


def _replaced(doc) -> list[str]:
	"""Say which Email Templates the design's action no longer sends once the design is put to use."""
	if not doc.action or not frappe.db.exists("Lifecycle Action", doc.action):
		return []
	target = frappe.get_doc("Lifecycle Action", doc.action)
	own = {row.language: row.email_template for row in doc.templates}
	# Those that are not written yet have no name.
	coming = {**dict.fromkeys(store.complete(store.parsed(doc))), **own}
	was, will = _sent_by(target), _given(target, coming)
	lines = [
		_("It takes the place of the Email Template {0} ({1}).").format(
			was[language].email_template, language
		)
		for language in was
		if language in coming and was[language].email_template not in own.values()
	]
	if (main := next(iter(will), None)) and main != next(iter(was), main):
		lines.append(_("Customers without a language of their own here get it in {0}.").format(main))
	return lines


def give_to(doc, action: str) -> None:
	"""Have an action send what a design has written: its language's template, and the others as translations.

	What it sends in other languages stays. Other actions that send the design get the languages that they lack.
	"""
	by_language = {row.language: row.email_template for row in doc.templates}
	if not by_language:
		return
	for name in {action: None, **dict.fromkeys(_senders(doc))}:
		target = frappe.get_doc("Lifecycle Action", name)
		was = _sent_by(target)
		# Of another action, nothing that somebody chose for it.
		given = by_language if name == action else {**by_language, **_templates_of(was)}
		_store(target, was, _given(target, given))


def _senders(doc) -> list[str]:
	"""Return the actions whose own template is one that a design writes. 1 query."""
	names = [row.email_template for row in doc.templates]
	return frappe.get_all(
		"Lifecycle Action", {"email_template": ["in", names]}, pluck="name", order_by="name asc"
	)


def _sent_by(action) -> dict[str, dict]:
	"""Return what an action sends by language, {language: {"email_template", "preview_text"}}; its own language first."""
	rows = [action, *action.translations] if action.email_template else action.translations
	found = {}
	for row in rows:
		code = row.language or of_the_site()
		found.setdefault(
			code, frappe._dict(email_template=row.email_template, preview_text=row.preview_text or None)
		)
	return found


def _templates_of(sent: dict[str, dict]) -> dict[str, str]:
	return {language: row.email_template for language, row in sent.items()}


def _given(action, by_language: dict[str, str]) -> dict[str, dict]:
	"""Return what an action sends once it has these Email Templates too, in the shape of `_sent_by`."""
	was = _sent_by(action)
	if not by_language:
		return was
	language = action.language or of_the_site()
	main = language if language in by_language else next(iter(by_language))
	order = dict.fromkeys([main, *was, *by_language])
	return {
		code: frappe._dict(
			email_template=by_language[code] if code in by_language else was[code].email_template,
			preview_text=was[code].preview_text if code in was else None,
		)
		for code in order
	}


def _store(action, was: dict[str, dict], will: dict[str, dict]) -> None:
	"""Save an action with what it sends, if that is something else than before."""
	if list(was.items()) == list(will.items()):
		return
	(main, of_main), *others = will.items()
	action.update({"language": main, **of_main})
	action.set("translations", [{"language": language, **row} for language, row in others])
	action.save()


def as_sent(row) -> dict | None:
	"""Return a message of the ledger as its design was when it was sent: {"version", "subject", "html", "text"}, with the
	tags filled in from what is known today; None where it was not designed. At most 30 queries."""
	rule, action = sample.rule_of(row.action)
	message = sample.message_about(rule, action, row.reference_name, Visibility())
	name = templates.template_for(action, message.recipient.language)
	found = store.as_it_was(name, row.executed_at or row.creation)
	if not found:
		return None
	words = templates.words_of_trigger(rule.trigger)
	language = templates.language_of(action, message.recipient.language)
	values = templates.for_reader(of_action.values(message), language)
	doc = frappe._dict(name=name, subject=found["subject"], use_html=1, response_html=found["html"])
	template = templates.compile_template(doc, words)
	subject, html = templates.fill(template, [template.subject, template.body], values)
	return {"version": found["version"], "made_at": found["made_at"], "subject": subject, "html": html}


def parse(value: str | list | None) -> list[str]:
	"""Return a list of texts that came with a request."""
	found = json.loads(value) if isinstance(value, str) else value or []
	if not isinstance(found, list):
		frappe.throw(_("A list is needed here."))
	return [str(one) for one in found]
