"""Reasons of the business to wait. One small file each, named in the hook `lifecycle_holds`; the contract is in engine/holds.py."""
