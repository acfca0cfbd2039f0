"""A small shop with 300 customers and 1,000 subscription pins, and its campaigns: demo_data.py SITE.

Besides the renewal of pins it has three from recipes: a quotation, an invoice and a batch are due tonight, too.

Run inside the bench. The same on every run, but for the dates, which lie around the day that it is.
"""

import random
import sys
from collections import defaultdict

import clock
import frappe
from frappe.utils import add_days, getdate

from marketing_automation.engine import consent
from marketing_automation.recipes import all_recipes, cook
from marketing_automation.tests import factories

CUSTOMERS = 300
PINS = 1000
COMPANY = "Pin Shop"
CAMPAIGN = "Subscription renewal"
# The recipes of the other campaigns, and the days that are theirs.
RECIPES = {
	"quotation_follow_up": {"Before": [10, 2]},
	"payment_reminder": {"Before": [5, 0], "After": [3, 14]},
	"batch_expiry": {"Before": [30, 7]},
}
# Who has bought the next pin already.
RENEWED = "Carla Rivas"
# Whose complaint is open, so that nothing is offered to them before it is settled.
COMPLAINS = "Diego Ramos"
# How many pins expire on the days that tonight's run looks for; the others lie anywhere around today.
BUSY_DAYS = {30: 90, 7: 60}
FIRST_DAY, LAST_DAY = -60, 90

SPANISH = (
	"José Núñez",
	"María Peña",
	"Íñigo Ibáñez",
	"Lucía Muñoz",
	"Ángel Gómez",
	"Sofía Güell",
	"Raúl Cañas",
)
ENGLISH = (
	"Zoë Brown",
	"Liam O'Neill",
	"Chloé Smith",
	"Noah Clarke",
	"Emma Jones",
	"Oliver Hall",
	"Ava Wright",
)
ITEMS = (
	("STREAM-12", "Streaming Premium, 12 months", "Streaming"),
	("MUSIC-12", "Music Family, 12 months", "Streaming"),
	("SHIELD-12", "Antivirus Plus, 12 months", "Security"),
)

EN = {
	"subject": "{{ customer_name }}, {{ item_name }} ends on {{ expiry_date }}",
	"response": """<p>Dear {{ customer_name }},</p>
<p>in {{ days_left }} days, on {{ expiry_date }}, this ends:</p>
<ul>{% for pin in pins %}<li><strong>{{ pin.item_name }}</strong> (pin {{ pin.serial_no }})</li>{% endfor %}</ul>
<p>Renew it now and keep your pin: answer this mail, and we do the rest.</p>
<p>{{ company }}</p>""",
}
ES = {
	"subject": "{{ customer_name }}, {{ item_name }} vence el {{ expiry_date }}",
	"response": """<p>Hola, {{ customer_name }}:</p>
<p>dentro de {{ days_left }} días, el {{ expiry_date }}, vence esto:</p>
<ul>{% for pin in pins %}<li><strong>{{ pin.item_name }}</strong> (pin {{ pin.serial_no }})</li>{% endfor %}</ul>
<p>Renueva ahora y conserva tu pin: responde a este correo y nosotros hacemos el resto.</p>
<p>{{ company }}</p>""",
}


def fill() -> None:
	"""Make the shop, its sales and its campaign."""
	chance = random.Random(2026)
	if not factories.real_erpnext():
		factories.make("Company", company_name=COMPANY, abbr="PS", default_currency="USD", country="Colombia")
	items = [factories.item(code, factories.item_group(group), item_name=name) for code, name, group in ITEMS]
	customers = [_customer(number, chance) for number in range(CUSTOMERS)]
	_sell(customers, items, chance)
	_disable(customers)
	_renew(items[0])
	_complain(items[0])
	_other_documents()
	_settings()
	_campaign()
	for recipe, days in RECIPES.items():
		_from_recipe(recipe, days)


def _customer(number: int, chance: random.Random) -> str:
	spanish = chance.random() < 0.5
	name = f"{chance.choice(SPANISH if spanish else ENGLISH)} {number:03d}"
	# One in 25 has no address at all.
	email = None if number % 25 == 3 else f"customer{number:03d}@customers.example"
	return factories.customer(name, email, language="es" if spanish else "en")


def _sell(customers: list[str], items: list[str], chance: random.Random) -> None:
	"""Sell the pins: to each customer one document an item, so that many have several pins due on one day."""
	days = [day for day, count in BUSY_DAYS.items() for _ in range(count)]
	days += [chance.randint(FIRST_DAY, LAST_DAY) for _ in range(PINS - len(days))]
	baskets = defaultdict(list)
	buyer = None
	for number, day in enumerate(days):
		# Every fifth pin goes to the same buyer as the one before it.
		if buyer is None or number % 5:
			buyer = chance.choice(customers), chance.choice(items)
		baskets[buyer].append((f"PIN-{number:04d}", day))
	by_day = defaultdict(list)
	for number, ((customer, item), basket) in enumerate(baskets.items()):
		names = [name for name, _day in basket]
		factories.received(item_code=item, names=names)
		doctype = "Delivery Note" if number % 4 == 0 else "Sales Invoice"
		sale = factories.sold(customer, names, doctype, item)
		# One sale in 20 was given back; its pins keep their dates.
		if number % 20 == 5:
			factories.returned(sale)
		for name, day in basket:
			by_day[day].append(name)
	for day, names in by_day.items():
		factories.expire(names, getdate(add_days(getdate(), day)))


def _disable(customers: list[str]) -> None:
	frappe.db.set_value("Customer", {"name": ["in", customers[7::30]]}, "disabled", 1)


def _renew(item: str) -> None:
	"""Sell a pin that ends in 30 days, and the next one to the same customer, who has no need to be written to."""
	customer = factories.customer(RENEWED, "carla.rivas@customers.example", language="es")
	for name, day, sold_on in (("PIN-OLD", 30, -335), ("PIN-NEXT", 395, -3)):
		factories.received(item_code=item, names=[name])
		sale = factories.sold(customer, [name], item_code=item)
		# ERPNext would not sell what it had not received by then.
		sale.db_set("posting_date", add_days(getdate(), sold_on), update_modified=False)
		factories.expire(name, getdate(add_days(getdate(), day)))


def _agree(customer: str) -> None:
	"""Have a customer who has bought nothing yet agree to offers: there is a quotation only."""
	address = factories.address(customer)
	contact = frappe.db.get_value("Contact Email", {"email_id": address}, "parent")
	person = consent.Person(address, contact, customer)
	consent.record(consent.GIVEN, person, "Offers", "hand", "Write to me about offers.")


def _complain(item: str) -> None:
	"""Sell a pin that ends in 7 days to somebody who has a complaint."""
	customer = factories.customer(COMPLAINS, "diego.ramos@customers.example", language="es")
	factories.received(item_code=item, names=["PIN-HELD"])
	factories.sold(customer, ["PIN-HELD"], item_code=item)
	factories.expire(["PIN-HELD"], factories.in_days(7))
	factories.make("Issue", subject="It does not start", customer=customer, status="Open")


def _settings() -> None:
	"""Declare that the addresses were got lawfully, and let an open complaint hold back offers."""
	settings = frappe.get_single("Marketing Automation Settings")
	settings.addresses_lawful = 1
	settings.append("holds", {"hold": "Open Issue"})
	settings.save()


def _other_documents() -> None:
	"""Make what is due tonight besides the pins, and next to each what is not: it was ordered, or paid."""
	names = {"Rosa Díaz": "es", "Tom Baker": "en", "Eva Luna": "es", "Amy Stone": "en"}
	rosa, tom, eva, amy = [factories.customer(name, language=code) for name, code in names.items()]
	_agree(rosa)
	factories.quotation(rosa, factories.in_days(2))
	ordered = factories.quotation(tom, factories.in_days(2))
	factories.sales_order(tom, factories.in_days(9), ordered=ordered.items)
	factories.invoice(tom, factories.in_days(-3))
	factories.invoice(rosa, factories.in_days(-3), paid=True)
	factories.batch(factories.in_days(7), eva, amy)


def _from_recipe(name: str, days: dict[str, list[int]]) -> None:
	recipe = all_recipes()[name]
	campaign = cook(recipe, recipe["title"], days, "en", {"combine_messages": 1})
	campaign.is_active = 1
	campaign.save()


def _campaign() -> None:
	"""Make the renewal: 30 and 7 days before, in English and Spanish."""
	for name, text in (("Renewal (English)", EN), ("Renewal (Spanish)", ES)):
		factories.make("Email Template", name=name, **text)
	campaign = factories.make(
		"Lifecycle Campaign",
		campaign_name=CAMPAIGN,
		description="Offers the renewal 30 and 7 days before a subscription pin expires.",
		goal="Renewed",
		combine_messages=1,
		topic="Renewals",
	)
	for days in BUSY_DAYS:
		trigger = factories.trigger(campaign.name, trigger_name=f"{days} days before", days_offset=days)
		factories.action(
			trigger.name,
			"Renewal (English)",
			action_name=f"Offer, {days} days",
			translations=[{"language": "es", "email_template": "Renewal (Spanish)"}],
		)
	campaign.is_active = 1
	campaign.save()


if __name__ == "__main__":
	clock.start()
	frappe.init(site=sys.argv[1], sites_path=".")
	frappe.connect()
	frappe.set_user("Administrator")
	# Nobody listens there: the demonstration brings its own server when it runs.
	frappe.conf.update({"mail_server": "127.0.0.1", "mail_port": 9, "auto_email_id": "shop@company.example"})
	fill()
	frappe.db.commit()
	frappe.destroy()
