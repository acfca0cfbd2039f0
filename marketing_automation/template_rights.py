"""Which Email Templates marketers may change, and what they may write into one.

Frappe lets only System Managers write an Email Template, for it renders any of them with the database at hand, and
with links that nobody else may see (the reset of a password). Our roles may write those that are the campaigns' own:
Lifecycle Template has a row for each. Whoever has the right by another role keeps it; nothing here grants one.
"""

from collections.abc import Iterable

import frappe
from frappe import _
from frappe.utils import now_datetime
from jinja2 import TemplateSyntaxError, nodes

from marketing_automation import compat
from marketing_automation.channels.texts import template_syntax, templates
from marketing_automation.install import ROLES
from marketing_automation.lifecycle import MANAGER, SERVICE

DOCTYPE = "Email Template"
OWN = "Lifecycle Template"
# The options of Lifecycle Template.origin.
MARKETER, RECIPE, COPY = "Written by a marketer", "Recipe", "Copied with its campaign"
RELEASED = "Released by a System Manager"
# What changes a template, or lets somebody else change it.
CHANGES = {"write", "create", "delete", "share", "import", "submit", "cancel", "amend"}
# They keep what was written once, and render nothing anew.
RECORDS = {"Communication"}
# They lead to another template, or to blocks that have names of their own.
OTHER_TEMPLATES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)


# -- who may change one ------------------------------------------------------------------------------------------


def has_permission(doc, user: str, ptype: str | None = None) -> bool:
	"""Say whether a user may do this with an Email Template (hook has_permission, which can only deny).

	A new one is judged by `check`, which knows what it becomes. Queries: see `obstacle`.
	"""
	return ptype not in CHANGES or doc.is_new() or not obstacle(doc, user, ptype)


def obstacle(doc, user: str, ptype: str = "write") -> str | None:
	"""Return why a user who has this right by our roles may not change an Email Template that exists, or None.

	At most 7 queries, and the permission of each campaign that uses it.
	"""
	if not is_bound(user, ptype, doc):
		return None
	own = frappe.db.get_value(OWN, {"email_template": doc.name}, ["name", "released_by"], as_dict=True)
	if not own:
		return _("It was not made for a campaign.")
	if not own.released_by and (places := named_elsewhere(doc.name)):
		return _("It is used in {0}.").format(", ".join(_(place) for place in places))
	campaigns = _campaigns_of(doc.name)
	for campaign in campaigns:
		if not frappe.has_permission("Lifecycle Campaign", "write", doc=campaign, user=user):
			return _("A campaign uses it that you may not change.")
	if MANAGER not in frappe.get_roles(user) and (service := _service_of(campaigns)):
		return _(
			"The Service campaign {0} sends it to customers who have agreed to nothing, so only a Marketing Manager may change it."
		).format(frappe.utils.escape_html(service))
	return None


def is_bound(user: str, ptype: str = "write", doc=None) -> bool:
	"""Say whether a user has the right `ptype` on Email Templates by our roles alone."""
	if user == "Administrator":
		return False
	roles = {*frappe.get_roles(user)}
	others = roles - {*ROLES}
	by_another = any(
		permission.role in others
		and not permission.permlevel
		and permission.get(ptype)
		and (not permission.if_owner or (doc and doc.owner == user))
		for permission in frappe.get_meta(DOCTYPE).permissions
	)
	return bool(roles & {*ROLES}) and not by_another


def named_elsewhere(template: str) -> list[str]:
	"""Return the DocTypes, other than ours, in which a Link field of a document names an Email Template.

	Standard and custom fields, singles and child tables. 2 queries once the fields are known, 4 before.
	"""
	ours = {*frappe.get_all("DocType", {"module": "Marketing Automation"}, pluck="name", order_by="name asc")}
	fields = {
		(field["parent"], field["fieldname"], bool(field["issingle"]))
		for field in compat.link_fields_to(DOCTYPE)
		if field["parent"] not in ours | RECORDS
	}
	asked, values = [], []
	for doctype, field, is_single in sorted(fields):
		if is_single:
			asked.append("(select doctype from tabSingles where doctype = %s and field = %s and value = %s)")
			values += [doctype, field, template]
		elif frappe.db.table_exists(doctype) and frappe.db.has_column(doctype, field):
			asked.append(f"(select %s from `tab{doctype}` where `{field}` = %s limit 1)")
			values += [doctype, template]
	if not asked:
		return []
	return sorted({name for (name,) in frappe.db.sql(" union all ".join(asked), values)})


def _campaigns_of(template: str) -> list[str]:
	"""Return the campaigns whose actions name an Email Template. 1 query."""
	action = frappe.qb.DocType("Lifecycle Action")
	translation = frappe.qb.DocType("Lifecycle Action Translation")
	rows = (
		frappe.qb.from_(action)
		.left_join(translation)
		.on(translation.parent == action.name)
		.select(action.campaign)
		.distinct()
		.where((action.email_template == template) | (translation.email_template == template))
		.orderby(action.campaign)
	).run()
	return [campaign for (campaign,) in rows if campaign]


def _service_of(campaigns: list[str]) -> str | None:
	"""Return one of these campaigns whose purpose is Service. At most 1 query."""
	if not campaigns:
		return None
	return frappe.db.get_value("Lifecycle Campaign", {"name": ["in", campaigns], "purpose": SERVICE})


def actions_of(template: str) -> list[dict]:
	"""Return the actions that send an Email Template and that the session's user may see. 2 queries."""
	named = frappe.get_all(
		"Lifecycle Action Translation", {"email_template": template}, pluck="parent", order_by="name asc"
	)
	return frappe.get_list(
		"Lifecycle Action",
		or_filters=[["email_template", "=", template], ["name", "in", named]],
		fields=["name", "action_name", "campaign"],
		order_by="campaign asc, name asc",
	)


def check(doc) -> None:
	"""Throw PermissionError when the session's user may not save an Email Template as it stands (hook validate).

	Also where a share gives the right that has_permission has denied.
	"""
	user = frappe.session.user
	if doc.flags.ignore_permissions or not is_bound(user, "create" if doc.is_new() else "write", doc):
		return
	if doc.is_new():
		_refuse_name(doc.name)
	elif why := obstacle(doc, user):
		_refuse(doc.name, why)


def before_rename(doc, method, old: str, new: str, merge: bool = False) -> None:
	"""Refuse a rename, or a merge, that would change what others use (hook)."""
	if merge:
		# Of the two rows that there can be, that of the template which stays counts.
		frappe.db.delete(OWN, {"email_template": old})
	if not is_bound(frappe.session.user, "write", doc):
		return
	if why := (merge and _("Two templates cannot become one.")) or obstacle(doc, frappe.session.user):
		_refuse(old, why)
	_refuse_name(new)


def after_rename(doc, method, old: str, new: str, merge: bool = False) -> None:
	"""Ask once more (hook): a request can leave out what comes before (see `lifecycle.refuse_rename`).

	Whatever named the old template, and whatever waited for the new name, names this one by now.
	"""
	if not is_bound(frappe.session.user, "write", doc):
		return
	if why := (merge and _("Two templates cannot become one.")) or obstacle(doc, frappe.session.user):
		_refuse(new, why)


def _refuse_name(name: str) -> None:
	"""Refuse a name that something waits for: whoever takes it writes the mail."""
	if places := named_elsewhere(name):
		_refuse(name, _("It is used in {0}.").format(", ".join(_(place) for place in places)))


def _refuse(name: str, why: str) -> None:
	frappe.throw(
		_(
			"You may not change the Email Template {0}. {1} A System Manager can let marketers edit it."
		).format(frappe.bold(frappe.utils.escape_html(name)), why),
		frappe.PermissionError,
		title=_("Not Yours To Change"),
	)


# -- the list of those that are the campaigns' own -----------------------------------------------------------------


def after_insert(doc, method=None) -> None:
	"""Write down a template that was made by the right of our roles (hook)."""
	if not doc.flags.ignore_permissions and is_bound(frappe.session.user, "create", doc):
		register(doc.name, MARKETER)


def on_trash(doc, method=None) -> None:
	"""Forget it (hook)."""
	frappe.db.delete(OWN, {"email_template": doc.name})


def register(template: str, origin: str, **fields) -> None:
	"""Write down that marketers may edit a template; its origin stays what it was first. 2 queries."""
	own = frappe.db.get_value(OWN, {"email_template": template}, "name")
	doc = frappe.get_doc(OWN, own) if own else frappe.new_doc(OWN)
	if not own:
		doc.update({"email_template": template, "origin": origin})
	doc.update(fields)
	doc.save(ignore_permissions=True)


def is_released(template: str) -> bool:
	"""Say whether a System Manager lets marketers edit a template. 1 query."""
	return bool(frappe.db.get_value(OWN, {"email_template": template}, "released_by"))


def release(template: str) -> None:
	"""Let marketers edit a template, whoever made it and wherever it is used. The caller has checked who asks."""
	register(template, RELEASED, released_by=frappe.session.user, released_on=now_datetime())


def take_back(template: str) -> None:
	"""End a release: what marketers had written themselves stays theirs. The caller has checked who asks."""
	own = frappe.db.get_value(OWN, {"email_template": template}, ["name", "origin"], as_dict=True)
	if own and own.origin == RELEASED:
		# By the way that keeps what it was, in Deleted Document.
		frappe.delete_doc(OWN, own.name, ignore_permissions=True)
	elif own:
		register(template, own.origin, released_by=None, released_on=None)


# -- what one may say ----------------------------------------------------------------------------------------------


def refuse_names(doc) -> None:
	"""Throw PermissionError when an Email Template uses more than the variables of campaigns' messages.

	Frappe renders any Email Template for whoever asks, with the database at hand, and ERPNext with a document.
	Those who write templates by another role may use what documents have, but not the database.
	"""
	if "System Manager" in frappe.get_roles():
		return
	environment = compat.template_environment()
	bound = is_strict(doc)
	offered = {*environment.globals} - {"_"}
	known = templates.names_of(templates.all_words()) if bound else ()
	for text in (doc.subject, doc.response, doc.response_html):
		try:
			# Only read, and no more of it than can be read at once.
			template_syntax.scan(text or "")
			tree = template_syntax.parsed(text or "", environment)
			template_syntax.check_shape(tree)
		except TemplateSyntaxError:
			# Frappe cannot render it either.
			continue
		except template_syntax.Refused as e:
			frappe.throw(
				frappe.utils.escape_html(str(e)),
				templates.TemplateInvalid,
				title=_("Not In An Email Template"),
			)
		names = (
			unknown_names(tree, known)
			if bound
			else {node.name for node in tree.find_all(nodes.Name)} & offered
		)
		if bound and names and not names & offered and not tree.find(OTHER_TEMPLATES):
			# Frappe has none of that name either: it is mistyped.
			frappe.throw(
				_(
					"{0} does not exist. Look for a typing mistake. These are filled in for each customer: {1}."
				).format(
					frappe.bold(frappe.utils.escape_html(", ".join(sorted(names)))),
					", ".join(known or templates.VARIABLES),
				),
				templates.TemplateInvalid,
				title=_("Not In An Email Template"),
			)
		if names or tree.find(OTHER_TEMPLATES):
			frappe.throw(
				_(
					"Only a System Manager may write an Email Template that uses {0}. Messages of campaigns need nothing but their own variables: {1}."
				).format(
					frappe.bold(frappe.utils.escape_html(", ".join(sorted(names)) or "include")),
					", ".join(known or templates.VARIABLES),
				),
				frappe.PermissionError,
				title=_("Not In An Email Template"),
			)


def is_strict(doc) -> bool:
	"""Say whether the session's user may write an Email Template by our roles alone: only what a campaign can send."""
	return "System Manager" not in frappe.get_roles() and is_bound(
		frappe.session.user, "create" if doc.is_new() else "write", doc
	)


def unknown_names(tree: nodes.Template, known: Iterable[str] = ()) -> set[str]:
	"""Return the names that a template reads and that are neither variables of ours nor set by itself before.

	Only read, never compiled: Jinja computes constants while it compiles, and where a name is set in one place, it looks
	for it in what it was given in all others.

	>>> from jinja2 import Environment
	>>> parse = Environment().parse
	>>> sorted(
	...     unknown_names(
	...         parse("{{ doc.delete() }} {{ customer_name }} {% for pin in pins %}{{ pin }}{% endfor %}")
	...     )
	... )
	['doc']
	>>> sorted(unknown_names(parse("{{ doc }}{% set doc = 1 %}{{ doc }}")))
	['doc']
	>>> sorted(
	...     unknown_names(parse("{% if pins %}{% set a = 1 %}{% else %}{% set a = 2 %}{% endif %}{{ a }}"))
	... )
	[]
	"""
	return _unknown(tree, {*(known or templates.VARIABLES), *templates.FUNCTIONS})


def _unknown(node: nodes.Node | list, known: set[str]) -> set[str]:
	"""Return the unknown names of a node, or of a list of nodes in their order. known: grows by what they set."""
	if isinstance(node, list):
		return set().union(*[_unknown(one, known) for one in node])
	if isinstance(node, nodes.Name):
		if node.ctx == "load":
			return {node.name} - known
		known.add(node.name)
		return set()
	if isinstance(node, nodes.NSRef):
		return {node.name} - known
	if isinstance(node, nodes.Assign):
		return _unknown(node.node, known) | _unknown(node.target, known)
	if isinstance(node, nodes.AssignBlock):
		found = _unknown(node.body, {*known}) | (_unknown(node.filter, known) if node.filter else set())
		return found | _unknown(node.target, known)
	if isinstance(node, nodes.If):
		found, branches = _unknown([node.test, *(branch.test for branch in node.elif_)], known), []
		for body in (node.body, *(branch.body for branch in node.elif_), node.else_):
			branches.append({*known})
			found |= _unknown(body, branches[-1])
		# What only one of them sets is looked for elsewhere when another was taken.
		known |= set.intersection(*branches)
		return found
	if isinstance(node, nodes.For):
		inner = {*known, "loop"}
		return (
			_unknown(node.iter, known)
			| _unknown(node.target, inner)
			| (_unknown(node.test, inner) if node.test else set())
			| _unknown(node.body, inner)
			| _unknown(node.else_, {*known})
		)
	if isinstance(node, nodes.With):
		inner = {*known}
		return _unknown(node.values, known) | _unknown(node.targets, inner) | _unknown(node.body, inner)
	if isinstance(node, (nodes.Macro, nodes.CallBlock)):
		inner = {*known, "varargs", "kwargs", "caller"}
		found = _unknown(node.defaults, {*known}) | _unknown(node.args, inner) | _unknown(node.body, inner)
		if isinstance(node, nodes.Macro):
			known.add(node.name)
			return found
		return found | _unknown(node.call, known)
	if isinstance(node, (nodes.FilterBlock, nodes.Scope, nodes.ScopedEvalContextModifier)):
		inner = {*known}
		return set().union(*[_unknown(child, inner) for child in node.iter_child_nodes()])
	return set().union(*[_unknown(child, known) for child in node.iter_child_nodes()])
