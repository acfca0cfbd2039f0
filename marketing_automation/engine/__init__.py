"""The engine: plan (read only), claim (the ledger), deliver (background jobs), settle (what became of it).

Each stage is one module and hands plain data to the next. Nothing here knows about the Desk.
"""
