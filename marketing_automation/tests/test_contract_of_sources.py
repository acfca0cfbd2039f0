"""Every source keeps the engine's contract: those of this app, and a complete one of another app's."""

from collections import Counter
from datetime import date

import frappe

from marketing_automation import api
from marketing_automation.engine import rules, schedule
from marketing_automation.engine.model import DueEvent, Reason
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.source import COMMON, Source, Variable, all_sources, source_for
from marketing_automation.engine.visibility import Visibility
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, mail_subject
from marketing_automation.tests.factories import in_days
from marketing_automation.tests.sources_to_try import (
	BIRTHDAY,
	KINDS,
	Kind,
	forget_dates,
	registered,
	template,
)

FAKE = "Test Party"


class Parties(Source):
	"""Another app's source, complete: parties that customers give, kept in memory."""

	def __init__(self):
		self.days: dict[str, date] = {}

	def title(self):
		return "When a customer gives a party"

	def validate(self, trigger):
		if trigger.days_offset > 300:
			frappe.throw("Nobody plans a party so far ahead.")

	def reference_doctype(self, trigger):
		return "Customer"

	def reference_doctypes(self):
		return ["Customer"]

	def night(self, rule, occurrence):
		return schedule.night_for_occurrence(rule.trigger.trigger_type, rule.trigger.days_offset, occurrence)

	def _event(self, rule, name, night):
		return DueEvent(rule, "Customer", name, None, None, name, self.days[name], night)

	def due(self, windows):
		for rule, window in windows:
			yield [
				self._event(rule, name, night)
				for name, day in sorted(self.days.items())
				if (night := self.night(rule, day)) and window.first <= night <= window.last
			]

	def current(self, claimed):
		return [
			self._event(rule, row.reference_name, row.due_on) if row.reference_name in self.days else None
			for rule, row in claimed
		]

	def counts(self, windows, visible):
		found = {}
		for events in self.due(windows):
			for event in events:
				key = event.rule.trigger.name, event.night
				found[key] = found.get(key, 0) + 1
		return found

	def about(self, rules, names):
		return [
			self._event(rule, name, self.night(rule, self.days[name]))
			for rule in rules
			for name in names
			if name in self.days
		]

	def owners(self, events):
		return [(event.customer, None if event.customer else Reason.NO_CUSTOMER) for event in events]

	def owned_by(self, trigger, customer, visible, most):
		return [customer] if customer in self.days else []

	def look_up(self, trigger, name):
		return [self._event(None, name, None)] if name in self.days else []

	def example(self, rule, visible):
		return min(self.days, default=None)

	def describe(self, trigger):
		return [
			Variable("date", "The day of the party", None, "date"),
			Variable("guests", "How many come", 12, "number"),
		]

	def values(self, events):
		return [{"date": event.occurrence, "guests": 12} for event in events]

	def wanted(self, rule):
		return "a party"


PARTIES = Parties()


def give_a_party(customer: str, day) -> str:
	PARTIES.days[customer] = day
	return customer


ALL = {**KINDS, FAKE: Kind("", give_a_party)}


class ContractTestCase(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		factories.field_of_the_site("Customer", BIRTHDAY)
		cls.addClassCleanup(factories.remove_field, "Customer", BIRTHDAY)
		frappe.db.commit()

	def setUp(self):
		super().setUp()
		forget_dates()
		PARTIES.days.clear()
		self.enterContext(registered("lifecycle_sources", **{FAKE: f"{__name__}.PARTIES"}))

	def rule(self, source: str, **fields):
		"""Return the rule of a campaign about this source, and the night on which what is due in 7 days is due."""
		trigger = ALL[source].trigger(source, **fields)
		campaign = factories.campaign(trigger, email_template=template())
		(rule,) = rules.load([campaign.name])
		return rule

	def each(self):
		"""Yield (source object, its rule, the name of what is due tonight, its customer) of each source."""
		for key in ALL:
			with self.subTest(key):
				self._reset()
				forget_dates()
				PARTIES.days.clear()
				customer = factories.customer()
				name = ALL[key].make(customer, in_days(7))
				rule = self.rule(key)
				frappe.db.commit()
				yield all_sources()[key], rule, name, customer

	def due(self, source, rule, first=0, last=0) -> list[DueEvent]:
		window = Window(in_days(first), in_days(last), in_days(first))
		return [event for page in source.due([(rule, window)]) for event in page]


class TestContract(ContractTestCase):
	def test_each_that_is_registered_here_is_tried(self):
		self.assertEqual({*all_sources()} - {"Other DocType"}, {*ALL})

	def test_what_is_due_is_due_on_its_night_and_on_no_other(self):
		for source, rule, name, customer in self.each():
			(event,) = self.due(source, rule)
			self.assertEqual(
				(event.reference_doctype, event.reference_name, event.occurrence, event.night),
				(source.reference_doctype(rule.trigger), name, in_days(7), in_days(0)),
			)
			self.assertEqual(source.owners([event]), [(customer, None)])
			self.assertEqual(source.night(rule, event.occurrence), event.night)
			self.assertEqual(self.due(source, rule, -3, -1) + self.due(source, rule, 1, 3), [])

	def test_the_forecast_counts_what_falls_due(self):
		for source, rule, _name, _customer in self.each():
			window = Window(in_days(-2), in_days(30), in_days(-2))
			# Documents of other tests may be due later.
			due = Counter((rule.trigger.name, event.night) for event in self.due(source, rule, -2, 30))
			self.assertEqual(due[rule.trigger.name, in_days(0)], 1)
			self.assertEqual(source.counts([(rule, window)], Visibility()), due)

	def test_what_was_claimed_is_the_same_as_long_as_nothing_changes(self):
		for source, rule, name, customer in self.each():
			row = frappe._dict(
				reference_name=name, customer=customer, occurrence_date=in_days(7), due_on=in_days(0)
			)
			gone = frappe._dict(row, reference_name="No such thing")
			now, nothing = source.current([(rule, row), (rule, gone)])
			self.assertEqual((now.reference_name, now.occurrence, now.left_out), (name, in_days(7), False))
			self.assertEqual(source.owners([now]), [(customer, None)])
			self.assertIsNone(nothing)

	def test_it_knows_what_is_about_a_reference_and_whose_it_is(self):
		for source, rule, name, customer in self.each():
			self.assertIn(in_days(7), [event.occurrence for event in source.about([rule], [name])])
			self.assertEqual(source.about([rule], ["No such thing"]), [])
			(found,) = source.look_up(rule.trigger, name)
			self.assertEqual(source.owners([found]), [(customer, None)])
			self.assertEqual(source.look_up(rule.trigger, "No such thing"), [])
			self.assertEqual(source.owned_by(rule.trigger, customer, Visibility(), 9), [name])
			self.assertEqual(source.example(rule, Visibility()), name)

	def test_its_variables_have_values_for_each_event_and_names_of_their_own(self):
		for source, rule, _name, _customer in self.each():
			variables = source.describe(rule.trigger)
			names = [variable.name for variable in variables]
			self.assertEqual(len(names), len(set(names)))
			self.assertEqual(set(names) & set(COMMON), set())
			self.assertIn("date", names)
			self.assertTrue(all(variable.label for variable in variables))
			events = self.due(source, rule) * 2
			values = source.values(events)
			self.assertEqual(len(values), 2)
			for made in values:
				self.assertEqual(set(made), set(names))
				self.assertEqual(made["date"], in_days(7))

	def test_it_says_what_it_is_in_words(self):
		for source, rule, _name, _customer in self.each():
			self.assertTrue(source.title())
			self.assertTrue(source.wanted(rule))
			offers = source.offers(rule.trigger)
			self.assertEqual([*offers["timing"]], ["Before", "On", "After"])
			self.assertEqual(len({*offers["timing"].values()}), 3)

	def test_a_night_sends_it_once_and_why_says_so(self):
		for _source, rule, name, customer in self.each():
			doctype = source_for(rule.trigger).reference_doctype(rule.trigger)
			found = api.preview(rule.campaign.name)
			self.assertEqual(
				[(row["reference_name"], row["outcome"]) for row in found["rows"]], [(name, "send")]
			)
			coming = api.why_customer(customer)["coming"]
			self.assertEqual([step["reference_name"] for step in coming], [name])
			self.assertEqual(api.mail(rule.actions[0].name)["reference_name"], name)
			self.run_night()
			self.run_night()
			(row,) = self.ledger()
			self.assertEqual((row.status, row.customer, row.reference_doctype), ("Queued", customer, doctype))
			(mail,) = self.mails()
			self.assertIn("Dear", mail_subject(mail))
			why = api.why_reference(doctype, name)
			self.assertEqual(([one.name for one in why["history"]], why["customer"]), ([row.name], customer))
			frappe.db.set_value("Lifecycle Execution Log", row.name, "status", "Failed")
			self.assertEqual(api.retry([row.name]), {"Pending": 1})

	def test_another_apps_triggers_are_refused_by_its_own_words(self):
		with self.refused("so far ahead"):
			self.rule(FAKE, days_offset=301)

	def test_another_apps_variables_are_the_ones_that_its_templates_may_use(self):
		(rule,) = [self.rule(FAKE)]
		action = frappe.get_doc("Lifecycle Action", rule.actions[0].name)
		action.email_template = factories.template("Party", "<p>{{ guests }} come on {{ date }}.</p>")
		action.save()
		action.email_template = factories.template("Party", "<p>{{ customer_name }}: {{ date }}</p>")
		action.save()
		wrong = frappe.get_doc("Email Template", action.email_template)
		wrong.response = wrong.response.replace("date", "serial_no")
		with self.refused("serial_no", "guests"):
			wrong.save()
