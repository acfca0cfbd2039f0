"""What campaigns are for. One small file each, named in the hook `lifecycle_goals`; the contract is in engine/goals.py."""
