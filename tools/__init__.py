"""What people run: the command line, the demo, the benches and the torture."""
