"""Who may do what: Marketing Manager, Marketing User, and somebody who is neither."""

import frappe

from marketing_automation import api
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days

RIGHTS = ("read", "write", "create", "delete")
EDITED = ("Lifecycle Campaign", "Lifecycle Trigger", "Lifecycle Action")
WRITTEN_BY_RUNS = ("Lifecycle Execution Log", "Lifecycle Run")


class TestRoles(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		cls.manager = factories.user("Marketing Manager")
		cls.marketer = factories.user("Marketing User")
		cls.stranger = factories.user("Sales User")
		frappe.db.commit()

	def rights(self, user: str, doctype: str) -> set[str]:
		return {right for right in RIGHTS if frappe.has_permission(doctype, right, user=user)}

	def contact(self) -> str:
		return factories.contact(factories.customer(), f"{frappe.generate_hash()}@customers.example")

	def test_a_manager_may_do_all_of_it(self):
		for doctype in (*EDITED, "Email Template"):
			self.assertEqual(self.rights(self.manager, doctype), set(RIGHTS), doctype)
		self.assertEqual(
			self.rights(self.manager, "Marketing Automation Settings") & {"read", "write"}, {"read", "write"}
		)

	def test_a_marketer_writes_campaigns_and_templates(self):
		for doctype in EDITED:
			self.assertEqual(self.rights(self.marketer, doctype), set(RIGHTS), doctype)
		self.assertEqual(self.rights(self.marketer, "Email Template"), {"read", "write", "create"})

	def test_a_marketer_reads_what_happened_and_changes_nothing_of_it(self):
		for doctype in WRITTEN_BY_RUNS:
			self.assertEqual(self.rights(self.marketer, doctype), {"read"}, doctype)
		self.assertEqual(self.rights(self.marketer, "Marketing Automation Settings"), set())

	def test_nobody_writes_the_ledger(self):
		for user in (self.manager, self.marketer, self.stranger):
			for doctype in WRITTEN_BY_RUNS:
				self.assertLessEqual(self.rights(user, doctype), {"read", "delete"}, (user, doctype))

	def test_a_stranger_sees_nothing(self):
		for doctype in (*EDITED, *WRITTEN_BY_RUNS, "Marketing Automation Settings"):
			self.assertEqual(self.rights(self.stranger, doctype), set(), doctype)

	def test_a_marketer_sets_a_campaign_up_alone(self):
		frappe.set_user(self.marketer)
		doc = frappe.get_doc(
			{"doctype": "Email Template", "name": factories.unique("Test"), "subject": "Hi", "response": "Hi"}
		).insert()
		campaign = frappe.get_doc(
			{"doctype": "Lifecycle Campaign", "campaign_name": factories.unique("Test")}
		).insert()
		trigger = frappe.get_doc(
			{
				"doctype": "Lifecycle Trigger",
				"campaign": campaign.name,
				"trigger_name": "30 days",
				"days_offset": 30,
			}
		).insert()
		frappe.get_doc(
			{
				"doctype": "Lifecycle Action",
				"trigger": trigger.name,
				"action_name": "Offer",
				"email_template": doc.name,
			}
		).insert()
		campaign.is_active = 1
		campaign.save()
		self.assertTrue(campaign.active_since)

	def test_an_email_template_hands_no_database_to_whoever_may_write_it(self):
		def template(source: str, **fields):
			return frappe.get_doc(
				{
					"doctype": "Email Template",
					"name": factories.unique("Test"),
					"subject": "Hi",
					"use_html": 1,
					"response_html": source,
					**fields,
				}
			)

		attacks = (
			"{{ frappe.db.sql('select 1') }}",
			"{% macro m(a=frappe) %}{{ a }}{% endmacro %}{{ m() }}",
			"{% include 'templates/emails/standard.html' %}",
		)
		for user in (self.marketer, self.manager):
			frappe.set_user(user)
			for attack in attacks:
				with self.subTest(attack, user=user), self.assertRaises(frappe.PermissionError):
					template(attack).insert()
			for fields in (
				{"subject": "{{ frappe.session.user }}"},
				{"use_html": 0, "response": "<p>{{ frappe.db }}</p>"},
			):
				with self.subTest(user=user, **fields), self.assertRaises(frappe.PermissionError):
					template("Hi", **fields).insert()
			template("{{ serial_no }} {{ _('Dear') }} {{ customer_name }}").insert()
		frappe.set_user("Administrator")
		written = template(attacks[0]).insert()
		frappe.set_user(self.marketer)
		written.reload()
		written.subject = "Hello"
		with self.assertRaises(frappe.PermissionError):
			written.save()

	def test_every_method_of_the_api_checks_a_permission(self):
		campaign = factories.campaign()
		of_campaign = {"campaign": campaign.name}
		action = {"action": frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name})}
		pin = {"reference_name": factories.pin(factories.customer(), in_days(30))}
		made = {"name": api.new_design(factories.unique("Test"), from_gallery="renewal")}
		api.publish_design(made["name"], api.design(made["name"])["modified"])
		version = api.design_versions(made["name"])[0]["name"]
		calls = {
			"run_now": [{}, of_campaign],
			"run_preview": [{}, of_campaign],
			"run_progress": [{"run": self.run_night().name}],
			"bind_site": [{}],
			"health": [{}, of_campaign],
			"campaign_states": [{"names": [campaign.name]}],
			"activation": [of_campaign],
			"activate": [{**of_campaign, "modified": str(campaign.modified)}],
			"pause": [of_campaign],
			"preview": [{}, of_campaign],
			"forecast": [{}, of_campaign],
			"journey": [of_campaign],
			"coming": [of_campaign],
			"duplicate": [{**of_campaign, "campaign_name": factories.unique("Test")}],
			"mail": [action, {**action, **pin}],
			"send_test": [{**action, **pin}],
			"why_customer": [{"customer": factories.customer()}],
			"why_reference": [{"doctype": "Serial No", "name": pin["reference_name"]}],
			"topics": [{}],
			"ask_for_consent": [{"contact": self.contact(), "topic": "News"}],
			"write_down_consent": [{"contact": self.contact(), "agrees": 0, "text": "By telephone"}],
			"recipes": [{}],
			"make_from_recipe": [
				{
					"recipe": "subscription_renewal",
					"campaign_name": factories.unique("Test"),
					"days": "1",
					"language": "en",
				}
			],
			"due_next_week": [{}],
			"last_run": [{}],
			"senders": [{}],
			"goals": [{}],
			"holds": [{}],
			"country_profile": [{"country": "Spain"}],
			"deliverability": [{}, of_campaign],
			"brand_preview": [{"fields": "{}"}],
			"add_suppressions": [{"text": "ana@customers.example"}],
			"export_suppressions": [{}],
			"lift_suppression": [{"name": "x", "why": "x"}],
			"read_mailbox": [{}],
			"design": [made],
			"show_design": [{**made, "design": "{}", "language": "en"}],
			"save_design": [{**made, "design": "{}", "modified": "2026-01-01"}],
			"design_changes": [made],
			"publish_design": [{**made, "modified": "2026-01-01"}],
			"design_versions": [made],
			"design_version": [{"version": version}],
			"design_gallery": [{}],
			"gallery_picture": [{"name": "renewal"}, {"name": "renewal", **action}],
			"new_design": [{"title": "Test"}],
			"design_of_action": [action],
			"test_design": [{**made, "design": "{}", "languages": ["en"], "addresses": ["a@users.example"]}],
			"as_sent": [{"message": "x"}],
			"mail_picture": [{"file_url": "/files/x.png"}],
			"sources": [{}],
			"variables": [action],
			"attachable": [{"trigger": "x"}],
			"offers": [{"source": "Serial No"}],
			"retry": [{"names": []}],
			"retry_run": [{"run": "RUN"}],
			"send_skipped": [{"names": []}],
			"forget": [{"email": "ana@customers.example"}],
			"template_rights": [{"template": factories.usual_template()}],
			"release_template": [{"template": factories.usual_template()}],
		}
		whitelisted = {
			name for name, value in vars(api).items() if callable(value) and value in frappe.whitelisted
		}
		self.assertEqual(set(calls), whitelisted, "a new method needs its line here")
		for user in (self.stranger, "Guest"):
			frappe.set_user(user)
			for name, arguments in calls.items():
				for keywords in arguments:
					with (
						self.subTest(user=user, method=name, **keywords),
						self.assertRaises(frappe.PermissionError),
					):
						getattr(api, name)(**keywords)
		self.assertEqual(
			whitelisted
			& {fn.__name__ for fn in frappe.guest_methods if fn.__module__.startswith(api.__name__)},
			set(),
		)

	def test_a_marketer_runs_a_campaign_and_only_a_manager_runs_all(self):
		campaign = factories.campaign()
		frappe.db.commit()
		frappe.set_user(self.marketer)
		name = api.run_now(campaign.name)
		self.assertEqual(
			frappe.db.get_value("Lifecycle Run", name, ["run_type", "campaign"]), ("Manual", campaign.name)
		)
		with self.assertRaises(frappe.PermissionError):
			api.run_now()
		frappe.set_user(self.manager)
		self.assertTrue(api.run_now())

	def test_what_stopped_campaigns_of_a_night_is_for_managers(self):
		campaign = factories.campaign()
		night, own = self.run_night().name, self.run_night(campaign.name).name
		for run in (night, own):
			frappe.db.set_value("Lifecycle Run", run, "error", f"{campaign.name}: no account")
		for user, sees in ((self.manager, True), (self.marketer, False)):
			frappe.set_user(user)
			self.assertEqual(bool(api.run_progress(night)["error"]), sees)
			self.assertTrue(api.run_progress(own)["error"])
			doc = frappe.get_doc("Lifecycle Run", night)
			doc.apply_fieldlevel_read_permissions()
			self.assertEqual(bool(doc.get("error")), sees)

	def test_a_marketer_sees_the_workspace_with_its_cards_and_reports(self):
		workspace = frappe.get_doc("Workspace", "Marketing Automation")
		frappe.set_user(self.marketer)
		self.assertEqual(len(workspace.number_cards), 6)
		for row in workspace.number_cards:
			card = frappe.get_doc("Number Card", row.number_card_name)
			self.assertTrue(frappe.has_permission("Number Card", doc=card), card.name)
		chart = frappe.get_doc("Dashboard Chart", workspace.charts[0].chart_name)
		self.assertTrue(frappe.has_permission("Dashboard Chart", doc=chart))
		for name in ("Campaign Performance", "Expiring Pins", "Basis of Messages"):
			self.assertTrue(frappe.get_doc("Report", name).is_permitted())
		self.assertEqual((api.due_next_week(), api.last_run()), (0, "None yet"))
		self.assertTrue(api.may_open())
		frappe.set_user(self.stranger)
		self.assertFalse(frappe.get_doc("Report", "Expiring Pins").is_permitted())
		self.assertFalse(api.may_open())

	def test_what_the_forms_offer(self):
		frappe.set_user(self.marketer)
		self.assertIn(
			"warranty_expiry_date", [field["value"] for field in api.offers("Serial No")["date_fields"]]
		)
		self.assertIsInstance(api.senders(), list)


class TestRunNow(MarketingTestCase):
	def test_a_run_of_one_campaign_leaves_the_others_for_the_night(self):
		pin = factories.pin(factories.customer(), in_days(30))
		one, other = factories.campaign(), factories.campaign()
		frappe.db.commit()
		api.run_now(one.name)
		self.assertEqual([row.campaign for row in self.ledger()], [one.name])
		self.run_night()
		self.assertEqual({row.campaign for row in self.ledger(reference_name=pin)}, {one.name, other.name})
		self.assertEqual(len(self.mails()), 2)
