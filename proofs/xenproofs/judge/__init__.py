"""The judge: reads what real Xen answered, replays it on the model and says where they differ."""
