"""A worker as bench worker starts one, but with all that our jobs need imported before it takes the first: it begins at
once, and each job's process has no imports of its own to do. Run inside the bench: warm_worker.py QUEUES.
"""

import importlib
import sys

from frappe.utils.background_jobs import start_worker

for module in (
	"frappe.email.doctype.email_queue.email_queue",
	"frappe.email.queue",
	"marketing_automation.engine.drain",
	"marketing_automation.engine.run",
	"marketing_automation.engine.settle",
):
	importlib.import_module(module)
start_worker(queue=sys.argv[1])
