"""What a brand looks like while it is edited: its fields in, a mail and what is to be said of its colours out. Only reads."""

from html import escape

import frappe
from frappe import _
from frappe.utils import cstr

from marketing_automation.channels.email import look
from marketing_automation.engine import brand, colors
from marketing_automation.engine.language import of_the_site

# A round number for people; a colour that needs more has been changed as far as it takes.
DIGITS = 1


def of_company(company: str | None) -> str | None:
	"""Return the document in whose look the messages of a company are, or of all for None; None where there is none. 1 query."""
	found = frappe.get_all(
		brand.DOCTYPE,
		or_filters=[["company", "=", company or ""], ["company", "is", "not set"]],
		fields=["name", "company"],
		order_by="name asc",
	)
	return next((row.name for row in sorted(found, key=lambda row: not row.company)), None)


def preview(fields: dict) -> dict:
	"""Return {"html": a mail in the brand, "colors": [what is to be said of them]}. At most 6 queries.

	fields: of a Lifecycle Brand, as the form has them, `links` among them.
	"""
	own = frappe._dict({field: cstr(fields.get(field)).strip() for field in brand.FIELDS})
	own.name = own.name or "new"
	links = {
		own.name: tuple(
			(cstr(row.get("label")), cstr(row.get("url")))
			for row in fields.get("links") or ()
			if row.get("url")
		)
	}
	made = brand.with_defaults(own, links)
	seen_as = look.Look(made, of_the_site(), right_to_left=False, in_dark=True)
	html = look.framed(seen_as, escape(_("Preview")), _body(made), None, None)
	return {"html": html, "colors": _said(made, colors.as_hex(own.link_color) or made.color)}


def _body(made: brand.Brand) -> str:
	heading, text = (
		escape(_("Your subscription ends in 30 days")),
		escape(_("This is what a text looks like.")),
	)
	button, link = escape(_("Renew Now")), escape(_("A link in the text"))
	return (
		'<div class="lifecycle-head" style="background-color:#fff;padding:20px 24px">'
		f'<span class="lifecycle-on-head" style="font-size:22px;color:#000">{heading}</span></div>'
		f'<p>{text} <a href="#">{link}</a>.</p>'
		'<p><a class="lifecycle-button" href="#" style="display:inline-block;padding:10px 20px;text-decoration:none;'
		f'border-radius:6px;background-color:#fff;color:#000">{button}</a></p>'
	)


def _said(made: brand.Brand, link: str) -> list[str]:
	on_color = _("black") if made.on_color == colors.BLACK else _("white")
	said = [
		_("Text on {0} is {1}: a contrast of {2} to 1.").format(
			made.color, on_color, round(colors.contrast(made.color, made.on_color), DIGITS)
		)
	]
	for ground, used, where in (
		(brand.PAPER, made.link, _("on white")),
		(brand.NIGHT, made.link_in_dark, _("in dark mode")),
	):
		if used != link:
			said.append(
				_(
					"Links in {0} could hardly be read {1} ({2} to 1; {3} is what it takes). They are {4} there."
				).format(link, where, round(colors.contrast(link, ground), DIGITS), colors.READABLE, used)
			)
	return said
