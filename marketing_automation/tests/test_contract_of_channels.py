"""Whatever a message leaves by keeps the contract of channels: ours, each by itself, and another app's, by the hook alone.

`engine/channel.py` has the contract. A channel of ours without a class here fails `test_each_of_ours_is_tested`.
"""

import inspect
from unittest.mock import patch

import frappe

from marketing_automation.channels import webhook
from marketing_automation.channels.email import sender
from marketing_automation.engine import channel as contract
from marketing_automation.engine import closing, deliver, dispatch, ledger, rules, settle
from marketing_automation.engine.channel import Channel, Message, Rendered, action_types, channel_for
from marketing_automation.engine.model import Recipient
from marketing_automation.engine.settings import SETTINGS
from marketing_automation.hooks import lifecycle_channels
from marketing_automation.tests import factories, fake_channel, http_sink, smtp_sink
from marketing_automation.tests.case import (
	MarketingTestCase,
	outside_test_mode,
	replaced_hooks,
	statements,
)
from marketing_automation.tests.factories import in_days

WRITES = ("insert", "update", "delete", "replace")


class OfChannel:
	"""What each channel promises. Those that inherit say how to make an action of it, and how to see what has left."""

	action_type: str

	def setUp(self):
		super().setUp()
		self.channel = channel_for(self.action_type)

	def fields(self) -> dict:
		"""Return the fields of an action that works."""
		return {"email_template": None}

	def incomplete(self) -> dict:
		"""Return fields of an action that could not work."""
		raise NotImplementedError

	def left(self) -> list[str]:
		"""Return what has left, one text for each message."""
		raise NotImplementedError

	def campaign(self, **fields):
		campaign = factories.campaign(active=False)
		trigger = frappe.db.get_value("Lifecycle Trigger", {"campaign": campaign.name})
		for name in frappe.get_all("Lifecycle Action", {"campaign": campaign.name}, pluck="name"):
			frappe.delete_doc("Lifecycle Action", name, ignore_permissions=True)
		factories.action(trigger, **{"action_type": self.action_type, **self.fields()})
		campaign.reload()
		campaign.update({"is_active": 1, **fields}).save()
		return campaign

	def night(self, customers: int = 2, **fields) -> tuple:
		"""Return a campaign, and the ledger rows that a night has handed over, one for each of so many customers."""
		for _ in range(customers):
			factories.pin(self.customer(), in_days(30))
		campaign = self.campaign(**fields)
		self.run_night()
		return campaign, self.ledger(campaign=campaign.name)

	def customer(self) -> str:
		return factories.customer()

	def send(self, rows: list) -> None:
		"""Let the channel send what these rows have handed over, as its job does."""
		handles = list(dict.fromkeys(row.handle for row in rows if row.status == "Queued"))
		with outside_test_mode():
			dispatch.send(self.action_type, handles)

	def statuses(self) -> set[str]:
		return {row.status for row in self.ledger()}

	def message(self) -> Message:
		(rule,) = rules.load([self.campaign().name])
		(action,) = rule.actions
		customer = self.customer()
		factories.pin(customer, in_days(30))
		with patch.object(deliver, "enqueue"):
			self.run_night()
		return Message(
			key="a key",
			campaign=rule.campaign,
			action=action,
			recipient=self.channel.addresses({customer})[customer],
			company=factories.company(),
			items=[
				{
					**{"serial_no": "PIN-1", "item_code": "PIN", "item_name": "Pin"},
					**{"expiry_date": in_days(30), "date": in_days(30)},
				}
			],
			today=in_days(0),
			rows=(self.ledger()[0].name,),
		)

	# -- the promises ----------------------------------------------------------------------------------------------

	def test_it_has_all_that_the_contract_asks_for(self):
		for name, member in vars(Channel).items():
			if name.startswith("_"):
				continue
			with self.subTest(name):
				found = getattr(self.channel, name)
				if inspect.isfunction(member):
					wanted = [*inspect.signature(member).parameters][1:]
					self.assertEqual([*inspect.signature(found).parameters], wanted)

	def test_addresses_are_those_of_customers_that_exist_by_one_query(self):
		ana, gone = self.customer(), factories.unique("Nobody")
		off = factories.customer(disabled=1)
		frappe.db.commit()
		with statements() as seen:
			found = self.channel.addresses({ana, off, gone})
		self.assertEqual(len([one for one in seen if one.lower().startswith("select")]), 1)
		self.assertIsInstance(found[ana], Recipient)
		self.assertEqual((found[ana].reason, found[off].reason), (None, "Customer disabled"))
		self.assertIsNone(found.get(gone))

	def test_an_action_that_could_not_work_is_refused(self):
		trigger = factories.trigger(factories.campaign(active=False).name)
		frappe.db.commit()
		with self.assertRaises(frappe.ValidationError):
			factories.action(
				trigger.name, **{"action_type": self.action_type, **self.fields(), **self.incomplete()}
			)
		frappe.db.rollback()
		frappe.clear_messages()

	def test_composing_and_looking_at_it_writes_nothing(self):
		message = self.message()
		frappe.db.commit()
		with statements() as seen:
			prepared = self.channel.prepare([message.action])
			self.assertTrue(self.channel.compose(prepared, message))
			rendered, language = self.channel.render(prepared, message)
		self.assertEqual([one for one in seen if one.lower().startswith(WRITES)], [])
		self.assertIsInstance(rendered, Rendered)
		self.assertTrue(rendered.subject and rendered.body and language)
		self.assertEqual(self.left(), [])

	def test_each_customer_gets_it_once_and_the_ledger_knows_by_what(self):
		_campaign, rows = self.night()
		self.assertEqual({row.channel for row in rows}, {self.action_type})
		self.assertEqual(len({row.handle for row in rows}), 2)
		self.send(rows)
		self.assertEqual((len(set(self.left())), len(self.left())), (2, 2))
		settle.settle()
		self.assertEqual(self.statuses(), {"Completed"})
		self.assertTrue(all(row.executed_at for row in self.ledger()))
		self.send(rows)
		again = self.run_night()
		self.assertEqual((again.due, again.known, len(self.left())), (2, 2, 2))

	def test_what_is_rolled_back_was_never_there(self):
		message = self.message()
		prepared = self.channel.prepare([message.action])
		frappe.db.commit()
		(fields,) = self.channel.hand_over([self.channel.compose(prepared, message)])
		frappe.db.rollback()
		with outside_test_mode():
			self.channel.dispatch([fields["handle"]])
		self.assertEqual(self.left(), [])

	def test_a_crash_before_the_commit_leaves_neither_row_nor_message(self):
		factories.pin(self.customer(), in_days(30))
		self.campaign()

		class Crash(BaseException):
			pass

		with patch.object(ledger, "move_on", side_effect=Crash), self.assertRaises(Crash):
			self.run_night()
		self.assertEqual((self.statuses(), self.left()), ({"Pending"}, []))
		deliver.deliver([row.name for row in self.ledger()])
		self.send(self.ledger())
		self.assertEqual((self.statuses(), len(self.left())), ({"Completed"}, 1))

	def test_one_that_nobody_takes_a_handle_of_stops_no_other(self):
		"""Somebody has deleted it behind our back."""
		_campaign, rows = self.night()
		frappe.db.set_value(ledger.DOCTYPE, rows[0].name, {"handle": "gone", "status": "Queued"})
		frappe.db.commit()
		self.send(rows)
		settle.settle()
		self.assertEqual(self.ledger()[1].status, "Completed")

	def test_what_has_not_left_is_taken_back_when_its_campaign_is_paused(self):
		campaign, rows = self.night()
		if {row.status for row in rows} == {"Completed"}:
			self.assertEqual(len(self.left()), 2)
			return
		campaign.reload()
		campaign.update({"is_active": 0}).save()
		frappe.db.commit()
		settle.settle()
		self.assertEqual(self.statuses(), {"Cancelled"})
		self.send(rows)
		self.assertEqual(self.left(), [])

	def test_what_has_left_is_not_sent_again_by_a_retry(self):
		_campaign, rows = self.night(1)
		self.send(rows)
		settle.settle()
		frappe.db.set_value(ledger.DOCTYPE, rows[0].name, {"status": "Pending", "executed_at": None})
		frappe.db.commit()
		deliver.deliver([rows[0].name])
		self.send(self.ledger())
		settle.settle()
		self.assertEqual((self.statuses(), len(self.left())), ({"Completed"}, 1))

	def test_it_stops_no_other_channel_when_it_raises(self):
		self.night(1)
		with (
			patch.object(self.channel, "outcomes", side_effect=KeyError("broken")),
			patch.object(self.channel, "is_throttled", side_effect=KeyError("broken")),
			patch.object(self.channel, "asked_again", side_effect=KeyError("broken")),
			patch.object(settle.watchdog, "warn") as warn,
		):
			settle.settle()
		warn.assert_called_once_with()
		logged = frappe.get_all("Error Log", {"method": ["like", f"%{self.action_type}%"]}, pluck="name")
		self.assertEqual(len(logged), 1)
		frappe.db.delete("Error Log", {"name": ["in", logged]})
		frappe.db.commit()


class TestEmail(OfChannel, MarketingTestCase):
	action_type = "Send Email"

	def setUp(self):
		super().setUp()
		self.sink = smtp_sink.Sink()
		port = self.enterContext(smtp_sink.listening(self.sink))
		self.enterContext(patch.dict(frappe.local.conf, {"mail_port": port}))

	def fields(self) -> dict:
		return {"email_template": factories.usual_template()}

	def incomplete(self) -> dict:
		return {"email_template": factories.template(response="")}

	def left(self) -> list[str]:
		return [message["Message-Id"] for message in self.sink.messages()]

	def send(self, rows: list) -> None:
		# As in a job of its own.
		frappe.local.outgoing_email_account = {}
		super().send(rows)


class TestWebhook(OfChannel, MarketingTestCase):
	action_type = "Send Webhook"

	def setUp(self):
		super().setUp()
		self.sink = http_sink.Sink(webhook.new_secret())
		self.url = self.enterContext(http_sink.listening(self.sink))
		frappe.db.set_single_value(SETTINGS, "private_webhooks", 1)
		frappe.db.commit()

	def fields(self) -> dict:
		return {"email_template": None, "webhook_url": self.url, "webhook_secret": self.sink.secret}

	def incomplete(self) -> dict:
		return {"webhook_url": "example.com"}

	def left(self) -> list[str]:
		return list(self.sink.news.elements())


class OfColleagues(OfChannel):
	def setUp(self):
		super().setUp()
		self.manager = factories.user("Sales User")
		self.before = set(self.documents())

	def customer(self) -> str:
		return factories.customer(account_manager=self.manager)

	def fields(self) -> dict:
		return {"email_template": factories.usual_template(), "assign_to": "Account Manager"}

	def incomplete(self) -> dict:
		return {"assign_to": "User", "user": None}

	def documents(self) -> list[str]:
		return frappe.get_all(self.channel.HANDLE_DOCTYPE, pluck="name", order_by="name asc")

	def left(self) -> list[str]:
		return [name for name in self.documents() if name not in self.before]


class TestToDo(OfColleagues, MarketingTestCase):
	action_type = "Create ToDo"


class TestNotification(OfColleagues, MarketingTestCase):
	action_type = "Notify User"


class TestAnotherApps(OfChannel, MarketingTestCase):
	action_type = fake_channel.ACTION_TYPE

	def setUp(self):
		hooks = {**frappe.get_hooks("lifecycle_channels"), **fake_channel.HOOK}
		self.enterContext(patch.object(frappe, "get_hooks", replaced_hooks(lifecycle_channels=hooks)))
		super().setUp()
		fake_channel.prepare_table()

	def incomplete(self) -> dict:
		return {"action_name": "no letter"}

	def left(self) -> list[str]:
		return list(fake_channel.FLOWN)

	def test_what_it_has_lost_is_tried_again_later(self):
		_campaign, rows = self.night(2)
		with patch.object(fake_channel.Pigeons, "lost", {rows[0].message_key}):
			self.send(rows)
		self.assertEqual(sorted(row.status for row in self.ledger()), ["Completed", "Failed"])
		(failed,) = self.ledger(status="Failed")
		self.assertTrue(failed.next_attempt_at)
		frappe.db.set_value(ledger.DOCTYPE, failed.name, "next_attempt_at", "2001-01-01")
		frappe.db.commit()
		settle.settle()
		self.send(self.ledger())
		self.assertEqual((self.statuses(), len(fake_channel.FLOWN)), ({"Completed"}, 2))

	def test_a_job_has_as_many_as_it_says(self):
		with patch.object(frappe, "enqueue") as enqueue:
			ENQUEUE(self.action_type, ["1", "2", "3"])
		self.assertEqual([call.kwargs["handles"] for call in enqueue.mock_calls], [["1", "2"], ["3"]])


ENQUEUE = dispatch.enqueue


class TestRegistered(MarketingTestCase):
	def test_each_of_ours_is_tested(self):
		tested = {
			case.action_type
			for case in (*OfChannel.__subclasses__(), *OfColleagues.__subclasses__())
			if hasattr(case, "action_type")
		}
		self.assertEqual(set(lifecycle_channels) - tested, set())

	def test_each_keeps_the_contract(self):
		for action_type in action_types():
			with self.subTest(action_type):
				self.assertIsInstance(channel_for(action_type), Channel)

	def test_one_that_does_not_even_load_stops_no_other(self):
		hooks = {"Send Nothing": ["no.such.module"], **frappe.get_hooks("lifecycle_channels")}
		factories.pin(factories.customer(), in_days(30))
		factories.campaign()
		self.run_night()
		with patch.object(frappe, "get_hooks", replaced_hooks(lifecycle_channels=hooks)):
			self.mail_sent()
		self.assertEqual({row.status for row in self.ledger()}, {"Completed"})
		frappe.db.delete("Error Log", {"method": ["like", "%Send Nothing%"]})
		frappe.db.commit()

	def test_what_an_object_lacks_falls_back_to_nothing_done(self):
		class Bare(Channel):
			pass

		bare, row = Bare(), frappe._dict(name="a row", handle="x")
		self.assertEqual((bare.problems([]), bare.outcomes([row]), bare.recall([row])), ([], {}, {}))
		self.assertEqual((bare.withdraw([row]), bare.asked_again(), bare.dispatch(["x"])), (set(), set(), []))
		self.assertEqual((bare.room({}), bare.is_throttled(), bare.prepare([])), (None, False, None))

	def test_no_plug_in_is_called_by_what_it_calls(self):
		"""A sender knows nothing of what closes its messages."""
		for module in (closing, dispatch, settle, deliver):
			self.assertNotIn(module, vars(sender).values())
		self.assertNotIn("settle", inspect.getsource(contract).split("class Unsendable")[0])
