"""What touches the world: logs, disk, network, vault, clock. Each adapter implements a port of the domain.

None imports another; `lading.bootstrap` puts them together.
"""
