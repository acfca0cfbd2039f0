import frappe
from frappe import _
from frappe.model.document import Document
from frappe.utils import cstr

from marketing_automation.engine import brand
from marketing_automation.engine.colors import as_hex


class LifecycleBrand(Document):
	# begin: auto-generated types
	# This code is auto-generated. Do not modify anything in this block.

	from typing import TYPE_CHECKING

	if TYPE_CHECKING:
		from frappe.types import DF

		from marketing_automation.marketing_automation.doctype.lifecycle_brand_link.lifecycle_brand_link import (
			LifecycleBrandLink,
		)

		brand_name: DF.Data
		color: DF.Color | None
		company: DF.Link | None
		font: DF.Literal["System", "Arial", "Georgia", "Trebuchet", "Verdana"]
		foot_text: DF.SmallText | None
		link_color: DF.Color | None
		links: DF.Table[LifecycleBrandLink]
		logo: DF.AttachImage | None
		postal_address: DF.SmallText | None
		sender_name: DF.Data | None
		website: DF.Data | None
	# end: auto-generated types

	def __init__(self, *args, **kwargs):
		super().__init__(*args, **kwargs)
		# The user's default company is not what an empty one means.
		self.dont_update_if_missing = ["company"]

	def validate(self):
		self.refuse_second_of_company()
		self.refuse_private_logo()
		for field in ("color", "link_color"):
			self.refuse_no_color(field)
		for label, url in [
			(_(self.meta.get_label("website")), self.website),
			*((row.label, row.url) for row in self.links),
		]:
			if url and not cstr(url).startswith(("https://", "http://")):
				frappe.throw(
					_("The address of {0} does not begin with https://. Write the whole address.").format(
						frappe.bold(frappe.utils.escape_html(label))
					),
					title=_("Whole Addresses Only"),
				)

	def refuse_second_of_company(self):
		"""1 query."""
		# A form's empty company is stored as an empty text, which older versions' `frappe.db.get_value` takes for set.
		others = frappe.get_all(
			self.doctype,
			filters={"company": self.company or ["is", "not set"], "name": ["!=", self.name]},
			pluck="name",
			order_by="name asc",
			limit_page_length=1,
		)
		if others:
			company = self.company or _("all companies without one of their own")
			frappe.throw(
				_("{0} is the brand of {1} already. Change that one, or choose another company.").format(
					frappe.bold(frappe.utils.escape_html(others[0])), frappe.utils.escape_html(company)
				),
				title=_("One Brand For Each Company"),
			)

	def refuse_private_logo(self):
		logo = cstr(self.logo)
		if logo and not logo.startswith(("/files/", "/assets/", "https://")):
			frappe.throw(
				_(
					"Customers cannot see {0}: it is private, or its address does not begin with https://. Attach the logo again, without “Is Private”."
				).format(frappe.bold(frappe.utils.escape_html(logo))),
				title=_("Logo Not Public"),
			)

	def refuse_no_color(self, field: str):
		value = self.get(field)
		if value and not as_hex(value):
			frappe.throw(
				_("{0} is no colour. Choose one, or write it as #1b4d5c.").format(
					frappe.bold(frappe.utils.escape_html(cstr(value)))
				),
				title=_("Colour Not Understood"),
			)

	def on_update(self):
		brand.forget()

	def on_trash(self):
		brand.forget()
