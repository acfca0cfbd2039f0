"""The promise of the app: a pin that expires in N days brings its customer one message, and the ledger knows."""

from datetime import date

import frappe

from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestRenewal(MarketingTestCase):
	def test_a_pin_that_expires_in_thirty_days_is_told_once(self):
		ana = factories.customer("Test Ana", email="ana@customers.example")
		pin = factories.pin(ana, in_days(30))
		factories.campaign()

		run = self.run_night()
		(row,) = self.ledger()
		(mail,) = self.mails()
		self.assertEqual(
			(
				row.status,
				row.customer,
				row.reference_doctype,
				row.reference_name,
				row.item_code,
				row.recipient,
			),
			("Queued", ana, "Serial No", pin, factories.ITEM, "ana@customers.example"),
		)
		self.assertEqual((row.occurrence_date, row.due_on, row.run), (in_days(30), in_days(0), run.name))
		self.assertEqual((mail.recipient, row.handle), ("ana@customers.example", str(mail.name)))
		self.assertEqual((run.due, run.known, run.queued, run.status), (1, 0, 1, "Completed"))

		self.mail_sent()
		self.assertEqual(self.outcome_of(pin), ("Completed", None))
		run.reload()
		self.assertEqual((run.queued, run.completed), (0, 1))

		again = self.run_night()
		self.assertEqual((again.due, again.known), (1, 1))
		self.assertEqual((len(self.ledger()), len(self.mails())), (1, 1))

	def test_exactly_the_day_and_no_other(self):
		ana = factories.customer()
		factories.pins(ana, in_days(28), in_days(29), in_days(31), in_days(32))
		due = factories.pin(ana, in_days(30))
		factories.campaign()
		self.run_night()
		self.assertEqual([row.reference_name for row in self.ledger()], [due])

	def test_before_on_and_after_expiration(self):
		ana = factories.customer()
		before, on, after, _other = factories.pins(ana, in_days(7), in_days(0), in_days(-5), in_days(-6))
		factories.campaign(
			{"trigger_type": "Before", "days_offset": 7},
			{"trigger_type": "On", "days_offset": 0},
			{"trigger_type": "After", "days_offset": 5},
		)
		self.run_night()
		self.assertEqual({row.reference_name for row in self.ledger(status="Queued")}, {before, on, after})

	def test_month_end_and_leap_day(self):
		for clock, expiry in (
			("2028-01-30 01:00", date(2028, 2, 29)),
			("2027-01-30 01:00", date(2027, 3, 1)),
			("2027-12-02 01:00", date(2028, 1, 1)),
		):
			with self.subTest(clock):
				self._reset()
				due, *_others = factories.pins(
					factories.customer(), expiry, date(2028, 3, 1), date(2027, 2, 28)
				)
				with self.at(clock):
					factories.campaign()
					self.run_night()
				self.assertEqual([row.reference_name for row in self.ledger()], [due])

	def test_a_datetime_field_counts_by_its_day(self):
		"""A site may keep the expiry in a Datetime field of its own."""
		field = factories.make(
			"Custom Field", dt="Serial No", fieldname="test_ends_at", fieldtype="Datetime", label="Ends At"
		)
		self.addCleanup(frappe.db.sql_ddl, "alter table `tabSerial No` drop column test_ends_at")
		self.addCleanup(frappe.delete_doc, "Custom Field", field.name)
		first, last, _next = factories.pins(
			factories.customer(),
			f"{in_days(30)} 00:00:00",
			f"{in_days(30)} 23:59:59.5",
			f"{in_days(31)} 00:00:00",
			date_field="test_ends_at",
		)
		factories.campaign({"date_field": "test_ends_at"})
		self.run_night()
		self.assertEqual({row.reference_name for row in self.ledger(status="Queued")}, {first, last})

	def test_inactive_campaigns_and_disabled_triggers_and_actions_tell_nobody(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign(active=False)
		off = factories.campaign()
		for trigger in frappe.get_all("Lifecycle Trigger", filters={"campaign": off.name}, pluck="name"):
			frappe.get_doc("Lifecycle Trigger", trigger).update({"enabled": 0}).save()
		other = factories.campaign()
		for action in frappe.get_all("Lifecycle Action", filters={"campaign": other.name}, pluck="name"):
			frappe.get_doc("Lifecycle Action", action).update({"enabled": 0}).save()
		run = self.run_night()
		self.assertEqual((run.due, self.ledger(), run.status), (0, [], "Completed"))

	def test_a_campaign_sends_between_its_dates_only(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign(start_date=in_days(1))
		factories.campaign(start_date=in_days(-9), end_date=in_days(-1))
		today = factories.campaign(start_date=in_days(0), end_date=in_days(0))
		self.run_night()
		self.assertEqual([row.campaign for row in self.ledger()], [today.name])

	def test_an_item_group_means_the_groups_below_it_too(self):
		parent = factories.item_group("Test Subscriptions", is_group=1)
		factories.item_group("Test Streaming", parent=parent)
		streaming = factories.item("TEST-STREAM", group="Test Streaming")
		ana = factories.customer()
		inside = factories.pin(ana, in_days(30), item_code=streaming)
		factories.pin(ana, in_days(30))
		factories.campaign({"item_group": parent})
		self.run_night()
		self.assertEqual([row.reference_name for row in self.ledger()], [inside])

	def test_filters_choose_serial_numbers(self):
		ana, eva = factories.customer(), factories.customer()
		hers = factories.pin(ana, in_days(30))
		factories.pin(eva, in_days(30))
		factories.campaign({"filters": frappe.as_json([["Serial No", "customer", "=", ana, False]])})
		self.run_night()
		self.assertEqual([row.reference_name for row in self.ledger()], [hers])

	def test_a_company_chooses_what_it_sold(self):
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign(company=factories.second_company())
		ours = factories.campaign(company=factories.company())
		self.run_night()
		self.assertEqual([(row.reference_name, row.campaign) for row in self.ledger()], [(pin, ours.name)])

	def test_another_date_field(self):
		ana = factories.customer()
		pin = factories.pin(ana, in_days(30), date_field="amc_expiry_date")
		factories.expire(pin, in_days(100))
		factories.campaign({"date_field": "amc_expiry_date"})
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_one_read_of_serial_no_serves_all_triggers_of_a_date_field(self):
		from marketing_automation.tests.case import statements

		factories.pin(factories.customer(), in_days(30))
		factories.campaign({"days_offset": 30}, {"days_offset": 7}, {"days_offset": 1})
		with statements() as seen:
			self.run_night()
		plain = [query.lower().replace("`", "") for query in seen]
		reads = [
			query for query in plain if "from tabserial no" in query and "warranty_expiry_date in" in query
		]
		self.assertEqual(len(reads), 1, seen)

	def test_the_night_is_that_of_the_sites_time_zone(self):
		"""The two zones are 25 hours apart: whatever the server's clock says, their dates differ."""
		nights = []
		for there in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
			self.live_in(there)
			self._reset()
			pin = factories.pin(factories.customer(), in_days(30))
			factories.campaign()
			run = self.run_night()
			self.assertEqual(self.outcome_of(pin), ("Queued", None))
			nights.append(run.night)
		self.assertGreaterEqual((nights[0] - nights[1]).days, 1)

	def test_clocks_that_go_forward_or_back_do_not_move_the_night(self):
		self.live_in("America/Santiago")
		# On 6 September 2026 midnight does not exist there; on 5 April 2026 the hour before it comes twice.
		for clock, expiry in (
			("2026-09-06 01:00", date(2026, 10, 6)),
			("2026-09-05 23:59", date(2026, 10, 5)),
			("2026-04-04 23:30", date(2026, 5, 4)),
			("2026-04-05 00:10", date(2026, 5, 5)),
		):
			with self.subTest(clock):
				self._reset()
				pin = factories.pin(factories.customer(), expiry)
				with self.at(clock):
					factories.campaign()
					run = self.run_night()
				self.assertEqual(run.night.isoformat(), clock[:10])
				self.assertEqual(self.outcome_of(pin), ("Queued", None))

	def test_a_renewed_pin_is_told_again_when_its_new_date_comes(self):
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		self.mail_sent()
		factories.expire(pin, in_days(395))
		self.run_night()
		self.assertEqual(len(self.ledger()), 1)
		with self.at(f"{in_days(365)} 01:00"):
			self.run_night()
		self.assertEqual(
			[(row.reference_name, row.occurrence_date) for row in self.ledger()],
			[(pin, in_days(30)), (pin, in_days(395))],
		)

	def test_a_missed_night_is_caught_up(self):
		with self.at("2027-05-01 01:00"):
			factories.campaign()
			self.run_night()
		missed, tonight = factories.pins(factories.customer(), date(2027, 6, 2), date(2027, 6, 3))
		with self.at("2027-05-04 09:00"):
			run = self.run_night()
		self.assertEqual({row.reference_name for row in self.ledger(status="Queued")}, {missed, tonight})
		self.assertEqual((run.due, run.queued), (2, 2))

	def test_a_night_missed_too_long_ago_is_written_down_as_missed(self):
		with self.at("2027-05-01 01:00"):
			factories.campaign()
			self.run_night()
		long_ago, recent = factories.pins(factories.customer(), date(2027, 6, 2), date(2027, 6, 12))
		with self.at("2027-05-13 09:00"):
			self.run_night()
		self.assertEqual(self.outcome_of(long_ago), ("Skipped", "Missed"))
		self.assertEqual(self.outcome_of(recent), ("Queued", None))

	def test_what_expired_while_nights_were_missed_is_not_announced(self):
		with self.at("2027-05-01 01:00"):
			factories.campaign({"days_offset": 2})
			self.run_night()
		pin = factories.pin(factories.customer(), date(2027, 5, 4))
		with self.at("2027-05-06 09:00"):
			self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Skipped", "Date passed"))

	def test_every_due_pin_has_a_row_and_the_sums_add_up(self):
		good, disabled = factories.customer(), factories.customer()
		no_address = factories.customer(email=None)
		names = [factories.pin(who, in_days(30)) for who in (good, disabled, no_address, good)]
		frappe.db.set_value("Customer", disabled, "disabled", 1)
		factories.campaign()
		run = self.run_night()
		self.mail_sent()
		run.reload()
		self.assertEqual({row.reference_name for row in self.ledger()}, set(names))
		self.assertEqual((run.due, run.completed, run.skipped, run.failed), (4, 2, 2, 0))
