"""Numbers and encodings of Xen's public interface: words are decoded here and nowhere else."""
