"""What is known of mail providers: the server that an Email Account names in, what stands for them in the DNS out. Pure.

spf: what the SPF of a domain includes for them. selectors: the names under which their customers' DKIM keys are kept, where they
are always the same. They see to the names of their own servers themselves. From their public documentation.
"""

from typing import NamedTuple


class Provider(NamedTuple):
	title: str
	spf: tuple[str, ...]
	selectors: tuple[str, ...] = ()


# By the end of the server's name.
PROVIDERS = {
	"gmail.com": Provider("Google", ("_spf.google.com",), ("google",)),
	"office365.com": Provider("Microsoft 365", ("spf.protection.outlook.com",), ("selector1", "selector2")),
	"outlook.com": Provider("Microsoft 365", ("spf.protection.outlook.com",), ("selector1", "selector2")),
	"sendgrid.net": Provider("SendGrid", ("sendgrid.net",), ("s1", "s2")),
	"mailgun.org": Provider("Mailgun", ("mailgun.org",), ("mailo", "smtp", "k1", "pic", "mx")),
	"amazonaws.com": Provider("Amazon SES", ("amazonses.com",)),
	"mtasv.net": Provider("Postmark", ("spf.mtasv.net",)),
	"postmarkapp.com": Provider("Postmark", ("spf.mtasv.net",)),
	"brevo.com": Provider("Brevo", ("spf.brevo.com", "spf.sendinblue.com"), ("brevo1", "brevo2", "mail")),
	"sendinblue.com": Provider(
		"Brevo", ("spf.brevo.com", "spf.sendinblue.com"), ("brevo1", "brevo2", "mail")
	),
	"mailjet.com": Provider("Mailjet", ("spf.mailjet.com",), ("mailjet",)),
	"sparkpostmail.com": Provider("SparkPost", ("sparkpostmail.com",)),
	"zoho.com": Provider("Zoho", ("zoho.com", "one.zoho.com"), ("zoho", "zmail")),
	"zoho.eu": Provider("Zoho", ("zoho.eu", "one.zoho.eu"), ("zoho", "zmail")),
	"messagingengine.com": Provider("Fastmail", ("spf.messagingengine.com",), ("fm1", "fm2", "fm3")),
	"fastmail.com": Provider("Fastmail", ("spf.messagingengine.com",), ("fm1", "fm2", "fm3")),
}
# Whose addresses anybody can have: nobody else may send as one of them.
FREE = {
	*(
		"gmail.com",
		"googlemail.com",
		"yahoo.com",
		"yahoo.es",
		"hotmail.com",
		"hotmail.es",
		"outlook.com",
		"outlook.es",
	),
	*(
		"live.com",
		"msn.com",
		"aol.com",
		"icloud.com",
		"me.com",
		"mac.com",
		"gmx.com",
		"gmx.net",
		"gmx.de",
		"web.de",
	),
	*("proton.me", "protonmail.com", "mail.com", "yandex.com", "mail.ru", "zoho.com"),
}


def of_server(server: str | None) -> Provider | None:
	"""Return whose a mail server is, or None for one that is not known.

	>>> of_server("smtp.gmail.com").title, of_server("mail.shop.example"), of_server(None)
	('Google', None, None)
	"""
	name = (server or "").lower().rstrip(".")
	return next((found for end, found in PROVIDERS.items() if is_within(name, end)), None)


def is_within(name: str, domain: str) -> bool:
	"""Say whether a name is a domain or below it."""
	return name == domain or name.endswith(f".{domain}")


def aligned(one: str, other: str) -> bool:
	"""Say whether two domains are one for DMARC, as it is set as a rule: one of them is, or is below, the other."""
	return is_within(one, other) or is_within(other, one)
