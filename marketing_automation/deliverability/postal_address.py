"""The postal address in the foot: many laws ask for it in each marketing mail."""

from frappe import _

from marketing_automation.engine.deliverability import ADVICE, DOMAIN, OK, WRONG, Asked, Finding

# So many countries are named.
SOME = 5


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
		if asked.countries:
			unknown = _("the country of the company, which is not known")
			names = [_(name) if name else unknown for name in asked.countries[:SOME]]
			more = "…" if len(asked.countries) > SOME else ""
			text = _(
				"The mails of {0} have no postal address. Where customers are, the law asks for one: {1}."
			)
			level, text = WRONG, text.format(asked.brand.title, ", ".join(names) + more)
		else:
			level = ADVICE
			text = _(
				"The mails of {0} have no postal address. No law asks for one where your customers are; readers trust a mail more that has one."
			).format(asked.brand.title)
		return [
			Finding(
				level,
				text,
				_("Write it in the brand of the company, or add an address to the company in ERPNext."),
				route,
			)
		]


CHECK = PostalAddress()
