"""Any other DocType of the site that has a date and a way to a customer, chosen in the trigger's form. Only reads."""

import frappe
from frappe import _

from marketing_automation import erpnext_schema
from marketing_automation.engine.source import COMMON
from marketing_automation.engine.visibility import may_read_all, readable_levels
from marketing_automation.sources.date_field import DateSource
from marketing_automation.sources.invoices import INVOICE, RECKONED
from marketing_automation.sources.spec import CUSTOMER, DATES, Spec, labelled

# What a template can say of such a document.
SAID = {
	"text": ("Data", "Select", "Link", "Currency", "Read Only"),
	"number": ("Int", "Float", "Percent"),
}
# More hops than anybody follows.
MOST_HOPS = 3


def _title() -> str:
	return _("On a date of another document type")


def _timing() -> tuple[str, str, str]:
	return _("Before the date"), _("On the date"), _("After the date")


class OtherDocuments(DateSource):
	"""Each trigger says which DocType, which date and which customer; of the site's own, without code."""

	def __init__(self):
		super().__init__(None)

	def is_there(self) -> bool:
		return True

	def title(self) -> str:
		return _title()

	def reference_doctype(self, trigger) -> str | None:
		return trigger.get("reference_doctype")

	def reference_doctypes(self) -> list[str]:
		return []

	def spec_of(self, trigger) -> Spec:
		return _spec(trigger.get("reference_doctype"), trigger.get("customer_field"))

	def timing(self, trigger) -> dict[str, str]:
		return dict(zip(("Before", "On", "After"), _timing(), strict=True))

	def shown(self, spec: Spec) -> set[str]:
		"""Nothing of it is shown to whoever may not read it."""
		return {"name"}

	def unreadable(self, fields: set[str], trigger=None) -> set[str]:
		"""Return those of the fields that the session's user may not read: also where a path leads through other DocTypes."""
		doctype = trigger.get("reference_doctype")
		if not may_read_all(doctype):
			return set(fields)
		closed = {name for name in fields if "." not in name and not _is_readable(doctype, name)}
		for path in fields:
			if "." in path and any(
				not may_read_all(of) or not _is_readable(of, hop) for of, hop in _walk(doctype, path)
			):
				closed.add(path)
		return closed

	def offers(self, trigger=None) -> dict:
		doctype = (trigger or {}).get("reference_doctype")
		if not doctype or not erpnext_schema.has(doctype) or not may_read_all(doctype):
			return {
				"doctype": None,
				"timing": self.timing(trigger),
				"date_fields": [],
				"customer_fields": [],
				"yearly": True,
				"has_item": False,
			}
		spec = _spec(doctype, None)
		return {
			"doctype": doctype,
			"timing": self.timing(trigger),
			"date_fields": labelled(
				[df for df in self.date_fields(spec) if _is_readable(doctype, df.fieldname)]
			),
			"customer_fields": customer_fields(doctype),
			"yearly": True,
			"has_item": bool(spec.item),
		}

	def validate_spec(self, trigger) -> None:
		"""Throw when the DocType is none that can be read so, or the path does not lead to a customer."""
		doctype, path = trigger.get("reference_doctype"), trigger.get("customer_field")
		if not doctype:
			frappe.throw(_("Choose the document type first."), title=_("Document Type Missing"))
		if not erpnext_schema.has(doctype) or _is_unfit(doctype):
			frappe.throw(
				_("{0} is no document type with documents and dates of its own. Choose another one.").format(
					frappe.bold(frappe.utils.escape_html(doctype))
				),
				title=_("Document Type Cannot Be Used"),
			)
		if not _leads_to_customer(doctype, path):
			frappe.throw(
				_("The field {0} of {1} does not lead to a customer. Choose one of: {2}.").format(
					frappe.bold(frappe.utils.escape_html(path or "")),
					frappe.utils.escape_html(_(doctype)),
					", ".join(offer["value"] for offer in customer_fields(doctype)) or "–",
				),
				title=_("No Way To A Customer"),
			)

	def variables_of(self, spec: Spec) -> tuple[tuple, ...]:
		"""Return the fields of the DocType that everybody who may read it may read."""
		taken = {*COMMON, "date", "years", "item_code", "item_name", spec.reference}
		return tuple(
			(df.fieldname, _(df.label), 5 if kind == "number" else df.label, kind)
			for df in frappe.get_meta(spec.doctype).fields
			for kind, types in SAID.items()
			if df.fieldtype in types and not df.permlevel and not df.hidden and df.label
			if df.fieldname not in taken
		)


def _spec(doctype: str, path: str | None) -> Spec:
	"""Return the Spec of a DocType by its fields: what links to Company and Item, at the lowest permission level."""
	meta = frappe.get_meta(doctype)
	links = {}
	for df in meta.fields:
		if df.fieldtype == "Link" and not df.permlevel:
			links.setdefault(df.options, df.fieldname)
	always = ()
	first = meta.get_field((path or "").split(".")[0])
	if first and first.fieldtype == "Dynamic Link":
		always = ((first.options, "=", CUSTOMER),)
	return Spec(
		doctype,
		_title,
		_timing,
		customer=path or "",
		company=links.get("Company"),
		item=links.get("Item"),
		always=always,
		reckoned=RECKONED if doctype == INVOICE else (),
		yearly=True,
	)


def _is_unfit(doctype: str) -> bool:
	meta = frappe.get_meta(doctype)
	return bool(meta.istable or meta.issingle or meta.get("is_virtual")) or not any(
		df.fieldtype in DATES for df in meta.fields
	)


def _walk(doctype: str, path: str | None) -> list[tuple[str, str]]:
	"""Return (DocType, field) of each hop of a path, as far as there are such links."""
	found = []
	for hop in (path or "").split("."):
		df = frappe.get_meta(doctype).get_field(hop)
		found.append((doctype, hop))
		if not df or df.fieldtype != "Link" or not erpnext_schema.has(df.options):
			break
		doctype = df.options
	return found


def _leads_to_customer(doctype: str, path: str | None) -> bool:
	hops = (path or "").split(".")
	walked = _walk(doctype, path)
	if len(walked) != len(hops) or len(hops) > MOST_HOPS:
		return False
	of, last = walked[-1]
	df = frappe.get_meta(of).get_field(last)
	if not df:
		return False
	return (df.fieldtype == "Link" and df.options == CUSTOMER) or (
		df.fieldtype == "Dynamic Link" and bool(frappe.get_meta(of).get_field(df.options))
	)


def customer_fields(doctype: str) -> list[dict]:
	"""Return the ways from a DocType to a customer that the session's user may read, the shortest first:
	[{"value": path, "label"}]. Over one other document at most; a longer way can be typed."""
	found = _customers_of(doctype, "", "")
	for df in frappe.get_meta(doctype).fields:
		if (
			df.fieldtype == "Link"
			and df.options not in (CUSTOMER, doctype)
			and _is_readable(doctype, df.fieldname)
			and erpnext_schema.has(df.options)
			and may_read_all(df.options)
		):
			found += _customers_of(df.options, f"{df.fieldname}.", f"{_(df.label)}: ")
	return found


def _customers_of(doctype: str, path: str, label: str) -> list[dict]:
	return [
		{"value": f"{path}{df.fieldname}", "label": f"{label}{_(df.label)} ({path}{df.fieldname})"}
		for df in frappe.get_meta(doctype).fields
		if _is_readable(doctype, df.fieldname) and _leads_to_customer(doctype, df.fieldname)
	]


def _is_readable(doctype: str, field: str) -> bool:
	"""Say whether the session's user may read a field, by the permission levels of their roles."""
	df = frappe.get_meta(doctype).get_field(field)
	if df and df.fieldtype == "Password":
		return False
	if frappe.session.user == "Administrator":
		return True
	return (df.permlevel if df else 0) in readable_levels(doctype)


SOURCE = OtherDocuments()
