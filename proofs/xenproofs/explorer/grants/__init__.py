"""The explorer of grants: every state that a granter, a mapper and a control domain can reach together."""
