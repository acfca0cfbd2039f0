"""Designs and the Email Templates that they write: what is kept, put to use, and looked at again later.

An Email Template that a design has written is an ordinary one: it can be changed by hand. The design knows by a hash, and
then writes over it only if it is told to; what stood there is kept in the version before.
"""

import json

import frappe
from frappe import _
from frappe.utils import cstr, now_datetime

from marketing_automation import template_rights
from marketing_automation.channels.texts import designed, templates
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import design as designs
from marketing_automation.designs.block import all_blocks
from marketing_automation.engine.brand import brand_of
from marketing_automation.engine.rules import TRIGGER_FIELDS
from marketing_automation.naming import free_name

DOCTYPE, VERSION, TABLE = "Lifecycle Message Design", "Lifecycle Design Version", designed.TABLE
# Only putting it to use changes them.
WRITTEN = ("version", "published_at", "published_by", "templates", "is_changed", "action", "gallery")


class ChangedByHand(frappe.ValidationError):
	"""Email Templates were changed by hand since a design wrote them. templates: their names."""

	http_status_code = 409

	def __init__(self, names: list[str]):
		self.templates = names
		super().__init__(_("Changed by hand since this design wrote them: {0}.").format(", ".join(names)))


# -- what is kept -------------------------------------------------------------------------------------------------


def parsed(doc) -> designs.Design:
	"""Return the design of a Lifecycle Message Design; throws where it cannot be read."""
	return read(doc.design or "{}")


def read(data: str | dict) -> designs.Design:
	"""Return a design from what is stored or sent; throws, in words, where it is none."""
	try:
		if isinstance(data, str) and len(data) > designs.MOST_CHARACTERS:
			raise designs.DesignInvalid(
				_("The design has more than {0} characters.").format(designs.MOST_CHARACTERS)
			)
		return designs.read(data, all_blocks())
	except designs.DesignInvalid as e:
		refuse(e)


def refuse(error: Exception) -> None:
	"""Throw what is wrong with a design."""
	frappe.throw(
		frappe.utils.escape_html(str(error)), frappe.ValidationError, title=_("Design Cannot Be Used")
	)


def refuse_missing() -> None:
	"""Throw where this server cannot compile designs."""
	if not compiler.is_able():
		frappe.throw(what_is_missing(), title=_("Editor Not Installed"))


def what_is_missing() -> str:
	"""Say what a server needs that cannot compile designs."""
	return _(
		"The editor needs the package mjml-python, which is not installed. Ask your administrator to run bench setup requirements. Until then Email Templates go on as they are."
	)


def check(doc) -> None:
	"""Have a document's design be one that can be read, and know whether it is in use as it stands. At most 1 query."""
	doc.design = compiler.as_json(parsed(doc))
	if not doc.flags.by_design:
		published = frappe.db.get_value(
			VERSION, {"message_design": doc.name, "version": doc.version}, "design"
		)
		doc.is_changed = int(published is not None and published != doc.design)


def keep_what_was_written(doc) -> None:
	"""Undo what a save by hand would change of what only putting it to use may change."""
	before = doc.get_doc_before_save()
	if not before:
		doc.update(
			{"version": 0, "published_at": None, "published_by": None, "templates": [], "is_changed": 0}
		)
		return
	for field in WRITTEN:
		doc.set(field, before.get(field))


def words_of(doc) -> templates.Words:
	"""Return the variables that a design has: those of the action that it is for, or of one that sends it. 2 queries."""
	action = doc.action or _action_of([row.email_template for row in doc.templates])
	return words_of_action(action)


def words_of_action(action: str | None) -> templates.Words:
	trigger = frappe.db.get_value("Lifecycle Action", action, "trigger") if action else None
	fields = trigger and frappe.db.get_value("Lifecycle Trigger", trigger, TRIGGER_FIELDS, as_dict=True)
	return templates.words_of_trigger(fields) if fields else templates.PINS


def _action_of(names: list[str]) -> str | None:
	if not names:
		return None
	return frappe.db.get_value("Lifecycle Action", {"email_template": ["in", names]}, "name")


def design_of(template: str) -> str | None:
	"""Return the Lifecycle Message Design that has written an Email Template. 1 query."""
	return frappe.db.get_value(TABLE, {"email_template": template, "parenttype": DOCTYPE}, "parent")


# -- putting it to use --------------------------------------------------------------------------------------------


def changed_by_hand(doc) -> list[str]:
	"""Return the Email Templates of a design that are no longer as it wrote them. 1 query."""
	stored = {row.name: row for row in templates.documents({row.email_template for row in doc.templates})}
	return [
		row.email_template
		for row in doc.templates
		if row.written_hash
		and row.email_template in stored
		and row.written_hash != digest_of(stored[row.email_template])
	]


def digest_of(stored) -> str:
	"""Return the hash of an Email Template; one that is not sent as HTML is none that a design wrote."""
	return designed.digest(stored.subject, stored.response_html if stored.use_html else stored.response)


def make(doc, language: str, words: templates.Words | None = None) -> compiler.Made:
	"""Return the mail of a document's design in a language; throws where it cannot be made."""
	refuse_missing()
	try:
		return compiler.compiled(parsed(doc), language, words or words_of(doc))
	except designs.DesignInvalid as e:
		refuse(e)


def refuse_stale(doc, modified: str) -> None:
	"""Throw where a design was stored after the moment at which its user has read it. modified: that of the document then."""
	if cstr(doc.modified) != modified:
		frappe.throw(
			_(
				"Somebody else has saved this design since you opened it. Open it again to see what is in it now."
			),
			frappe.TimestampMismatchError,
			title=_("Changed Meanwhile"),
		)


def complete(design: designs.Design) -> list[str]:
	"""Return the languages that have all their texts: those that putting a design to use writes."""
	return [code for code in design.languages if not designs.missing(design, code)]


def publish(
	doc,
	overwrite: list[str] | None = None,
	origin: str = template_rights.MARKETER,
	words: templates.Words | None = None,
) -> dict:
	"""Write a design's mails into its Email Templates, and keep the version. The session's user needs the right to each.

	Languages with texts missing are left as they are. overwrite: Email Templates that may be written over although they
	were changed by hand; raises ChangedByHand for others. words: of what it is about, where no action says it yet. Returns {"written": [languages], "missing": {language: how many}}.
	"""
	design, words = parsed(doc), words or words_of(doc)
	ready = complete(design)
	lacking = {code: designs.missing(design, code) for code in design.languages if code not in ready}
	if not ready:
		frappe.throw(
			_("No language has all its texts yet. Write those that are marked."), title=_("Texts Missing")
		)
	made = {code: make(doc, code, words) for code in ready}
	rows = {row.language: row for row in doc.templates}
	changed = set(changed_by_hand(doc)) & {rows[code].email_template for code in ready if code in rows}
	if refused := sorted(changed - set(overwrite or [])):
		raise ChangedByHand(refused)
	kept = {
		row.name: {"subject": row.subject, "html": row.response_html if row.use_html else row.response}
		for row in templates.documents(changed)
	}
	brand, written = brand_of(doc.company), {}
	for code in ready:
		row = rows.get(code) or doc.append("templates", {"language": code})
		html = designed.branded(made[code].html, brand)
		row.email_template = _write(doc, row.email_template, code, made[code].subject, html, origin)
		(stored,) = templates.documents({row.email_template})
		row.update(
			{
				"html": made[code].html,
				"text": made[code].text,
				"written_hash": digest_of(stored),
				"written_at": now_datetime(),
			}
		)
		written[code] = {
			"template": row.email_template,
			"subject": made[code].subject,
			"html": html,
			"text": designed.branded_text(made[code].text, brand),
		}
	_keep_version(doc, design, written, kept)
	return {"written": ready, "missing": {code: len(missing) for code, missing in lacking.items()}}


def _write(doc, name: str | None, language: str, subject: str, html: str, origin: str) -> str:
	"""Write an Email Template, or a new one; return its name."""
	fields = {"subject": subject, "use_html": 1, "response_html": html}
	if name and frappe.db.exists("Email Template", name):
		template = frappe.get_doc("Email Template", name)
		template.update(fields)
		template.save()
		return template.name
	template = frappe.new_doc("Email Template")
	template.update(fields)
	template.name = free_name("Email Template", doc.design_name, f" ({language})")
	template.insert(set_name=template.name)
	template_rights.register(template.name, origin)
	return template.name


def _keep_version(doc, design: designs.Design, written: dict, kept: dict) -> None:
	"""Save the document, with a row of what it is from now on."""
	before = frappe.db.get_value(
		VERSION, {"message_design": doc.name, "version": doc.version}, "design", for_update=True
	)
	doc.version = (doc.version or 0) + 1
	doc.update({"published_at": now_datetime(), "published_by": frappe.session.user, "is_changed": 0})
	doc.flags.by_design = True
	doc.save()
	doc.flags.by_design = False
	lines = changes(read(before), design) if before else []
	version = frappe.new_doc(VERSION)
	version.update(
		{
			"message_design": doc.name,
			"version": doc.version,
			"made_at": doc.published_at,
			"made_by": doc.published_by,
			"changes": "\n".join(lines)[:2000],
			"design": doc.design,
			"written": json.dumps({"written": written, "by_hand": kept}, ensure_ascii=False),
		}
	)
	version.flags.by_design = True
	version.insert(ignore_permissions=True)


def changes(before: designs.Design, after: designs.Design) -> list[str]:
	"""Say what is different in a design, a line each: blocks added, taken out, moved or changed, and texts."""
	old, new = ({node.id: node for node in one.nodes()} for one in (before, after))
	lines = [_("Added: {0}").format(node.block.label) for name, node in new.items() if name not in old]
	lines += [_("Taken out: {0}").format(node.block.label) for name, node in old.items() if name not in new]
	common = [name for name in new if name in old]
	if common != [name for name in old if name in new]:
		lines.append(_("Blocks are in another order."))
	for name in common:
		if (new[name].values, new[name].only) != (old[name].values, old[name].only):
			lines.append(_("Changed: {0}").format(new[name].block.label))
	labels = {key: field.label for key, field, _node in designs.text_fields(after.blocks)}
	for language, texts in after.texts.items():
		for key, text in texts.items():
			was = before.texts.get(language, {}).get(key, "")
			if was and was != text:
				lines.append(f"{language}, {labels.get(key, key)}: “{_short(was)}” → “{_short(text)}”")
		if language not in before.texts:
			lines.append(_("A new language: {0}").format(language))
	lines += [_("A language taken out: {0}").format(code) for code in before.texts if code not in after.texts]
	return lines


def _short(text: str) -> str:
	line = " ".join(text.split())
	return line if len(line) <= 80 else f"{line[:78]}…"


# -- what there was -----------------------------------------------------------------------------------------------


def versions(name: str) -> list[dict]:
	"""Return the versions of a design, the newest first, without what they hold. 1 query."""
	return frappe.get_all(
		VERSION,
		filters={"message_design": name},
		fields=["name", "version", "made_at", "made_by", "changes"],
		order_by="version desc",
	)


def as_it_was(template: str, at) -> dict | None:
	"""Return what an Email Template said at a moment: {"version", "subject", "html", "text"}; None before its design.

	2 queries.
	"""
	design = design_of(template)
	row = design and frappe.get_all(
		VERSION,
		filters={"message_design": design, "made_at": ["<=", at]},
		fields=["version", "written", "made_at"],
		order_by="version desc",
		limit=1,
	)
	if not row:
		return None
	for one in json.loads(row[0].written)["written"].values():
		if one["template"] == template:
			return {"version": row[0].version, "made_at": row[0].made_at, **one}
	return None


# -- making one ---------------------------------------------------------------------------------------------------


def new(
	name: str, data: dict, action: str | None = None, company: str | None = None, gallery: str | None = None
):
	"""Insert a design with the right of the session's user; return the document."""
	return new_document(name, json.dumps(data), action, company, gallery)


def new_document(name: str, design: str, action: str | None, company: str | None, gallery: str | None = None):
	"""Insert the document of a design that is stored already; return it."""
	doc = frappe.new_doc(DOCTYPE)
	doc.update(
		{
			"design_name": free_name(DOCTYPE, name, ""),
			"company": company,
			"action": action,
			"gallery": gallery,
			"design": design,
		}
	)
	doc.insert()
	return doc


def belongs_to(doc, action: str) -> None:
	"""Write down which action a design is for. 1 query."""
	frappe.db.set_value(DOCTYPE, doc.name, "action", action, update_modified=False)
	doc.action = action


def copy_designs(copied: dict[str, str], old: str, new: str, action) -> None:
	"""Copy the designs of an action's Email Templates with a campaign. copied: {Email Template: its copy}. old, new: the
	campaigns. action: the copy's. 1 query, and those of inserting a document for each design.
	"""
	mine = {row.email_template for row in (action, *action.translations) if row.email_template}
	sources = {name: copy for name, copy in copied.items() if copy in mine}
	names = frappe.get_all(
		TABLE,
		filters={"email_template": ["in", list(sources)], "parenttype": DOCTYPE},
		pluck="parent",
		distinct=True,
		order_by="parent asc",
	)
	for name in names:
		design = frappe.get_doc(DOCTYPE, name)
		if any(
			design_of(sources[row.email_template])
			for row in design.templates
			if row.email_template in sources
		):
			# Another action of the campaign sends it as well.
			continue
		made = new_document(
			f"{new}: {name.removeprefix(f'{old}: ')}", design.design, action.name, design.company
		)
		stored = {row.name: row for row in templates.documents(set(sources.values()))}
		made.flags.by_design = True
		for row in design.templates:
			if copy := sources.get(row.email_template):
				made.append(
					"templates",
					{
						"language": row.language,
						"email_template": copy,
						"html": row.html,
						"text": row.text,
						"written_hash": digest_of(stored[copy]),
						"written_at": now_datetime(),
					},
				)
		made.update({"gallery": design.gallery, "is_changed": design.is_changed})
		made.save()
		made.flags.by_design = False


def take_over(by_language: dict[str, str], name: str, action: str | None = None, company: str | None = None):
	"""Make a design of Email Templates that were written by hand, {language: name}; return the document.

	Nothing is lost: what stands in them becomes one block, as it is, and they stay as they are until the design is put
	to use. 1 query, and those of inserting.
	"""
	stored = {row.name: row for row in templates.documents(set(by_language.values()))}
	texts = {}
	for language, template in by_language.items():
		row = stored[template]
		subject = templates.subject_source(row)
		key = designs.SUBJECT_SOURCE if "{%" in subject else designs.SUBJECT
		texts[language] = {key: subject, "b1.html": _body(templates.source(row))}
	doc = new(name, {"blocks": [{"id": "b1", "type": "html"}], "texts": texts}, action, company)
	doc.flags.by_design = True
	for language, template in by_language.items():
		doc.append(
			"templates",
			{"language": language, "email_template": template, "written_hash": digest_of(stored[template])},
		)
	doc.save()
	doc.flags.by_design = False
	return doc


def _body(html: str) -> str:
	"""Return what stands in the body of a whole mail, or the piece of HTML that it is."""
	lower = html.lower()
	start, end = lower.find("<body"), lower.rfind("</body>")
	if start < 0 or end < start:
		return html
	return html[html.find(">", start) + 1 : end]
