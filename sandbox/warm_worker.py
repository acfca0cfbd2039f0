"""A worker as bench worker starts one, but with all that our jobs need imported before it takes the first: it begins at
once, and each job's process has no imports of its own to do. Run inside the bench: warm_worker.py QUEUES.
"""

import sys

import frappe.email.doctype.email_queue.email_queue
import frappe.email.queue
import frappe.model.delete_doc
import frappe.model.document
import frappe.query_builder
import frappe.utils.error
import frappe.utils.scheduler
from frappe.utils.background_jobs import start_worker

import marketing_automation.engine.run
import marketing_automation.engine.settle  # noqa: F401

start_worker(queue=sys.argv[1])
