"""Reasons behind scores: contributions, words, pictures and the page that a reviewer reads."""
