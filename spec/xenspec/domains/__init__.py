"""Domains and their virtual CPUs: how they run, where they are entered, how they end."""
