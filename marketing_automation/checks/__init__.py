"""What the gate asks. One small file each, named in the hook `lifecycle_checks`; the contract is in engine/gate.py."""
