"""Looking ahead: who would get a message, who would not and why, and how many in the days to come. Looking writes nothing."""

from unittest.mock import patch

import frappe
import frappe.client

from marketing_automation import api
from marketing_automation.desk import preview as previews
from marketing_automation.engine.model import Reason
from marketing_automation.engine.visibility import Visibility
from marketing_automation.sources import date_field, serial_no
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, statements
from marketing_automation.tests.factories import in_days

WRITES = ("insert", "update", "delete", "replace")


def outcomes(found: dict) -> dict:
	"""Return {serial number: (outcome, reason)} of a preview."""
	return {row["reference_name"]: (row["outcome"], row["reason"]) for row in found["rows"]}


class TestPreview(MarketingTestCase):
	def test_it_says_who_would_be_told_and_why_others_would_not(self):
		told = factories.pin(factories.customer("Test Eva", email="eva@customers.example"), in_days(30))
		mute = factories.pin(factories.customer(email=None), in_days(30))
		unsold = factories.received()[0]
		factories.expire(unsold, in_days(30))
		owner = factories.customer(email=None)
		wrong = factories.pin(owner, in_days(30))
		contact = factories.contact(owner, "eva@home.example")
		frappe.db.set_value("Contact Email", {"parent": contact}, "email_id", "eva at home")
		factories.pin(factories.customer(), in_days(31))
		campaign = factories.campaign(active=False)

		found = api.preview(campaign.name)
		self.assertEqual(
			outcomes(found),
			{
				told: ("send", None),
				mute: ("skip", Reason.NO_ADDRESS),
				unsold: ("skip", Reason.NO_CUSTOMER),
				wrong: ("fail", Reason.INVALID_ADDRESS),
			},
		)
		self.assertEqual(
			found["counts"],
			{**dict(due=4, send=1, wait=0, skip=2, fail=1, known=0), "mails": 1, "others": {}, "products": 1},
		)
		self.assertEqual(found["reasons"][Reason.NO_ADDRESS], 1)
		row = found["rows"][0]
		self.assertEqual(
			(row["customer_name"], row["recipient"], row["item_name"], row["expiry_date"]),
			("Test Eva", "eva@customers.example", "TEST-PIN subscription", in_days(30)),
		)

	def test_any_day_can_be_looked_at(self):
		pin = factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign(end_date=in_days(0))
		self.assertEqual(api.preview(campaign.name, str(in_days(1)))["rows"], [])
		self.assertEqual(outcomes(api.preview(campaign.name, str(in_days(0)))), {pin: ("send", None)})
		later = factories.pin(factories.customer(), in_days(45))
		other = factories.campaign()
		self.assertEqual(outcomes(api.preview(other.name, str(in_days(15)))), {later: ("send", None)})

	def test_what_is_too_much_to_read_is_counted_and_exported(self):
		pins = factories.pins(factories.customer(), *[in_days(30)] * 3)
		campaign = factories.campaign()
		with patch.object(previews, "MOST_ROWS", 2):
			found, all_of_it = (api.preview(campaign.name, to_export=export) for export in (0, 1))
		self.assertEqual((found["counts"]["send"], len(found["rows"]), found["left_out"]), (3, 2, 1))
		self.assertEqual(outcomes(all_of_it), dict.fromkeys(pins, ("send", None)))
		self.assertEqual(all_of_it["left_out"], 0)

	def test_a_big_night_is_answered_at_once_with_its_beginning(self):
		first, second = sorted(factories.pins(factories.customer(), *[in_days(30)] * 2))
		campaign = factories.campaign()
		with patch.object(date_field, "PAGE_SIZE", 1), patch.object(previews, "PATIENCE", 0):
			found, all_of_it = (api.preview(campaign.name, at_once=at_once) for at_once in (1, 0))
		self.assertFalse(found["complete"])
		self.assertEqual(outcomes(found), {first: ("send", None)})
		self.assertTrue(all_of_it["complete"])
		self.assertEqual(outcomes(all_of_it), dict.fromkeys((first, second), ("send", None)))
		self.assertTrue(api.preview(campaign.name, at_once=1)["complete"])

	def test_yesterday_is_shown_as_it_would_have_been(self):
		pin = factories.pin(factories.customer(), in_days(29))
		campaign = factories.campaign()
		self.assertEqual(outcomes(api.preview(campaign.name, str(in_days(-1)))), {pin: ("send", None)})

	def test_what_the_ledger_knows_is_marked_as_known(self):
		pin = factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign()
		self.run_night()
		later = factories.pin(factories.customer(), in_days(30))
		found = api.preview(campaign.name)
		self.assertEqual(outcomes(found), {later: ("send", None), pin: ("known", None)})
		(row,) = (row for row in found["rows"] if row["reference_name"] == pin)
		self.assertEqual((row["status"], row["log"]), ("Queued", self.ledger()[0].name))

	def test_a_customer_who_is_told_once_ever_is_told_once_in_the_preview(self):
		ana = factories.customer()
		factories.pins(ana, in_days(30), in_days(30))
		campaign = factories.campaign(duplicate_policy="Once per customer")
		counts = api.preview(campaign.name)["counts"]
		self.assertEqual((counts["send"], counts["skip"]), (1, 1))
		self.run_night()
		self.assertEqual([row.status for row in self.ledger()].count("Queued"), 1)
		factories.pin(ana, in_days(30))
		found = api.preview(campaign.name)
		self.assertEqual(found["counts"]["send"], 0)
		self.assertEqual(found["reasons"], {Reason.ALREADY_SENT: 1})

	def test_it_counts_the_mails_of_a_campaign_that_combines(self):
		ana = factories.customer()
		factories.pins(ana, in_days(30), in_days(30), in_days(30))
		campaign = factories.campaign(combine_messages=1)
		counts = api.preview(campaign.name)["counts"]
		self.assertEqual((counts["send"], counts["mails"]), (3, 1))
		self.run_night()
		self.assertEqual(len(self.mails()), 1)

	def test_what_is_switched_off_is_left_out(self):
		factories.pin(factories.customer(), in_days(30))
		campaign = factories.campaign({"enabled": 0}, active=False)
		self.assertEqual(api.preview(campaign.name)["counts"]["due"], 0)

	def test_the_preview_of_a_run_is_what_the_run_does(self):
		factories.pins(factories.customer(), in_days(30), in_days(30))
		factories.pin(factories.customer(email=None), in_days(30))
		campaign = factories.campaign()
		promised = api.run_preview(campaign.name)["counts"]
		self.run_night(campaign.name)
		statuses = [row.status for row in self.ledger()]
		self.assertEqual((promised["send"], promised["skip"]), (2, 1))
		self.assertEqual((statuses.count("Queued"), statuses.count("Skipped")), (2, 1))
		again = api.run_preview(campaign.name)["counts"]
		self.assertEqual((again["send"], again["known"]), (0, 3))

	def test_looking_writes_nothing_and_costs_the_same_for_any_number(self):
		campaign = factories.campaign(
			{"item_group": factories.ITEM_GROUP}, {"days_offset": 7}, duplicate_policy="Once per customer"
		)
		factories.pin(factories.customer(), in_days(30))
		api.preview(campaign.name)
		with statements() as few:
			api.preview(campaign.name)
		for _ in range(5):
			factories.pins(factories.customer(), *[in_days(30)] * 4)
		with statements() as many:
			counts = api.preview(campaign.name)["counts"]
		self.assertEqual(counts["due"], 21)
		self.assertEqual(len(few), len(many))
		self.assertLessEqual(len(many), 22)
		self.assertEqual([query for query in many if query.lower().startswith(WRITES)], [])


class TestForecast(MarketingTestCase):
	def test_it_counts_the_messages_of_each_day_and_action(self):
		ana = factories.customer()
		factories.pins(ana, in_days(30), in_days(30), in_days(37), in_days(200))
		campaign = factories.campaign(
			{"days_offset": 30}, {"days_offset": 7}, {"trigger_type": "After", "days_offset": 2}
		)
		found = api.forecast(campaign.name, 90)
		self.assertEqual(
			[action["days"] for action in found["actions"]],
			[
				{str(in_days(0)): 2, str(in_days(7)): 1},
				{str(in_days(23)): 2, str(in_days(30)): 1},
				{str(in_days(32)): 2, str(in_days(39)): 1},
			],
		)
		self.assertEqual(found["total"], 9)
		self.assertEqual(found["days"][str(in_days(23))], 2)
		self.assertEqual((found["first"], found["last"]), (in_days(0), in_days(89)))

	def test_company_item_group_filters_and_dates_of_the_campaign_count(self):
		factories.item("TEST-OTHER", group=factories.item_group("Test Other"))
		ana = factories.customer()
		factories.pin(ana, in_days(40))
		other = factories.pin(ana, in_days(40), item_code="TEST-OTHER")
		for fields, trigger, expected in (
			({}, {}, 2),
			({}, {"item_group": "Test Other"}, 1),
			({}, {"filters": f'[["Serial No", "name", "=", "{other}"]]'}, 1),
			({}, {"filters": '[["Serial No", "status", "=", "Expired"]]'}, 0),
			({"company": factories.second_company()}, {}, 0),
			({"start_date": in_days(11)}, {}, 0),
			({"end_date": in_days(9)}, {}, 0),
			({"start_date": in_days(10), "end_date": in_days(10)}, {}, 2),
			({"start_date": in_days(400)}, {}, 0),
		):
			with self.subTest(fields=fields, trigger=trigger):
				campaign = factories.campaign(trigger, active=False, **fields)
				self.assertEqual(api.forecast(campaign.name)["total"], expected)

	def test_without_a_campaign_it_is_what_is_active(self):
		factories.pin(factories.customer(), in_days(40))
		active, _inactive = factories.campaign(), factories.campaign(active=False)
		found = api.forecast()
		self.assertEqual([action["campaign"] for action in found["actions"]], [active.name])
		self.assertEqual(found["total"], 1)
		self.assertEqual(api.due_next_week(), 0)

	def test_what_it_says_of_a_day_is_what_the_plan_finds(self):
		factories.pins(factories.customer(), in_days(31), in_days(33), in_days(33), in_days(8))
		campaign = factories.campaign({"days_offset": 30}, {"days_offset": 7})
		days = api.forecast(campaign.name, 5)["days"]
		for ahead in range(5):
			due = api.preview(campaign.name, str(in_days(ahead)))["counts"]["due"]
			self.assertEqual(days.get(str(in_days(ahead)), 0), due)

	def test_what_today_s_run_has_written_down_is_not_to_come_any_more(self):
		ana = factories.customer()
		factories.pins(ana, in_days(30), in_days(36))
		factories.pin(factories.customer(email=None), in_days(30))
		campaign = factories.campaign()
		self.assertEqual((api.forecast(campaign.name)["total"], api.due_next_week()), (3, 3))
		self.run_night()
		self.assertEqual(api.forecast(campaign.name)["days"], {str(in_days(6)): 1})
		self.assertEqual(api.due_next_week(), 1)
		factories.pin(ana, in_days(30))
		self.assertEqual(api.due_next_week(), 2)

	def test_a_year_costs_what_a_day_does(self):
		campaign = factories.campaign({"item_group": factories.ITEM_GROUP}, {"days_offset": 7})
		factories.pins(factories.customer(), *[in_days(31 + ahead) for ahead in range(20)])
		api.forecast(campaign.name, 1)
		with statements() as day:
			api.forecast(campaign.name, 1)
		with statements() as year:
			found = api.forecast(campaign.name, 366)
		self.assertEqual(found["total"], 40)
		self.assertEqual(len(day), len(year))
		self.assertLessEqual(len(year), 11)


class TestVisibility(MarketingTestCase):
	"""A user who is bound to a company sees that company's numbers and nothing of the others'."""

	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.bound = factories.user("Marketing User", sees={"Company": factories.second_company()})
		frappe.db.commit()

	def setUp(self):
		super().setUp()
		self.customer = factories.customer()
		self.theirs, self.ours = factories.pins(self.customer, in_days(30), in_days(30))
		frappe.db.set_value("Serial No", self.ours, "company", factories.second_company())
		self.campaign = factories.campaign()
		self.other = factories.campaign(company=factories.company())
		frappe.db.commit()

	def test_previews_and_forecasts(self):
		frappe.set_user(self.bound)
		self.assertEqual(outcomes(api.preview(self.campaign.name)), {self.ours: ("send", None)})
		self.assertEqual(api.forecast(self.campaign.name)["total"], 1)
		self.assertEqual(api.due_next_week(), 1)
		for call in (api.preview, api.forecast, api.journey, api.coming, api.health):
			with self.subTest(call.__name__), self.assertRaises(frappe.PermissionError):
				call(self.other.name)

	def test_what_belongs_to_another_company_s_campaign(self):
		of = {
			campaign.name: {
				"Lifecycle Trigger": frappe.db.get_value("Lifecycle Trigger", {"campaign": campaign.name}),
				"Lifecycle Action": frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name}),
				"Lifecycle Run": self.run_night(campaign.name).name,
			}
			for campaign in (self.campaign, self.other)
		}
		night = self.run_night().name
		for user, others in ((self.bound, False), ("Administrator", True)):
			frappe.set_user(user)
			for doctype, name in of[self.campaign.name].items():
				other = of[self.other.name][doctype]
				with self.subTest(user=user, doctype=doctype):
					seen = frappe.get_list(doctype, pluck="name", order_by="name asc")
					self.assertEqual((name in seen, other in seen), (True, others))
					self.assertTrue(frappe.get_doc(doctype, name).has_permission("read"))
					self.assertEqual(frappe.get_doc(doctype, other).has_permission("read"), others)
			self.assertIn(night, frappe.get_list("Lifecycle Run", pluck="name", order_by="name asc"))
		frappe.set_user(self.bound)
		with self.assertRaises(frappe.PermissionError):
			frappe.get_doc(
				{"doctype": "Lifecycle Trigger", "campaign": self.other.name, "trigger_name": "Test"}
			).insert()

	def test_nothing_of_another_company_s_campaign_is_taken_over(self):
		action = frappe.db.get_value("Lifecycle Action", {"campaign": self.other.name})
		ours = factories.campaign(company=factories.second_company())
		frappe.set_user(self.bound)
		for doctype, name, changes in (
			("Lifecycle Campaign", self.other.name, {"company": "", "is_active": 0}),
			("Lifecycle Campaign", self.other.name, {"company": factories.second_company()}),
			("Lifecycle Action", action, {"campaign": "", "enabled": 0}),
			("Lifecycle Action", action, {"campaign": ours.name}),
		):
			with self.subTest(doctype, **changes), self.assertRaises(frappe.PermissionError):
				frappe.client.set_value(doctype, name, changes)
		frappe.client.set_value("Lifecycle Campaign", ours.name, "is_active", 0)

	def test_who_sees_one_company_writes_to_no_other_s_customers(self):
		frappe.set_user(self.bound)
		with self.refused("Choose a company", factories.second_company(), error=frappe.PermissionError):
			frappe.client.insert(
				{"doctype": "Lifecycle Campaign", "campaign_name": factories.unique("Test"), "company": ""}
			)
		frappe.set_user(self.bound)
		action = frappe.db.get_value("Lifecycle Action", {"campaign": self.campaign.name})
		for doctype, name in (("Lifecycle Campaign", self.campaign.name), ("Lifecycle Action", action)):
			with self.subTest(doctype), self.assertRaises(frappe.PermissionError):
				frappe.get_doc(doctype, name).save()
		with self.assertRaises(frappe.PermissionError):
			api.run_now(self.campaign.name)

	def test_a_customer_of_another_territory(self):
		territory = "Test Elsewhere"
		if not frappe.db.exists("Territory", territory):
			factories.make(
				"Territory",
				territory_name=territory,
				parent_territory=factories.root("Territory"),
				is_group=0,
			)
		frappe.set_user(factories.user("Marketing User", "Sales User", sees={"Territory": territory}))
		with self.assertRaises(frappe.PermissionError):
			api.why_customer(self.customer)

	def test_the_health_of_what_is_seen(self):
		for campaign in (self.campaign, self.other):
			frappe.db.set_value(
				"Lifecycle Campaign", campaign.name, {"is_active": 0, "pause_reason": "3 of 3 failed"}
			)
		frappe.set_user(self.bound)
		texts = " ".join(problem["text"] for problem in api.health())
		self.assertIn(f"{self.campaign.name}: 3 of 3 failed", texts)
		self.assertNotIn(self.other.name, texts)

	def test_where_permissions_are_strict_what_has_no_company_is_hidden_too(self):
		nobodys = factories.pin(factories.customer(), in_days(30))
		frappe.db.set_value("Serial No", nobodys, "company", None)
		visible = Visibility(self.bound)
		self.assertTrue(visible.sees(company=None))
		visible.strict = True
		self.assertFalse(visible.sees(company=None))
		serial = frappe.qb.DocType("Serial No")
		query = frappe.qb.from_(serial).select(serial.name).where(serial.name.isin([nobodys, self.ours]))
		self.assertEqual([name for (name,) in visible.restrict(query, serial).run()], [self.ours])
		visible.strict = False
		self.assertEqual(len(visible.restrict(query, serial).run()), 2)

	def test_numbers_and_history(self):
		self.run_night()
		frappe.set_user(self.bound)
		(trigger,) = api.journey(self.campaign.name)
		self.assertEqual(trigger["actions"][0]["counts"]["Queued"], 1)
		rows = api.why_customer(self.customer)["history"]
		self.assertEqual({row["reference_name"] for row in rows}, {self.ours})
		with self.assertRaises(frappe.DoesNotExistError):
			api.why_reference("Serial No", self.theirs)
		(action,) = trigger["actions"]
		with self.assertRaises(frappe.DoesNotExistError):
			api.mail(action["name"], self.theirs)
		for looked_at in (100, 1):
			with self.subTest(looked_at), patch.object(serial_no, "EXAMPLES", looked_at):
				self.assertEqual(api.mail(action["name"])["reference_name"], self.ours)
