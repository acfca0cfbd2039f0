"""A marketer's mistake is refused when it is saved, with a sentence that says what to do; not at night."""

from unittest.mock import patch

import frappe
from frappe.client import set_value

from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestTrigger(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.campaign = factories.campaign(active=False)

	def trigger(self, **fields):
		return factories.trigger(self.campaign.name, **fields)

	def test_a_negative_offset(self):
		with self.refused("cannot be negative", "After", "5"):
			self.trigger(days_offset=-5)

	def test_in_the_language_of_whoever_saves_it(self):
		self.addCleanup(setattr, frappe.local, "lang", frappe.local.lang)
		frappe.local.lang = "es"
		with self.refused("Los días no pueden ser negativos"):
			self.trigger(days_offset=-5)

	def test_on_expiration_with_an_offset(self):
		with self.refused("On", "set Days to 0"):
			self.trigger(trigger_type="On", days_offset=3)

	def test_a_date_field_that_serial_no_does_not_have(self):
		with self.refused("expiry_date is not a date field", "warranty_expiry_date", "amc_expiry_date"):
			self.trigger(date_field="expiry_date")

	def test_a_field_that_is_no_date(self):
		with self.refused("item_code is not a date field", "warranty_expiry_date"):
			self.trigger(date_field="item_code")

	def test_filters_that_are_none(self):
		for filters in (
			'{"a": 1}',
			"[1]",
			'[["Customer", "name", "=", "x"]]',
			'[["Serial No", "no_such", "=", 1]]',
			# Not a field: the database would compute it.
			"""[["Serial No", "ifnull((select(1)from(__Auth)limit/**/1),'')", "=", "1"]]""",
			'[["Serial No", "ifnull(sleep(0),0)", "=", 0]]',
		):
			with self.subTest(filters), self.refused("filters cannot be used"):
				self.trigger(filters=filters)

	def test_an_unknown_type(self):
		with self.refused("Full Moon"):
			self.trigger(trigger_type="Full Moon")


class TestAction(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.campaign = factories.campaign(active=False)
		(self.trigger,) = frappe.get_all(
			"Lifecycle Trigger", filters={"campaign": self.campaign.name}, pluck="name"
		)

	def action(self, template: str, **fields):
		return factories.action(self.trigger, template, **fields)

	def test_without_a_template(self):
		with self.refused("Choose an Email Template"):
			factories.make(
				"Lifecycle Action", trigger=self.trigger, action_name="Test", action_type="Send Email"
			)

	def test_with_a_template_that_does_not_exist(self):
		with self.refused("No Such Template"):
			self.action("No Such Template")

	def test_with_an_unknown_variable(self):
		with self.refused("costumer_name", "customer_name, item_name, expiry_date"):
			self.action(factories.template(response="Dear {{ costumer_name }}"))

	def test_with_an_unknown_variable_in_the_subject(self):
		with self.refused("pin_name"):
			self.action(factories.template(subject="{{ pin_name }}"))

	def broken(self, response: str) -> str:
		"""Return a template that Frappe itself would not have let pass."""
		name = factories.template()
		frappe.db.set_value("Email Template", name, "response", response)
		return name

	def test_with_a_syntax_error(self):
		with self.refused("line 2"):
			self.action(self.broken("<p>Hello</p>\n{% if customer_name %}"))

	def test_with_a_mistake_that_only_rendering_shows(self):
		for wrong in ("{{ pins[0].day }}", "{{ customer_name | shout }}", "{{ days_left + customer_name }}"):
			with self.subTest(wrong), self.refused("Email Template"):
				self.action(self.broken(wrong))

	def test_without_a_text(self):
		with self.refused("has no text"):
			self.action(factories.template(response="<p> </p>"))

	def test_with_a_translation_that_is_broken(self):
		broken = factories.template(response="{{ nombre }}")
		with self.refused("nombre"):
			self.action(factories.template(), translations=[{"language": "es", "email_template": broken}])

	def test_with_two_templates_for_a_language(self):
		rows = [{"language": "es", "email_template": factories.template()} for _ in range(2)]
		with self.refused("Two templates", "es"):
			self.action(factories.template(), translations=rows)


class TestCampaign(MarketingTestCase):
	def set_defaults(self, accounts: list[str], default_outgoing: int) -> None:
		if accounts:
			filters = {"name": ["in", accounts]}
			frappe.db.set_value("Email Account", filters, "default_outgoing", default_outgoing)
			frappe.db.commit()

	def activate(self, campaign) -> None:
		campaign.reload()
		campaign.is_active = 1
		campaign.save()

	def test_that_ends_before_it_starts(self):
		with self.refused("ends before it starts"):
			factories.campaign(active=False, start_date=in_days(2), end_date=in_days(1))

	def test_renamed_after_its_mails_have_gone_out(self):
		campaign = factories.campaign()
		new = factories.unique("Test")
		frappe.rename_doc("Lifecycle Campaign", campaign.name, new)
		factories.pin(factories.customer(), in_days(30))
		self.run_night(new)
		with self.refused("cannot be renamed"):
			frappe.rename_doc("Lifecycle Campaign", new, campaign.name)

	def test_activated_without_a_trigger(self):
		campaign = factories.make("Lifecycle Campaign", campaign_name=factories.unique("Test"))
		with self.refused("no enabled trigger"):
			self.activate(campaign)

	def test_made_active_from_the_start(self):
		with self.refused("no enabled trigger"):
			factories.make("Lifecycle Campaign", campaign_name=factories.unique("Test"), is_active=1)

	def test_activated_with_no_trigger_but_a_disabled_one(self):
		campaign = factories.campaign({"enabled": 0}, active=False)
		with self.refused("no enabled trigger"):
			self.activate(campaign)

	def test_activated_with_a_trigger_without_action(self):
		campaign = factories.campaign(active=False)
		factories.trigger(campaign.name, trigger_name="Test Lonely")
		with self.refused("Test Lonely", "no enabled action"):
			self.activate(campaign)

	def test_a_trigger_added_to_an_active_campaign_waits_for_its_action(self):
		campaign = factories.campaign()
		trigger = factories.trigger(campaign.name)
		self.assertFalse(trigger.enabled)
		trigger.enabled = 1
		with self.refused("no enabled action"):
			trigger.save()

	def test_activated_without_an_account_for_outgoing_mail(self):
		campaign = factories.campaign(active=False)
		defaults = frappe.get_all("Email Account", filters={"default_outgoing": 1}, pluck="name")
		# `refused` commits.
		self.addCleanup(self.set_defaults, defaults, 1)
		self.set_defaults(defaults, 0)
		with patch.dict(frappe.local.conf):
			frappe.local.conf.pop("mail_server")
			frappe.local.outgoing_email_account = {}
			with self.refused("no Email Account for outgoing mail"):
				self.activate(campaign)

	def test_activated_with_a_sender_that_cannot_send(self):
		campaign = factories.campaign(active=False, sender="nobody@company.example")
		with self.refused("No Email Account sends as nobody@company.example"):
			self.activate(campaign)

	def test_activated_with_a_sender_whose_account_is_disabled(self):
		self.email_account("disabled@company.example", enable_outgoing=0)
		campaign = factories.campaign(active=False, sender="disabled@company.example")
		with self.refused("disabled@company.example"):
			self.activate(campaign)

	def test_what_the_desk_switches_off_is_off(self):
		campaign = factories.campaign()
		trigger = frappe.get_doc("Lifecycle Trigger", {"campaign": campaign.name})
		action = frappe.get_doc("Lifecycle Action", {"trigger": trigger.name})
		for doc, switch in ((action, "enabled"), (trigger, "enabled"), (campaign, "is_active")):
			with self.subTest(doc.doctype):
				# So it comes from a form of the web.
				set_value(doc.doctype, doc.name, switch, "0")
				doc.reload()
				self.assertEqual((doc.get(switch), doc.active_since), (0, None))


class TestDeletion(MarketingTestCase):
	def setUp(self):
		super().setUp()
		factories.pin(factories.customer(), in_days(30))
		self.campaign = factories.campaign()
		self.run = self.run_night()

	def test_what_the_ledger_refers_to_stays(self):
		(row,) = self.ledger()
		for doctype, name in (
			("Lifecycle Campaign", row.campaign),
			("Lifecycle Trigger", row.trigger),
			("Lifecycle Action", row.action),
			("Lifecycle Run", row.run),
			("Lifecycle Execution Log", row.name),
		):
			with self.subTest(doctype), self.assertRaises(frappe.LinkExistsError):
				frappe.delete_doc(doctype, name)
			frappe.db.rollback()

	def test_what_has_told_nobody_can_go_with_all_that_belongs_to_it(self):
		other = factories.campaign()
		frappe.delete_doc("Lifecycle Campaign", other.name)
		for doctype in ("Lifecycle Trigger", "Lifecycle Action"):
			self.assertEqual(frappe.get_all(doctype, filters={"campaign": other.name}), [])

	def test_a_customer_can_be_deleted_and_its_history_stays(self):
		ana = factories.customer(email=None)
		pin = factories.pin(ana, in_days(30))
		self.run_night()
		factories.forget_owner(pin)
		self.assertEqual(self.ledger(reference_name=pin)[0].customer, ana)
		frappe.db.delete("Serial and Batch Entry", {"serial_no": pin})
		frappe.delete_doc("Serial No", pin)
		self.assertEqual(len(self.ledger(reference_name=pin)), 1)


class TestByHand(MarketingTestCase):
	def test_nobody_edits_the_ledger(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		row = frappe.get_doc("Lifecycle Execution Log", self.ledger()[0].name)
		row.status = "Completed"
		with self.refused("cannot be changed by hand", error=frappe.PermissionError):
			row.save()
		with self.refused("cannot be changed by hand", error=frappe.PermissionError):
			frappe.copy_doc(row).insert()

	def test_nobody_edits_a_run(self):
		factories.campaign()
		run = self.run_night()
		run.due = 99
		run.flags.clear()
		with self.refused("cannot be changed by hand", error=frappe.PermissionError):
			run.save()

	def test_settings_out_of_range(self):
		settings = frappe.get_single("Marketing Automation Settings")
		for field, value in (("catch_up_nights", -1), ("chunk_size", 0), ("resume_after_minutes", 1)):
			settings.reload()
			settings.set(field, value)
			with self.subTest(field), self.refused("must be between"):
				settings.save()
