"""A marketer writes about any DocType of the site that has a date and leads to a customer, and reads no more than they may."""

import frappe

from marketing_automation import api, boot
from marketing_automation.engine import rules
from marketing_automation.engine.schedule import Window
from marketing_automation.engine.source import source_for
from marketing_automation.engine.visibility import Visibility
from marketing_automation.marketing_automation.report.expiring_pins import expiring_pins
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase, caches_kept, mail_parts
from marketing_automation.tests.factories import in_days

TICKET, PROJECT = "Test Lifecycle Ticket", "Test Lifecycle Project"


def _doctype(name: str, *fields: dict, **options) -> None:
	if frappe.db.exists("DocType", name):
		return
	permissions = [
		{"role": "System Manager", "read": 1, "write": 1, "create": 1},
		{"role": "Marketing User", "read": 1},
		{"role": "System Manager", "read": 1, "permlevel": 1},
	]
	factories.make(
		"DocType",
		name=name,
		module="Custom",
		custom=1,
		autoname="hash",
		fields=list(fields),
		permissions=permissions,
		**options,
	)


def field(fieldname: str, fieldtype: str, options: str | None = None, **more) -> dict:
	label = fieldname.replace("_", " ").title()
	return {"fieldname": fieldname, "fieldtype": fieldtype, "options": options, "label": label, **more}


class TestOtherDocTypes(MarketingTestCase):
	@classmethod
	def setUpClass(cls):
		super().setUpClass()
		factories.keeper()
		_doctype(PROJECT, field("client", "Link", "Customer"), field("title", "Data"))
		_doctype(
			TICKET,
			field("customer", "Link", "Customer"),
			field("project", "Link", PROJECT),
			field("party_type", "Link", "DocType"),
			field("party", "Dynamic Link", "party_type"),
			field("visit_on", "Date"),
			field("secret_day", "Date", permlevel=1),
			field("topic", "Data"),
			field("margin", "Float", permlevel=1),
			is_submittable=1,
		)
		for doctype in (TICKET, PROJECT):
			cls.addClassCleanup(_remove, doctype)
		frappe.db.commit()

	def setUp(self):
		super().setUp()
		frappe.db.delete(TICKET)
		frappe.db.delete(PROJECT)
		self.ana = factories.customer()
		self.marketer = factories.user("Marketing User")

	def trigger(self, **fields) -> dict:
		return {
			"source": "Other DocType",
			"reference_doctype": TICKET,
			"date_field": "visit_on",
			"customer_field": "customer",
			"days_offset": 7,
			**fields,
		}

	def ticket(self, submit: bool = True, **fields) -> str:
		doc = factories.make(TICKET, **{"visit_on": in_days(7), "topic": "Boiler", **fields})
		if submit:
			doc.submit()
		return doc.name

	def told(self, **fields) -> list[tuple]:
		text = factories.template("Visit", "<p>{{ customer_name }}: {{ topic }} on {{ visit_on }}</p>")
		factories.campaign(self.trigger(**fields), email_template=text)
		self.run_night()
		return [
			(row.reference_doctype, row.reference_name, row.customer, row.status) for row in self.ledger()
		]

	def test_what_is_open_of_an_invoice_is_less_what_credit_notes_give_back_here_too(self):
		unpaid, taken_back = (factories.invoice(self.ana, in_days(7)) for _number in range(2))
		factories.returned(taken_back)
		trigger = {
			**self.trigger(reference_doctype="Sales Invoice", date_field="due_date"),
			"filters": '[["Sales Invoice", "outstanding_amount", ">", 0]]',
		}
		text = factories.template("Open", "<p>{{ customer_name }}: {{ outstanding_amount }}</p>")
		(rule,) = rules.load([factories.campaign(trigger, email_template=text).name])
		window = Window(in_days(0), in_days(0), in_days(0))
		found = [
			event.reference_name for page in source_for(rule.trigger).due([(rule, window)]) for event in page
		]
		self.assertEqual(found, [unpaid.name])

	def test_a_document_of_the_sites_own_is_written_about_on_its_day(self):
		name = self.ticket(customer=self.ana)
		self.ticket(customer=self.ana, visit_on=in_days(8))
		self.ticket(customer=self.ana, submit=False)
		self.assertEqual(self.told(), [(TICKET, name, self.ana, "Queued")])
		(mail,) = self.mails()
		self.assertIn("Boiler on", mail_parts(mail)[0])
		self.assertEqual(api.why_reference(TICKET, name)["customer"], self.ana)

	def test_the_customer_is_found_over_several_hops(self):
		project = factories.make(PROJECT, client=self.ana).name
		name = self.ticket(project=project)
		lost = self.ticket()
		self.assertEqual(
			sorted(self.told(customer_field="project.client"), key=str),
			sorted([(TICKET, name, self.ana, "Queued"), (TICKET, lost, None, "Skipped")], key=str),
		)
		coming = api.why_customer(self.ana)["history"]
		self.assertEqual([row["reference_name"] for row in coming], [name])
		(rule,) = rules.load()
		source = source_for(rule.trigger)
		self.assertEqual(source.owned_by(rule.trigger, self.ana, Visibility(), 9), [name])
		window = Window(in_days(0), in_days(0), in_days(0))
		self.assertEqual(sum(source.counts([(rule, window)], Visibility()).values()), 2)

	def test_a_party_that_is_no_customer_is_left_out(self):
		name = self.ticket(party_type="Customer", party=self.ana)
		self.ticket(party_type="User", party="Administrator")
		self.assertEqual(self.told(customer_field="party"), [(TICKET, name, self.ana, "Queued")])

	def test_a_way_that_leads_to_no_customer_is_refused(self):
		for path in (
			"topic",
			"project",
			"project.title",
			"project.client.name",
			"",
			"no_such",
			"customer.name",
		):
			with self.subTest(path), self.refused("does not lead to a customer", "project.client"):
				factories.campaign(self.trigger(customer_field=path or None), active=False)

	def test_a_doctype_that_has_no_documents_or_dates_is_refused(self):
		for doctype in ("System Settings", "Sales Invoice Item", PROJECT):
			with self.subTest(doctype), self.refused("Choose another one"):
				factories.campaign(self.trigger(reference_doctype=doctype), active=False)
		with self.refused("document type"):
			factories.campaign(self.trigger(reference_doctype=None), active=False)

	def test_a_marketer_is_offered_what_they_may_read_and_nothing_else(self):
		frappe.set_user(self.marketer)
		found = api.offers("Other DocType", TICKET)
		self.assertEqual([offer["value"] for offer in found["date_fields"]], ["visit_on"])
		self.assertEqual(
			[offer["value"] for offer in found["customer_fields"]], ["customer", "party", "project.client"]
		)
		self.assertEqual(api.offers("Other DocType", "Sales Partner")["date_fields"], [])

	def test_a_field_of_a_higher_level_is_no_date_and_no_filter_and_no_variable(self):
		campaign = factories.campaign(active=False, purpose="Marketing").name
		frappe.db.commit()
		frappe.set_user(self.marketer)
		for fields in (
			{"date_field": "secret_day"},
			{"filters": f'[["{TICKET}", "margin", ">", 1]]'},
		):
			with self.subTest(fields), self.refused("You may not read", error=frappe.PermissionError):
				frappe.get_doc(
					{"doctype": "Lifecycle Trigger", "campaign": campaign, **self.trigger(**fields)}
				).insert()
		frappe.set_user("Administrator")
		trigger = factories.trigger(campaign, **self.trigger())
		names = [variable["name"] for variable in api.variables(trigger=trigger.name)]
		self.assertIn("topic", names)
		self.assertNotIn("margin", names)
		self.assertNotIn("secret_day", names)
		ticket = self.ticket(customer=self.ana, secret_day=in_days(3))
		(rule,) = [one for one in rules.load([campaign], False) if one.trigger.name == trigger.name]
		source = source_for(rule.trigger)
		(values,) = source.values(source.about([rule], [ticket]))
		self.assertEqual((values["topic"], values["visit_on"]), ("Boiler", in_days(7)))
		self.assertNotIn("secret_day", values)

	def test_a_doctype_that_a_marketer_may_not_read_is_none_of_theirs(self):
		stranger = factories.user("Marketing Manager")
		campaign = factories.campaign(active=False).name
		frappe.db.commit()
		frappe.set_user(stranger)
		with self.refused("You may not read", error=frappe.PermissionError):
			frappe.get_doc({"doctype": "Lifecycle Trigger", "campaign": campaign, **self.trigger()}).insert()

	def test_to_whom_one_document_was_shared_is_shown_none_of_the_others(self):
		names = [self.ticket(customer=self.ana), self.ticket(customer=factories.customer())]
		text = factories.template("Visit", "<p>{{ customer_name }}: {{ topic }}</p>")
		campaign = factories.campaign(self.trigger(), email_template=text)
		stranger = factories.user("Marketing Manager")
		frappe.share.add(TICKET, names[0], stranger, notify=0)
		frappe.db.commit()
		self.assertEqual(api.preview(campaign.name)["counts"]["due"], 2)
		frappe.set_user(stranger)
		self.assertEqual(api.preview(campaign.name)["rows"], [])
		self.assertEqual(api.offers("Other DocType", TICKET)["date_fields"], [])

	def sent(self) -> tuple:
		"""Return a campaign about tickets, and the ticket and the pin about which Ana has been written to."""
		text = factories.template("Visit", "<p>{{ customer_name }}: {{ topic }}</p>")
		campaign, ticket = (
			factories.campaign(self.trigger(), email_template=text),
			self.ticket(customer=self.ana),
		)
		pin = factories.pin(self.ana, in_days(30))
		factories.campaign()
		self.run_night()
		return campaign, ticket, pin

	def test_who_may_not_read_it_learns_of_no_document_from_the_message_log(self):
		_campaign, ticket, pin = self.sent()
		(row,) = self.ledger(reference_name=ticket)
		for user, seen in ((self.marketer, {ticket, pin}), (factories.user("Marketing Manager"), {pin})):
			with self.subTest(user):
				frappe.set_user(user)
				listed = frappe.get_list("Lifecycle Execution Log", pluck="reference_name")
				self.assertEqual(set(listed), seen)
				doc = frappe.get_doc("Lifecycle Execution Log", row.name)
				self.assertEqual(doc.has_permission("read"), ticket in seen)
				history = api.why_customer(self.ana)["history"]
				self.assertEqual({one["reference_name"] for one in history}, seen)
				frappe.set_user("Administrator")

	def test_who_may_not_read_it_is_told_of_no_number_and_no_field_of_it(self):
		campaign = self.sent()[0]
		# What a Service campaign sends is a manager's to say.
		frappe.db.set_value("Lifecycle Campaign", campaign.name, "purpose", "Marketing")
		self.ticket(customer=self.ana, visit_on=in_days(9))
		trigger = frappe.db.get_value("Lifecycle Trigger", {"campaign": campaign.name})
		stranger = factories.user("Marketing Manager")
		for user, total, names in ((self.marketer, 1, {"topic"}), (stranger, 0, set())):
			with self.subTest(user):
				frappe.set_user(user)
				self.assertEqual(api.forecast(campaign.name)["total"], total)
				told = {variable["name"] for variable in api.variables(trigger=trigger)}
				self.assertIn("date", told)
				self.assertEqual(told & {"topic"}, names)
				doc = frappe.get_doc("Lifecycle Trigger", trigger)
				doc.date_field = "topic"
				with self.assertRaisesRegex(frappe.ValidationError, "is not a date field") as refused:
					doc.save()
				self.assertEqual("visit_on" in str(refused.exception), bool(names))
				frappe.set_user("Administrator")

	def test_the_desk_puts_the_button_on_the_forms_of_those_who_may_read_it(self):
		self.sent()
		ordered = self.trigger(reference_doctype="Sales Order", date_field="delivery_date")
		factories.trigger(factories.campaign(active=False).name, **ordered)
		frappe.db.commit()
		for user, doctypes in ((self.marketer, [TICKET]), (factories.user("Marketing Manager"), [])):
			with self.subTest(user):
				frappe.set_user(user)
				bootinfo = frappe._dict()
				boot.extend_bootinfo(bootinfo)
				self.assertEqual(bootinfo.lifecycle_references, doctypes)
				frappe.set_user("Administrator")

	def test_the_report_names_those_that_no_trigger_catches(self):
		text = factories.template("Visit", "<p>{{ customer_name }}: {{ topic }}</p>")
		factories.campaign(self.trigger(), email_template=text)
		caught = self.ticket(customer=self.ana, visit_on=in_days(9))
		missed = self.ticket(customer=self.ana, visit_on=in_days(5))
		self.ticket(customer=self.ana, visit_on=in_days(90))
		filters = {
			**{"source": "Other DocType", "reference_doctype": TICKET, "customer_field": "customer"},
			**{"date_field": "visit_on", "show_all": 1},
		}
		frappe.db.commit()
		frappe.set_user(self.marketer)
		columns, rows, *_rest = expiring_pins.execute(filters)
		self.assertEqual((columns[0]["options"], columns[0]["fieldname"]), (TICKET, "reference_name"))
		self.assertEqual(
			[(row["reference_name"], row["customer"], row["problem"]) for row in rows],
			[(missed, self.ana, "No trigger catches it"), (caught, self.ana, None)],
		)
		# The first way to a customer, where none is chosen.
		self.assertEqual(len(expiring_pins.execute({**filters, "customer_field": None})[1]), 2)
		for wrong in (
			{"date_field": "secret_day"},
			{"customer_field": "topic"},
			{"reference_doctype": "Sales Partner"},
			{"reference_doctype": None},
		):
			with self.subTest(wrong), self.refused():
				expiring_pins.execute({**filters, **wrong})
		frappe.set_user(factories.user("Marketing Manager"))
		with self.refused("may not read", error=frappe.PermissionError):
			expiring_pins.execute(filters)

	def test_the_document_that_shows_why_is_named_to_those_who_may_read_it(self):
		ticket = self.sent()[1]
		pin = self.ledger(reference_doctype="Serial No")[0]
		evidence = {"evidence_doctype": TICKET, "evidence_name": ticket}
		frappe.db.set_value("Lifecycle Execution Log", pin.name, evidence)
		frappe.db.commit()
		for user, name in ((self.marketer, ticket), (factories.user("Marketing Manager"), None)):
			with self.subTest(user):
				frappe.set_user(user)
				for found in (api.why_customer(self.ana), api.why_reference("Serial No", pin.reference_name)):
					(row,) = (one for one in found["history"] if one["name"] == pin.name)
					self.assertEqual((row["evidence_doctype"], row["evidence_name"]), (TICKET, name))
				(row,) = (one for one in api.preview()["rows"] if one["log"] == pin.name)
				self.assertEqual((row["evidence_doctype"], row["evidence_name"]), (TICKET, name))
				frappe.set_user("Administrator")

	def test_a_doctype_that_is_gone_breaks_its_trigger_and_no_other(self):
		text = factories.template("Visit", "<p>{{ customer_name }}: {{ topic }}</p>")
		campaign = factories.campaign(self.trigger(), email_template=text)
		pin = factories.pin(self.ana, in_days(30))
		factories.campaign()
		frappe.db.set_value("Lifecycle Trigger", {"campaign": campaign.name}, "reference_doctype", "Gone")
		self.run_night()
		self.assertEqual(self.outcome_of(pin), ("Queued", None))
		self.assertTrue([one for one in api.health(campaign.name) if "Gone" in one["text"]])


def _remove(doctype: str) -> None:
	with caches_kept():
		frappe.delete_doc("DocType", doctype, force=True, ignore_missing=True)
	frappe.db.sql_ddl(f"drop table if exists `tab{doctype}`")
	frappe.db.commit()
