"""How a company looks to its customers: company in, its name, logo, colours and foot out. For mails and public pages.

What the Lifecycle Brand of the company leaves empty comes from that of all companies, then from ERPNext's Company and
its address, then from the site. Only reads.
"""

from dataclasses import dataclass

import frappe
from frappe.utils import cstr
from pypika import Order

from marketing_automation import erpnext_schema
from marketing_automation.engine import colors

DOCTYPE = "Lifecycle Brand"
LINK = "Lifecycle Brand Link"
COLOR = "#1b4d5c"
# What texts stand on: in light, and in dark.
PAPER, NIGHT = "#ffffff", "#1c1f22"
# By the field `font`. A mail program has the fonts of the reader's device and no others.
FONTS = {
	"System": "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif",
	"Arial": "Arial,Helvetica,sans-serif",
	"Georgia": "Georgia,'Times New Roman',serif",
	"Trebuchet": "'Trebuchet MS',Arial,sans-serif",
	"Verdana": "Verdana,Geneva,sans-serif",
}
FIELDS = (
	*("name", "company", "sender_name", "website", "logo", "color", "link_color", "font"),
	*("postal_address", "foot_text"),
)
LINES_OF_ADDRESS = ("address_line1", "address_line2", "city", "state", "pincode", "country")


@dataclass(frozen=True)
class Brand:
	"""A company's look. Colours are #rrggbb, and texts in them can be read.

	logo: an address that everybody can fetch, as it is stored: a path of the site, or https. color, on_color: of heads
	and buttons, and of the text on them. link, link_in_dark: of links on PAPER and on NIGHT. font: a list for CSS.
	address: the lines of the postal address, none where nobody has written one. links: (label, address).
	"""

	name: str | None
	company: str | None
	title: str
	logo: str | None
	website: str | None
	color: str
	on_color: str
	link: str
	link_in_dark: str
	font: str
	address: tuple[str, ...]
	links: tuple[tuple[str, str], ...]
	foot: str


def brand_of(company: str | None) -> Brand:
	"""Return the look of a company, or of the site for None. At most 5 queries, the first time in a request or job."""
	if not hasattr(frappe.local, "lifecycle_brands"):
		frappe.local.lifecycle_brands = {}
	brands = frappe.local.lifecycle_brands
	if company not in brands:
		brands[company] = _read(company)
	return brands[company]


def forget() -> None:
	"""Have the next question read again: a brand has been changed."""
	frappe.local.lifecycle_brands = {}


def with_defaults(own: dict, links: dict) -> Brand:
	"""Return what a brand that is not saved yet would be. own: its fields; links: as in `made`. At most 4 queries."""
	company = own.company or None
	common = None
	if company:
		rows = frappe.get_all(
			DOCTYPE, filters={"company": ["is", "not set"]}, fields=list(FIELDS), order_by="name asc"
		)
		common = rows[0] if rows else None
	return made(company, own, common, links, _company(company))


def _read(company: str | None) -> Brand:
	rows = frappe.get_all(
		DOCTYPE,
		# One without a company is for all that have none of their own.
		or_filters=[["company", "=", company or ""], ["company", "is", "not set"]],
		fields=list(FIELDS),
		order_by="name asc",
	)
	own, common = _chosen(rows, company)
	links = _links([row.name for row in (own, common) if row])
	of_company = _company(company)
	return made(company, own, common, links, of_company)


def made(company: str | None, own: dict | None, common: dict | None, links: dict, of_company: dict) -> Brand:
	"""Return a brand by what is stored. Pure.

	own, common: the Lifecycle Brand of the company and that of all. links: {name of a brand: ((label, url), ...)}.
	of_company: `_company`'s.
	"""

	def first(field: str) -> str:
		return next((cstr(row[field]) for row in (own, common, of_company) if row and row.get(field)), "")

	color = colors.as_hex(first("color")) or COLOR
	link = colors.as_hex(first("link_color")) or color
	font = next((row.font for row in (own, common) if row and row.font in FONTS), "System")
	named = [row for row in (own, common) if row]
	return Brand(
		name=named[0].name if named else None,
		company=company,
		title=first("sender_name"),
		logo=first("logo") or None,
		website=first("website") or None,
		color=color,
		on_color=colors.text_on(color),
		link=colors.readable(link, PAPER),
		link_in_dark=colors.readable(link, NIGHT),
		font=FONTS[font],
		address=tuple(line.strip() for line in first("postal_address").splitlines() if line.strip()),
		links=next((links[row.name] for row in named if links.get(row.name)), ()),
		foot=first("foot_text").strip(),
	)


def _chosen(rows: list[dict], company: str | None) -> tuple[dict | None, dict | None]:
	own = next((row for row in rows if company and row.company == company), None)
	return own, next((row for row in rows if not row.company), None)


def _links(brands: list[str]) -> dict[str, tuple]:
	"""Return {brand: ((label, url), ...)}. 1 query, none without brands."""
	found: dict[str, tuple] = {}
	if brands:
		for row in frappe.get_all(
			LINK,
			filters={"parent": ["in", brands], "parenttype": DOCTYPE},
			fields=["parent", "label", "url"],
			order_by="parent asc, idx asc",
		):
			found[row.parent] = (*found.get(row.parent, ()), (row.label, row.url))
	return found


def _company(company: str | None) -> dict:
	"""Return what ERPNext, or the site for no company, says in the place of a brand's fields. At most 3 queries."""
	title = frappe.db.get_single_value("Website Settings", "app_name")
	of_site = {"sender_name": title if title and title != "Frappe" else frappe.local.site}
	if not company:
		return of_site
	fields = [
		field for field in ("company_logo", "website") if erpnext_schema.has(erpnext_schema.COMPANY, field)
	]
	row = frappe.db.get_value(erpnext_schema.COMPANY, company, ["name", *fields], as_dict=True) or {}
	website = cstr(row.get("website")).strip()
	return {
		"sender_name": company,
		"logo": _public(row.get("company_logo")),
		"website": website if "://" in website or not website else f"https://{website}",
		"postal_address": _address(company),
	}


def _public(file: str | None) -> str | None:
	return file if cstr(file).startswith(("/files/", "/assets/", "https://")) else None


def _address(company: str) -> str:
	"""Return the postal address of a company as ERPNext has it, its primary one first. 1 query."""
	address, link = frappe.qb.DocType("Address"), frappe.qb.DocType("Dynamic Link")
	rows = (
		frappe.qb.from_(address)
		.inner_join(link)
		.on((link.parent == address.name) & (link.parenttype == "Address"))
		.select(*[address[field] for field in LINES_OF_ADDRESS])
		.where((link.link_doctype == erpnext_schema.COMPANY) & (link.link_name == company))
		.where(address.disabled == 0)
		.orderby(address.is_primary_address, order=Order.desc)
		.orderby(address.creation)
		.limit(1)
	).run(as_dict=True)
	return "\n".join(cstr(value) for row in rows for value in row.values() if value)
