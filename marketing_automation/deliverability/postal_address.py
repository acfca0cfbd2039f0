"""The postal address in the foot: many laws ask for it in each marketing mail."""

from frappe import _

from marketing_automation.engine.deliverability import DOMAIN, OK, WRONG, Asked, Finding


class PostalAddress:
	looks_at = DOMAIN

	@property
	def label(self) -> str:
		return _("Postal address in the foot")

	def look(self, asked: Asked) -> list[Finding]:
		if asked.brand.address:
			return [Finding(OK, _("The foot has the postal address of {0}.").format(asked.brand.title))]
		if not asked.is_marketing:
			return []
		route = f"Form/Lifecycle Brand/{asked.brand.name}" if asked.brand.name else "List/Lifecycle Brand"
		return [
			Finding(
				WRONG,
				_(
					"The mails of {0} have no postal address. CAN-SPAM asks for one, and so do other laws."
				).format(asked.brand.title),
				_("Write it in the brand of the company, or add an address to the company in ERPNext."),
				route,
			)
		]


CHECK = PostalAddress()
