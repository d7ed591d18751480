"""Domains and their virtual CPUs: privileges, base pointers, descriptor tables, lifetime."""
