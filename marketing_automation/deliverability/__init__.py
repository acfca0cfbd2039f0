"""Checks of deliverability, one small file each; the contract is in engine/deliverability.py."""
