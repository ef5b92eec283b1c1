"""Pure folds of the log into views, written once over an ordered key-value port and good for every log."""
