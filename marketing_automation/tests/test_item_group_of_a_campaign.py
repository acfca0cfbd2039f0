"""The item group of a campaign holds for its triggers, unless one has a group of its own."""

import frappe

from marketing_automation import api
from marketing_automation.tests import factories
from marketing_automation.tests.case import MarketingTestCase
from marketing_automation.tests.factories import in_days


class TestItemGroup(MarketingTestCase):
	def setUp(self):
		super().setUp()
		self.parent = factories.item_group("Test Digital", is_group=1)
		self.films = factories.item_group("Test Films", self.parent)
		self.music = factories.item_group("Test Music", self.parent)
		self.tools = factories.item_group("Test Tools")
		self.film, self.song, self.tool = (
			factories.pin(factories.customer(), in_days(30), item_code=factories.item(f"TEST-{group}", group))
			for group in (self.films, self.music, self.tools)
		)

	def due(self, campaign) -> set[str]:
		return {row["reference_name"] for row in api.preview(campaign.name)["rows"]}

	def test_its_triggers_take_only_items_of_the_group_and_below_it(self):
		campaign = factories.campaign(item_group=self.parent)
		self.assertEqual(self.due(campaign), {self.film, self.song})
		self.run_night()
		self.assertEqual({row.reference_name for row in self.ledger()}, {self.film, self.song})
		self.assertEqual(api.forecast(campaign.name)["total"], 0, "what the night has written is not to come")

	def test_a_group_of_a_trigger_takes_its_place(self):
		campaign = factories.campaign({"item_group": self.music}, {"days_offset": 29}, item_group=self.films)
		self.assertEqual(self.due(campaign), {self.song})
		rows = api.preview(campaign.name, str(in_days(1)))["rows"]
		self.assertEqual({row["reference_name"] for row in rows}, {self.film})
		self.assertEqual(
			[step["item_group"] for step in api.journey(campaign.name)], [self.music, self.films]
		)

	def test_without_a_group_it_is_for_all(self):
		self.assertEqual(self.due(factories.campaign()), {self.film, self.song, self.tool})

	def test_a_message_that_waits_is_for_the_group_as_it_is_then(self):
		campaign = factories.campaign(item_group=self.parent, active=False)
		campaign.item_group = self.tools
		campaign.save()
		self.assertEqual(self.due(campaign), {self.tool})

	def test_a_recipe_gives_it_to_the_campaign(self):
		name = api.make_from_recipe(
			"subscription_renewal", factories.unique("Test"), "30, 7", "en", item_group=self.music
		)
		self.assertEqual(frappe.db.get_value("Lifecycle Campaign", name, "item_group"), self.music)
		own = frappe.get_all(
			"Lifecycle Trigger", filters={"campaign": name}, pluck="item_group", order_by="name asc"
		)
		self.assertEqual([group or None for group in own], [None, None])
		self.assertEqual({step["item_group"] for step in api.journey(name)}, {self.music})

	def test_why_says_which_group_is_wanted(self):
		factories.campaign(item_group=self.films)
		(step,) = api.why_reference("Serial No", self.tool)["steps"]
		self.assertIn(self.films, step["why"])


class TestExample(MarketingTestCase):
	"""What *See the Message* shows is what the trigger of the message takes."""

	def setUp(self):
		super().setUp()
		self.music = factories.item_group("Test Music", factories.item_group("Test Digital", is_group=1))
		self.song = factories.item("TEST-SONG", self.music)
		# Due sooner than any of the campaign's.
		self.other = factories.pin(factories.customer(), in_days(31))

	def shown(self, campaign) -> dict:
		action = frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name})
		return api.mail(action)

	def test_it_is_of_the_campaigns_item_group(self):
		campaign = factories.campaign(item_group=self.music)
		late = factories.pin(factories.customer(), in_days(60), item_code=self.song)
		soon = factories.pin(factories.customer(), in_days(40), item_code=self.song)
		self.assertEqual(self.shown(campaign)["reference_name"], soon)
		factories.expire([soon, late], in_days(-9))
		self.assertEqual(self.shown(campaign)["reference_name"], min(soon, late), "else one that was due")

	def test_it_passes_the_filters_and_is_of_the_company(self):
		mine = factories.pin(factories.customer(), in_days(50))
		campaign = factories.campaign({"filters": f'[["Serial No", "name", "=", "{mine}"]]'})
		self.assertEqual(self.shown(campaign)["reference_name"], mine)
		elsewhere = factories.campaign(company=factories.second_company())
		self.assertIsNone(self.shown(elsewhere)["reference_name"])

	def test_when_nothing_fits_it_says_what_would(self):
		found = self.shown(factories.campaign(item_group=self.music))
		self.assertIsNone(found["reference_name"])
		self.assertIn(self.music, found["wanted"])
		empty = factories.campaign(item_group=factories.item_group("Test Empty"))
		self.assertIsNone(self.shown(empty)["reference_name"])

	def test_one_that_was_chosen_and_does_not_fit_is_shown_and_said_to_be_no_match(self):
		campaign = factories.campaign(item_group=self.music)
		action = frappe.db.get_value("Lifecycle Action", {"campaign": campaign.name})
		found = api.mail(action, self.other)
		self.assertEqual(found["reference_name"], self.other)
		self.assertIn(self.music, found["wanted"])
		fitting = factories.pin(factories.customer(), in_days(50), item_code=self.song)
		self.assertIsNone(api.mail(action, fitting)["wanted"])
