"""Memory: frames, page tables, descriptors and cached translations; properties 1 to 10."""
