"""What a user may not read they do not learn here, and whom they may not see they do not write to."""

import frappe
import frappe.client

from marketing_automation import api
from marketing_automation.engine.visibility import Visibility
from marketing_automation.marketing_automation.dashboard_chart_source.lifecycle_messages_by_day import (
	lifecycle_messages_by_day,
)
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

SECRET = "warranty_period"


class TestLanguages(MarketingTestCase):
	def test_a_language_is_one_that_the_site_knows(self):
		pin = factories.pin(factories.customer(), in_days(30))
		action = frappe.db.get_value("Lifecycle Action", {"campaign": factories.campaign().name})
		for code in ("../../../etc/passwd", "xx-invented", "es\x00", "e" * 500, "es/../en", "<b>"):
			for call in (api.mail, api.send_test):
				with self.subTest(code, call=call.__name__), self.refused("There is no language"):
					call(action, pin, code)
			kept = frappe.cache().hkeys("lang_user_translations") or []
			self.assertNotIn(code, [frappe.as_unicode(key) for key in kept])
		self.assertTrue(api.mail(action, pin, "es")["subject"])
		self.assertTrue(api.mail(action, pin, "ES")["subject"])
		self.assertTrue(api.mail(action, pin, "")["subject"])

	def test_what_stands_at_a_customer_is_no_path_either(self):
		customer = factories.customer()
		pin = factories.pin(customer, in_days(30))
		# ERPNext copies it to a sale, where Frappe refuses what is longer than any code.
		frappe.db.set_value("Customer", customer, "language", "../../x")
		factories.campaign()
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))


class TestFields(MarketingTestCase):
	"""The warranty period and a date are closed to marketers here, by their permission level."""

	def setUp(self):
		super().setUp()
		for field in (SECRET, "amc_expiry_date"):
			setter = factories.make(
				"Property Setter",
				doctype_or_field="DocField",
				doc_type="Serial No",
				field_name=field,
				property="permlevel",
				property_type="Int",
				value="1",
			)
			self.addCleanup(self._without, setter.name)
		self.marketer = factories.user("Marketing User")
		self.campaign = factories.campaign(active=False, purpose="Marketing")
		self.trigger = frappe.get_doc("Lifecycle Trigger", {"campaign": self.campaign.name})
		self.addCleanup(frappe.set_user, "Administrator")

	@staticmethod
	def _without(setter):
		frappe.set_user("Administrator")
		frappe.delete_doc("Property Setter", setter)
		frappe.db.commit()

	def test_no_filter_asks_for_it_letter_by_letter(self):
		frappe.set_user(self.marketer)
		for field, operator, value in (
			(SECRET, "like", "1%"),
			("amc_expiry_date", ">", "2026-01-01"),
			("_comments", "like", "%a%"),
			# They may not read Serial No at all.
			("item_name", "like", "a%"),
			("owner", "like", "a%"),
			("_user_tags", "like", "%a%"),
		):
			with self.subTest(field), self.refused(field, error=frappe.PermissionError):
				filters = frappe.as_json([["Serial No", field, operator, value]])
				frappe.client.set_value("Lifecycle Trigger", self.trigger.name, "filters", filters)
			frappe.set_user(self.marketer)
		self.asks_by("status", "name", "item_code", "company", "customer")

	def asks_by(self, *fields: str):
		for field in fields:
			with self.subTest(field):
				filters = frappe.as_json([["Serial No", field, "like", "2%"]])
				frappe.client.set_value("Lifecycle Trigger", self.trigger.name, "filters", filters)

	def test_who_reads_serial_numbers_by_another_role_asks_by_what_that_role_reads(self):
		frappe.set_user(factories.user("Marketing User", "Stock User"))
		self.asks_by("item_name", "owner", "_comments")
		filters = frappe.as_json([["Serial No", SECRET, "like", "1%"]])
		with self.refused(SECRET, error=frappe.PermissionError):
			frappe.client.set_value("Lifecycle Trigger", self.trigger.name, "filters", filters)

	def test_nor_is_it_the_date_that_a_preview_shows(self):
		frappe.set_user(self.marketer)
		with self.refused("amc_expiry_date", error=frappe.PermissionError):
			frappe.client.set_value("Lifecycle Trigger", self.trigger.name, "date_field", "amc_expiry_date")
		frappe.set_user(self.marketer)
		self.assertNotIn(
			"amc_expiry_date", [field["value"] for field in api.offers("Serial No")["date_fields"]]
		)
		with self.refused("amc_expiry_date"):
			expiring_pins.execute({"date_field": "amc_expiry_date"})

	def test_what_somebody_else_has_chosen_stays_and_is_not_taken_elsewhere(self):
		self.trigger.filters = frappe.as_json([["Serial No", SECRET, ">", "1"]])
		self.trigger.save()
		frappe.set_user(self.marketer)
		frappe.client.set_value("Lifecycle Trigger", self.trigger.name, "trigger_name", "Other")
		with self.refused(SECRET, error=frappe.PermissionError):
			api.duplicate(self.campaign.name, factories.unique("Test"))


class TestShares(MarketingTestCase):
	@staticmethod
	def _without_shares(user):
		frappe.set_user("Administrator")
		frappe.db.delete("DocShare", {"user": user})
		frappe.db.commit()

	def test_whom_a_campaign_was_shared_with_sees_no_customers_by_it(self):
		campaign, other = factories.campaign(), factories.campaign()
		factories.pin(factories.customer(), in_days(30))
		stranger = factories.user("Sales User", last_name="Shared")
		self.addCleanup(self._without_shares, stranger)
		run = self.run_night(campaign.name)
		row = self.ledger()[0]
		for doctype, name in (
			("Lifecycle Campaign", campaign.name),
			("Lifecycle Action", row.action),
			("Lifecycle Execution Log", row.name),
		):
			frappe.share.add(doctype, name, stranger, write=1)
		frappe.db.commit()
		frappe.set_user(stranger)
		for call, arguments in (
			(api.preview, {"campaign": campaign.name}),
			(api.preview, {}),
			(api.forecast, {"campaign": campaign.name}),
			(api.forecast, {}),
			(api.journey, {"campaign": campaign.name}),
			(api.coming, {"campaign": campaign.name}),
			(api.run_preview, {"campaign": campaign.name}),
			(api.activation, {"campaign": campaign.name}),
			(api.mail, {"action": row.action}),
			(api.why_customer, {"customer": row.customer}),
			(api.why_reference, {"doctype": "Serial No", "name": row.reference_name}),
			(api.due_next_week, {}),
			(lifecycle_messages_by_day.get, {}),
			(api.retry_run, {"run": run.name}),
			(api.send_skipped, {"names": [row.name]}),
			(api.duplicate, {"campaign": campaign.name, "campaign_name": "Test"}),
			(api.preview, {"campaign": other.name}),
		):
			with self.subTest(call.__name__, **arguments), self.assertRaises(frappe.PermissionError):
				call(**arguments)


class TestUserPermissions(MarketingTestCase):
	def user_bound(self, allow: str, name: str, applicable_for: str | None = None) -> str:
		user = factories.user("Marketing User", last_name=f"Bound {allow} {applicable_for}")
		frappe.db.delete("User Permission", {"user": user})
		factories.make(
			"User Permission",
			user=user,
			allow=allow,
			for_value=name,
			apply_to_all_doctypes=0 if applicable_for else 1,
			applicable_for=applicable_for,
		)
		self.addCleanup(self._unbind, user)
		frappe.db.commit()
		return user

	@staticmethod
	def _unbind(user):
		frappe.set_user("Administrator")
		frappe.db.delete("User Permission", {"user": user})
		frappe.cache().hdel("user_permissions", user)
		frappe.db.commit()

	def test_a_company_for_serial_numbers_alone_counts(self):
		theirs, ours = factories.pins(factories.customer(), in_days(30), in_days(30))
		frappe.db.set_value("Serial No", ours, "company", factories.second_company())
		campaign = factories.campaign()
		user = self.user_bound("Company", factories.second_company(), "Serial No")
		frappe.set_user(user)
		self.assertEqual([row["reference_name"] for row in api.preview(campaign.name)["rows"]], [ours])
		self.assertEqual(api.forecast(campaign.name)["total"], 1)
		with self.assertRaises(frappe.DoesNotExistError):
			api.why_reference("Serial No", theirs)
		# It hides no campaign, but to run one is to write to all.
		self.assertTrue(frappe.get_doc("Lifecycle Campaign", campaign.name).has_permission("read"))
		with self.assertRaises(frappe.PermissionError):
			api.run_now(campaign.name)

	def test_a_customer_for_invoices_alone_counts_where_a_message_is_about_an_invoice_and_nowhere_else(self):
		ana, ben = factories.customer(), factories.customer()
		theirs, ours = (factories.invoice(customer, in_days(7)).name for customer in (ana, ben))
		pin = factories.pin(ana, in_days(30))
		unpaid = {"source": "Sales Invoice", "date_field": "due_date", "days_offset": 7}
		text = factories.template("Due", "<p>{{ customer_name }}: {{ sales_invoice }}</p>")
		invoices, pins = factories.campaign(unpaid, email_template=text), factories.campaign()
		action = frappe.db.get_value("Lifecycle Action", {"campaign": invoices.name})
		user = self.user_bound("Customer", ben, "Sales Invoice")
		frappe.set_user(user)

		def names(campaign):
			return [row["reference_name"] for row in api.preview(campaign.name)["rows"]]

		self.assertEqual((names(invoices), names(pins)), ([ours], [pin]))
		self.assertEqual([api.forecast(one.name)["total"] for one in (invoices, pins)], [1, 1])
		self.assertEqual(api.mail(action)["reference_name"], ours)
		with self.assertRaises(frappe.DoesNotExistError):
			api.mail(action, theirs)
		coming = {row["reference_name"] for row in api.why_customer(ana)["coming"]}
		self.assertEqual(coming, {pin})
		_columns, rows, *_rest = expiring_pins.execute(
			{"source": "Sales Invoice", "date_field": "due_date", "show_all": 1}
		)
		self.assertEqual([row["reference_name"] for row in rows], [ours])
		# To run it is to write to Ana about her invoice.
		with self.assertRaises(frappe.PermissionError):
			api.run_now(invoices.name)
		frappe.set_user("Administrator")
		self.run_night()
		frappe.set_user(user)
		history = {row["reference_name"] for row in api.why_customer(ana)["history"]}
		self.assertEqual(history, {pin})
		counts = [trigger["actions"][0]["counts"]["Queued"] for trigger in api.journey(invoices.name)]
		self.assertEqual(counts, [1])

	def test_who_is_bound_for_invoices_makes_no_active_campaign_write_about_them(self):
		campaign = factories.campaign()
		manager = factories.user("Marketing Manager", last_name="Bound for invoices")
		factories.make(
			"User Permission",
			user=manager,
			allow="Customer",
			for_value=factories.customer(),
			apply_to_all_doctypes=0,
			applicable_for="Sales Invoice",
		)
		self.addCleanup(self._unbind, manager)
		frappe.db.commit()
		frappe.set_user(manager)
		self.assertTrue(frappe.get_doc("Lifecycle Campaign", campaign.name).has_permission("write"))
		with self.assertRaises(frappe.PermissionError):
			frappe.get_doc(
				{
					**{"doctype": "Lifecycle Trigger", "campaign": campaign.name, "trigger_name": "Due"},
					**{"source": "Sales Invoice", "date_field": "due_date", "days_offset": 7},
				}
			).insert()

	def test_one_for_another_doctype_does_not(self):
		user = self.user_bound("Company", factories.second_company(), "Customer")
		self.assertEqual(Visibility(user).allowed, {})

	def test_two_that_have_nothing_in_common_leave_nothing(self):
		user = self.user_bound("Company", factories.second_company(), "Serial No")
		factories.make(
			"User Permission",
			user=user,
			allow="Company",
			for_value=factories.company(),
			apply_to_all_doctypes=0,
			applicable_for="Lifecycle Execution Log",
		)
		pin = factories.pin(factories.customer(), in_days(30))
		frappe.db.set_value("Serial No", pin, "company", factories.second_company())
		campaign = factories.campaign()
		frappe.db.commit()
		frappe.set_user(user)
		self.assertEqual(api.preview(campaign.name)["counts"]["due"], 0)
		self.assertEqual(api.forecast(campaign.name)["total"], 0)

	def test_who_sees_one_customer_writes_to_no_other(self):
		customer = factories.customer()
		draft, active = factories.campaign(active=False), factories.campaign()
		action = frappe.db.get_value("Lifecycle Action", {"campaign": active.name})
		for allow, name in (("Customer", customer), ("Item", factories.item())):
			user = self.user_bound(allow, name)
			frappe.set_user(user)
			with self.subTest(allow):
				with self.assertRaises(frappe.PermissionError):
					frappe.client.set_value("Lifecycle Campaign", draft.name, "is_active", 1)
				for call in (
					lambda: api.run_now(active.name),
					lambda: frappe.client.set_value("Lifecycle Action", action, "action_name", "Other"),
					lambda: frappe.client.set_value(
						"Lifecycle Campaign", active.name, "description", "Other"
					),
				):
					with self.assertRaises(frappe.PermissionError):
						call()
				frappe.client.set_value("Lifecycle Campaign", draft.name, "description", "Prepared")
			frappe.set_user("Administrator")

	def test_who_may_not_run_a_campaign_may_not_retry_its_messages(self):
		ours = factories.pin(factories.customer(), in_days(30))
		frappe.db.set_value("Serial No", ours, "company", factories.second_company())
		of_all = factories.campaign()
		self.run_night()
		self.mail_sent("Error", error="SMTPDataError: (451, b'later')")
		row = self.ledger(reference_name=ours)[0]
		self.assertEqual(row.status, "Failed")
		user = factories.user("Marketing User", sees={"Company": factories.second_company()})
		frappe.db.commit()
		frappe.set_user(user)
		for call in (
			lambda: api.run_now(of_all.name),
			lambda: api.retry([row.name]),
			lambda: api.retry_run(row.run),
			lambda: api.send_skipped([row.name]),
		):
			with self.assertRaises(frappe.PermissionError):
				call()
		frappe.set_user("Administrator")
		self.assertEqual(self.ledger(reference_name=ours)[0].status, "Failed")
