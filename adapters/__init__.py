"""What touches the world: the log, files, HTTP, the vault. Each adapter implements a port of the domain; none imports another."""
