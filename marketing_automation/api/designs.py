"""The editor of messages."""

import json

import frappe
from frappe import _

from marketing_automation.api.access import CAMPAIGN, require
from marketing_automation.designs import compile as compiler
from marketing_automation.designs import design as designs
from marketing_automation.designs import gallery, store
from marketing_automation.desk import brands, designing, pictures
from marketing_automation.engine import language as languages
from marketing_automation.engine import ledger
from marketing_automation.engine.language import of_the_site
from marketing_automation.engine.visibility import Visibility


def _design(name: str, right: str = "read"):
	doc = frappe.get_doc(store.DOCTYPE, name)
	doc.check_permission(right)
	return doc


@frappe.whitelist(methods=["GET", "POST"])
def design(name: str) -> dict:
	"""Return a design for the editor: {"name", "design", "version", "modified", "is_changed", "action", "campaign", "company",
	"languages": [{"value", "label"}], "main", "blocks", "variables", "may_write", "obstacle", "colleague"}.

	obstacle: why this server cannot compile designs, or None. main: the language that messages are in by default.
	"""
	doc = _design(name)
	read = store.parsed(doc)
	action = frappe.db.get_value("Lifecycle Action", doc.action, ["campaign", "language"], as_dict=True)
	main = (action and action.language) or of_the_site()
	return {
		"name": doc.name,
		"design": read.as_data(),
		"version": doc.version,
		"modified": str(doc.modified),
		"is_changed": doc.is_changed,
		"action": doc.action,
		"campaign": action and action.campaign,
		"company": doc.company,
		"languages": _languages({*read.languages, main, of_the_site(), frappe.local.lang}),
		"main": main if main in read.languages or not read.languages else read.languages[0],
		"blocks": designing.palette(),
		"variables": designing.variables(doc),
		"may_write": bool(doc.has_permission("write")),
		"obstacle": None if compiler.is_able() else store.what_is_missing(),
		"colleague": frappe.db.get_value("User", frappe.session.user, "email"),
	}


def _languages(codes: set[str]) -> list[dict]:
	return frappe.get_all(
		"Language",
		or_filters=[["name", "in", [code for code in codes if code]], ["enabled", "=", 1]],
		fields=["name as value", "language_name as label"],
		order_by="name asc",
	)


@frappe.whitelist(methods=["POST"])
def show_design(name: str, design: str, language: str, reference_name: str | None = None) -> dict:
	"""Return a design as it stands on the screen, as its customer would read it; see `designing.shown`. Stores nothing.

	Also `brand`: the document in whose look it is, or None.
	"""
	doc = _design(name)
	if doc.action:
		require(ledger.DOCTYPE, "read")
	shown = designing.shown(doc, design, _language(language), reference_name or None, Visibility())
	return {**shown, "brand": brands.of_company(doc.company)}


def _language(code: str) -> str:
	"""Return a language that the site knows."""
	return languages.known(code) or of_the_site()


@frappe.whitelist(methods=["POST"])
def save_design(name: str, design: str, modified: str) -> dict:
	"""Store a design, which changes no mail: {"modified", "is_changed"}. Throws where somebody else has stored it since."""
	doc = _design(name, "write")
	doc.modified = modified
	doc.design = design
	doc.save()
	return {"modified": str(doc.modified), "is_changed": doc.is_changed}


@frappe.whitelist(methods=["GET", "POST"])
def design_changes(name: str) -> dict:
	"""Return what putting a design to use would change: {"changes": [lines], "live": [active campaigns], "by_hand": [Email
	Templates that were changed by hand], "copied": {language: how many of its texts are still those of another one}}."""
	doc = _design(name)
	read = store.parsed(doc)
	visible = set(frappe.get_list(CAMPAIGN, pluck="name", order_by="name asc"))
	found = designing.live(doc)
	return {
		"changes": designing.changes(doc),
		"live": [campaign for campaign in found if campaign in visible],
		"by_hand": store.changed_by_hand(doc),
		"copied": {code: len(found) for code in read.languages if (found := designs.copied(read, code))},
	}


@frappe.whitelist(methods=["POST"])
def publish_design(name: str, modified: str, overwrite: str | list | None = None) -> dict:
	"""Put a design to use; see `store.publish`. Its action sends it from now on. Also returns "version" and "modified".

	Throws where somebody else has stored it since: what goes out is what its user has seen.
	"""
	doc = _design(name, "write")
	store.refuse_stale(doc, modified)
	done = store.publish(doc, designing.parse(overwrite))
	if doc.action and frappe.db.exists("Lifecycle Action", doc.action):
		designing.give_to(doc, doc.action)
	return {**done, "version": doc.version, "modified": str(doc.modified)}


@frappe.whitelist(methods=["GET", "POST"])
def design_gallery(action: str | None = None) -> list[dict]:
	"""Return the designs of the gallery: [{"name", "title", "description", "group", "fits", "languages"}].

	fits: whether its variables are those of the action's source. Those that fit come first.
	"""
	require(store.DOCTYPE, "read")
	trigger = frappe.db.get_value("Lifecycle Action", action, "trigger") if action else None
	source = frappe.db.get_value("Lifecycle Trigger", trigger, "source") if trigger else None
	found = [
		{
			"name": name,
			"title": _(one["title"]),
			"description": _(one["description"]),
			"group": _(one["group"]),
			"fits": not source or one["source"] == source,
			"languages": gallery.languages(one),
		}
		for name, one in gallery.all_designs().items()
	]
	return sorted(found, key=lambda one: not one["fits"])


@frappe.whitelist(methods=["GET", "POST"])
def gallery_picture(name: str, action: str | None = None) -> dict:
	"""Return what a design of the gallery looks like; see `designing.of_gallery`. action: in the brand of its company."""
	require(store.DOCTYPE, "read")
	return designing.of_gallery(name, _company(action, "read") if action else None)


@frappe.whitelist(methods=["POST"])
def new_design(title: str, from_gallery: str | None = None, action: str | None = None) -> str:
	"""Make a design, empty or from the gallery, for an action or for none yet; return its name."""
	store.refuse_missing()
	company = None
	if action:
		company = _company(action, "write")
	if from_gallery:
		data = gallery.named(from_gallery)["design"]
	else:
		data = {
			"blocks": [{"id": "logo1", "type": "logo"}, {"id": "foot1", "type": "foot"}],
			"texts": {of_the_site(): {}},
		}
	return store.new(title, data, action, company, from_gallery).name


@frappe.whitelist(methods=["POST"])
def design_of_action(action: str) -> str:
	"""Return the design of an action's message; its Email Templates are taken over into one where there is none yet."""
	company = _company(action, "read")
	fields = frappe.get_doc("Lifecycle Action", action)
	if fields.email_template and (found := store.design_of(fields.email_template)):
		return _design(found).name
	_company(action, "write")
	store.refuse_missing()
	by_language = {row.language: row.email_template for row in fields.translations if row.email_template}
	if fields.email_template:
		by_language = {fields.language or of_the_site(): fields.email_template, **by_language}
	title = f"{fields.campaign}: {fields.action_name}"
	if not by_language:
		return new_design(title, action=action)
	return store.take_over(by_language, title, action, company).name


def _company(action: str, right: str) -> str | None:
	"""Return the company of an action's campaign; PermissionError for whoever may not do this with the action."""
	doc = frappe.get_doc("Lifecycle Action", action)
	doc.check_permission(right)
	campaign = frappe.get_doc(CAMPAIGN, doc.campaign)
	campaign.check_permission(right)
	return campaign.company


@frappe.whitelist(methods=["POST"])
def test_design(
	name: str,
	design: str,
	languages: str | list,
	addresses: str | list,
	reference_name: str | None = None,
) -> list[str]:
	"""Mail a design to colleagues in each of the languages, marked as a test; return their addresses."""
	doc = _design(name, "write")
	require(ledger.DOCTYPE, "read")
	codes = [_language(code) for code in designing.parse(languages)]
	return designing.send_tests(
		doc, design, codes, designing.parse(addresses), reference_name or None, Visibility()
	)


@frappe.whitelist(methods=["GET", "POST"])
def design_versions(name: str) -> list[dict]:
	"""Return the versions of a design, the newest first: [{"name", "version", "made_at", "made_by", "changes"}]."""
	return store.versions(_design(name).name)


@frappe.whitelist(methods=["GET", "POST"])
def design_version(version: str) -> dict:
	"""Return a version as it was written: {"version", "design", "written": {language: {"subject", "html", "text"}}}."""
	doc = frappe.get_doc(store.VERSION, version)
	_design(doc.message_design)
	return {
		"version": doc.version,
		"design": json.loads(doc.design),
		"written": json.loads(doc.written)["written"],
	}


@frappe.whitelist(methods=["GET", "POST"])
def as_sent(message: str) -> dict | None:
	"""Return a message of the ledger as its design was when it was sent; see `designing.as_sent`."""
	require(ledger.DOCTYPE, "read")
	row = frappe.get_doc(ledger.DOCTYPE, message)
	row.check_permission("read")
	return designing.as_sent(row)


@frappe.whitelist(methods=["POST"])
def mail_picture(file_url: str) -> dict:
	"""Make a public picture fit for mails: {"file_url", "width", "height", "kb"}; see `pictures.for_mail`."""
	require(store.DOCTYPE, "write")
	return pictures.for_mail(file_url)
