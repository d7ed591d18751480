"""Event channels. So far: the frames that Xen holds for them."""
