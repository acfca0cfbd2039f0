"""Nobody gets a message twice: the database's unique indexes decide, whoever runs, however often."""

from unittest.mock import patch

import frappe

from marketing_automation.engine import deliver, ledger, plan, rules, transaction
from marketing_automation.engine.model import KEY_LENGTH, message_key
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, caches_kept, mail_parts, statements
from marketing_automation.tests.factories import in_days


class TestOncePerExpiry(MarketingTestCase):
	def test_each_pin_of_a_customer_is_told(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.campaign()
		self.run_night()
		self.assertEqual((len(self.ledger(status="Queued")), len(self.mails())), (2, 2))

	def test_each_trigger_tells_by_itself(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign({"days_offset": 30}, {"days_offset": 30})
		self.run_night()
		self.assertEqual(len(self.mails()), 2)

	def test_what_gets_its_date_after_the_run_of_its_day_is_told_by_the_next(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with self.at(f"{in_days(0)} 01:00"):
			self.run_night()
		late = factories.pin(factories.customer(), in_days(30))
		with self.at(f"{in_days(1)} 01:00"):
			doc = self.run_night()
		self.assertEqual(self.outcome_of(late), ("Queued", None))
		self.assertEqual((doc.due, doc.known, len(self.mails())), (2, 1, 2))

	def test_the_index_decides_and_no_select_is_asked_first(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		windows = plan.windows_for_day(rules.load(), in_days(0))
		(messages,) = plan.plan(windows, in_days(0))
		with statements() as seen:
			first = ledger.claim(messages, "RUN-A")
			second = ledger.claim(messages, "RUN-B")
		self.assertEqual((first, second), (1, 0))
		self.assertTrue(seen[0].upper().startswith("INSERT IGNORE"), seen[0])

	def test_the_keys_are_unique_in_the_database(self):
		indexes = {
			row.Column_name
			for row in frappe.db.sql("show index from `tabLifecycle Execution Log`", as_dict=True)
			if not row.Non_unique
		}
		self.assertLessEqual({"message_key", "suppression_key"}, indexes)

	def test_a_row_delivered_twice_is_sent_once(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		names = [row.name for row in self.ledger()]
		deliver.deliver(names)
		# Not even when another worker has read it as Pending before.
		(row,) = self.ledger()
		deliver._deliver_batch(names, row.campaign, row.channel, {row.customer})
		self.assertEqual(len(self.mails()), 1)

	def test_a_renamed_serial_number_is_not_told_again(self):
		pin = factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		with caches_kept():
			frappe.rename_doc("Serial No", pin, f"{pin}-NEW", force=True)
		again = self.run_night()
		self.assertEqual((again.due, again.known, len(self.mails())), (1, 1, 1))
		self.assertEqual(self.ledger()[0].reference_name, f"{pin}-NEW")

	def test_the_key_is_that_of_the_action_the_reference_the_occurrence_and_the_customer(self):
		day = in_days(0)
		key = message_key("a", "Serial No", "s", day, "c")
		self.assertEqual(len(key), KEY_LENGTH)
		for other in (
			("b", "Serial No", "s", day, "c"),
			("a", "Batch", "s", day, "c"),
			("a", "Serial No", "t", day, "c"),
			("a", "Serial No", "s", in_days(1), "c"),
			("a", "Serial No", "s", day, "d"),
			("a", "Serial No", "s", day, None),
			("aSerial", " No", "s", day, "c"),
		):
			self.assertNotEqual(message_key(*other), key)


class TestOncePerCustomer(MarketingTestCase):
	POLICY = {"duplicate_policy": "Once per customer"}

	def test_a_customer_with_two_pins_is_told_once_ever(self):
		ana, eva = factories.customer(), factories.customer()
		factories.pins(ana, in_days(30), in_days(30))
		factories.pin(eva, in_days(30))
		factories.campaign(**self.POLICY)
		self.run_night()
		self.assertEqual(
			sorted(mail.recipient for mail in self.mails()), sorted(map(factories.address, (ana, eva)))
		)
		self.assertEqual(
			sorted((row.customer, row.status, row.reason) for row in self.ledger()),
			sorted([(ana, "Queued", None), (ana, "Skipped", "Already sent"), (eva, "Queued", None)], key=str)
			if ana < eva
			else sorted(
				[(eva, "Queued", None), (ana, "Queued", None), (ana, "Skipped", "Already sent")], key=str
			),
		)

	def test_not_next_year_either(self):
		ana = factories.customer()
		pin = factories.pin(ana, in_days(30))
		factories.campaign(**self.POLICY)
		self.run_night()
		self.mail_sent()
		factories.expire(pin, in_days(395))
		with self.at(f"{in_days(365)} 01:00"):
			self.run_night()
		self.assertEqual(
			[(row.status, row.reason) for row in self.ledger()],
			[("Completed", None), ("Skipped", "Already sent")],
		)

	def test_whoever_could_not_be_told_is_told_by_the_next_pin(self):
		ana = factories.customer(email=None)
		first = factories.pin(ana, in_days(30))
		factories.campaign(**self.POLICY)
		self.run_night()
		self.assertEqual(self.outcome_of(first), ("Skipped", "No e-mail address"))
		factories.contact(ana, "ana@customers.example", is_primary_contact=1)
		second = factories.pin(ana, in_days(31))
		with self.at(f"{in_days(1)} 01:00"):
			factories.expire(first, in_days(400))
			self.run_night()
		self.assertEqual(self.outcome_of(second), ("Queued", None))

	def test_a_renamed_customer_is_not_told_again(self):
		ana = factories.customer()
		factories.pin(ana, in_days(30))
		factories.campaign(**self.POLICY)
		self.run_night()
		with caches_kept():
			frappe.rename_doc("Customer", ana, f"{ana} NEW", force=True)
		factories.pin(f"{ana} NEW", in_days(30))
		self.run_night()
		self.assertEqual(len(self.mails()), 1)

	def test_the_policy_cannot_change_once_it_has_judged(self):
		campaign = factories.campaign()
		factories.pin(factories.customer(), in_days(30))
		self.run_night()
		campaign.duplicate_policy = "Once per customer"
		with self.refused("Duplicate Policy"):
			campaign.save()


class TestCombined(MarketingTestCase):
	PINS = "{% for pin in pins %}[{{ pin.serial_no }} {{ pin.days_left }}]{% endfor %}"

	def combined(self, *triggers: dict, **fields):
		return factories.campaign(
			*triggers, email_template=factories.template(response=self.PINS), combine_messages=1, **fields
		)

	def test_the_pins_of_one_day_share_one_mail_and_keep_their_own_rows(self):
		ana, eva = factories.customer(), factories.customer()
		hers = factories.pins(ana, in_days(30), in_days(30), in_days(30))
		factories.pin(eva, in_days(30))
		self.combined()
		run = self.run_night()
		mails = {mail.recipient: mail for mail in self.mails()}
		self.assertEqual((run.due, run.queued, len(mails)), (4, 4, 2))
		of_ana = mails[factories.address(ana)]
		for part in mail_parts(of_ana):
			for pin in hers:
				self.assertEqual(" ".join(part.replace("\\", "").split()).count(f"[{pin} 30]"), 1)
		self.assertEqual({row.handle for row in self.ledger(customer=ana)}, {str(of_ana.name)})
		self.mail_sent()
		self.assertEqual(len(self.ledger(status="Completed")), 4)

	def test_what_two_actions_say_on_one_day_are_two_mails(self):
		soon, ended = factories.pins(factories.customer(), in_days(30), in_days(-7))
		self.combined({"days_offset": 30}, {"trigger_type": "After", "days_offset": 7})
		self.run_night()
		texts = sorted((mail_parts(mail)[0] for mail in self.mails()), key=lambda text: ended in text)
		self.assertEqual(len(texts), 2)
		self.assertIn(soon, texts[0])
		self.assertNotIn(ended, texts[0])
		self.assertIn(ended, texts[1])
		self.assertNotIn(soon, texts[1])

	def test_the_most_urgent_pin_comes_first_and_of_equal_ones_the_first_name(self):
		names = factories.pins(factories.customer(), *[in_days(30)] * 3, in_days(29))
		self.combined()
		with self.at(f"{in_days(-1)} 01:00"):
			self.run_night()
		self.run_night()
		*_first, mail = self.mails()
		text, _html = mail_parts(mail)
		self.assertEqual(
			sorted(names[:3]), sorted(names[:3], key=text.replace("\\", "").index), "by their names"
		)

	def test_once_per_customer_combined_tells_all_the_pins_of_the_first_day(self):
		first, second = factories.pins(factories.customer(), in_days(30), in_days(30))
		self.combined(duplicate_policy="Once per customer")
		self.run_night()
		(mail,) = self.mails()
		text, _html = mail_parts(mail)
		self.assertIn(first, text)
		self.assertIn(second, text)
		self.assertEqual(len(self.ledger(status="Queued")), 2)

	def test_once_per_customer_combined_holds_where_the_pin_that_held_the_key_is_not_told(self):
		# Whichever of the rows the database comes to first.
		for place in (0, 1):
			with self.subTest(place):
				self._reset()
				ana = factories.customer()
				factories.pins(ana, in_days(30), in_days(30))
				self.combined(duplicate_policy="Once per customer")
				with patch.object(deliver, "enqueue"):
					self.run_night()
				rows = self.ledger()
				(holder,) = [row for row in rows if row.suppression_key]
				frappe.db.set_value(ledger.DOCTYPE, holder.name, "suppression_key", None)
				frappe.db.set_value(
					ledger.DOCTYPE, rows[place].name, "suppression_key", holder.suppression_key
				)
				renewed = rows[place].reference_name
				factories.expire(renewed, in_days(400))
				deliver.deliver([row.name for row in rows])
				self.assertEqual(self.outcome_of(renewed), ("Skipped", "Date changed"))
				late = factories.pin(ana, in_days(31))
				with self.at(f"{in_days(1)} 01:00"):
					self.run_night()
				self.assertEqual(self.outcome_of(late), ("Skipped", "Already sent"))
				self.assertEqual(len(self.mails()), 1)

	def test_a_combined_mail_is_never_cut_in_two_by_a_chunk(self):
		frappe.db.set_single_value(SETTINGS, "chunk_size", 2)
		factories.pins(factories.customer(), *[in_days(30)] * 5)
		self.combined()
		self.run_night()
		self.assertEqual((len(self.ledger(status="Queued")), len(self.mails())), (5, 1))


class TestDeadlocks(MarketingTestCase):
	def test_the_victim_of_a_deadlock_is_tried_again_and_nothing_is_done_twice(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with patch.object(deliver, "enqueue"):
			self.run_night()
		update, victims = ledger.update, []

		def deadlocked(*args, **kwargs):
			update(*args, **kwargs)
			if len(victims) < 2:
				victims.append(args)
				raise frappe.QueryDeadlockError

		with patch.object(ledger.rows, "update", deadlocked), patch.object(transaction.time, "sleep"):
			deliver.deliver([row.name for row in self.ledger()])
		self.assertEqual((len(victims), self.ledger()[0].status, len(self.mails())), (2, "Queued", 1))

	def test_a_run_that_deadlocks_while_it_is_written_down_is_started_all_the_same(self):
		insert, victims = frappe.model.document.Document.insert, []

		def deadlocked(doc, *args, **kwargs):
			insert(doc, *args, **kwargs)
			if doc.doctype == ledger.RUN and not victims:
				victims.append(doc.name)
				raise frappe.QueryDeadlockError

		with (
			patch.object(frappe.model.document.Document, "insert", deadlocked),
			patch.object(transaction.time, "sleep"),
		):
			found = self.run_night()
		self.assertEqual((len(victims), found.status), (1, "Completed"))
		self.assertEqual(frappe.db.count(ledger.RUN), 1)

	def test_a_row_whose_deadlocks_do_not_end_stays_pending(self):
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		with patch.object(deliver, "enqueue"):
			self.run_night()
		with (
			patch.object(ledger.rows, "update", side_effect=frappe.QueryDeadlockError),
			patch.object(transaction.time, "sleep"),
			self.assertRaises(frappe.QueryDeadlockError),
		):
			deliver.deliver([row.name for row in self.ledger()])
		self.assertEqual((self.ledger()[0].status, self.mails()), ("Pending", []))
