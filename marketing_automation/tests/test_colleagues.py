"""Colleagues hear of a customer once: by a ToDo or a notification, whether or not the customer can be written to."""

import frappe

from marketing_automation.desk import insight, preview
from marketing_automation.engine import ledger
from marketing_automation.engine.visibility import Visibility
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

TODO, NOTIFY, EMAIL = "Create ToDo", "Notify User", "Send Email"


class ColleaguesTestCase(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.manager = factories.user("Sales User", last_name="Manager")
		frappe.db.delete("ToDo")
		frappe.db.commit()

	def customer(self, **fields) -> str:
		return factories.customer(**{"account_manager": self.manager, **fields})

	def campaign(self, *types: str, action: dict | None = None, **fields):
		"""Return an active campaign with an action of each type, all of one trigger."""
		campaign = factories.campaign(active=False, **fields)
		trigger = frappe.db.get_value("Lifecycle Trigger", {"campaign": campaign.name})
		frappe.db.delete("Lifecycle Action", {"campaign": campaign.name})
		template = factories.usual_template(combined=bool(campaign.combine_messages))
		for action_type in types:
			factories.action(trigger, template, action_type=action_type, **(action or {}))
		campaign.reload()
		campaign.update({"is_active": 1}).save()
		return campaign

	def change_user(self, user: str, **fields) -> None:
		frappe.db.rollback()
		frappe.db.set_value("User", user, fields)
		frappe.db.commit()

	def todos(self) -> list:
		return frappe.get_all("ToDo", fields=["*"], order_by="creation asc, name asc")

	def outcomes(self) -> dict:
		return {row.channel: (row.status, row.reason) for row in self.ledger()}


class TestToDos(ColleaguesTestCase):
	def test_the_account_manager_has_one_by_a_day_and_it_refers_to_our_message(self):
		customer = self.customer()
		pin = factories.pin(customer, in_days(30))
		self.campaign(TODO, action={"due_in_days": 5})
		self.run_night()
		(row,) = self.ledger()
		self.assertEqual((row.status, row.channel, row.recipient), ("Completed", TODO, self.manager))
		(todo,) = self.todos()
		self.assertEqual((todo.allocated_to, todo.date), (self.manager, in_days(5)))
		self.assertEqual((todo.reference_type, todo.reference_name), (ledger.DOCTYPE, row.name))
		self.assertEqual(row.handle, todo.name)
		self.assertIn(pin, todo.description)
		self.assertFalse(frappe.db.get_value("Customer", customer, "_assign"))
		self.run_night()
		self.assertEqual(len(self.todos()), 1)

	def test_neither_consent_nor_an_address_is_asked_for(self):
		customer = self.customer()
		factories.pin(customer, in_days(30))
		campaign = self.campaign(TODO)
		factories.make(
			"Email Unsubscribe",
			email=factories.address(customer),
			reference_doctype="Lifecycle Campaign",
			reference_name=campaign.name,
		)
		factories.pin(self.customer(email=None), in_days(30))
		self.run_night()
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})
		self.assertEqual(len(self.todos()), 2)

	def test_nothing_is_to_do_about_a_customer_who_is_disabled_or_frozen(self):
		for state in ({"disabled": 1}, {"is_frozen": 1}):
			# Nothing can be sold to them any more.
			customer = self.customer()
			factories.pin(customer, in_days(30))
			frappe.db.set_value("Customer", customer, state)
		self.campaign(TODO)
		self.run_night()
		self.assertEqual({row.status for row in self.ledger()}, {"Skipped"})
		self.assertEqual({row.reason for row in self.ledger()}, {"Customer disabled", "Customer frozen"})
		self.assertEqual(self.todos(), [])

	def test_without_an_account_manager_it_waits_for_one(self):
		customer = self.customer(account_manager=None)
		factories.pin(customer, in_days(30))
		self.campaign(TODO)
		self.run_night()
		self.assertEqual(self.outcomes(), {TODO: ("Skipped", "No account manager")})
		frappe.db.set_value("Customer", customer, "account_manager", self.manager)
		self.run_night()
		self.assertEqual(self.outcomes(), {TODO: ("Completed", None)})
		self.assertEqual([todo.allocated_to for todo in self.todos()], [self.manager])

	def test_an_account_manager_who_has_left_is_none(self):
		gone = factories.user("Sales User", enabled=0)
		factories.pin(self.customer(account_manager=gone), in_days(30))
		self.campaign(TODO)
		self.run_night()
		self.assertEqual(self.outcomes(), {TODO: ("Skipped", "No account manager")})

	def test_the_chosen_user_has_it_where_the_customer_has_no_account_manager(self):
		other = factories.user("Sales User", last_name="Other")
		factories.pin(self.customer(), in_days(30))
		factories.pin(self.customer(account_manager=None), in_days(30))
		self.campaign(TODO, action={"user": other})
		self.run_night()
		self.assertEqual({todo.allocated_to for todo in self.todos()}, {self.manager, other})

	def test_the_chosen_user_has_it_whoever_the_account_manager_is(self):
		other = factories.user("Sales User", last_name="Other")
		factories.pin(self.customer(), in_days(30))
		self.campaign(TODO, action={"assign_to": "User", "user": other})
		self.run_night()
		self.assertEqual([todo.allocated_to for todo in self.todos()], [other])
		self.assertEqual(self.ledger()[0].recipient, other)

	def test_a_chosen_user_who_has_left_is_said_and_nobody_else_gets_it(self):
		other = factories.user("Sales User", last_name="Other")
		factories.pin(self.customer(), in_days(30))
		self.campaign(TODO, action={"assign_to": "User", "user": other})
		frappe.db.set_value("User", other, "enabled", 0)
		self.addCleanup(self.change_user, other, enabled=1)
		self.run_night()
		self.assertEqual(self.outcomes(), {TODO: ("Failed", "No account manager")})
		self.assertIn(other, self.ledger()[0].error)
		self.assertEqual(self.todos(), [])

	def test_a_user_who_cannot_log_in_is_refused(self):
		gone = factories.user("Sales User", enabled=0)
		trigger = factories.trigger(factories.campaign(active=False).name)
		with self.refused("cannot log in"):
			factories.action(trigger.name, action_type=TODO, user=gone)
		with self.refused("Choose the user"):
			factories.action(trigger.name, action_type=TODO, assign_to="User")

	def test_several_products_of_a_customer_are_one(self):
		factories.pins(self.customer(), in_days(30), in_days(30))
		self.campaign(TODO, combine_messages=1)
		self.run_night()
		self.assertEqual([row.status for row in self.ledger()], ["Completed"] * 2)
		self.assertEqual(len({row.handle for row in self.ledger()}), 1)
		(todo,) = self.todos()
		for row in self.ledger():
			self.assertIn(row.reference_name, todo.description)

	def test_it_is_written_in_the_language_of_its_reader(self):
		frappe.db.set_value("User", self.manager, "language", "es")
		self.addCleanup(self.change_user, self.manager, language=None)
		factories.pin(self.customer(language="en"), in_days(30))
		campaign = self.campaign(TODO)
		action = frappe.get_doc("Lifecycle Action", {"campaign": campaign.name})
		spanish = factories.template("Llame a {{ customer_name }}", "Caduca el {{ expiry_date }}.")
		action.append("translations", {"language": "es", "email_template": spanish})
		action.save()
		self.run_night()
		self.assertIn("Llame a", self.todos()[0].description)

	def test_names_are_text_in_it(self):
		customer = self.customer()
		factories.pin(customer, in_days(30))
		# Only the document's own name may not have these characters.
		frappe.db.set_value("Customer", customer, "customer_name", "<b>Bold</b> & Sons")
		self.campaign(TODO)
		self.run_night()
		(todo,) = self.todos()
		self.assertIn("Bold", todo.description)
		self.assertNotIn("<b>Bold", todo.description)


class TestNotifications(ColleaguesTestCase):
	def test_the_account_manager_has_one_line_under_the_bell(self):
		factories.pin(self.customer(), in_days(30))
		self.campaign(NOTIFY)
		self.run_night()
		self.run_night()
		(row,) = self.ledger()
		self.assertEqual((row.status, row.recipient), ("Completed", self.manager))
		(log,) = frappe.get_all("Notification Log", {"for_user": self.manager}, ["*"])
		self.assertEqual((log.document_type, log.document_name), (ledger.DOCTYPE, row.name))
		self.assertEqual(row.handle, str(log.name))
		self.assertTrue(log.subject)


class TestTogether(ColleaguesTestCase):
	def test_each_channel_has_its_own_reason(self):
		factories.pin(self.customer(email=None), in_days(30))
		factories.pin(self.customer(account_manager=None), in_days(30))
		self.campaign(EMAIL, TODO, NOTIFY)
		self.run_night()
		found = {(row.channel, row.status, row.reason) for row in self.ledger()}
		self.assertEqual(
			found,
			{
				(EMAIL, "Skipped", "No e-mail address"),
				(EMAIL, "Queued", None),
				(TODO, "Completed", None),
				(TODO, "Skipped", "No account manager"),
				(NOTIFY, "Completed", None),
				(NOTIFY, "Skipped", "No account manager"),
			},
		)

	def test_preview_and_why_say_what_each_channel_would_do(self):
		customer = self.customer(email=None)
		factories.pin(customer, in_days(30))
		campaign = self.campaign(EMAIL, TODO)
		found = preview.of_day([campaign.name], in_days(0), Visibility())
		self.assertEqual(
			{(row["channel"], row["outcome"], row["reason"]) for row in found["rows"]},
			{(EMAIL, "skip", "No e-mail address"), (TODO, "send", None)},
		)
		self.assertEqual((found["counts"]["mails"], found["counts"]["others"]), (0, {TODO: 1}))
		why = insight.why_customer(customer, [campaign.name], Visibility())
		self.assertEqual(
			{(step["channel"], step["state"]) for step in why["coming"]},
			{(EMAIL, "Would not be sent"), (TODO, "Coming")},
		)
		self.run_night()
		why = insight.why_customer(customer, [campaign.name], Visibility())
		self.assertEqual(
			{(row.channel, row.status) for row in why["history"]}, {(EMAIL, "Skipped"), (TODO, "Completed")}
		)
		journey = insight.journey(campaign.name, Visibility())
		counts = {action["action_type"]: action["counts"] for action in journey[0]["actions"]}
		self.assertEqual((counts[TODO]["Completed"], counts[EMAIL]["Skipped"]), (1, 1))

	def test_a_channel_that_cannot_send_holds_up_no_other(self):
		factories.pin(self.customer(), in_days(30))
		self.campaign(EMAIL, TODO)
		frappe.local.conf.pop("mail_server")
		frappe.local.outgoing_email_account = {}
		night = self.run_night()
		self.assertEqual(self.outcomes(), {TODO: ("Completed", None)})
		night.reload()
		self.assertEqual(night.status, "Failed")

	def test_a_throttle_of_mail_holds_up_no_todo(self):
		frappe.get_single("Marketing Automation Settings").update({"mails_per_minute": 1}).save()
		for _ in range(3):
			factories.pin(self.customer(), in_days(30))
		self.campaign(EMAIL, TODO)
		self.run_night()
		found = sorted((row.channel, row.status) for row in self.ledger())
		self.assertEqual(found, [(TODO, "Completed")] * 3 + [(EMAIL, "Pending")] * 2 + [(EMAIL, "Queued")])
