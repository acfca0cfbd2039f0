"""By what right: an existing customer, consent, or a message that offers nothing. Without one nothing goes."""

from datetime import date, timedelta

import frappe
from frappe import client
from frappe.utils import getdate

from marketing_automation import template_rights
from marketing_automation.checks.basis import CHECK
from marketing_automation.desk import health, insight
from marketing_automation.engine import consent, gate, plan, rules
from marketing_automation.engine.consent import Person
from marketing_automation.engine.gate import Asked
from marketing_automation.engine.model import Recipient
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.engine.visibility import Visibility
from marketing_automation.marketing_automation.report.basis_of_messages import basis_of_messages
from marketing_automation.patches import ask_for_basis
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.http_site import ask, served

EXISTING, OPT_IN, SERVICE = "Existing customer", "Opt-in", "Service"
OTHER_GROUP = "Test Other Group"
SUBGROUP = "Test Pins Of Gold"


class BasisTestCase(MarketingTestCase):
	country = "Spain"

	def setUp(self):
		super().setUp()
		frappe.db.set_value("Company", factories.company(), "country", self.country)
		frappe.db.delete("Lifecycle Consent")
		frappe.db.delete("Lifecycle Country Profile")
		frappe.db.commit()
		self.addCleanup(self._put_back)
		self.customer = factories.customer()

	def _put_back(self):
		frappe.db.rollback()
		frappe.db.set_value("Company", factories.company(), "country", "Colombia")
		frappe.db.delete("Lifecycle Consent")
		frappe.db.delete("Lifecycle Country Profile")
		frappe.db.commit()

	def campaign(self, *triggers, **fields):
		return factories.campaign(*triggers, **{"purpose": "Marketing", "send_window": "Any time", **fields})

	def quotation(self, *items: str):
		"""Return a quotation of the customer's that runs out in thirty days: nothing that shows a sale."""
		return factories.quotation(self.customer, in_days(30), *items)

	def about_quotations(self, **fields):
		fields.setdefault(
			"email_template", factories.template("Still interested?", "Dear {{ customer_name }}")
		)
		return self.campaign(
			{"source": "Quotation", "date_field": "valid_till", "trigger_type": "Before", "days_offset": 30},
			**fields,
		)

	def sale(self, item: str, days: int = 10, customer: str | None = None):
		return sold(customer or self.customer, item, in_days(-days))

	def basis(self) -> tuple:
		"""Run the night; return (basis, DocType, name) of the only message, or why it was skipped."""
		self.run_night()
		(row,) = self.ledger()
		if row.status == "Skipped":
			return (row.reason,)
		return row.basis, row.evidence_doctype, row.evidence_name


def sold(customer: str, item: str, on: date):
	"""Return a Sales Invoice of an item that is in no stock."""
	return factories.invoice(customer, on + timedelta(days=30), item, posting_date=on)


class TestExistingCustomer(BasisTestCase):
	def test_a_pin_that_a_customer_has_is_the_sale(self):
		pin = factories.pin(self.customer, in_days(30))
		self.campaign()
		self.assertEqual(self.basis(), (EXISTING, "Serial No", pin))

	def test_a_quotation_is_none_and_a_sale_of_the_group_is(self):
		self.quotation(factories.service())
		invoice = self.sale(factories.service("TEST-OTHER-SERVICE"))
		self.about_quotations(item_group=factories.ITEM_GROUP)
		self.assertEqual(self.basis(), (EXISTING, "Sales Invoice", invoice.name))

	def test_a_sale_of_another_group_is_none(self):
		self.quotation(factories.service())
		self.sale(factories.service("TEST-IN-OTHER-GROUP", group=OTHER_GROUP))
		self.about_quotations(item_group=factories.ITEM_GROUP)
		self.assertEqual(self.basis(), ("No basis",))

	def test_without_an_item_or_a_group_nothing_is_similar(self):
		self.quotation(factories.service())
		self.sale(factories.service())
		self.about_quotations()
		self.assertEqual(self.basis(), ("No basis",))

	def test_a_sale_that_came_back_is_none(self):
		self.quotation(factories.service())
		factories.returned(self.sale(factories.service()))
		self.about_quotations(item_group=factories.ITEM_GROUP)
		self.assertEqual(self.basis(), ("No basis",))

	def test_a_sale_that_is_too_old_is_none(self):
		self.quotation(factories.service())
		self.sale(factories.service(), days=731)
		self.about_quotations(item_group=factories.ITEM_GROUP)
		self.assertEqual(self.basis(), ("No basis",))

	def test_of_several_sales_the_last_one_is_shown(self):
		self.quotation(factories.service())
		self.sale(factories.service(), days=90)
		last = self.sale(factories.service(), days=3)
		self.sale(factories.service("TEST-IN-OTHER-GROUP", group=OTHER_GROUP), days=1)
		self.about_quotations(item_group=factories.ITEM_GROUP)
		self.assertEqual(self.basis(), (EXISTING, "Sales Invoice", last.name))

	def test_somebody_elses_sale_is_none(self):
		self.quotation(factories.service())
		self.sale(factories.service(), customer=factories.customer())
		self.about_quotations(item_group=factories.ITEM_GROUP)
		self.assertEqual(self.basis(), ("No basis",))

	def test_what_ended_long_ago_is_no_sale_any_more(self):
		factories.pin(self.customer, in_days(-800), posting_date=in_days(-900))
		self.campaign({"trigger_type": "After", "days_offset": 800})
		self.assertEqual(self.basis(), ("No basis",))

	def test_what_was_sold_too_long_ago_is_no_sale_though_its_date_is_to_come(self):
		factories.pin(self.customer, in_days(30), posting_date=in_days(-731))
		self.campaign()
		self.assertEqual(self.basis(), ("No basis",))

	def test_what_was_sold_on_the_last_day_is_one(self):
		pin = factories.pin(self.customer, in_days(30), posting_date=in_days(-730))
		self.campaign()
		self.assertEqual(self.basis(), (EXISTING, "Serial No", pin))

	def about_a_batch(self, days: int) -> tuple:
		"""Return the basis of a message about a batch of which one was sold so many days ago."""
		on = in_days(-days)
		factories.batch(in_days(30), self.customer, since=on, posting_date=on)
		self.campaign(
			{"source": "Batch", "date_field": "expiry_date", "trigger_type": "Before", "days_offset": 30},
			email_template=factories.template("Soon", "Dear {{ customer_name }}"),
		)
		return self.basis()[:2]

	def test_a_batch_counts_from_when_the_customer_has_bought_of_it(self):
		self.assertEqual(self.about_a_batch(731), ("No basis",))

	def test_a_batch_that_was_bought_on_the_last_day_is_a_sale(self):
		self.assertEqual(self.about_a_batch(730), (EXISTING, "Batch"))

	def about_an_invoice(self, days: int) -> tuple:
		"""Return the basis of a message about an invoice of so many days ago that is due in five."""
		factories.invoice(self.customer, in_days(5), factories.service(), posting_date=in_days(-days))
		self.campaign(
			{
				"source": "Sales Invoice",
				"date_field": "due_date",
				"trigger_type": "Before",
				"days_offset": 5,
			},
			email_template=factories.template("Due", "Dear {{ customer_name }}"),
		)
		return self.basis()[:2]

	def test_an_invoice_counts_from_its_own_date_and_not_from_the_one_on_which_it_is_due(self):
		self.assertEqual(self.about_an_invoice(731), ("No basis",))

	def test_an_invoice_of_the_last_day_is_a_sale(self):
		self.assertEqual(self.about_an_invoice(730), (EXISTING, "Sales Invoice"))

	def test_where_nobody_has_declared_it_there_is_none(self):
		frappe.get_single(SETTINGS).update({"addresses_lawful": 0}).save()
		factories.pin(self.customer, in_days(30))
		self.campaign()
		self.assertEqual(self.basis(), ("No basis",))
		self.assertIn("lawfully", " ".join(problem["text"] for problem in health.problems(self.active())))

	def active(self):
		return frappe.get_all("Lifecycle Campaign", {"is_active": 1}, ["name", "sender", "is_active"])


class TestByCountry(BasisTestCase):
	country = "Peru"

	def test_peru_asks_for_consent(self):
		factories.pin(self.customer, in_days(30))
		self.campaign()
		self.assertEqual(self.basis(), ("No basis",))

	def test_the_customers_address_counts(self):
		factories.make(
			"Address",
			address_title=self.customer,
			address_type="Billing",
			address_line1="Test",
			city="Test",
			country="Spain",
			links=[{"link_doctype": "Customer", "link_name": self.customer}],
		)
		pin = factories.pin(self.customer, in_days(30))
		self.campaign()
		self.assertEqual(self.basis(), (EXISTING, "Serial No", pin))

	def test_what_the_site_has_changed_counts(self):
		factories.make("Lifecycle Country Profile", country="Peru", existing_customer="Same item group")
		pin = factories.pin(self.customer, in_days(30))
		self.campaign()
		self.assertEqual(self.basis(), (EXISTING, "Serial No", pin))


class TestUnitedStates(BasisTestCase):
	country = "United States"

	def test_any_sale_will_do(self):
		self.quotation(factories.service())
		invoice = self.sale(factories.service("TEST-IN-OTHER-GROUP", group=OTHER_GROUP))
		self.about_quotations()
		self.assertEqual(self.basis(), (EXISTING, "Sales Invoice", invoice.name))


class TestConsent(BasisTestCase):
	def test_who_has_agreed_has_agreed(self):
		self.quotation(factories.service())
		self.about_quotations()
		proof = self.agree()
		self.assertEqual(self.basis(), (OPT_IN, *proof))

	def agree(self) -> tuple[str, str]:
		address = factories.address(self.customer)
		person = Person(address=address, contact=None, customer=self.customer, campaign=None, message=None)
		return "Lifecycle Consent", consent.record(consent.GIVEN, person, "Renewals", "double opt-in", "Yes")

	def test_who_agrees_later_gets_it_by_the_next_run(self):
		self.quotation(factories.service())
		self.about_quotations()
		self.assertEqual(self.basis(), ("No basis",))
		proof = self.agree()
		self.assertEqual(self.basis(), (OPT_IN, *proof))


class TestService(BasisTestCase):
	def test_it_needs_nothing(self):
		self.quotation(factories.service())
		self.about_quotations(purpose="Service")
		self.assertEqual(self.basis()[0], SERVICE)

	def test_only_a_marketing_manager_makes_one(self):
		campaign = self.campaign(active=False)
		user, manager = factories.user("Marketing User"), factories.user("Marketing Manager")
		frappe.db.commit()
		frappe.set_user(user)
		with self.refused("Only a Marketing Manager", error=frappe.PermissionError):
			client.set_value("Lifecycle Campaign", campaign.name, "purpose", "Service")
		with self.refused("Only a Marketing Manager", error=frappe.PermissionError):
			client.insert(
				{
					"doctype": "Lifecycle Campaign",
					"campaign_name": factories.unique("Test"),
					"purpose": "Service",
				}
			)
		frappe.set_user(manager)
		client.set_value("Lifecycle Campaign", campaign.name, "purpose", "Service")
		frappe.set_user(user)
		# Whatever else there is to change in it, they may, and their copy offers something.
		client.set_value("Lifecycle Campaign", campaign.name, "description", "Theirs")
		copy = frappe.get_doc("Lifecycle Campaign", campaign.name).duplicate(factories.unique("Test"))
		self.assertEqual(copy.purpose, "Marketing")
		frappe.set_user("Administrator")


class TestWhatServiceSends(BasisTestCase):
	"""A manager has said that it offers nothing; so what it sends is theirs to say, by whichever way it is asked for."""

	WHY = "is a Service campaign"

	def setUp(self):
		super().setUp()
		self.template = factories.template("Your visit", "Dear {{ customer_name }}")
		self.other = factories.template("Buy more", "Dear {{ customer_name }}")
		for name in (self.template, self.other):
			template_rights.register(name, template_rights.MARKETER)
		self.service = self.campaign(purpose="Service", email_template=self.template)
		self.marketing = self.campaign(email_template=self.other)
		self.trigger, self.action = self.parts(self.service)
		self.user, self.manager = factories.user("Marketing User"), factories.user("Marketing Manager")
		frappe.db.commit()
		frappe.set_user(self.user)
		self.addCleanup(frappe.set_user, "Administrator")

	def parts(self, campaign) -> tuple[str, str]:
		of_campaign = {"campaign": campaign.name}
		return tuple(
			frappe.db.get_value(doctype, of_campaign) for doctype in ("Lifecycle Trigger", "Lifecycle Action")
		)

	def refusals(self):
		return self.refused(self.WHY, error=frappe.PermissionError)

	def changed(self, doctype: str, name: str, **fields) -> dict:
		return {**frappe.get_doc(doctype, name).as_dict(), **fields}

	def test_a_marketer_changes_neither_its_triggers_nor_its_actions(self):
		with self.refusals():
			client.set_value("Lifecycle Trigger", self.trigger, "days_offset", 7)
		with self.refusals():
			client.save(
				self.changed("Lifecycle Trigger", self.trigger, filters='[["Serial No","name","!=","x"]]')
			)
		with self.refusals():
			client.set_value("Lifecycle Action", self.action, "email_template", self.other)
		with self.refusals():
			client.set_value("Lifecycle Action", self.action, {"preview_text": "Now cheaper"})
		spanish = [{"language": "es", "email_template": self.other}]
		with self.refusals():
			client.save(self.changed("Lifecycle Action", self.action, translations=spanish))
		with self.refusals():
			client.insert(
				{
					"doctype": "Lifecycle Action Translation",
					"parenttype": "Lifecycle Action",
					"parentfield": "translations",
					"parent": self.action,
					**spanish[0],
				}
			)

	def test_a_marketer_adds_nothing_to_it_and_moves_nothing_there(self):
		trigger, action = self.parts(self.marketing)
		new = {**self.changed("Lifecycle Trigger", trigger), "name": None, "campaign": self.service.name}
		with self.refusals():
			client.insert({**new, "__islocal": 1})
		with self.refusals():
			client.set_value("Lifecycle Trigger", trigger, "campaign", self.service.name)
		with self.refusals():
			client.set_value("Lifecycle Action", action, "trigger", self.trigger)
		# Nor is anything taken out of it, to be changed and put back.
		with self.refusals():
			client.set_value("Lifecycle Action", self.action, "trigger", trigger)

	def test_over_rest_as_well(self):
		frappe.set_user("Administrator")
		user = frappe.get_doc("User", self.user)
		user.update({"api_key": frappe.generate_hash(length=15), "api_secret": "a-secret-of-the-test"})
		user.save(ignore_permissions=True)
		frappe.db.commit()
		key = f"token {user.api_key}:a-secret-of-the-test"
		body = frappe.as_json({"email_template": self.other}).encode()
		with served() as site:
			address = f"{site}/api/resource/Lifecycle%20Action/{self.action}"
			answer = ask(address, "PUT", body, Authorization=key, Content_Type="application/json")
			self.assertEqual(answer.status, 403)
			self.assertIn(self.WHY, answer.text)
			_trigger, action = self.parts(self.marketing)
			address = f"{site}/api/resource/Lifecycle%20Action/{action}"
			answer = ask(address, "PUT", body, Authorization=key, Content_Type="application/json")
			self.assertEqual(answer.status, 200)
		frappe.db.rollback()
		self.assertEqual(
			frappe.db.get_value("Lifecycle Action", self.action, "email_template"), self.template
		)

	def test_a_translation_is_not_changed_by_itself(self):
		frappe.set_user("Administrator")
		action = frappe.get_doc("Lifecycle Action", self.action)
		action.append("translations", {"language": "es", "email_template": self.template})
		action.save()
		frappe.set_user(self.user)
		(row,) = action.translations
		by_itself = frappe.get_doc("Lifecycle Action Translation", row.name)
		by_itself.email_template = self.other
		with self.refused("is a part of", error=frappe.PermissionError):
			by_itself.save()
		with self.refused("is a part of", error=frappe.PermissionError):
			frappe.delete_doc("Lifecycle Action Translation", row.name)
		new = frappe.copy_doc(by_itself).update({"parent": self.action, "language": "de"})
		with self.refused("is a part of", error=frappe.PermissionError):
			new.insert()
		frappe.set_user("Administrator")
		action.reload()
		self.assertEqual([row.email_template for row in action.translations], [self.template])
		action.update({"translations": []}).save()
		self.assertFalse(frappe.db.exists("Lifecycle Action Translation", row.name))

	def test_a_marketer_does_not_change_what_its_templates_say(self):
		with self.refused("only a Marketing Manager may change it", error=frappe.PermissionError):
			template_rights.check(frappe.get_doc("Email Template", self.template))
		self.assertFalse(frappe.has_permission("Email Template", "write", doc=self.template))
		with self.assertRaises(frappe.PermissionError):
			client.set_value("Email Template", self.template, "subject", "Buy more")
		client.set_value("Email Template", self.other, "subject", "Buy more of it")

	def test_a_marketer_may_switch_a_part_off_and_name_it_and_change_what_is_marketing(self):
		client.set_value("Lifecycle Action", self.action, {"action_name": "Theirs"})
		client.set_value("Lifecycle Action", self.action, "enabled", 0)
		client.set_value("Lifecycle Trigger", self.trigger, {"trigger_name": "Theirs", "enabled": 0})
		with self.refusals():
			client.set_value("Lifecycle Action", self.action, "enabled", 1)
		with self.refusals():
			client.set_value("Lifecycle Trigger", self.trigger, "enabled", 1)
		trigger, _action = self.parts(self.marketing)
		client.set_value("Lifecycle Trigger", trigger, "days_offset", 7)

	def test_a_manager_changes_all_of_it(self):
		frappe.set_user(self.manager)
		client.set_value("Lifecycle Action", self.action, "email_template", self.other)
		client.set_value("Lifecycle Trigger", self.trigger, "days_offset", 7)
		client.set_value("Email Template", self.template, "subject", "Your visit on Monday")

	def test_off_it_is_the_same(self):
		frappe.db.set_value("Lifecycle Campaign", self.service.name, "is_active", 0)
		with self.refusals():
			client.set_value("Lifecycle Action", self.action, "email_template", self.other)


class TestNotNeeded(BasisTestCase):
	"""A site from before there was a basis goes on until it says otherwise."""

	def test_what_has_no_basis_goes_and_has_none(self):
		frappe.get_single(SETTINGS).update({"basis_needed": 0}).save()
		self.quotation(factories.service())
		self.about_quotations()
		self.assertEqual(self.basis(), (None, None, None))
		self.assertIn(
			"Send Nothing Without a Basis",
			" ".join(problem["text"] for problem in health.problems(TestExistingCustomer.active(self))),
		)

	def test_the_patch_lets_a_site_with_campaigns_go_on(self):
		self.campaign(active=False)
		frappe.db.delete("Singles", {"doctype": SETTINGS, "field": ["in", ["basis_needed", "send_from"]]})
		ask_for_basis.execute()
		stored = frappe.db.get_singles_dict(SETTINGS)
		self.assertEqual((stored["basis_needed"], stored["send_from"]), ("0", "09:00:00"))

	def test_the_declaration_says_who_and_when(self):
		settings = frappe.get_single(SETTINGS)
		settings.update({"addresses_lawful": 0}).save()
		self.assertIsNone(settings.addresses_lawful_by)
		manager = factories.user("Marketing Manager")
		frappe.set_user(manager)
		settings = frappe.get_single(SETTINGS)
		settings.update({"addresses_lawful": 1, "addresses_lawful_by": "somebody else"}).save()
		frappe.set_user("Administrator")
		self.assertEqual(settings.addresses_lawful_by, manager)
		self.assertTrue(settings.addresses_lawful_since)
		settings = frappe.get_single(SETTINGS)
		settings.update({"addresses_lawful_by": "somebody else"}).save()
		self.assertEqual(settings.addresses_lawful_by, manager)


class TestShown(BasisTestCase):
	def test_why_shows_it(self):
		pin = factories.pin(self.customer, in_days(30))
		campaign = self.campaign()
		self.basis()
		(row,) = insight.why_customer(self.customer, [campaign.name], Visibility())["history"]
		self.assertEqual((row.basis, row.evidence_name), (EXISTING, pin))

	def test_why_shows_it_of_what_is_coming(self):
		factories.pin(self.customer, in_days(31))
		campaign = self.campaign()
		(step,) = insight.why_customer(self.customer, [campaign.name], Visibility())["coming"]
		self.assertEqual(step["basis"], EXISTING)


class TestQueries(BasisTestCase):
	def test_as_many_for_many_as_for_one(self):
		self.about_quotations(item_group=factories.ITEM_GROUP)
		(rule,) = rules.load()
		at = gate.when(getdate())

		def queries(customers: list[str]) -> int:
			asked = []
			for customer in customers:
				quotation = factories.quotation(customer, in_days(30), factories.service())
				event = next(
					event
					for page in plan.plan(plan.windows_for_run([rule], getdate()), getdate())
					for event in [message.event for message in page]
					if event.reference_name == quotation.name
				)
				asked.append(
					Asked(rule.actions[0], event, Recipient(customer, customer, f"{customer}@x.example"))
				)
			CHECK.judge(asked, at)
			with statements() as seen:
				CHECK.judge(asked, at)
			return len(seen)

		some = [factories.customer() for _number in range(6)]
		for customer in some:
			sold(customer, factories.service(), in_days(-3))
		one, six = queries(some[:1]), queries(some)
		self.assertEqual(one, six)
		self.assertLessEqual(six, 20)


class TestReport(BasisTestCase):
	def report(self, **filters):
		_columns, rows, _message, _chart, summary = basis_of_messages.execute(filters)
		return rows, {one["label"]: one["value"] for one in summary}

	def test_it_lists_what_was_sent_with_its_basis(self):
		pin = factories.pin(self.customer, in_days(30))
		factories.pin(factories.customer(email=None), in_days(30))
		self.campaign()
		self.run_night()
		rows, summary = self.report()
		self.assertEqual(
			[(row.customer, row.basis, row.evidence_name) for row in rows], [(self.customer, EXISTING, pin)]
		)
		self.assertEqual(summary["Existing customer"], 1)
		self.assertEqual(self.report(only_without=1)[0], [])

	def test_those_without_one(self):
		frappe.get_single(SETTINGS).update({"basis_needed": 0}).save()
		self.quotation(factories.service())
		self.about_quotations()
		self.run_night()
		rows, summary = self.report(only_without=1)
		self.assertEqual([(row.customer, row.right) for row in rows], [(self.customer, "None")])
		self.assertEqual(summary["Without a Basis"], 1)

	def test_a_user_sees_only_their_customers(self):
		factories.pin(self.customer, in_days(30))
		other = factories.customer()
		factories.pin(other, in_days(30))
		self.campaign()
		self.run_night()
		frappe.set_user(factories.user("Marketing User", sees={"Customer": other}))
		self.assertEqual([row.customer for row in self.report()[0]], [other])
		frappe.set_user("Administrator")

	def test_a_period_that_ends_before_it_starts_is_refused(self):
		with self.refused("ends before"):
			self.report(from_date=in_days(1), to_date=in_days(0))
